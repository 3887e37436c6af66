"""One of a few texts: every kernel takes one of them, and tells how likely each was where it can."""

import math
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.inference import DeadlineExpired, InferenceError, open_kernel
from llmos.inference._choices import Choices
from llmos.inference._sampling import Sampler

SETS = [
    ("c1", "c2", "c3", "c4"),  # one shared token, then they part
    ("yes", "no"),
    ("turn left", "turn right", "stop", "go to c1", "go to c2"),  # part twice
    ("only",),
]


def choosing(ask, choices, case=0, **changes):
    return ask(case, schema=None, choices=choices, **changes)


@pytest.mark.parametrize("choices", SETS)
def test_the_answer_is_a_choice_and_the_probabilities_are_a_distribution(smollm2, ask, choices):
    """Whatever the frame, and whatever the temperature, which they do not depend on."""
    for case in range(3):
        smollm2(choosing(ask, choices, case))  # so that both find the same part of the prompt evaluated
        cold = smollm2(choosing(ask, choices, case))
        warm = smollm2(choosing(ask, choices, case, temperature=2.0))
        for answer in (cold, warm):
            assert answer.text in choices
            assert len(answer.probabilities) == len(choices)
            assert min(answer.probabilities) >= 0
            assert math.isclose(sum(answer.probabilities), 1)
        if choices != SETS[2]:
            assert cold.text == choices[int(np.argmax(cold.probabilities))]
            assert warm.probabilities == cold.probabilities


def test_what_all_share_is_not_sampled(smollm2, ask):
    """Of four candidates one token is chosen; where there is no choice nothing is evaluated."""
    answer = smollm2(choosing(ask, SETS[0]))
    assert (answer.tokens_out, answer.tokens_forced) == (2, 1)
    assert smollm2(choosing(ask, ("only",))).tokens_out == smollm2(choosing(ask, ("only",))).tokens_forced


def test_their_order_changes_nothing(smollm2, ask):
    """Neither the probabilities nor what is drawn."""
    for choices in (SETS[0][:3], SETS[2][2:]):
        seen = [smollm2(choosing(ask, order, temperature=1.0, seed=3)) for order in permutations(choices)]
        tables = [
            dict(zip(order, answer.probabilities, strict=True))
            for order, answer in zip(permutations(choices), seen, strict=True)
        ]
        assert len({answer.text for answer in seen}) == 1
        assert all(table == pytest.approx(tables[0]) for table in tables)


def test_the_probabilities_are_what_is_drawn(smollm2, ask):
    """Over many seeds each choice comes up about as often as it is likely."""
    request = choosing(ask, SETS[0], temperature=1.0)
    likely = smollm2(request).probabilities
    drawn = [smollm2(replace(request, seed=seed)).text for seed in range(60)]
    for choice, share in zip(request.choices, likely, strict=True):
        assert abs(drawn.count(choice) / 60 - share) < 0.25  # four standard deviations at most


TREES = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=5).map(lambda tokens: (*tokens, 9)),
    min_size=1,
    max_size=8,
    unique=True,
)


@given(choices=TREES, seed=st.integers(0, 9), scores=st.lists(st.floats(-9, 9), min_size=10, max_size=10))
def test_any_tree_is_walked_to_one_of_its_leaves(choices, seed, scores):
    """With every token that is asked for one of a branch, and probabilities that stay a distribution."""
    walk = Choices(choices, Sampler(1.0, seed))
    said = walk.forced()
    while not walk.complete:
        said.append(walk.choose(np.array(scores, np.float32)))
        said += walk.forced()
        assert math.isclose(sum(walk.probabilities), 1)
    assert tuple(said) == choices[walk.taken]
    assert walk.probabilities[walk.taken] > 0


def test_a_cached_prefix_serves_the_next_choice(smollm2, ask):
    """Only what has changed is evaluated, whatever was asked between."""
    first = smollm2(choosing(ask, SETS[0], 1))
    smollm2(ask(2))
    again = smollm2(choosing(ask, SETS[0], 1))
    assert again.tokens_cached > 40
    assert again.probabilities == pytest.approx(first.probabilities, abs=0.02)


def test_an_expired_deadline_is_told(smollm2, ask):
    """As with every other request."""
    with pytest.raises(DeadlineExpired):
        smollm2(choosing(ask, SETS[0], system="word " * 1500, deadline_s=0.01))


def test_a_choice_longer_than_the_answer_may_be_is_an_error(smollm2, ask):
    """Rather than half a choice."""
    with pytest.raises(InferenceError, match="no end after 1 tokens"):
        smollm2(choosing(ask, SETS[0], max_tokens=1))


def test_the_rule_takes_the_best_score_among_the_choices(ask):
    """Of a long line or a short one; where no line has a score, the first choice."""
    rule = open_kernel("rule")
    frame = "c1 frontier 0.1,0.2 score 0.40 path 1m\nc2 score 0.72\nc3 subgoal 0.2,0.1 score 0.90 path 1m"
    assert rule(choosing(ask, ("c1", "c2"), user=frame)).text == "c2"
    assert rule(choosing(ask, ("c1", "c2", "c3"), user=frame)).text == "c3"
    assert rule(choosing(ask, ("c7", "c8"), user=frame)).text == "c7"


def test_chance_takes_each_alike(ask):
    """And says so."""
    answers = [open_kernel("random")(choosing(ask, SETS[0], seed=seed)) for seed in range(200)]
    assert all(answer.probabilities == (0.25,) * 4 for answer in answers)
    assert all(20 < sum(answer.text == choice for answer in answers) < 80 for choice in SETS[0])


def test_the_probabilities_come_back_from_a_record(ask, tmp_path):
    """As they were; what is no list of numbers is refused."""
    (tmp_path / "run.jsonl").write_text('{"text":"c1","probabilities":[0.75,0.25]}\n')
    assert open_kernel(f"replay:{tmp_path / 'run.jsonl'}")(ask()).probabilities == (0.75, 0.25)
    for broken in ('"no"', "[true]", '[0.5,"x"]', "0.5"):
        (tmp_path / "broken.jsonl").write_text(f'{{"text":"c1","probabilities":{broken}}}\n')
        with pytest.raises(InferenceError, match="line 1: 'probabilities'"):
            open_kernel(f"replay:{tmp_path / 'broken.jsonl'}")
