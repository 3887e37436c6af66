"""Every program skeleton of a size, and the worst that the reference machine does with it in any world.

A skeleton is a sequence of slots. A slot is one word, or two where a branch, a LOOPR or a move by register is
fed by the word before it. Each slot has a weight of its own, a power of two, so that a sum of moves or turns
says which slots were executed: later moves are longer, later turns are smaller. The worst is found by running
`llmbytecode.machine.Machine` from each of its states with each answer of the world; nothing here knows what
the verifier computes.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from operator import add
from typing import NamedTuple, TypeVar

from llmbytecode import Certificate, Limits, Machine, Outcome, Program, _verify_py, disassemble
from llmbytecode._isa import Chan
from llmbytecode.machine import INT32_MAX, REFLEX, Ended, Guards
from llmbytecode.program import BY_NAME, encode
from llmos.manifest import load_manifest

LIMITS = load_manifest("cube").limits._replace(
    actuators=7, max_fuel=10**9, max_ms=10**9, max_path_mm=10**9, max_rotation_mrad=10**9, max_reports=10**4
)  # fmt: skip
"""A robot that refuses no skeleton for what it costs."""

T = TypeVar("T")

MAX_LOOPS = 4
ROUNDS = 2
SPEED, RATE = 40, 50  # mm/s, and in the encoding's steps of 10 mrad/s

# Each slot's words; B is a branch with any condition. A field that is not given depends on the slot's place.
Word = tuple[str, dict[str, int]]
FED_BY_SENSE: Word = ("SENSE", {"a": 1, "b": Chan.FRONT})
SLOTS: dict[str, list[Word]] = {
    "END": [("END", {})],
    "JMP": [("JMP", {})],
    "BRANCH": [FED_BY_SENSE, ("B", {})],
    "TRIPPED": [("TRIP", {"a": 1}), ("B", {})],
    "BARE": [("B", {})],
    "LOOP": [("LOOP", {"i": ROUNDS})],
    "LOOPR": [("SENSE", {"a": 1, "b": Chan.HEADING}), ("LOOPR", {"a": 1, "c": ROUNDS})],
    "ENDLOOP": [("ENDLOOP", {})],
    "EXIT": [("EXIT", {})],
    "PROC": [("PROC", {})],
    "CALL": [("CALL", {})],
    "RET": [("RET", {})],
    "MOVE": [("MOVE", {"a": SPEED})],
    "TURN": [("TURN", {"a": RATE})],
    "WAIT": [("WAIT", {})],
    "REPORT": [("REPORT", {"a": 0, "b": 1})],
    "MOVER": [("SENSE", {"a": 1, "b": Chan.HEADING}), ("MOVER", {"a": 1, "b": 1, "c": SPEED})],
    "TURNR": [("SENSE", {"a": 1, "b": Chan.HEADING}), ("TURNR", {"a": 1, "b": 1, "c": RATE})],
    "WAITR": [("SENSE", {"a": 1, "b": Chan.HEADING}), ("WAITR", {"a": 1, "i": 7})],
    "DRIVE": [("SENSE", {"a": 1, "b": Chan.HEADING}), ("DRIVE", {"a": 0x10, "b": SPEED, "c": 1})],
    "GUARD": [("GUARD", {"a": Chan.FRONT << 4, "i": 100})],
    "OTHER": [("GUARD", {"a": Chan.LEFT << 4, "i": 100})],  # the same guard, but not on the way ahead
    "UNGUARD": [("UNGUARD", {"a": 0})],
}
CONDITIONS = (("BEQ", 1, 0), ("BNE", 1, 0), ("BLT", 0, 1), ("BGE", 0, 1))  # 0 or 1 in r1 makes each either
AIMED = ("JMP", "BRANCH", "TRIPPED", "BARE")
HEADS = ("LOOP", "LOOPR")
SENSED = {Chan.FRONT: (0, 1), Chan.HEADING: (-1, 1, INT32_MAX)}  # the least, one and the most rounds
CALLING = ("PROC", "CALL", "RET")
ALPHABETS: dict[str, tuple[str, ...]] = {
    "control": ("MOVE", "TURN", "BRANCH", "JMP", *HEADS, "EXIT", "END"),
    "loops": ("MOVE", "BRANCH", *HEADS, "EXIT"),
    "calls": ("MOVE", "BRANCH", "LOOP", "EXIT", *CALLING, "END"),
    "acts": ("MOVE", "MOVER", "TURN", "TURNR", "DRIVE", "WAIT", "WAITR", "REPORT", "BRANCH", "LOOP"),
    "guards": ("MOVE", "GUARD", "OTHER", "UNGUARD", "BRANCH", "JMP", *HEADS, "EXIT", *CALLING, "END"),
    "trips": ("MOVE", "TURN", "WAIT", "GUARD", "TRIPPED", "BARE", "BRANCH", "LOOP", "EXIT", "END"),
}
"""What the slots of a set of skeletons are taken from; ENDLOOP and the last END are always there."""

Skeleton = tuple[str, ...]


def skeletons(size: int, alphabet: Sequence[str]) -> Iterator[Skeleton]:
    """Yield each sequence of slots with its loops closed and its parts ended."""
    names: list[str] = []
    alphabet = (*alphabet, "ENDLOOP")

    def grow(loops: int, procedure: bool) -> Iterator[Skeleton]:
        left = size - len(names)
        if not left:
            if not loops and names[-1] in ("END", "RET"):
                yield tuple(names)
            return
        for name in alphabet if left > 1 else ("END", "RET") if procedure else ("END",):
            now_open = loops + (name in HEADS) - (name == "ENDLOOP")
            if (
                now_open < 0
                or now_open > min(MAX_LOOPS, max(0, left - 2))
                or (name == "EXIT" and not loops)
                or (name == "RET" and (loops or not procedure))
                or (name == "PROC" and (loops or not names or names[-1] not in ("END", "RET")))
            ):
                continue
            names.append(name)
            yield from grow(now_open, procedure or name == "PROC")
            names.pop()

    yield from grow(0, False)


class Layout(NamedTuple):
    """Where a skeleton's slots stand."""

    first: list[int]  # each slot's first word
    part: list[int]  # the number of its part
    body: list[int]  # the head of the loop body that it is in, or -1
    end: dict[int, int]  # a loop's head -> its ENDLOOP

    @classmethod
    def of(cls, names: Skeleton) -> "Layout":
        """Return the layout of a skeleton."""
        first, part, body, end, heads = [0], [0], [], {}, [-1]
        for at, name in enumerate(names):
            first.append(first[-1] + len(SLOTS[name]))
            part.append(part[-1] + (at + 1 < len(names) and names[at + 1] == "PROC"))
            body.append(heads[-1])
            if name in HEADS:
                heads.append(at)
            elif name == "ENDLOOP":
                end[heads.pop()] = at
        return cls(first, part, body, end)


