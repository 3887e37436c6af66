"""The boundary's file says who answers where, and what is wrong in it is named by line."""

import pytest

from llmos.brains.boundary import ALLOWED, POINTS, Boundary, Chosen, ask_point, load_boundary
from llmos.errors import LlmosError
from llmos.inference import Answer, open_kernel
from llmos.kernel.prompt import kernel_path
from llmos.volumes import read_document


def written(tmp_path, *lines):
    path = tmp_path / "boundary.md"
    path.write_text("\n".join(["---", "name: boundary", *lines, "---", "Prose.\n"]), encoding="utf-8")
    return path


def test_the_file_that_ships_gives_every_point_to_its_default():
    assert load_boundary() == Boundary()
    assert set(POINTS) <= set(read_document(kernel_path("boundary")).values)


@pytest.mark.parametrize(("point", "who"), [(p, who) for p, allowed in ALLOWED.items() for who in allowed])
def test_each_point_can_be_given_to_each_that_it_allows(tmp_path, point, who):
    boundary = load_boundary(written(tmp_path, f"{point}: {who}"))
    assert {name: boundary.who(name) for name in POINTS} == {
        name: who if name == point else Boundary().who(name) for name in POINTS
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["navigation: me"], ":3: navigation: me is not one of rule, instinct, planner"),
        (["navigation: off"], ":3: navigation: off is not one of rule, instinct, planner"),
        (["goal: rule", "correction: rule"], ":4: correction: rule is not one of off, instinct, planner"),
        (["goal: Rule"], ":3: goal: Rule is not one of rule, instinct, planner"),
        (["speed: rule"], ":3: speed is no point; there are goal, strategy, recovery"),
        (["goal"], ":4: this is no YAML"),
        (["goal: \x1b[2Jrule"], "this is no YAML"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, lines, said):
    path = written(tmp_path, *lines)
    with pytest.raises(LlmosError) as caught:
        load_boundary(path)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_who_answers_at_no_point_is_an_error():
    with pytest.raises(ValueError, match="no point"):
        Boundary().who("weather")


class Voting:
    """A kernel that chooses in turn what it is given."""

    name = "voting"
    vision = False

    def __init__(self, *said):
        self.said, self.requests = list(said), []

    def __call__(self, request):
        self.requests.append(request)
        text = self.said[(len(self.requests) - 1) % len(self.said)]
        return Answer(text, 1, 1, 0, 0.0, probabilities=tuple(float(one == text) for one in request.choices))


def test_the_instinct_is_one_pass():
    kernel = Voting("b")
    assert ask_point(kernel, "instinct", "s", "t", ["a", "b"]) == Chosen("b", {"a": 0.0, "b": 1.0}, (
        Answer("b", 1, 1, 0, 0.0, probabilities=(0.0, 1.0)),))  # fmt: skip
    assert len(kernel.requests) == 1


def test_the_planner_asks_more_and_tells_the_shares():
    kernel = Voting("a")
    chosen = ask_point(kernel, "planner", "s", "t", ["a", "b"])
    assert (chosen.choice, chosen.probabilities) == ("a", {"a": 1.0, "b": 0.0})
    assert len(chosen.calls) == len(kernel.requests) > 1


def test_a_kernel_without_probabilities_chooses_all_the_same():
    chosen = ask_point(open_kernel("rule"), "instinct", "s", "t", ["x", "y"])
    assert chosen.choice == "x"
