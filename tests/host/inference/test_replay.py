"""What stands in a file, a replay answers."""

import pytest

from llmos.blackbox import Recorder
from llmos.inference import Answer, DeadlineExpired, InferenceError, open_kernel
from llmos.report import Order


class Late:
    """A kernel that answers once and then is late."""

    name = "late"
    vision = False
    answers = 1

    def __call__(self, request):
        self.answers -= 1
        if self.answers < 0:
            raise DeadlineExpired("too late")
        return Answer('{"a":"ä"}', 3, 2, 1, 0.5, 1, probabilities=(0.25, 0.75))

    def close(self):
        """Nothing is held."""


def test_answers_and_failures_come_back_in_order(tmp_path, ask):
    """Text, counts and seconds are the same; a missed deadline is missed again; the end says so."""
    with Recorder(Order("go", record=tmp_path / "record.jsonl")) as box:
        kernel = box.kernel(Late())
        answer = kernel(ask())
        with pytest.raises(DeadlineExpired):
            kernel(ask())
    replay = open_kernel(f"replay:{tmp_path}")
    assert replay(ask()) == answer
    with pytest.raises(DeadlineExpired, match="too late"):
        replay(ask())
    with pytest.raises(InferenceError, match="no answer is left"):
        replay(ask())


def test_a_killed_recording_keeps_what_it_had(tmp_path, ask):
    """Each answer is on file before the next is asked for."""
    path = tmp_path / "record.jsonl"
    answer = Recorder(Order("go", record=path)).kernel(open_kernel("rule"))(ask())
    assert open_kernel(f"replay:{path}")(ask()) == answer


def test_a_text_is_enough(tmp_path, ask):
    """A file written by hand needs no counts."""
    (tmp_path / "run.jsonl").write_text('\n{"text":"{}"}\n')
    assert open_kernel(f"replay:{tmp_path / 'run.jsonl'}")(ask()) == Answer("{}", 0, 0, 0, 0.0)


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"text":1}', '{"text":"","seconds":"x"}', '{"text":"","z":1}']
)
def test_a_broken_line_is_named(tmp_path, ask, line):
    """By its number."""
    (tmp_path / "run.jsonl").write_text(f'{{"text":"{{}}"}}\n{line}\n')
    replay = open_kernel(f"replay:{tmp_path / 'run.jsonl'}")
    replay(ask())
    with pytest.raises(InferenceError, match="line 2"):
        replay(ask())


def test_a_file_of_another_kind_is_refused_at_once(tmp_path):
    """Before anything is asked."""
    (tmp_path / "letter.txt").write_text("Dear robot,\n")
    with pytest.raises(InferenceError, match="line 1"):
        open_kernel(f"replay:{tmp_path / 'letter.txt'}")