def targets(names: Skeleton, layout: Layout) -> list[list[int]]:
    """Return, for each slot, those that it can be aimed at: one that says nothing where it is not aimed."""
    places = list(zip(layout.part, layout.body, strict=False))
    choices = []
    for at, name in enumerate(names):
        if name in AIMED:
            choices.append([to for to in range(at + 1, len(names)) if places[to] == places[at]])
        elif name == "CALL":
            choices.append([to for to in range(at + 1, len(names)) if names[to] == "PROC"])
        else:
            choices.append([at])
    return choices


def count(size: int, alphabet: Sequence[str]) -> int:
    """Return how many programs the skeletons of a size give."""
    every = skeletons(size, alphabet)
    return sum(prod(len(choice) for choice in targets(names, Layout.of(names))) for names in every)


def programs(names: Skeleton) -> Iterator[Program]:
    """Yield a program for each way to aim a skeleton's branches and calls."""
    layout = Layout.of(names)
    for aims in product(*targets(names, layout)):
        yield Program([word for at, to in enumerate(aims) for word in _words(names, layout, at, to)])


def _words(names: Skeleton, layout: Layout, at: int, target: int) -> Iterator[int]:
    name, size = names[at], len(names)
    last = (
        layout.first[at] + len(SLOTS[name]) - 1
    )  # the slot's last word is the one that a distance counts from
    for mnemonic, given in SLOTS[name]:
        values = dict(given)
        if mnemonic == "B":
            mnemonic, values["a"], values["b"] = CONDITIONS[at % len(CONDITIONS)]
            values["c"] = layout.first[target] - last
        elif mnemonic in ("JMP", "CALL"):
            values["i"] = layout.first[target] - last
        elif mnemonic == "LOOPR":
            values["b"] = layout.first[layout.end[at]] - last
        elif mnemonic == "ENDLOOP":
            values["i"] = last - layout.first[layout.body[at] + 1] + 1
        elif mnemonic == "EXIT":
            values["i"] = layout.first[layout.end[layout.body[at]] + 1] - last
        elif mnemonic in ("MOVE", "WAIT"):
            values["i"] = 1 << at
        elif mnemonic == "TURN":
            values["i"] = 1 << (size - at)
        yield encode(BY_NAME[mnemonic], values)


