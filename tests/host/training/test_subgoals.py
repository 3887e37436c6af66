"""What is taught of BabyAI: the runtime's own questions, and answers that lead to success."""

from pathlib import Path
from typing import Any

import pytest

from llmos.babyai import FAMILIES, BabyAIError, play
from llmos.babyai.belief import Belief, Seen
from llmos.babyai.choosing import Instinct, View, prompt
from llmos.babyai.mission import Step, read_mission
from llmos.babyai.subgoals import GO_TO, TAKE, Subgoal
from llmos.inference import Answer, Around, Request, open_kernel
from llmos.training.subgoals import TRAIN, VALIDATE, examples, level_of, questions

pytest.importorskip("minigrid")
SEEDS = 40


@pytest.fixture(scope="module")
def taught() -> list[dict[str, Any]]:
    """The examples of some seeds for training."""
    return list(examples(TRAIN, SEEDS, "train"))


class Perfect(Around):
    """A kernel that says what it was taught, and was asked nothing else."""

    def __init__(self, known: dict[str, dict[str, float]]) -> None:
        super().__init__(open_kernel("rule"))
        self._known = known

    def __call__(self, request: Request) -> Answer:
        """Answer as taught: with a verb as likely as what begins with it."""
        assert (request.system, request.turns) == prompt("babyai")
        taught = self._known[request.user]
        shares = [
            sum(weight for text, weight in taught.items() if text.startswith(choice))
            for choice in request.choices
        ]
        best = request.choices[shares.index(max(shares))]
        return Answer(best, 0, 0, 0, 0.0, probabilities=tuple(share / sum(shares) for share in shares))


class Leaning(Around):
    """A kernel of some name that finds `pick up` three times as likely as `go to`."""

    def __init__(self, name: str) -> None:
        super().__init__(open_kernel("rule"))
        self._name = name

    @property
    def name(self) -> str:
        """As whom it is known."""
        return self._name

    def __call__(self, request: Request) -> Answer:
        """Lean towards taking."""
        assert request.choices == (GO_TO, TAKE)
        return Answer(TAKE, 0, 0, 0, 0.0, probabilities=(0.25, 0.75))


CARD = """\
---
name: robot
type: adapter
file: robot.gguf
sha256: {sha256}
bytes: 1
base: {{name: SmolLM2, architecture: llama, layers: 30, width: 576, sha256: {sha256}}}
rank: 4
alpha: 8
seed: 0
calibration: {{instinct: {{model: 1, score: 1}}, plan: {{model: 1, score: 1}}}}
---
"""


def test_a_taught_kernel_is_taken_at_its_word(state_folder: Path) -> None:
    """The bias of the verbs is the untaught model's; how likely a taught one finds a verb is what counts."""
    models = state_folder / "volumes" / "user" / "models"
    models.mkdir(parents=True)
    (models / "robot.gguf").touch()
    (models / "robot.md").write_text(CARD.format(sha256="a" * 64))
    ball = Seen("ball", "red")
    options = tuple(Subgoal(verb, ball, (1, 0), None, ()) for verb in (GO_TO, TAKE))
    view = View("", Belief(), options, (0, 0), count=0, seed=0, deadline_s=1.0)
    assert Instinct(Leaning("smollm2:none")).verb(view)[0] == GO_TO
    verb, sure, _ = Instinct(Leaning("smollm2")).verb(view)
    assert (verb, sure) == (TAKE, pytest.approx(0.75))


@pytest.mark.parametrize("family", FAMILIES)
def test_who_says_what_is_taught_has_success(family: str) -> None:
    """Every question that the runtime asks on the right way is among those taught, with the right answer."""
    for seed in range(TRAIN, TRAIN + 4):
        known = {}
        for kept in (False, True):
            known |= questions(family, seed, kept=kept, wrong=0.0)
        played = play(level_of(family), seed, "perfect", "all", Perfect(known), 10.0)
        assert played.success
        assert all(one.right for one in played.decisions)


def test_weights_are_probabilities_and_ties_are_ties(taught: list[dict[str, Any]]) -> None:
    """They sum to 1; several are right only where the wrong thing must leave the hands, wherever to."""
    for one in taught:
        right = {text for text, weight in zip(one["answers"], one["weights"], strict=True) if weight}
        assert sum(one["weights"]) == pytest.approx(1)
        assert len(set(one["answers"])) == len(one["answers"])
        if len(right) > 1:
            held = one["user"].removeprefix("You carry ").partition(". ")[0]
            assert right == {text for text in one["answers"] if text.startswith(f"put {held} next to ")}
    assert any(max(one["weights"]) < 1 for one in taught)


def test_hands_tell_which_step_is_next(taught: list[dict[str, Any]]) -> None:
    """Where one thing comes after another, what is carried says so; nothing is asked of what was put down."""
    nexts = set()
    for one in taught:
        first, *then = meaning(one)
        if then:
            held = one["user"].removeprefix("You carry ").removeprefix("the ").partition(". ")[0]
            has_it = held == f"{first.what.colour} {first.what.kind}"
            best = max(zip(one["weights"], one["answers"], strict=True))[1]
            nexts.add((held == "nothing", has_it, best.split()[0]))
    assert nexts == {(True, False, "pick"), (False, False, "put"), (False, True, "go")}


def test_validation_has_other_rooms_and_other_missions(taught: list[dict[str, Any]]) -> None:
    """No seed of an evaluation, and no mission of the one split in the other, in whatever words."""
    other = list(examples(VALIDATE, SEEDS, "val"))
    assert {one["split"] for one in taught} == {"train"}
    assert {one["split"] for one in other} == {"val"}
    assert other
    assert not {meaning(one) for one in taught} & {meaning(one) for one in other}
    with pytest.raises(BabyAIError, match=r"seed 111: kept for evaluations; teach with seeds from 10000 on"):
        next(examples(111, 1, "train"))


def test_going_on_leaves_nothing_out(taught: list[dict[str, Any]]) -> None:
    """The examples of two halves are those of the whole."""
    half = SEEDS // 2
    assert [*examples(TRAIN, half, "train"), *examples(TRAIN + half, half, "train")] == taught


def meaning(example: dict[str, Any]) -> tuple[Step, ...]:
    """What the mission in a question asks for."""
    steps = read_mission(example["user"].partition("Mission: ")[2])
    assert steps
    return steps
