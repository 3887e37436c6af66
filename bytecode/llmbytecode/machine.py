"""The reference machine: one small function for each instruction; the other machines are held to it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from llmbytecode._isa import KINDS, Chan, Limits, Mode, Op, Outcome
from llmbytecode.program import Program, decode
from llmbytecode.verify import verify

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
NO_READING = 65535
RANGE_CHANNELS = (Chan.FRONT, Chan.FRONT_LEFT, Chan.FRONT_RIGHT, Chan.LEFT, Chan.RIGHT, Chan.REAR)
REFLEX = 5  # TRIP's answer when the reflex ended a move


class Guard(NamedTuple):
    """An armed condition on a channel, in the channel's unit."""

    channel: int
    above: bool
    threshold: int

    def holds(self, value: int) -> bool:
        """Say whether a reading trips the guard; a range that is not known does."""
        if value == NO_READING and self.channel in RANGE_CHANNELS:
            return True
        return value > self.threshold if self.above else value < self.threshold


Guards = Mapping[int, Guard]  # by the guard's number


class Ended(NamedTuple):
    """How a move or wait ended: TRIP's answer, and what it took in ms, mm and mrad."""

    trip: int
    ms: int
    path_mm: int
    rotation_mrad: int


class World(Protocol):
    """What a machine runs in; moves and waits return when the robot stands still again."""

    def begin(self) -> None:
        """Note that a block begins: the channels clock and travelled count from here."""

    def sense(self, channel: int) -> int:
        """Return a channel's value in its unit; 65535 where a range channel has no valid reading."""

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Drive straight on, or back where the distance is negative."""

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Turn on the spot."""

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Run the wheels at these speeds in mm/s, then ramp down."""

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Let time pass."""


def first_tripped(guards: Guards, sense: Callable[[int], int]) -> int:
    """Return TRIP's answer for the lowest guard that holds now, 0 where none does."""
    return next((n + 1 for n, guard in sorted(guards.items()) if guard.holds(sense(guard.channel))), 0)


def saturate(number: int) -> int:
    """Return the 32-bit integer that is nearest."""
    return max(INT32_MIN, min(INT32_MAX, number))


def clamp(number: int, bound: int) -> int:
    """Return the number of -bound…bound that is nearest."""
    return max(-bound, min(bound, number))


Values = dict[str, int]


class Machine:
    """Runs one verified block in a world.

    Args:
        program: the block; `Refusal` is raised where it breaks a rule.
        limits: the robot's limits.
        world: what it senses and moves in.
        variables: the sixteen variables from earlier blocks; they are changed in place.
    """

    def __init__(
        self, program: Program, limits: Limits, world: World, variables: list[int] | None = None
    ) -> None:
        self.certificate = verify(program, limits)
        self.program, self.world = program, world
        self.registers = [0] * 16
        self.variables = [0] * 16 if variables is None else variables
        self.mode = Mode.IDLE
        self.guards: dict[int, Guard] = {}
        self.loops: list[int] = []  # rounds that the running loops have left, the innermost last
        self.calls: list[int] = []  # words to go back to
        self.pc = self.fuel = self.ms = self.path_mm = self.rotation_mrad = self.trip = self.code = 0
        self.reports: list[tuple[int, int]] = []  # (tag, value)
        self.signals: list[tuple[str, int, int, int]] = []  # ("LED", r, g, b) or ("TONE", Hz, ms, 0)
        self.outcome = Outcome.RUNNING

    def run(self) -> Outcome:
        """Execute the block to its end."""
        self.world.begin()
        while self.outcome is Outcome.RUNNING:
            self.step()
        return self.outcome

    def step(self) -> None:
        """Execute one word; a block that outruns its certificate ends as a fault."""
        if self.fuel >= self.certificate.fuel:
            self.outcome = Outcome.FAULT
            return
        decoded = decode(self.program.words[self.pc])
        if decoded is None:
            raise RuntimeError(f"word {self.pc} is no instruction, though the block was verified")
        instruction, values = decoded
        self.fuel += 1
        here, self.pc = self.pc, self.pc + 1
        EXECUTE[Op(instruction.code)](self, values, here)

    def moved(self, ended: Ended) -> None:
        """Take over how a move or wait ended."""
        self.trip = ended.trip
        self.ms += ended.ms
        self.path_mm += ended.path_mm
        self.rotation_mrad += ended.rotation_mrad