def is_tight(names: Skeleton) -> bool:
    """Say whether the certificate of a skeleton is meant to be reached in every measure.

    So it is where each branch and each LOOPR reads what was sensed for it, no loop can be left before its
    last round is over, and no procedure can end the block.
    """
    open_loops, procedure = 0, False
    for name in names:
        open_loops += (name in HEADS) - (name == "ENDLOOP")
        procedure = procedure or name == "PROC"
        if name in ("BARE", "TRIPPED", "EXIT") or (name == "END" and (open_loops or procedure)):
            return False
    return True


class AnyWorld:
    """A world that can give each answer; `pick` says which one, `answers` how many there were.

    A move or wait ends by itself and costs all that section 5.3 charges, or is ended by an armed guard or by
    the reflex (forward only), at once or after all of that.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.pick, self.answers = 0, 1
        self.unguarded = False  # a forward move has begun without a guard on `front` with `<`

    def begin(self) -> None:
        """Nothing to note."""

    def sense(self, channel: int) -> int:
        """Return one of the channel's values."""
        return self._answer(SENSED[Chan(channel)])

    def move(self, distance_mm: int, speed: int, guards: Guards) -> Ended:
        """Drive straight on, or back."""
        ms = up(1000 * abs(distance_mm), speed) + up(1000 * speed, self.limits.accel) + self.limits.tick_ms
        return self._end(ms, abs(distance_mm), 0, guards, distance_mm > 0)

    def turn(self, angle_mrad: int, rate: int, guards: Guards) -> Ended:
        """Turn on the spot."""
        ms = up(1000 * abs(angle_mrad), rate) + up(1000 * rate, self.limits.turn_accel) + self.limits.tick_ms
        return self._end(ms, 0, abs(angle_mrad), guards, forward=False)

    def drive(self, left: int, right: int, ms: int, guards: Guards) -> Ended:
        """Run the wheels; the faster one counts."""
        top = max(abs(left), abs(right))
        way = up(top * ms, 1000) + up(top * top, self.limits.accel)
        ms += up(1000 * top, self.limits.accel) + self.limits.tick_ms
        return self._end(ms, way, up(2000 * way, self.limits.base_mm), guards, left + right > 0)

    def wait(self, ms: int, guards: Guards) -> Ended:
        """Let time pass."""
        return self._end(ms + self.limits.tick_ms, 0, 0, guards, forward=False)

    def _end(self, ms: int, way: int, angle: int, guards: Guards, forward: bool) -> Ended:
        if forward and not any(armed[:2] == (Chan.FRONT, False) for armed in guards.values()):
            self.unguarded = True
        ends = [Ended(0, ms, way, angle)]
        for trip in [REFLEX] * forward + [number + 1 for number in guards]:
            ends += [Ended(trip, 0, 0, 0), Ended(trip, ms, way, angle)]
        return self._answer(ends)

    def _answer(self, answers: Sequence[T]) -> T:
        self.answers = len(answers)
        return answers[self.pick]


