"""Hours of driving with random faults at both ends: does anything leak, stick, or fail to stop?"""

import gc
import math
import statistics
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from llmbytecode import block_hash
from llmbytecode._isa import FrameType
from llmos.link import LinkError, LinkTimeout, Robot, RobotFault
from llmos.manifest import RANGE_CHANNELS, manifest_hash
from llmos.resources import firmware_dir
from llmos.sim.board import Board, LockstepHost
from llmos.sim.faults import Faults
from llmos.sim.judge import Sample

from .cuts import generated, random_moves, rate_at
from .stage import ACCEL, LIMITS, Host, Played, Scene, play, random_arena

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
STUCK_MS = 20_000  # without a fault of the cable, after which a robot that does not answer is lost
LONGEST_CUT_MS = 8_000
MAIN = """
import gc, json, sys
from llmvm import hal, supervisor

class Watched(supervisor.Supervisor):
    due = 0

    def step(self):
        super().step()
        if self._hal.clock.ms >= self.due:
            self.due = self._hal.clock.ms + 60000
            gc.collect()
            link = self._link
            print("HEAP", self._hal.clock.ms, gc.mem_alloc(), link._end - link._base, file=sys.stderr)

with open("robot.json") as file:
    config = json.load(file)
Watched(hal.open(config), config["limits"], config["angles_mrad"]).run()
"""


class Weather(LockstepHost):
    """Lets things happen to the board, each at its moment."""

    def __init__(self, *args: Any, events: list[tuple[int, Callable[[Board], None]]]) -> None:
        super().__init__(*args)
        self._events = sorted(events, key=lambda event: event[0])

    def pace(self, now_ms: int, to_ms: int) -> int:
        """Let happen what is due, and no more time pass than to the next event."""
        while self._events and self._events[0][0] <= now_ms:
            self._events.pop(0)[1](self._board)
        return super().pace(now_ms, min(to_ms, self._events[0][0]) if self._events else to_ms)


def live(seed: int, hours: float = 1.0) -> dict[str, Any]:
    """Drive for a while with random faults; return what was counted and what went wrong."""
    random, length = Random(seed), int(hours * HOUR_MS)
    noise = random.choice((0.0, 0.0, 1e-5, 1e-4, 5e-4))
    faults = Faults(number={name: noise * random.random() for name in ("lose", "flip", "double", "swap")})
    faults.number["slip"] = random.choice((0.0, 0.1))
    faults.channel["blind"] = {}
    events, cuts = _weather(random, faults, length, brownouts=seed % 4 == 3)
    heard: list[int] = []
    with tempfile.TemporaryDirectory(prefix="llmos-soak-") as folder:
        firmware = Path(folder)
        (firmware / "main.py").write_text(MAIN)
        (firmware / "llmvm").symlink_to(firmware_dir() / "llmvm")
        played = play(
            Scene(
                random_arena(random), partial(_drive, seed, length, cuts), seed, faults, firmware,
                host=partial(Weather, events=events),  # type: ignore[arg-type]
                hook=partial(_listen, cuts, heard),
            )
        )  # fmt: skip
    return _judged(seed, length, played, heard, faults)


def _weather(
    random: Random, faults: Faults, length: int, *, brownouts: bool
) -> tuple[list[tuple[int, Callable[[Board], None]]], list[tuple[int, int]]]:
    """Return what happens to the board, and when its cable is cut."""
    events: list[tuple[int, Callable[[Board], None]]] = []
    cuts, now = [], 0
    blind = faults.channel["blind"]
    while (now := now + random.randint(5_000, 90_000)) < length:
        kind = random.choice(("cut", "cut", "blind", *("brownout",) * brownouts))
        if kind == "cut":
            cuts.append((now, now + random.choice((80, 250, 400, 1500, 2500, LONGEST_CUT_MS))))
        elif kind == "blind":
            channel = random.randrange(len(RANGE_CHANNELS))
            events.append((now, lambda _, channel=channel, now=now: blind.__setitem__(channel, now)))
            back = now + random.randint(100, 20_000)
            events.append((back, lambda _, channel=channel: blind.pop(channel, None)))
        else:
            events.append((now, _brown_out))
    return events, cuts


def _brown_out(board: Board) -> None:
    board.brownout_ms = board.world.now


def _listen(cuts: list[tuple[int, int]], heard: list[int], board: Board) -> None:
    """Cut the cable when it is time, and note when bytes reach the robot."""

    def cut(arrived: Callable[[int], bytes], note: bool) -> Callable[[int], bytes]:
        def through(now_ms: int) -> bytes:
            data = arrived(now_ms)
            if not data or any(begun <= now_ms < over for begun, over in cuts):
                return b""
            if note:
                heard.append(now_ms)
            return data

        return through

    board.to_robot.arrived = cut(board.to_robot.arrived, True)  # type: ignore[method-assign]
    board.to_host.arrived = cut(board.to_host.arrived, False)  # type: ignore[method-assign]


def _drive(seed: int, length: int, cuts: list[tuple[int, int]], host: Host) -> None:
    """Be a host, and another one when that one dies, until the time is over."""
    random, done = Random(f"host {seed}"), Counter[str]()
    due = 0
    while host.clock.now() < length:
        if host.clock.now() >= due:
            due = host.clock.now() + MINUTE_MS
            gc.collect()
            queued = len(host.robot._transport._queue) + len(host.robot._transport._flight)
            host.note(rss_kb=_rss_kb(), queued=queued)
        try:
            if host.robot.hello is None:
                _connect(host, cuts)
                done["sessions"] += 1
            done[_act(host, random)] += 1
        except LinkError as error:
            if not isinstance(error, LinkTimeout | RobotFault):
                raise  # the board has gone
            done[str(error) if isinstance(error, RobotFault) else "timeout"] += 1
            host.robot.hello = None
    host.note(done=done)