# Control.


def _end(m: Machine, _v: Values, here: int) -> None:
    m.pc, m.outcome = here, Outcome.COMPLETED


def _fail(m: Machine, v: Values, here: int) -> None:
    m.pc, m.outcome, m.code = here, Outcome.FAILED, v["a"]


def _jmp(m: Machine, v: Values, here: int) -> None:
    m.pc = here + v["i"]


def _branch(condition: Callable[[int, int], bool]) -> "Execute":
    def execute(m: Machine, v: Values, here: int) -> None:
        if condition(m.registers[v["a"]], m.registers[v["b"]]):
            m.pc = here + v["c"]

    return execute


def _loop(m: Machine, v: Values, _here: int) -> None:
    m.loops.append(v["i"])


def _loopr(m: Machine, v: Values, here: int) -> None:
    rounds = max(0, min(m.registers[v["a"]], v["c"]))
    if rounds:
        m.loops.append(rounds)
    else:
        m.pc = here + v["b"] + 1


def _endloop(m: Machine, v: Values, here: int) -> None:
    m.loops[-1] -= 1
    if m.loops[-1]:
        m.pc = here - v["i"] + 1
    else:
        m.loops.pop()


def _exit(m: Machine, v: Values, here: int) -> None:
    m.loops.pop()
    m.pc = here + v["i"]


def _proc(_m: Machine, _v: Values, _here: int) -> None:
    pass


def _call(m: Machine, v: Values, here: int) -> None:
    m.calls.append(here + 1)
    m.pc = here + v["i"]


def _ret(m: Machine, _v: Values, _here: int) -> None:
    m.pc = m.calls.pop()


# Arithmetic.


