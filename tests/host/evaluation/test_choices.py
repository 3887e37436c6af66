"""The evaluation of choices: frames are fair, baselines come to what they must, figures hold by law."""

import math
from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.host.brains.questions import candidate, question

from llmos.brains.confidence import posterior
from llmos.errors import LlmosError
from llmos.evaluation import Choices, Row, arenas_of, one_choice
from llmos.evaluation._choice_figures import BINS, Figures, figures, tables
from llmos.evaluation._choices import WAYS, plan
from llmos.evaluation._frames import SHOWS, case, cases, misled
from llmos.statistics import bootstrap, mean_between, ratio_between
from llmos.teacher import Seen, best
from llmos.training.calibrate import Said, fitted, said

ARENAS = ("clutter:1", "office:1:explore")
FEW = 6


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Frames put to chance in every cheap way, in every show."""
    ways = ("first", "score", "least", "pass", "alone", "instinct")
    return [one_choice(task) for task in Choices(ARENAS, ("random",), ways, SHOWS, frames=FEW).tasks()]


def of(rows: list[Row], way: str, show: str) -> Figures:
    """The figures of a way in a show."""
    return next(one for one in figures(rows) if (one.way, one.show) == (way, show))


@pytest.mark.parametrize("arena", ARENAS)
def test_only_the_scores_differ_between_shows(arena: str) -> None:
    """The same places under the same names; hidden scores are in no text; who follows a wrong one errs."""
    shown, hidden, wrong = (cases(arena, 0, show, "practice", FEW) for show in SHOWS)
    assert len(shown) == len(hidden) >= len(wrong) > 0
    for one, other in zip(shown, hidden, strict=True):
        assert (one.frame, one.lost, one.rule) == (other.frame, other.lost, other.rule)
        assert one.question.text.count(" score ") == len(one.frame.candidates)
        assert " score " not in other.question.text
        assert len({each.id for each in one.frame.candidates}) == len(one.frame.candidates)
    by_text = {one.question.text: one for one in hidden}
    for one in wrong:
        before = by_text[one.frame.text(scores=False)]
        changed = [a.id for a, b in zip(one.frame.candidates, before.frame.candidates, strict=True) if a != b]
        assert len(changed) == 1
        assert max(one.frame.candidates, key=lambda each: each.score).id not in one.best


@settings(max_examples=60)
@given(st.data())
def test_one_score_leads_astray_or_the_frame_is_left_out(data: st.DataObject) -> None:
    scores = data.draw(st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0]), min_size=2, max_size=4))
    offered = [candidate(f"c{n}", score=score) for n, score in enumerate(scores)]
    lost = {one.id: data.draw(st.sampled_from([0.0, 0.05, 0.4, math.inf])) for one in offered[1:]} | {
        "c0": 0.0
    }
    frame = misled(Seen(question(offered).frame, lost), Random(data.draw(st.integers(0, 9))))
    if frame is not None:
        top = max(one.score for one in frame.candidates)
        tops = {one.id for one in frame.candidates if one.score == top}
        assert not tops & best(lost)


def test_the_baselines_come_to_what_they_must(rows: list[Row]) -> None:
    """A wrong score is never right; the rule's regret is its own; nothing hidden is used."""
    assert of(rows, "score", "wrong").best[0] == 0.0
    for show in ("shown", "hidden"):
        assert (of(rows, "score", show).of_rule or ())[:2] == (1.0, 1.0)
        assert of(rows, "score", show).best == of(rows, "instinct", "shown").best  # chance has no say
    one = of(rows, "alone", "hidden")
    assert one.groups == of(rows, "instinct", "hidden").groups
    assert all(frame["confidence"] == pytest.approx(1 / len(frame["best"]), abs=1e-3) for frame in one.frames)
    assert sum(frame["right"] for frame in of(rows, "least", "shown").frames) >= 2 * FEW - 4


def test_the_tables_have_a_line_for_each_and_parts_for_two_families(rows: list[Row]) -> None:
    found = tables(rows)
    assert len(found["table"]) == len(SHOWS) * 6
    assert [row["show"] for row in found["table"]] == [show for show in SHOWS for _ in range(6)]
    assert set(found["parts"][0]) >= {"clutter", "office", "goal", "explore"}
    assert tables([row for row in rows if row["arena"] == ARENAS[0]])["parts"] == []


def test_what_is_the_least_by_arithmetic() -> None:
    """With a goal the way over a place; without one the way less what the promised cells are worth."""
    offered = [
        candidate(name, at=(path, 0.0)).model_copy(update={"onward_m": onward, "note": note})
        for name, path, onward, note in (
            ("far", 1.0, 3.0, "999 cells"), ("near", 2.0, 1.0, "1 cells"), ("none", 0.1, None, "")
        )
    ]  # fmt: skip
    asked = question(offered).frame
    seen = Seen(asked, {"far": 0.0, "near": 1.0, "none": 2.0})
    with_goal = case(seen, "shown", Random(0))
    exploring = [one.model_copy(update={"onward_m": None}) for one in offered]
    other = asked.model_copy(update={"goal_m": None, "candidates": exploring})
    without = case(seen._replace(frame=other), "shown", Random(0))
    assert with_goal
    assert without
    kernel = None  # asked nothing
    assert WAYS["least"](with_goal, kernel).id == "near"  # type: ignore[arg-type]
    assert WAYS["least"](without, kernel).id == "far"  # type: ignore[arg-type]
    assert with_goal.regret_m("") == 2.0


