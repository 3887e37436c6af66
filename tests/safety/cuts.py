"""The cable is cut, or the host killed, at a random moment of a random drive: when does the robot stand?"""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from tests.generate import valid

from llmbytecode import Program, Refusal, assemble, write_container
from llmbytecode.verify import verify
from llmos.blackbox import Box
from llmos.inference import open_kernel
from llmos.kernel.goal import read_goal
from llmos.mission import Means, drive, make_mind
from llmos.report import Order, Report
from llmos.sim.faults import Faults
from llmos.sim.judge import Sample

from .stage import ACCEL, CUBE, LIMITS, Host, Played, Scene, play, random_arena

WAYS = ("cut", "killed")  # the cable, the host
DRIVES = ("moves", "moves", "moves", "stream", "generated", "mission")
LATEST_MS = 25_000
TOP_MM, TOP_MRAD = LIMITS.top_speed, LIMITS.top_rate


@dataclass(frozen=True)
class Stop:
    """How one drive ended. Times in ms since the last frame that reached the robot."""

    seed: int
    way: str
    drive: str
    moving: bool  # when the last frame came
    stood_ms: int
    ramp_ms: int  # that the speed at the lease's end allows
    wrong: str

    @property
    def over_ms(self) -> int:
        """How long it moved after the lease and the ramp had ended; not above 0 where all is well."""
        return self.stood_ms - LIMITS.lease_ms - self.ramp_ms


def lose_host(seed: int) -> Stop:
    """Play one drive."""
    random = Random(seed)
    way, kind = WAYS[seed % 2], random.choice(DRIVES)
    moment = random.randrange(300, LATEST_MS)
    faults = Faults(at={"cut": moment}) if way == "cut" else Faults()
    arena = random_arena(random)

    def script(host: Host) -> None:
        if way == "killed":
            host.clock.dies_ms = moment
        host.robot.connect()
        if kind == "mission":
            _mission(host, arena, seed)
        while True:
            _go(host, kind, random)

    played = play(Scene(arena, script, seed, faults))
    return judged(played, seed, way, kind)


def _mission(host: Host, arena: object, seed: int) -> None:
    order = Order(goal="explore", kernel="rule", seed=seed)
    goal = read_goal(order.goal, None, arena.size_m)  # type: ignore[attr-defined]
    kernel = open_kernel("rule")
    mind = make_mind(order, arena, goal, host.robot, Means(CUBE, kernel, Box()))  # type: ignore[arg-type]
    drive(mind, Report(order, arena, goal), lambda mind, step: None)  # type: ignore[arg-type]


def _go(host: Host, kind: str, random: Random) -> None:
    if kind == "stream":
        for _ in host.robot.stream([random_moves(random) for _ in range(4)]):
            pass
    elif kind == "generated":
        host.robot.run(generated(random))
    else:
        host.robot.run(random_moves(random))
    if host.robot.latched:
        host.robot.clear()


def random_moves(random: Random) -> bytes:
    """Return a block that drives about for a while, tethered to the lease."""
    while True:
        with suppress(Refusal):  # some would take too long
            return _tethered(assemble(_moves(random)))


def _moves(random: Random) -> str:
    lines = [f"LDI r{n}, {random.randint(-TOP_MM, TOP_MM)}" for n in (1, 2)]
    if random.random() < 0.5:
        lines += [f"GUARD g0, front < {random.randint(80, 300)}mm"]
    lines += [f"LOOP {random.randint(1, 3)}"]
    for _ in range(random.randint(1, 5)):
        speed, rate = random.randint(10, TOP_MM), random.randint(100, TOP_MRAD)
        way = random.choice((-1, 1, 1)) * random.randint(5, 350)
        lines += random.choice(
            (
                [f"MOVE {way}mm, {speed}mm/s"],
                [f"MOVE {way}mm, {speed}mm/s"] * 2,  # which join
                [f"TURN {random.randint(-3100, 3100)}mrad, {rate}mrad/s"],
                [f"DRIVE r1, r2, {speed}mm/s, {random.randint(100, 4000)}ms"],
                [f"WAIT {random.randint(0, 400)}ms"],
                ["SENSE r3, front", "REPORT 1, r3"],
            )
        )
    return "\n".join([*lines, "ENDLOOP", "END"])


def generated(random: Random) -> bytes:
    """Return a block of no shape at all that may drive a little."""
    while True:
        program = valid(random.getrandbits(32), LIMITS)
        cost = verify(program, LIMITS)
        if cost.path_mm + cost.rotation_mrad > 500 and cost.reports < 30:
            return _tethered(program)


def _tethered(program: Program) -> bytes:
    return write_container(Program(program.words, program.constants), LIMITS)


def standstill_ms(samples: Sequence[Sample]) -> int:
    """When the robot stood still for good."""
    return max((there.ms for here, there in pairwise(samples) if here.moving), default=0)


def judged(played: Played, seed: int, way: str, kind: str) -> Stop:
    """Say when the robot stood for good, and whether that was in time."""
    samples, heard = played.truth.samples, played.heard_ms
    end = heard + LIMITS.lease_ms
    stood = max((there.ms for here, there in pairwise(samples) if here.moving), default=0)
    ramp = math.ceil(1000 * rate_at(samples, end) / ACCEL)
    wrong = ""
    if samples[-1].moving:
        wrong = "it still moves"
    elif stood > end + ramp + 1 or stood > heard + LIMITS.latch_ms + 1:
        wrong = f"it stands {stood - end} ms after the lease, and its ramp takes {ramp} ms"
    elif way == "killed" and played.status != 9:
        wrong = f"its host ended with {played.status} and not by SIGKILL"
    elif way == "cut" and not any("link" in note for note in played.notes):
        wrong = "its host does not say that nobody answers"
    return Stop(seed, way, kind, stood > heard, max(0, stood - heard), ramp, wrong)


def rate_at(samples: list[Sample], ms: int) -> float:
    """The speed in half-steps/s at a moment, or the most that it can be where nothing was written down."""
    before = [one for one in samples if one.ms <= ms]
    if not before[-1].moving:
        return 0.0
    since = ms - before[-1].ms
    return min(CUBE.drive.max_steps_s, before[-1].rate + ACCEL * since / 1000)