def _ldi(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = v["i"]


def _ldk(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = m.program.constants[v["i"]]


def _mov(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = m.registers[v["b"]]


def _addi(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = saturate(m.registers[v["a"]] + v["i"])


def _binary(operation: Callable[[int, int], int]) -> "Execute":
    def execute(m: Machine, v: Values, _here: int) -> None:
        m.registers[v["a"]] = saturate(operation(m.registers[v["b"]], m.registers[v["c"]]))

    return execute


def divide(x: int, y: int) -> int:
    """Return x / y truncated toward zero, 0 where y is 0."""
    if y == 0:
        return 0
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def remainder(x: int, y: int) -> int:
    """Return what division leaves, with x's sign; 0 where y is 0."""
    return x - divide(x, y) * y if y else 0


# Sensing.


def _sense(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = saturate(m.world.sense(v["b"]))


def _guard(m: Machine, v: Values, _here: int) -> None:
    m.guards[v["a"] & 3] = Guard(v["a"] >> 4, bool(v["a"] & 4), v["i"])


def _unguard(m: Machine, v: Values, _here: int) -> None:
    m.guards.pop(v["a"], None)


def _trip(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = m.trip


# Moves and waits.


def _move_by(m: Machine, distance: int, speed: int) -> None:
    m.moved(m.world.move(distance, speed, m.guards) if distance else Ended(0, 0, 0, 0))


def _turn_by(m: Machine, angle: int, rate: int) -> None:
    m.moved(m.world.turn(angle, rate * KINDS["rate"].step, m.guards) if angle else Ended(0, 0, 0, 0))


def _move(m: Machine, v: Values, _here: int) -> None:
    _move_by(m, v["i"], v["a"])


def _mover(m: Machine, v: Values, _here: int) -> None:
    _move_by(m, clamp(m.registers[v["a"]], v["b"] * KINDS["distance_max"].step), v["c"])


def _turn(m: Machine, v: Values, _here: int) -> None:
    _turn_by(m, v["i"], v["a"])


def _turnr(m: Machine, v: Values, _here: int) -> None:
    _turn_by(m, clamp(m.registers[v["a"]], v["b"] * KINDS["angle_max"].step), v["c"])


def _drive(m: Machine, v: Values, _here: int) -> None:
    left, right = (clamp(m.registers[n], v["b"]) for n in (v["a"] >> 4, v["a"] & 15))
    m.moved(m.world.drive(left, right, v["c"] * KINDS["time100"].step, m.guards))


def _wait(m: Machine, v: Values, _here: int) -> None:
    m.moved(m.world.wait(v["i"], m.guards))


def _waitr(m: Machine, v: Values, _here: int) -> None:
    m.moved(m.world.wait(max(0, min(m.registers[v["a"]], v["i"])), m.guards))


# Signals, state, reports.


def _led(m: Machine, v: Values, _here: int) -> None:
    m.signals.append((Op.LED.name, v["a"], v["b"], v["c"]))


def _tone(m: Machine, v: Values, _here: int) -> None:
    m.signals.append((Op.TONE.name, v["i"], v["a"] * KINDS["time10"].step, 0))


def _mode(m: Machine, v: Values, _here: int) -> None:
    m.mode = Mode(v["a"])


def _getv(m: Machine, v: Values, _here: int) -> None:
    m.registers[v["a"]] = m.variables[v["b"]]


def _setv(m: Machine, v: Values, _here: int) -> None:
    m.variables[v["a"]] = m.registers[v["b"]]


def _report(m: Machine, v: Values, _here: int) -> None:
    m.reports.append((v["a"], m.registers[v["b"]]))


Execute = Callable[[Machine, Values, int], None]

EXECUTE: dict[Op, Execute] = {
    Op.END: _end,
    Op.FAIL: _fail,
    Op.JMP: _jmp,
    Op.BEQ: _branch(lambda x, y: x == y),
    Op.BNE: _branch(lambda x, y: x != y),
    Op.BLT: _branch(lambda x, y: x < y),
    Op.BGE: _branch(lambda x, y: x >= y),
    Op.LOOP: _loop,
    Op.LOOPR: _loopr,
    Op.ENDLOOP: _endloop,
    Op.EXIT: _exit,
    Op.PROC: _proc,
    Op.CALL: _call,
    Op.RET: _ret,
    Op.LDI: _ldi,
    Op.LDK: _ldk,
    Op.MOV: _mov,
    Op.ADDI: _addi,
    Op.ADD: _binary(lambda x, y: x + y),
    Op.SUB: _binary(lambda x, y: x - y),
    Op.MUL: _binary(lambda x, y: x * y),
    Op.DIV: _binary(divide),
    Op.MOD: _binary(remainder),
    Op.MIN: _binary(min),
    Op.MAX: _binary(max),
    Op.AND: _binary(lambda x, y: x & y),
    Op.OR: _binary(lambda x, y: x | y),
    Op.XOR: _binary(lambda x, y: x ^ y),
    Op.SHL: _binary(lambda x, y: x << (y & 31)),
    Op.SHR: _binary(lambda x, y: x >> (y & 31)),
    Op.SENSE: _sense,
    Op.GUARD: _guard,
    Op.UNGUARD: _unguard,
    Op.TRIP: _trip,
    Op.MOVE: _move,
    Op.MOVER: _mover,
    Op.TURN: _turn,
    Op.TURNR: _turnr,
    Op.DRIVE: _drive,
    Op.LED: _led,
    Op.TONE: _tone,
    Op.WAIT: _wait,
    Op.WAITR: _waitr,
    Op.MODE: _mode,
    Op.GETV: _getv,
    Op.SETV: _setv,
    Op.REPORT: _report,
}
