"""The stepper drive on the fake board, against the simulated drive and the laws of motion."""

import math
import random
from itertools import pairwise
from pathlib import Path

import pytest

from llmos.manifest import load_manifest
from llmos.sim.motion import Motion
from tests.drives import Steps, compare, drive, scenario

TICK_MS = load_manifest("cube").budget.tick_ms
MOVES = [
    (3000, 3000, 1024, 512),
    (-2500, 2500, 1000, 512),
    (777, -300, 1024, 512),
    (60, 60, 40, 512),
    (3, 1, 900, 512),
]


def scenario_of(*calls: list[int], late: tuple[int, ...] = ()) -> dict[str, object]:
    return {"top": 1024, "from": 0, "late": late, "calls": list(calls)}


# a slower motion, one to an end that is too near, one in the middle of a slow step, the same backwards, the
# other wheel in the lead, and halts at full speed and in both ramps
CASES = [
    scenario_of([0, 2000, 2000, 1024, 512], [2500, 1500, 1500, 200, 512]),
    scenario_of([0, 538, 538, 64, 2000], [560, 2, 2, 5, 2000]),
    scenario_of([0, 2000, 2000, 1024, 512], [2500, 300, 300, 1024, 512]),
    scenario_of([0, 10, 10, 5, 512], [900, 10, 10, 5, 512]),
    scenario_of([0, 10, 10, 5, 512], [900, -10, -10, 5, 512]),
    scenario_of([0, 1500, 300, 1000, 512], [2000, 400, 1500, 1000, 512]),
    scenario_of([0, 1000, 900, 1024, 512], [1900, 0]),
    scenario_of([0, 1000, -900, 1024, 512], [300, 0], [2000, 500, 500, 1024, 512], [3900, 0]),
]
SCENARIOS = CASES + [scenario(seed) for seed in range(32)]


@pytest.fixture(scope="module")
def alone(micropython64: Path) -> list[Steps]:
    """Each of MOVES from rest to rest."""
    return drive(micropython64, [scenario_of([0, *move]) for move in MOVES])


@pytest.fixture(scope="module")
def driven(micropython: Path) -> list[Steps]:
    """What SCENARIOS make of the wheels."""
    return drive(micropython, SCENARIOS)


def test_it_drives_as_the_simulated_robot(driven: list[Steps]) -> None:
    """Through random moves, joins and halts: two steps apart at most, and at rest within a tick."""
    for one, steps in zip(SCENARIOS, driven, strict=True):
        difference = compare(one, steps)
        assert difference.steps <= (4 if difference.harsh else 2), difference
        assert difference.late_ms <= TICK_MS, difference
    for one, steps in zip(CASES, driven, strict=False):
        difference = compare(one, steps)
        assert difference.steps <= 1, difference
        assert abs(difference.late_ms) <= 2, difference


def test_the_motors_are_where_the_robot_thinks(driven: list[Steps]) -> None:
    """What the coils have turned is what the drive has counted."""
    for steps in driven:
        assert steps.places == steps.at(steps.rest)


def test_a_move_that_replaces_another_is_made_in_full(driven: list[Steps]) -> None:
    """From where the wheels are when it is called, whatever they were doing."""
    for one, steps in zip(SCENARIOS, driven, strict=True):
        ms, *last = one["calls"][-1]  # type: ignore[index]
        if len(last) == 4:
            left, right = steps.at(1000 * ms)
            assert steps.places == (left + last[0], right + last[1])


def test_no_step_is_faster_than_its_rate_and_ramp(alone: list[Steps]) -> None:
    """A step takes what constant acceleration asks, less two µs of rounding, and hardly more."""
    for move, steps in zip(MOVES, alone, strict=True):
        rate, accel = move[2:]
        lead = max(abs(move[0]), abs(move[1]))
        moved = zip(steps.us, steps.left, [0, *steps.left], strict=False)
        times = [us for us, now, before in moved if now != before]
        speeds = [math.sqrt(min(2 * accel * n, 2 * accel * (lead - n), rate * rate)) for n in range(lead + 1)]
        for n, (before, now) in enumerate(pairwise(times), 1):
            u, v = speeds[n], speeds[n + 1]
            assert now - before >= 1_000_000 / rate - 2
            ramps = abs(v * v - u * u) / 2 / accel
            if ramps > 0.999 or u == v == rate:  # else the ramp ends within this step
                exact = 2_000_000 / (u + v)
                assert -2 <= now - before - exact <= 1 + exact / 16 / max(min(u, v), 16), (move, n)


def test_both_wheels_keep_their_proportion(alone: list[Steps]) -> None:
    """At every step the other wheel is on the line between the ends, rounded toward zero."""
    for (left, right, _, _), steps in zip(MOVES, alone, strict=True):
        for made_left, made_right in zip(steps.left, steps.right, strict=True):
            assert made_right == int(right * made_left / left)
        assert steps.places == (left, right)


@pytest.mark.parametrize("late", ["always", "at times", "jitter"])
def test_late_callbacks_cost_no_time_and_no_speed(micropython64: Path, late: str) -> None:
    """No step is made before its time, none shorter than 15/16 and the jitter, and the end is in time."""
    roll = random.Random(3)
    lag = {
        "always": [150],
        "at times": [40] * 300 + [5000],
        "jitter": [roll.randrange(250) for _ in range(997)],
    }[late]
    steps = drive(micropython64, [scenario_of([0, 3000, 3000, 1000, 512], late=tuple(lag))])[0]
    model = Motion(0, 3000, 3000, 1000, 512)
    assert steps.places == (3000, 3000)
    for ms in range(model.rest_ms):
        assert steps.at(1000 * ms)[0] <= model.steps(ms)[0]
    jitter = 0 if late == "always" else min(max(lag), 250)
    assert min(b - a for a, b in pairwise(steps.us)) >= 1000 * 15 // 16 - jitter - 1
    assert steps.us[-1] / 1000 <= model.rest_ms + TICK_MS


def test_wheels_that_have_stood_begin_from_standstill(micropython64: Path) -> None:
    """After 30 ms without Python no motor is asked for its old speed, and no step is lost."""
    steps = drive(micropython64, [scenario_of([0, 2000, 2000, 1000, 512], late=tuple([0] * 1000 + [30000]))])[
        0
    ]
    assert steps.places == (2000, 2000)
    gaps = [b - a for a, b in pairwise(steps.us)]
    stood = gaps.index(max(gaps[100:1900]))
    assert max(gaps[100:1900]) == pytest.approx(1e6 * math.sqrt(2 / 512), rel=1e-3)
    assert gaps[stood + 1 : stood + 20] == sorted(gaps[stood + 1 : stood + 20], reverse=True)