def up(number: int, divisor: int) -> int:
    """Return the quotient rounded up."""
    return -(-number // divisor)


class Measures(NamedTuple):
    """What one step, or the rest of a run, costs."""

    fuel: int
    ms: int  # of moves and waits
    path_mm: int
    rotation_mrad: int
    reports: int
    us: int  # of moves, waits and instructions


NOTHING = Measures(0, 0, 0, 0, 0, 0)


class Worst(NamedTuple):
    """The worst of all runs."""

    measures: Measures  # each by itself
    runs: int  # how many there are
    unguarded: bool  # one has a forward move without an armed guard on `front` with `<`


State = tuple[object, ...]


class Explorer:
    """Runs one program in all worlds: from each state of the machine, once with each answer of the world."""

    def __init__(self, program: Program, limits: Limits) -> None:
        self.limits, self.world = limits, AnyWorld(limits)
        self.machine = Machine(program, limits, self.world)
        self.known: dict[State, tuple[Measures, int]] = {}

    def explore(self) -> Worst:
        """Return the worst of all runs."""
        measures, runs = self._from(self._state())
        return Worst(measures, runs, self.world.unguarded)

    def _state(self) -> State:
        m = self.machine
        return (
            m.pc,
            m.trip,
            tuple(m.registers),
            tuple(m.loops),
            tuple(m.calls),
            tuple(sorted(m.guards.items())),
        )

    def _restore(self, state: State) -> None:
        m = self.machine
        m.pc, m.trip, registers, loops, calls, guards = state  # type: ignore[assignment]
        m.registers, m.loops, m.calls, m.guards = list(registers), list(loops), list(calls), dict(guards)  # type: ignore[call-overload]
        m.fuel = m.ms = m.path_mm = m.rotation_mrad = 0
        m.reports.clear()

    def _from(self, state: State) -> tuple[Measures, int]:
        found = self.known.get(state)
        if found is None:
            found = self.known[state] = self._each_answer(state)
        return found

    def _each_answer(self, state: State) -> tuple[Measures, int]:
        m, world = self.machine, self.world
        worst, runs, pick, answers = NOTHING, 0, 0, 1
        while pick < answers:
            self._restore(state)
            world.pick, world.answers = pick, 1
            m.step()
            answers = world.answers
            us = 1000 * m.ms + m.fuel * self.limits.instruction_us
            own = m.fuel, m.ms, m.path_mm, m.rotation_mrad, len(m.reports), us
            behind, ways = NOTHING, 1
            if m.outcome is Outcome.RUNNING:
                behind, ways = self._from(self._state())
            m.outcome = Outcome.RUNNING
            worst = Measures(*map(max, worst, map(add, own, behind)))
            runs, pick = runs + ways, pick + 1
        return worst, runs


class Verdict(NamedTuple):
    """How a certificate compares with the worst of all runs."""

    runs: int
    tight: bool  # it is meant to be reached
    reached: bool  # it is, in each measure by itself
    in_one_run: bool  # and its ms by one run alone
    unguarded: bool  # there is a run with an unguarded forward move


def compare(certificate: Certificate, worst: Worst, limits: Limits) -> tuple[str, bool, bool]:
    """Return what is wrong with a certificate or "", whether it is reached, and its ms by one run alone."""
    most = worst.measures
    ms = most.ms + up(most.fuel * limits.instruction_us, 1000)
    found = (most.fuel, ms, most.path_mm, most.rotation_mrad, most.reports)
    for name, used, proved in zip(Certificate._fields, found, certificate, strict=False):
        if used > proved:
            return f"{name}: a run takes {used}, certified {proved}", False, False
    if certificate.guarded and worst.unguarded:
        return "guarded: a forward move begins without an armed guard, certified 1", False, False
    return "", found == certificate[: len(found)], up(most.us, 1000) == certificate.ms


def examine(names: Skeleton, program: Program, limits: Limits = LIMITS) -> Verdict:
    """Run a skeleton's program in all worlds and hold the worst against its certificate.

    Raises:
        AssertionError: a run exceeds the certificate, or none reaches it though it is meant to be tight.
    """
    explorer = Explorer(program, limits)
    worst, tight, certificate = explorer.explore(), is_tight(names), explorer.machine.certificate
    wrong, reached, in_one_run = compare(certificate, worst, limits)
    if _verify_py.check(program.words, 0, 0, limits) != certificate:
        wrong = f"the verifier in plain Python does not certify {certificate}"
    if tight and not reached and not wrong:
        wrong = f"not reached: the worst is {worst.measures}, certified {certificate}"
    if wrong:
        raise AssertionError(f"{' '.join(names)}: {wrong}\n{disassemble(program)}")
    return Verdict(worst.runs, tight, reached, in_one_run, worst.unguarded)


class Tally(NamedTuple):
    """Sums over the programs of a set of skeletons."""

    programs: int = 0
    runs: int = 0
    tight: int = 0
    reached: int = 0
    in_one_run: int = 0
    unguarded: int = 0

    def plus(self, more: "Tally") -> "Tally":
        """Return the sums of both."""
        return Tally(*map(add, self, more))


def survey(names: Skeleton) -> Tally:
    """Examine every program of a skeleton."""
    tally = Tally()
    for program in programs(names):
        tally = tally.plus(Tally(1, *examine(names, program)))
    return tally
