"""Runs blocks by section 4 of the SPEC: a step is the effect that stands beside the instruction there."""

from collections.abc import Callable

from tests.bytecode.specification import value

from llmbytecode import Program
from llmbytecode._isa import Outcome
from llmbytecode.machine import Ended, Guard, World
from llmbytecode.program import decode

Function = Callable[..., object]


def clamp(x: int, m: int) -> int:
    """Return the number of −m…m that is nearest."""
    return max(-m, min(m, x))


def sat(x: int) -> int:
    """Return the 32-bit number that is nearest."""
    return max(-(2**31), min(2**31 - 1, x))


def quot(x: int, y: int) -> int:
    """Return the quotient, truncated toward zero; 0 where y is 0."""
    size = abs(x) // abs(y) if y else 0
    return size if (x < 0) == (y < 0) else -size


def rem(x: int, y: int) -> int:
    """Return the remainder, with x's sign; 0 where y is 0."""
    return x - y * quot(x, y) if y else 0


class Meaning:
    """A state of section 4.1 and the world that it runs in."""

    def __init__(self, program: Program, world: World) -> None:
        self.program, self.world = program, world
        self.r, self.v = [0] * 16, [0] * 16
        self.g: list[tuple[int, int, int] | None] = [None] * 4
        self.stack: list[int] = []
        self.pc = self.fuel = self.trip = self.mode = self.code = 0
        self.outcome = Outcome.RUNNING
        self.ms = self.path_mm = self.rotation_mrad = 0
        self.signals: list[tuple[str, int, int, int]] = []
        self.reports: list[tuple[int, int]] = []
        self.functions: dict[str, object] = {
            "max": max, "min": min, "sat": sat, "clamp": clamp, "quot": quot, "rem": rem, "none": None,
            "sense": lambda channel: sat(world.sense(channel)),
            "move": lambda d, v: self.acted(world.move, d, v) if d else 0,
            "turn": lambda d, v: self.acted(world.turn, d, v) if d else 0,
            "drive": lambda left, right, ms: self.acted(world.drive, left, right, ms),
            "wait": lambda ms: self.acted(world.wait, ms),
            "led": lambda r, g, b: self.signals.append(("LED", r, g, b)),
            "tone": lambda hz, ms: self.signals.append(("TONE", hz, ms, 0)),
            "report": lambda tag, number: self.reports.append((tag, number)),
        }  # fmt: skip
        self.functions |= {outcome.name.lower(): outcome for outcome in Outcome}

    def acted(self, act: Callable[..., Ended], *operands: int) -> int:
        """Let the world move or wait under the armed guards; return what ended it."""
        guards = {n: Guard(row[0], bool(row[1]), row[2]) for n, row in enumerate(self.g) if row is not None}
        ended = act(*operands, guards)
        self.ms += ended.ms
        self.path_mm += ended.path_mm
        self.rotation_mrad += ended.rotation_mrad
        return ended.trip

    def step(self) -> None:
        """Execute the word at pc."""
        decoded = decode(self.program.words[self.pc])
        assert decoded is not None
        instruction, fields = decoded
        self.fuel += 1
        names = fields | {"pc": self.pc}
        self.pc += 1
        for effect in instruction.effect.split("; "):
            action, _, condition = effect.partition(" if ")
            if not condition or self.value(condition, names):
                self.perform(action, names)

    def value(self, formula: str, names: dict[str, int]) -> object:
        """Return what a formula is worth in this state."""
        state: dict[str, object] = {"r": self.r, "v": self.v, "k": self.program.constants, "trip": self.trip}
        if self.stack:
            state["top"] = self.stack[-1]
        return value(formula, self.functions | state | names)

    def perform(self, action: str, names: dict[str, int]) -> None:
        """Do one thing that an effect says."""
        target, assigned, formula = action.partition(" ← ")
        if assigned:
            self.assign(target, self.value(formula, names), names)
        elif action == "pop":
            self.stack.pop()
        elif action.startswith("push "):
            self.stack.append(int(str(self.value(action.removeprefix("push "), names))))
        elif action != "nothing":
            self.value(action, names)

    def assign(self, target: str, new: object, names: dict[str, int]) -> None:
        """Put a value into an element of the state."""
        place, indexed, index = target.rstrip("]").partition("[")
        if indexed:
            getattr(self, place)[self.value(index, names)] = new
        elif target == "top":
            self.stack[-1] = int(str(new))
        elif target == "n":
            names["n"] = int(str(new))
        else:
            assert hasattr(self, target), target
            setattr(self, target, new)
