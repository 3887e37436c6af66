"""The robot's stepper drive beside the simulated one: the same calls to both, and how far they differ."""

import json
import random
import subprocess
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

from llmos.sim.motion import Motion

ROOT = Path(__file__).parents[1]
WRAP_US = 2**30  # where the board's counter of microseconds begins again

Call = list[int]  # [ms, left, right, rate, accel], or for a halt [ms, at once]


class Steps(NamedTuple):
    """What the motors did, by their coils: times in µs since power-on, places in half-steps."""

    rest: int
    places: tuple[int, int]
    us: list[int]
    left: list[int]
    right: list[int]

    def at(self, us: int) -> tuple[int, int]:
        """The wheels' places at a time."""
        n = bisect_right(self.us, us)
        return (self.left[n - 1], self.right[n - 1]) if n else (0, 0)


class Difference(NamedTuple):
    """`steps`: the most at any ms; `late_ms`: how much later the last step was made than the model rests.

    `harsh`: a motion that was to end much sooner than its wheels can brake was replaced. A step that it made
    earlier or later is a great difference in speed then, and many steps later on.
    """

    steps: int
    late_ms: float
    harsh: bool
    calls: list[Call]


def scenario(seed: int, top: int = 0) -> dict[str, object]:
    """Random moves, joins and halts, the counter's wrap among them at times; `top` in steps/s."""
    roll = random.Random(seed)
    top = top or roll.choice([1024, 1024, 300, 2000, 64])
    accel = {1024: 512, 300: 100, 2000: 2000, 64: 512}[top]
    calls: list[Call] = []
    ms = roll.randrange(50)
    for _ in range(roll.randrange(1, 5)):
        if calls and roll.random() < 0.3:
            calls.append([ms, int(roll.random() < 0.2)])
        else:
            left = roll.choice([1, -1]) * roll.choice(
                [roll.randrange(5), roll.randrange(60), roll.randrange(3000)]
            )
            if calls and roll.random() < 0.5 and len(calls[-1]) == 5:
                left = abs(left) if calls[-1][1] > 0 else -abs(left)
            right = roll.choice([left, left, -left, roll.randrange(-1500, 1500)])
            calls.append([ms, left, right, roll.choice([top, roll.randrange(1, top + 1)]), accel])
        ms += roll.choice([roll.randrange(1, 60), roll.randrange(1, 800), roll.randrange(1, 4000)])
    return {"top": top, "from": roll.choice([0, WRAP_US - 3_000_000]), "late": [], "calls": calls}


def drive(micropython: Path, scenarios: list[dict[str, object]]) -> list[Steps]:
    """Let the robot's drive do it on the fake board."""
    lines = "".join(json.dumps(one) + "\n" for one in scenarios)
    command = [str(micropython), "-X", "heapsize=32m", "tests/firmware/drive_steps.py"]
    done = subprocess.run(command, cwd=ROOT, input=lines, capture_output=True, text=True, check=True)
    answers = []
    for one, line in zip(scenarios, done.stdout.splitlines(), strict=True):
        rest, left, right, log = json.loads(line)
        began = one["from"]
        assert isinstance(began, int)
        us = [us - began for us in log[::3]]
        answers.append(Steps(rest - began, (left, right), us, log[1::3], log[2::3]))
    return answers


def modelled(calls: list[Call]) -> list[tuple[int, Motion, tuple[int, int]]]:
    """The simulated drive's motions, with when each began and where the wheels were."""
    motions: list[tuple[int, Motion, tuple[int, int]]] = []
    place = (0, 0)
    motion: Motion | None = None
    for now, *call in calls:
        if motion:
            steps = motion.steps(now)
            place = place[0] + steps[0], place[1] + steps[1]
            motion = motion if now < motion.rest_ms else None
        if len(call) == 4:
            left, right, rate, accel = call
            new = motion.replaced(now, *call) if motion else Motion(now, left, right, rate, accel)
        elif motion:
            new = Motion(now, 0, 0, 1, 1) if call[0] else motion.ramped_down(now)
        else:
            continue
        motion = new
        motions.append((now, motion, place))
    return motions


def compare(one: dict[str, object], steps: Steps) -> Difference:
    """The robot's drive and the model, at each ms."""
    calls = one["calls"]
    assert isinstance(calls, list)
    motions = modelled(calls)
    worst = 0
    for n, (begun, motion, place) in enumerate(motions):
        end = motions[n + 1][0] if n + 1 < len(motions) else motion.rest_ms + 3
        for ms in range(begun, end):
            model, real = motion.steps(ms), steps.at(ms * 1000)
            worst = max(worst, abs(place[0] + model[0] - real[0]), abs(place[1] + model[1] - real[1]))
    late = steps.us[-1] / 1000 - motions[-1][1].rest_ms if steps.us else 0.0
    harsh = any(motion.brake > 2 * motion.accel for _, motion, _ in motions[:-1])
    return Difference(worst, late, harsh, calls)