def _connect(host: Host, cuts: list[tuple[int, int]]) -> None:
    """Find the robot again; that must work soon where the cable is whole."""
    began = host.clock.now()
    while True:
        try:
            host.robot.machine_code.choice = "never"  # it is kept until the next restart, by design
            host.robot.connect()
            if host.robot.latched:
                host.robot.clear()
            host.robot._pump(3000, lambda: host.robot.at_rest)  # it may be on its last ramp
            return
        except LinkError as error:
            since = max([began, *(over for begun, over in cuts if begun <= host.clock.now())])
            if host.clock.now() - since > STUCK_MS:
                host.note(wrong=f"no session for {STUCK_MS} ms: {error}")
                raise


def _act(host: Host, random: Random) -> str:
    """Do one thing; return its name."""
    robot = host.robot
    what = random.choice(("run",) * 6 + ("stream", "generated", "stop", "estop", "kill", "again"))
    if what == "stream":
        for _ in robot.stream([random_moves(random) for _ in range(3)]):
            pass
    elif what == "generated":
        robot.run(generated(random))
    elif what == "run":
        robot.run(random_moves(random))
    else:
        _interrupt(host, random, what)
    return what


def _be_silent(host: Host, ms: int) -> None:
    end = host.clock.now() + ms
    while host.clock.now() < end:
        host.clock.wait(end)
        host.robot._port.read()


class _Enough(Exception):
    """The moment to do something else."""


def _interrupt(host: Host, random: Random, what: str) -> None:
    """Begin to drive, and do something else in the midst of it."""
    robot, until = host.robot, host.clock.now() + random.randint(50, 9000)

    def look(_: object) -> None:
        if host.clock.now() >= until:
            raise _Enough

    block = random_moves(random)
    try:
        if what in ("kill", "estop", "again"):
            robot.upload(block)
            robot._on_telemetry = look
            robot._request(FrameType.RUN, block_hash(block))
            robot.wait(10_000)
        else:
            robot.run(block, look)  # which stops the robot when it is left
    except _Enough:
        pass
    finally:
        robot._on_telemetry = None
    if what == "estop":
        robot.estop()
        host.note(latched=True)
        robot.wait(random.randint(10, 3000))
        host.note(released=robot.latched)
        robot.clear()
    elif what == "kill":
        _be_silent(host, random.randint(10, 6000))
        host.robot = Robot(robot._port, host.clock, manifest_hash(LIMITS), seed=random.getrandbits(32))
    elif what == "again":
        robot.connect()
        robot._pump(3000, lambda: robot.at_rest)


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


def _judged(seed: int, length: int, played: Played, heard: list[int], faults: Faults) -> dict[str, Any]:
    samples, notes = played.truth.samples, played.notes
    wrong = [f"{note['ms']} ms: {note['wrong']}" for note in notes if "wrong" in note]
    if "Traceback" in played.stderr:
        wrong.append(played.stderr[-300:])
    silences = [
        (here, there) for here, there in pairwise([*heard, samples[-1].ms]) if there - here > LIMITS.lease_ms
    ]
    for here, there in silences:
        end = here + LIMITS.lease_ms
        stands = (
            min(end + math.ceil(1000 * rate_at(_until(samples, end), end) / ACCEL), here + LIMITS.latch_ms)
            + 1
        )
        wrong += [f"{here} ms: moves until {late} ms" for late in _moves(samples, stands, there)[-1:]]
    latched = [note["ms"] for note in notes if "latched" in note]
    released = [note["ms"] for note in notes if "released" in note]
    for here, there in zip(latched, released, strict=False):
        wrong += [f"{late} ms: moves while latched" for late in _moves(samples, here, there)[-1:]]
    wrong += [f"{note['ms']} ms: not latched any more" for note in notes if note.get("released") is False]
    done = next((note["done"] for note in notes if "done" in note), {})
    if not done:
        wrong.append("the host did not come to its end")
    heap = [
        tuple(map(int, line.split()[1:])) for line in played.stderr.splitlines() if line.startswith("HEAP")
    ]
    minutes = [note for note in notes if "rss_kb" in note][10:]
    return {
        "seed": seed,
        "hours": length / HOUR_MS,
        "driven_m": played.truth.path_m,
        "noise": max(faults.much(name) for name in ("lose", "flip", "double", "swap")),
        "silences": len(silences),
        "estops": len(latched),
        "brownouts": sum("brownout" in event for event in played.truth.events),
        "done": done,
        "heap": heap,
        "heap_slope": _slope([one[:2] for one in heap[5:]]),  # the first sessions fill what is kept
        "kept": max((one[2] for one in heap), default=0),
        "rss_kb": max((note["rss_kb"] for note in minutes), default=0),
        "rss_slope": _slope([(note["ms"], note["rss_kb"]) for note in minutes]),
        "queued": max((note["queued"] for note in minutes), default=0),
        "wrong": wrong,
    }


def _until(samples: Sequence[Sample], ms: int) -> Sequence[Sample]:
    at = bisect_right(samples, ms, key=lambda one: one.ms)
    return samples[max(0, at - 2) : at]


def _moves(samples: Sequence[Sample], first: int, last: int) -> list[int]:
    """The moments between two others at which the robot moved."""
    low, high = (bisect_right(samples, ms, key=lambda one: one.ms) for ms in (first, last - 1))
    return [one.ms for one in samples[max(0, low - 1) : high] if one.moving]


def _slope(points: Sequence[Sequence[int]]) -> float | None:
    """Units an hour, by least squares; None for less than 15 minutes."""
    if len(points) < 15:
        return None
    return statistics.linear_regression([ms / HOUR_MS for ms, *_ in points], [y for _, y, *_ in points]).slope
