"""Two brains: who decides when, and that a failing model degrades the robot to its rules."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.brains.questions import candidate, question

from llmos.brains import Circumstances, Question, Thought
from llmos.brains.boundary import Boundary
from llmos.brains.budget import Budget, Metered
from llmos.brains.dual import Dual
from llmos.brains.escalation import REASONS
from llmos.brains.opening import make_brain, model_of
from llmos.brains.planner import Planner
from llmos.inference import Answer, DeadlineExpired, InferenceError, Request
from llmos.kernel.decision import InvalidDecision, read_decision

FAR = candidate("c1", at=(2.0, 0.0), score=0.4)
NEAR = candidate("c2", at=(0.0, 1.0), score=0.6)
SIDE = candidate("c3", at=(-1.0, -1.0), score=0.5)
OFFERED = (FAR, NEAR, SIDE)


class Model:
    """A model by rule: its choices have the given probabilities; its decisions name the given candidate."""

    name, vision = "gguf:test", False

    def __init__(self, chances: dict[str, float] | None = None, plan: str = "c1") -> None:
        self.chances, self.plan = chances or {}, plan
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        """Answer."""
        self.asked.append(request)
        if request.choices:
            said = [self.chances.get(name, 0.0) for name in request.choices]
            total = sum(said) or 1.0
            best = request.choices[said.index(max(said))]
            return Answer(best, 30, 1, 20, 0.01, probabilities=tuple(one / total for one in said))
        action = {"type": "EXPLORE", "target_id": self.plan}
        text = json.dumps({"action": action, "fallback": {"if_failed": "STOP"}, "explanation": "planned"})
        return Answer(text, 200, 30, 100, 0.01)

    def close(self) -> None:
        """Nothing is held."""


class Broken(Model):
    """A model that fails."""

    def __init__(self, failure: Exception | str) -> None:
        super().__init__()
        self.failure = failure

    def __call__(self, request: Request) -> Answer:
        """Fail, or answer nonsense."""
        if isinstance(self.failure, Exception):
            raise self.failure
        return Answer(self.failure, 10, 10, 0, 0.01)


def dual(model: Model, **boundary: str) -> Dual:
    """Return two brains on a model."""
    brain = make_brain("dual:gguf:test", model)
    assert isinstance(brain, Dual)
    if boundary:
        brain = Dual(model, Planner(model), Boundary(**boundary))  # type: ignore[arg-type]
    return brain


def target(thought: Thought, asked: Question) -> str | None:
    """Return the candidate that a decision names."""
    return read_decision(thought.text, asked.frame.candidates, asked.failed).action.target_id


def test_the_models_probabilities_and_the_scores_decide_together() -> None:
    """A model that nobody has measured counts as much as the scores."""
    asked = question(OFFERED)
    for chances, chosen in (
        ({"c1": 0.9, "c2": 0.05, "c3": 0.05}, "c1"),
        ({"c1": 0.35, "c2": 0.3, "c3": 0.35}, "c2"),
    ):
        thought = dual(Model(chances))(asked)
        assert (thought.brain, target(thought, asked)) == ("instinct", chosen)
        assert thought.probabilities == pytest.approx(chances)
        assert sum(call.tokens_out for call in thought.calls) == 1


def test_a_reactive_rule_asks_nobody() -> None:
    model = Model()
    thought = dual(model)(question([NEAR]))
    assert (thought.brain, thought.why, thought.calls, model.asked) == ("reactive", "no choice", (), [])


@pytest.mark.parametrize(
    "failure", [InferenceError("it is down"), DeadlineExpired("late"), "", "{", '{"action":{"type":"FLY"}}']
)
def test_a_model_that_fails_leaves_the_robot_to_its_rules(failure: Exception | str) -> None:
    """The rule's choice, and the record says why."""
    asked = question(OFFERED, failed=True, circumstances=Circumstances(asked=True))
    brain = dual(Broken(failure))
    thought = brain(asked)
    brain.close()
    assert target(thought, asked) == "c2"
    if isinstance(failure, Exception):
        assert (thought.brain, thought.stand_in) == ("rule", True)
        assert thought.note in ("it is down", "deadline")


def test_a_spent_budget_leaves_the_robot_to_its_rules() -> None:
    model = Model({"c1": 1.0})
    brain = make_brain("dual:gguf:test", Metered(model, Budget(calls=1)))
    one, other = (brain(question(OFFERED, cycle=n, failed=True)) for n in (1, 2))
    assert (one.brain, other.brain, len(model.asked)) == ("instinct", "rule", 1)
    assert "budget of calls" in other.note


