"""Requests that are answered together: each as if it were alone, and each failing alone."""

import re
import threading
import time

import pytest

from llmos.inference import Answer, DeadlineExpired, InferenceError, ask_all
from llmos.inference._parallel import CELLS, SEQUENCES, Growing, _groups
from llmos.inference._turns import Turns

COLOUR = 'root ::= ("red" | "blue") " " [1-3]{2}'
IDS = ("c1", "c2", "c3")


def mixed(ask):
    """One of each kind, most about different frames."""
    return [
        ask(1),
        ask(2, schema=None, choices=IDS),
        ask(3, schema=None, grammar=COLOUR),
        ask(4, schema=None, max_tokens=6),
        ask(2, schema=None, choices=("yes", "no"), temperature=1.0, seed=5),
    ]


@pytest.fixture(scope="module")
def first(smollm2, ask):
    """The answers to the mixed requests."""
    return ask_all(smollm2, mixed(ask))


def test_each_answer_keeps_to_its_own_constraint(smollm2, ask, first):
    """And says the same when it is asked again, whatever was asked between; the shared start is kept."""
    requests = mixed(ask)
    ask_all(smollm2, [ask(6, system="Something else.", schema=None, choices=IDS)])
    again = ask_all(smollm2, requests)
    decision, choice, colour, free, drawn = first
    assert decision.text.startswith('{"action":')
    assert choice.text in IDS
    assert sum(choice.probabilities) == pytest.approx(1)
    assert re.fullmatch("(red|blue) [1-3]{2}", colour.text)
    assert (free.tokens_out, free.cut) == (6, True)
    assert drawn.text in ("yes", "no")
    assert [(one.text, one.probabilities) for one in again] == [
        (one.text, one.probabilities) for one in first
    ]
    assert all(answer.tokens_cached >= 60 for answer in again[1:])


def test_one_alone_is_answered_as_by_a_call(smollm2, ask):
    """To the last bit: nothing else lies between."""
    for request in mixed(ask):
        (alone,), single = smollm2.batch([request]), smollm2(request)
        assert (alone.text, alone.probabilities) == (single.text, single.probabilities)
        assert (alone.tokens_in, alone.tokens_out) == (single.tokens_in, single.tokens_out)
        assert alone.tokens_forced == single.tokens_forced


def test_what_is_alike_is_evaluated_once(smollm2, ask):
    """To the last bit as alone: each draws from the same logits by its own seed."""
    requests = [ask(2, schema=None, choices=IDS, temperature=2.0, seed=seed) for seed in range(6)]
    together = ask_all(smollm2, requests)
    assert len({answer.text for answer in together}) > 1
    assert [answer.tokens_cached for answer in together[1:]] == [together[0].tokens_in] * 5
    for answer, request in zip(together, requests, strict=True):
        alone = smollm2(request)
        assert (answer.text, answer.probabilities) == (alone.text, alone.probabilities)


def test_together_the_probabilities_stay_close(smollm2, ask):
    """As close as weights of eight bits allow."""
    requests = [ask(case, schema=None, choices=IDS) for case in range(4)]
    for together, request in zip(ask_all(smollm2, requests), requests, strict=True):
        assert together.probabilities == pytest.approx(smollm2(request).probabilities, abs=0.1)


def test_each_fails_alone(smollm2, ask):
    """By its own schema, length, prompt, picture or deadline."""
    good = ask(2, schema=None, choices=IDS)
    failing = {
        "cannot be followed": ask(schema={"type": "nonsense"}),
        "no end after 5 tokens": ask(max_tokens=5),
        "more than the context": ask(user="word " * 3000),
        "cannot see": ask(images=(b"png",)),
        "within the deadline": ask(3, deadline_s=0.0),
    }
    first, *failures, last = ask_all(smollm2, [good, *failing.values(), good])
    for message, failure in zip(failing, failures, strict=True):
        assert isinstance(failure, InferenceError)
        assert message in str(failure)
    assert isinstance(failures[-1], DeadlineExpired)
    assert first.text == last.text == smollm2(good).text


def test_who_is_late_does_not_hold_up_the_others(smollm2, ask):
    """A long answer is given up at its deadline; a short one has long been there."""
    long = ask(1, schema=None, grammar="root ::= [ab]{5000}", max_tokens=1500, deadline_s=0.5)
    late, short = ask_all(smollm2, [long, ask(2, schema=None, choices=IDS)])
    assert isinstance(late, DeadlineExpired)
    assert short.text in IDS


def test_a_cancelled_batch_ends_at_the_next_step(smollm2, ask, first):
    """What was answered before stays; the rest fails, and the next batch is unharmed."""
    for steps in (0, 3):
        left = iter([False] * steps)
        answers = ask_all(smollm2, mixed(ask), lambda left=left: next(left, True))
        failures = [answer for answer in answers if isinstance(answer, InferenceError)]
        assert failures
        assert all("cancelled" in str(failure) for failure in failures)
    assert [answer.text for answer in ask_all(smollm2, mixed(ask))] == [answer.text for answer in first]


def test_single_calls_go_on_meanwhile(smollm2, ask, first):
    """Neither changes what the other says."""
    singles = [ask(case, schema=None, choices=IDS) for case in (5, 6)]
    alone, batch = [smollm2(request) for request in singles], mixed(ask)
    answers: list[Answer | InferenceError] = []
    begun = threading.Event()

    def cancelled():
        begun.set()
        return False

    thread = threading.Thread(target=lambda: answers.extend(ask_all(smollm2, batch, cancelled)))
    thread.start()
    begun.wait(60)
    between = [smollm2(request) for request in singles]
    thread.join()
    assert [one.probabilities for one in between] == [one.probabilities for one in alone]
    assert [answer.text for answer in answers] == [answer.text for answer in first]


def test_more_than_fit_are_answered_in_groups(smollm2, ask):
    """All of them, in their order."""
    choices = [(f"a{n}", f"b{n}") for n in range(SEQUENCES + 2)]
    requests = [ask(2, system="Answer.", schema=None, choices=pair) for pair in choices]
    answers = ask_all(smollm2, requests)
    assert all(answer.text in pair for answer, pair in zip(answers, choices, strict=True))


def test_a_group_fits_the_context():
    """By the tokens that its prompts do not share, and those of its answers."""
    prompts = [[1] * 1000 + [n] * 2000 for n in range(9)]
    growing = [Growing(None, prompt, 100, 0.0, 0.0) for prompt in prompts]
    groups = list(_groups(growing))
    assert [one for group in groups for one in group] == growing
    assert [len(group) for group in groups] == [3, 3, 3]  # 1000 + 3 * 2100, where a fourth is too much
    assert CELLS == 8192


def test_who_waits_urgently_goes_first():
    """Before a patient one that came earlier, and not beyond the deadline."""
    turns, order = Turns(), []
    threads = []

    def wait(name, turn):
        with turn:
            order.append(name)

    with turns.patient():
        with pytest.raises(DeadlineExpired), turns.urgent(0.0):
            pass
        for name, turn in (("patient", turns.patient()), ("urgent", turns.urgent(time.monotonic() + 60))):
            threads.append(threading.Thread(target=wait, args=(name, turn)))
            threads[-1].start()
        stop = time.monotonic() + 50
        while not turns._urgent and time.monotonic() < stop:
            pass
    for thread in threads:
        thread.join()
    assert order == ["urgent", "patient"]