@settings(max_examples=10)
@given(st.lists(st.lists(st.floats(0.1, 9), min_size=1, max_size=4), min_size=1, max_size=6))
def test_intervals_hold_their_figure(groups: list[list[float]]) -> None:
    """A ratio to itself is one; a mean lies between the groups' means; scaling scales."""
    assert ratio_between(groups, groups) == pytest.approx((1.0, 1.0, 1.0))
    mean, low, high = mean_between(groups)
    means = [sum(group) / len(group) for group in groups]
    assert min(means) - 1e-9 <= low <= high <= max(means) + 1e-9
    doubled = mean_between([[2 * one for one in group] for group in groups])
    assert doubled == pytest.approx((2 * mean, 2 * low, 2 * high))
    assert math.isinf(ratio_between(groups, [[0.0]] * len(groups))[0])
    assert bootstrap(np.ones((3, 2)), lambda sums: sums[..., 0] - sums[..., 1]) == (0.0, 0.0, 0.0)


def frame(sure: float | None, right: bool) -> Row:
    """A choice with its confidence."""
    return {"confidence": sure, "right": right}


def test_the_calibration_error() -> None:
    """Nothing where who says 0.75 is right three times of four; a quarter where he always is."""
    good = [frame(0.75, right) for right in (True, True, True, False)]
    assert Figures("shown", "k", "w", [good, good]).ece == (0.0, 0.0, 0.0)
    assert Figures("shown", "k", "w", [[frame(0.75, True)] * 4]).ece == (0.25, 0.25, 0.25)
    both = Figures("shown", "k", "w", [[frame(0.75, True)] * 4, [frame(0.25, False)] * 4]).ece
    assert both == (0.25, 0.25, 0.25)
    assert Figures("shown", "k", "w", [[frame(None, True)]]).ece is None
    assert BINS == 10


def known(weights: tuple[float, float], seed: int, count: int) -> list[Said]:
    """Frames whose best candidate is drawn from what the weights say of a model and of scores."""
    chance, frames = np.random.default_rng(seed), []
    for _ in range(count):
        shares, scores = chance.dirichlet(np.ones(4)), chance.uniform(0.1, 1, 4)
        logs = weights[0] * np.log(shares) + weights[1] * np.log(scores)
        right = np.exp(logs - logs.max())
        best_one = chance.choice(4, p=right / right.sum())
        frames.append(Said(np.log(shares), np.log(scores), np.arange(4) == best_one))
    return frames


@pytest.mark.parametrize("weights", [(1.0, 1.0), (2.0, 0.5), (0.0, 1.5)])
def test_the_fit_finds_the_weights_that_made_the_frames(weights: tuple[float, float]) -> None:
    """Within three standard errors or so; a model whose word says nothing has none."""
    found = fitted(known(weights, 7, 400)).weights
    assert (found.model, found.score) == pytest.approx(weights, abs=0.35)
    assert (found.model == 0) == (weights[0] == 0)


def test_a_liking_for_places_is_taken_off_only_where_that_helps() -> None:
    frames = known((1.0, 0.0), 3, 300)
    liking = np.array([2.0, 0.0, 0.0, -1.0])
    biased = [one._replace(shares=one.shares + liking) for one in frames]
    mended = fitted(biased, biased=True).weights
    off = np.array(mended.bias) - np.mean(mended.bias)
    assert off == pytest.approx(liking - liking.mean(), abs=0.3)
    assert mended.model == pytest.approx(1.0, abs=0.35)
    assert fitted(biased).weights.model < mended.model


def test_hidden_scores_do_not_speak(rows: list[Row]) -> None:
    """What was hidden is alike for the fit and for the posterior; what was wrong is not fitted on."""
    passes = said(rows, "random", "pass")
    assert len(passes) == sum(
        len(row["frames"]) for row in rows if row["way"] == "pass" and row["show"] != "wrong"
    )
    half = len(passes) // 2
    alike = [bool((one.scores == 0).all()) for one in passes]
    assert sum(alike) >= half
    same: Mapping[str, float] = {"a": 1.0, "b": 1.0}
    assert posterior({"a": 0.8, "b": 0.2}, same, fitted(known((1.0, 1.0), 1, 50)).weights)["a"] > 0.5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ways": "guess"}, "way 'guess': unknown; name one of first, score"),
        ({"show": "half"}, "show 'half': unknown; name one of shown, hidden, wrong"),
        ({"body": "ghost"}, "body 'ghost': unknown; name one of practice, board"),
        ({"arenas": "office:x@1"}, "arenas 'office:x@1': write generated:100"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(given: dict[str, str], told: str) -> None:
    usual = {"arenas": "maze:1", "kernels": "random", "ways": "first", "show": "shown", "body": "practice"}
    with pytest.raises(LlmosError, match=told):
        plan(seeds=1, frames=2, **usual | given)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("generated:4@7", ("maze:7", "office:7", "clutter:7", "maze:8")),
        ("office:2@50", ("office:50", "office:51")),
        ("office:2,office", ("office:2", "office")),
        ("maze:1@1:explore,clutter:3", ("maze:1:explore", "clutter:3")),
    ],
)
def test_arenas_are_counted_by_family(text: str, names: tuple[str, ...]) -> None:
    assert arenas_of(text) == names
