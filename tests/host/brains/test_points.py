"""Each of the boundary's points is answered by whom the boundary names, and the run differs by it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.host.brains.questions import candidate, question

from llmos.brains import Question, Thought
from llmos.brains.boundary import Boundary
from llmos.brains.dual import Dual
from llmos.brains.planner import Planner
from llmos.brains.points import corrected, kind_of_goal, strategy_of
from llmos.inference import Answer, InferenceError, Request
from llmos.kernel.decision import read_decision
from llmos.kernel.goal import GoalError, read_goal
from llmos.kernel.mind import Mind, Step
from llmos.mission import run_mission
from llmos.report import Order

OFFERED = (candidate("c1", at=(1.0, 0.0), score=0.4), candidate("c2", at=(0.0, 1.0), score=0.6))


class Says:
    """A model that says one of the choices, the one that it is told."""

    name, vision = "gguf:test", False

    def __init__(self, word: str, sure: float = 0.9) -> None:
        self.word, self.sure = word, sure
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        """Answer."""
        self.asked.append(request)
        if self.word not in request.choices:
            word = request.choices[0] if request.choices else ""
        else:
            word = self.word
        rest = (1 - self.sure) / max(1, len(request.choices) - 1)
        chances = tuple(self.sure if one == word else rest for one in request.choices)
        return Answer(word, 1, 1, 0, 0.0, probabilities=chances)

    def close(self) -> None:
        """Nothing is held."""


class Fails(Says):
    """A model that fails."""

    def __call__(self, request: Request) -> Answer:
        """Fail."""
        raise InferenceError("it is down")


@pytest.mark.parametrize("who", ["instinct", "planner"])
def test_a_model_says_what_a_sentence_asks_for(who: str) -> None:
    """Only where nothing else makes it certain; where the model fails, the rule's refusal stands."""

    def ask(model: Says) -> Callable[[str], str]:
        return lambda text: kind_of_goal(model, who, text)  # type: ignore[arg-type]

    goal = read_goal("schau dich um", (1.0, 1.0), (5.0, 5.0), ask=ask(Says("explore")))
    assert (goal.kind, goal.source) == ("exploration", "the model")
    assert read_goal("tanz ein wenig", None, (5.0, 5.0), ask=ask(Says("behaviour"))).behaviour
    assert read_goal("geh hin", (1.0, 1.0), (5.0, 5.0), ask=ask(Says("place"))).place_m == (1.0, 1.0)
    certain = Says("explore")
    assert read_goal("drive to 1, 1", None, (5.0, 5.0), ask=ask(certain)).place_m == (1.0, 1.0)
    assert not certain.asked
    with pytest.raises(GoalError, match="nothing of the goal"):
        read_goal("schau dich um", (1.0, 1.0), (5.0, 5.0), ask=ask(Fails("")))


def test_a_model_says_how_candidates_are_scored() -> None:
    model = Says("sweep")
    assert strategy_of(model, "instinct", "explore") == "sweep"
    assert (
        strategy_of(model, "rule", "explore") == strategy_of(Fails(""), "instinct", "explore") == "balanced"
    )
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("who", "failed", "doubtful", "sure"),
    [
        ("instinct", True, ((0.5, 0.5), "obstacle"), 0.9),
        ("planner", True, ((0.5, 0.5), "obstacle"), None),
        ("off", True, ((0.5, 0.5), "obstacle"), None),
        ("instinct", False, ((0.5, 0.5), "obstacle"), None),
        ("instinct", True, None, None),
    ],
)
def test_a_model_says_what_a_doubtful_cell_is(
    who: str, failed: bool, doubtful: tuple[tuple[float, float], str] | None, sure: float | None
) -> None:
    """Where it is asked: after a failed step, about a cell of which the sensors are not sure."""
    asked: Question = replace(question(OFFERED, failed=failed), doubtful=doubtful)
    brain = Dual(Says("free"), Planner(Says("free")), Boundary(correction=who))  # type: ignore[arg-type]
    thought: Thought = brain(asked)
    update = read_decision(thought.text, asked.frame.candidates, failed).world_model_update
    told = [(one.pos_m, one.state, one.confidence) for one in update.corrections] if update else []
    if who == "planner":
        assert [place[0] for place in told] == [(0.5, 0.5)]
    else:
        assert told == ([((0.5, 0.5), "free", sure)] if sure else [])


def test_a_model_that_fails_corrects_nothing() -> None:
    asked = replace(question(OFFERED, failed=True), doubtful=((0.0, 0.0), "free"))
    before = Thought("{}", "instinct")
    assert corrected(Fails(""), "instinct", asked, before) == replace(before, note="it is down")


def test_a_run_follows_its_boundary(tmp_path: Path) -> None:
    """A user's file gives the goal and the strategy to the model; the shipped one does not."""
    mine = tmp_path / "boundary.md"
    mine.write_text("---\nname: mine\ngoal: instinct\nstrategy: instinct\n---\nMine.\n")
    strategies = []

    def watch(mind: Mind, step: Step) -> None:
        strategies.append(mind.strategy)

    model = Says("sweep")
    order = Order("schau dich um", "empty", "dual:gguf:test", max_cycles=1)
    with pytest.raises(GoalError, match="nothing of the goal"):
        run_mission(order, kernel=model)
    run_mission(replace(order, boundary=mine), watch, kernel=model)
    assert [request.choices for request in model.asked[:2]] == [
        ("place", "explore", "behaviour"), ("direct", "balanced", "sweep"),
    ]  # fmt: skip
    assert strategies[0].view_weight == 0.95
