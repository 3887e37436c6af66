"""The behaviours that ship: each can be done, none is done by doing nothing, and the measures measure."""

import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import pytest

from llmbytecode import assemble
from llmos.behaviours import Behaviour, BehaviourError, load_behaviours
from llmos.manifest import load_manifest
from llmos.measures import MEASUREMENTS, Drive
from llmos.skills import load_skills
from llmos.trial import Trial, try_block

SHAPE = """
LED 255, 0, 0
MOVE 20cm, 40mm/s
LED 0, 0, 0
TURN -90deg, 40deg/s
MOVE -10cm, 40mm/s
WAIT 1s
END
"""
BEHAVIOURS = load_behaviours()
RADIUS_M, LIMITS = load_manifest("cube").radius_m, load_manifest("cube").limits


Try = Callable[[str, str], Trial]


@pytest.fixture(scope="module")
def trial() -> Iterator[Try]:
    """Run a program in an arena, each pair once; all that will be wanted run beside each other."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        @cache
        def begun(program: str, arena: str) -> Future[Trial]:
            return pool.submit(try_block, assemble(program), arena=arena)

        for behaviour in BEHAVIOURS:
            begun(behaviour.reference, behaviour.place)
        yield lambda program, arena: begun(program, arena).result()
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda behaviour: behaviour.name)
def test_it_can_be_done(behaviour: Behaviour, trial: Try) -> None:
    """The program or call beside it does it, in the arena that judges it."""
    assert behaviour.faults(trial(behaviour.reference, behaviour.place), RADIUS_M) == []


def test_there_are_enough() -> None:
    """Forty at least, each with its own name and wish."""
    assert len({b.name for b in BEHAVIOURS}) == len({b.wish for b in BEHAVIOURS}) == len(BEHAVIOURS) >= 40


def test_doing_nothing_is_never_right(trial: Try) -> None:
    """A program that ends at once fails every behaviour."""
    for behaviour in BEHAVIOURS:
        assert behaviour.faults(trial("END", behaviour.place), RADIUS_M), behaviour.name


def test_no_wish_is_an_example_of_a_skill() -> None:
    """What a model is judged by is not what its prompt shows."""
    shown = {wish for skill in load_skills().values() for wish, _ in skill.examples}
    assert not shown & {behaviour.wish for behaviour in BEHAVIOURS}


def test_the_measures(trial: Try) -> None:
    """One drive of known shape: 20 cm ahead in red, a quarter turn to the right, 10 cm back."""
    drive = Drive(trial(SHAPE, "empty"), RADIUS_M)
    found = {name: measure(drive) for name, measure in MEASUREMENTS.items()}
    expected = {
        "ahead_mm": 200, "aside_mm": 100, "closed_mm": math.hypot(200, 100), "path_mm": 300,
        "turned_deg": -90, "turned_abs_deg": 90, "rotation_deg": 90, "legs": 2, "turns": 1,
        "shortest_leg_mm": 100, "longest_leg_mm": 200, "first_still_s": 0, "red_times": 1, "red_places": 1,
        "red_at_end": 0, "blue_times": 0, "reports": 0,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=2.5)
    assert found["red_s"] == pytest.approx(200 / 40 + 40 / LIMITS.accel, abs=0.1)
    assert drive.lights == ["red"]


def test_an_unknown_behaviour_is_refused() -> None:
    """With the names that there are."""
    with pytest.raises(BehaviourError, match="forward_30"):
        load_behaviours(("fly",))
