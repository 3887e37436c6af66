"""What a model says of the map: taken or refused, told to it, and never a way through a measured obstacle."""

import json
import math
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.inference import Answer, Kernel, Request, open_kernel
from llmos.kernel.corrections import Corrected, correct
from llmos.kernel.decision import CORRECTIONS, Correction
from llmos.kernel.mind import Mind, Step
from llmos.mission import run_mission
from llmos.report import Order
from llmos.world.grid import OCCUPIED, Grid

metre = st.floats(-30, 30)
changes = st.lists(
    st.builds(
        Correction,
        pos_m=st.tuples(metre, metre),
        state=st.sampled_from(["free", "obstacle", "unknown"]),
        confidence=st.floats(0, 1),
    ),
    max_size=6,
)


def change(x: float, y: float, state: str = "free", confidence: float = 0.9) -> Correction:
    """A correction, not validated: as it might reach the grid by another way."""
    return Correction.model_construct(pos_m=(x, y), state=state, confidence=confidence)


def test_what_is_refused_is_said_with_its_reason() -> None:
    """Outside the room, no number, the robot's own cell, a low confidence, too many."""
    grid = Grid((2.0, 2.0))
    said = [change(5, 0), change(math.nan, 0), change(0.05, 0.05, "obstacle"), change(0.5, 0.5)]
    result = correct(grid, (10, 10), said)
    assert [why for _, why in result.refused] == [
        "outside the room",
        "outside the room",
        "the robot stands there",
        f"more than {CORRECTIONS} at once",
    ]
    assert str(result) == "4 corrections refused: free: outside the room"
    doubted = correct(grid, None, [change(0.5, 0.5, confidence=0.1), change(0.5, 0.5)])
    assert (len(doubted.taken), len(doubted.refused)) == (1, 1)
    assert str(Corrected(taken=doubted.taken)) == ""


@settings(max_examples=30, deadline=None)
@given(changes)
def test_every_correction_is_taken_or_refused(said: list[Correction]) -> None:
    """None is lost, none raises, and a measured obstacle stays one."""
    grid = Grid((2.0, 2.0))
    for _ in range(2):
        grid.update((0.0, 0.05, 0.0), [0.5], [0.0], 1.5, 0)
    hit = grid.measured() == OCCUPIED
    result = correct(grid, (10, 10), said)
    assert len(result.taken) + len(result.refused) == len(said)
    assert len(result.taken) <= CORRECTIONS
    assert (grid.occupancy()[hit] == OCCUPIED).all()


class Optimist:
    """A kernel that decides by the rule, and says that the obstacles nearest to the robot are free."""

    name = "rule"
    vision = False

    def __init__(self) -> None:
        self.rule: Kernel = open_kernel("rule")
        self.mind: Mind | None = None
        self.refused = self.crossed = 0

    def __call__(self, request: Request) -> Answer:
        answer = self.rule(request)
        return replace(answer, text=json.dumps({**json.loads(answer.text), **self.lies()}))

    def lies(self) -> dict[str, object]:
        """Corrections of two measured obstacles and of an unknown cell, all near the robot."""
        if self.mind is None:
            return {}
        grid, here = self.mind.belief.grid, self.mind.belief.pose[:2]
        measured = grid.measured()
        places = [
            sorted((grid.centre((int(r), int(c))) for r, c in np.argwhere(measured == state)), key=near)[
                :count
            ]
            for state, count in ((OCCUPIED, 2), (0, 1))
            for near in [lambda place: math.dist(place, here)]
        ]
        said = [{"pos_m": place, "state": "free", "confidence": 1.0} for group in places for place in group]
        return {"world_model_update": {"corrections": said}}

    def watch(self, mind: Mind, step: Step) -> None:
        """Count what was refused, and look whether the map holds an obstacle to be free."""
        self.mind = mind
        self.refused += len(step.corrected.refused)
        grid = mind.belief.grid
        self.crossed += int((grid.passable() & (grid.measured() == OCCUPIED)).sum())

    def close(self) -> None:
        """Nothing is held."""


def test_a_model_that_calls_every_obstacle_free_drives_into_none() -> None:
    """It sees the map and may correct it; its words on measured obstacles are refused, and it hears so."""
    kernel, heard = Optimist(), []

    def watch(mind: Mind, step: Step) -> None:
        kernel.watch(mind, step)
        heard.append(step.thought.prompt if step.thought else "")

    report = run_mission(Order("go", arena="simple", kernel="rule", show_map=True), watch, kernel=kernel)
    assert (report.outcome, report.summary()["collisions"]) == ("reached", 0)
    assert (kernel.refused > 0, kernel.crossed) == (True, 0)
    assert "corrections refused: free: " in "".join(heard)