@pytest.mark.parametrize(
    ("reason", "circumstances"),
    [
        ("user_request", Circumstances(asked=True)),
        ("stuck", Circumstances(still_ms=6000)),
        ("looping", Circumstances(visits=4)),
        ("unknown_object", Circumstances(doubtful=("box",))),
        ("new_area", Circumstances(new_room=True)),
        ("goal_requires_plan", Circumstances(needs_plan=True)),
        ("frontier_exhaustion", Circumstances(known=0.9, frontiers=2)),
        ("periodic", Circumstances()),
    ],
)
def test_every_reason_sets_the_planner_to_work(reason: str, circumstances: Circumstances) -> None:
    brain = dual(Model({"c1": 1.0}))
    cycle = 60 if reason == "periodic" else 1
    thought = brain(question(OFFERED, cycle=cycle, circumstances=circumstances, failed=True))
    brain.close()
    assert thought.escalation == reason


def test_an_unsure_instinct_sets_the_planner_to_work() -> None:
    brain = dual(Model({"c1": 0.34, "c2": 0.33, "c3": 0.33}))
    even = [one.model_copy(update={"score": 0.5}) for one in OFFERED]
    thought = brain(question(even))
    brain.close()
    assert (thought.brain, thought.escalation) == ("instinct", "low_confidence")
    assert set(REASONS) > {thought.escalation}


def test_the_instinct_acts_until_the_plan_arrives() -> None:
    """The plan comes at a moment of the robot's clock; then it is followed, by whatever id its place has."""
    model = Model({"c2": 1.0}, plan="c1")
    brain = dual(model)
    asked = Circumstances(asked=True)
    first = brain(question(OFFERED, circumstances=asked, failed=True))
    soon = brain(question(OFFERED, cycle=2, now_ms=10, failed=True))
    renamed = [SIDE.model_copy(update={"id": "c1"}), FAR.model_copy(update={"id": "c2"})]
    later = question(renamed, cycle=3, now_ms=600_000)
    thought = brain(later)
    brain.close()
    assert [one.brain for one in (first, soon, thought)] == ["instinct", "instinct", "planner"]
    assert target(thought, later) == "c2"
    assert thought.why.startswith("user_request")


@pytest.mark.parametrize(("who", "brain"), [("rule", "rule"), ("instinct", "instinct")])
def test_the_boundary_says_who_answers(who: str, brain: str) -> None:
    asked = question(OFFERED, circumstances=Circumstances(asked=True), failed=True)
    mind = dual(Model({"c1": 1.0}), exploration=who)
    thought = mind(asked)
    mind.close()
    assert (thought.brain, bool(thought.escalation)) == (brain, who != "rule")


def test_the_planner_can_be_given_a_point() -> None:
    mind = dual(Model({"c1": 1.0}), recovery="planner")
    thought = mind(question(OFFERED, stuck=6, failed=True))
    mind.close()
    assert thought.escalation == "boundary"


@given(
    chances=st.fixed_dictionaries({one.id: st.floats(0, 1) for one in OFFERED}),
    count=st.integers(0, 3),
    failed=st.booleans(),
    stuck=st.integers(0, 9),
)
def test_every_decision_is_legal(chances: dict[str, float], count: int, failed: bool, stuck: int) -> None:
    asked = question(OFFERED[:count], failed=failed, stuck=stuck)
    brain = dual(Model(chances))
    try:
        read_decision(brain(asked).text, asked.frame.candidates, failed)
    except InvalidDecision as error:
        pytest.fail(str(error))
    finally:
        brain.close()


@pytest.mark.parametrize(
    ("spec", "model"),
    [("dual", "smollm2"), ("dual:gguf:a:b", "gguf:a:b"), ("rule", "rule"), ("gguf:dual", "gguf:dual")],
)
def test_a_spec_names_its_model(spec: str, model: str) -> None:
    assert model_of(spec) == model


def test_on_a_wall_clock_the_recorder_says_whether_the_plan_has_arrived() -> None:
    """The one bit that depends on how fast the machine is comes through the hook."""
    said: list[bool] = []

    def arrived(ready: Callable[[], bool]) -> bool:
        said.append(ready())
        return len(said) == 3

    model = Model({"c2": 1.0}, plan="c1")
    brain = make_brain("dual:gguf:test", model, arrived=arrived)
    brains = [
        brain(question(OFFERED, cycle=n, circumstances=Circumstances(asked=n == 1), failed=n < 3)).brain
        for n in (1, 2, 3)
    ]
    brain.close()
    assert brains == ["instinct", "instinct", "planner"]
