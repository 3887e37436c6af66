"""The instinct alone: the model's word decides every choice, and its failure is the drive's."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.host.brains.questions import candidate, question
from tests.host.brains.test_dual import FAR, NEAR, Broken, Model, target

from llmos.brains import Circumstances
from llmos.brains.alone import Alone
from llmos.brains.opening import make_brain, model_of, untaught_of
from llmos.inference import DeadlineExpired, InferenceError
from llmos.kernel.decision import read_decision
from llmos.mission import run_mission
from llmos.report import Order


@given(
    st.permutations([0.1, 0.3, 0.6]),
    st.lists(st.floats(0, 1), min_size=3, max_size=3),
    st.booleans(),
    st.integers(0, 9),
)
def test_the_likeliest_candidate_is_taken_whatever_the_scores(
    chances: list[float], scores: list[float], failed: bool, stuck: int
) -> None:
    """In every circumstance, also where two brains would go on, turn, plan or have the rule decide."""
    offered = [candidate(f"c{n}", at=(1.0 + n, 0.0), score=score) for n, score in enumerate(scores)]
    asked = question(offered, failed=failed, stuck=stuck, circumstances=Circumstances(asked=True))
    brain = Alone(Model({one.id: chance for one, chance in zip(offered, chances, strict=True)}))
    for _ in range(2):
        thought = brain(asked)
        assert (target(thought, asked), thought.brain) == (f"c{chances.index(0.6)}", "instinct")
        fallback = read_decision(thought.text, offered, failed).fallback
        assert fallback.target_id == f"c{chances.index(0.3)}"


def test_one_candidate_is_no_choice() -> None:
    model = Model()
    thought = Alone(model)(question([NEAR]))
    assert (json.loads(thought.text)["action"]["target_id"], thought.calls, model.asked) == ("c2", (), [])


@pytest.mark.parametrize("failure", [InferenceError("it is down"), DeadlineExpired("late")])
def test_nobody_stands_in(failure: Exception) -> None:
    """A drive by a model that fails has failed, and says so."""
    with pytest.raises(type(failure)):
        Alone(Broken(failure))(question([FAR, NEAR]))
    report = run_mission(Order("go", "maze", "instinct:gguf:test"), kernel=Broken(failure))
    assert (report.outcome, report.reason) == ("failed", str(failure))


def test_a_drive_by_chance_alone() -> None:
    """Every decision with a choice is the kernel's."""
    report = run_mission(Order("go", "simple", "instinct:random", max_cycles=4))
    chosen = [step.thought for step in report.steps if step.thought and len(step.candidates) > 1]
    assert {one.brain for one in chosen} == {"instinct"}


@pytest.mark.parametrize(
    ("spec", "model"),
    [("instinct", "smollm2"), ("instinct:gguf:a:b", "gguf:a:b"), ("instinct:random", "random")],
)
def test_a_spec_names_its_model(spec: str, model: str) -> None:
    assert model_of(spec) == model
    assert isinstance(make_brain(spec, Model(dict.fromkeys(("c1", "c2", "c3"), 1.0))), Alone)


def test_the_untaught_model_alone() -> None:
    assert untaught_of("instinct") == "instinct:smollm2:none"
