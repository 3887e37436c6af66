"""Seeded random blocks: valid ones, nearly valid ones, and plain noise; used by tests and by fuzzers.

The same seed gives the same block on every machine, so a failure is repeated by its seed alone.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from random import Random
from typing import TypeVar

from llmbytecode import Limits, Program, Refusal, verify
from llmbytecode._isa import INSTRUCTIONS, KINDS
from llmbytecode.program import BY_NAME as OPS
from llmbytecode.program import FIELDS, OPCODE_MASK, encode

PLAIN = [row for row in INSTRUCTIONS.values() if row.category != "control"]
SOURCES = ("LDI", "LDK", "SENSE", "GETV")
NEEDS = {"move": 1} | {"LED": 2, "TONE": 4}
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
# name -> its code, and the name, shift, mask and kind of each field
FORMS = {
    row.name: (int(row.code), [(field, *FIELDS[field], kind) for field, kind in row.operands])
    for row in INSTRUCTIONS.values()
}
REGISTERS = (0, 1, 2, 3, 0x10, 0x12, 0x23, 0xFE)  # and pairs of them; few, so that they meet
ATTEMPTS = 10
WORD_MASK = 0xFFFFFFFF
EDGES = (-(2**31), -(2**31) + 1, -32769, -1, 0, 1, 2, 31, 32, 65535, 65536, 2**31 - 1)


def valid(seed: int, limits: Limits, size: int = 24) -> Program:
    """Return a block of very roughly `size` words that the verifier accepts."""
    rng = Random(seed)
    for attempt in range(ATTEMPTS):
        program = Writer(rng, limits, max(1, size - attempt * size // ATTEMPTS)).program()
        try:
            verify(program, limits)
        except Refusal:
            continue
        return program
    return Program([encode(OPS["END"], {})])


def computing(seed: int, limits: Limits, size: int = 24) -> Program:
    """Return a block that the verifier accepts and that computes for a while, in loops within loops."""
    rng = Random(seed)
    while True:
        program = Computing(rng, limits, size).program()
        with suppress(Refusal):
            verify(program, limits)
            return program


def nearly_valid(seed: int, limits: Limits, size: int = 24) -> Program:
    """Return a valid block with one to three small wounds; most of them break a rule."""
    rng = Random(seed)
    program = valid(rng.getrandbits(32), limits, size)
    words, constants = list(program.words), list(program.constants)
    for _ in range(rng.randint(1, 3)):
        rng.choice(WOUNDS)(rng, words, constants)
    return Program(
        words, constants, [], rng.choice([0, 0, limits.max_autonomous_ms, limits.max_autonomous_ms + 1])
    )


def noise(seed: int, size: int = 24) -> Program:
    """Return random words, most of which have a known code."""
    rng = Random(seed)
    words = [rng.getrandbits(32) for _ in range(rng.randint(0, size))]
    known = [
        word & ~OPCODE_MASK | rng.choice(list(INSTRUCTIONS)) if rng.random() < 0.9 else word for word in words
    ]
    return Program(known, [_edge(rng) for _ in range(rng.randint(0, 4))])


def _edge(rng: Random) -> int:
    return rng.choice(EDGES) if rng.random() < 0.5 else rng.randint(-(2**31), 2**31 - 1)


# Wounds.


def _flip(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        words[rng.randrange(len(words))] ^= 1 << rng.randrange(32)


def _set_field(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        at = rng.randrange(len(words))
        row = INSTRUCTIONS.get(words[at] & OPCODE_MASK)
        used = [field for field, _ in row.operands] if row else []
        shift, mask = FIELDS[rng.choice(used or ["a", "i"])]
        words[at] = (
            words[at] & ~(mask << shift) | rng.choice([0, 1, 2, 3, 5, 16, 255, mask]) << shift & WORD_MASK
        )


def _drop(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        del words[rng.randrange(len(words))]


def _double(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        at = rng.randrange(len(words))
        words.insert(rng.randrange(len(words)), words[at])


def _swap(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        one, other = rng.randrange(len(words)), rng.randrange(len(words))
        words[one], words[other] = words[other], words[one]


def _change_code(rng: Random, words: list[int], _constants: list[int]) -> None:
    if words:
        at = rng.randrange(len(words))
        words[at] = words[at] & ~OPCODE_MASK | rng.choice(list(INSTRUCTIONS))


def _drop_constant(_rng: Random, _words: list[int], constants: list[int]) -> None:
    if constants:
        constants.pop()


WOUNDS: list[Callable[[Random, list[int], list[int]], None]] = [
    _flip,
    _set_field,
    _set_field,
    _set_field,
    _drop,
    _double,
    _swap,
    _change_code,
    _drop_constant,
]


Vocabulary = tuple[list[str], dict[str, Sequence[int]], dict[str, tuple[int, int, bool, bool]]]
Picked = TypeVar("Picked")


@cache
def _vocabulary(limits: Limits, constants: int) -> Vocabulary:
    """Return what a robot's blocks are written with.

    The names of the plain instructions, the few numbers that some kinds have, and for the other kinds: least,
    greatest, whether these two come up often, whether the numbers are signed.
    """
    plain = [
        row.name
        for row in PLAIN
        if not (NEEDS.get(row.category, 0) | NEEDS.get(row.name, 0)) & ~limits.actuators
        and (row.name != "LDK" or constants)
    ]
    channels = [n for n in range(KINDS["channel"].hi + 1) if limits.channels >> n & 1]
    speed, rate = (
        min(KINDS[name].hi, top // KINDS[name].step)
        for name, top in (("speed", limits.top_speed), ("rate", limits.top_rate))
    )
    choices: dict[str, Sequence[int]] = {
        "reg": [number & 15 for number in REGISTERS],
        "pair": REGISTERS,
        "channel": channels,
        "watch": [channel << 4 | rest for channel in channels for rest in range(8)],
        "const": range(constants),
        "speed": [1, *range(max(1, speed // 2), speed + 1)],  # mostly fast, or the time is over soon
        "rate": [1, *range(max(1, rate // 2), rate + 1)],
    }
    ranges = {
        kind.name: (kind.lo, kind.hi, not kind.unit, kind.lo < 0)
        for kind in KINDS.values()
        if kind.name not in choices
    }
    return plain, choices, ranges


class Writer:
    """Writes one block that is sound in form: loops closed, branches forward, calls downward."""

    def __init__(self, rng: Random, limits: Limits, size: int) -> None:
        self.rng, self.limits, self.left = rng, limits, size
        self.random = rng.random
        self.words: list[int] = []
        self.constants = [_edge(rng) for _ in range(rng.randint(0, min(4, limits.max_constants)))]
        self.calls: list[int] = []  # CALL words that want a procedure further down
        self.exits: list[list[int]] = []  # the open loops' EXIT words
        self.plain, self.choices, self.ranges = _vocabulary(limits, len(self.constants))

    def program(self) -> Program:
        """Return the block."""
        for _ in range(self._pick((0, 0, 2, 4))):  # numbers for the rest to work with
            self._put(self._pick(SOURCES if self.constants else SOURCES[::2]))
        while self.left > 0:
            self._statements(0)
        self._put(self._pick(("END", "END", "FAIL")))
        for _ in range(self._pick((0, 0, 1, 2, 4))):
            self._procedure()
        for at in self.calls:  # no procedure came: a word that does little
            self.words[at] = encode(OPS["TRIP"], {"a": 0})
        autonomous = self.rng.choice([0, 0, self.rng.randint(0, self.limits.max_autonomous_ms)])
        return Program(self.words, self.constants, [], autonomous)

    def _pick(self, several: Sequence[Picked]) -> Picked:
        return several[int(self.random() * len(several))]

    def _put(self, name: str, **values: int) -> int:
        """Append an instruction with the values given and random ones for the rest; return its place."""
        word, fields = FORMS[name]
        for field, shift, mask, kind in fields:
            number = values[field] if field in values else self._draw(kind)
            word |= (number & mask) << shift
        self.words.append(word)
        return len(self.words) - 1

    def _draw(self, kind: str) -> int:
        choices = self.choices.get(kind)
        if choices:
            return self._pick(choices)
        low, high, edgy, signed = self.ranges[kind]
        if edgy and self.random() < 0.1:
            return self._pick((low, high))
        small = self._pick((3, 30, 300))
        least = -small if signed else low
        return min(high, least + int(self.random() * (max(least, small) + 1 - least)))

    def _statements(self, depth: int) -> None:
        for _ in range(self._pick((1, 2, 3, 4, 5, 6))):
            if self.left <= 0:
                break
            self.left -= 1
            self._statement(depth)

    def _statement(self, depth: int) -> None:
        roll = self.random()
        if roll < 0.12 and depth < 6:
            self._branch(depth)
        elif roll < 0.22 and len(self.exits) < 4 and depth < 6:
            self._loop(depth)
        elif roll < 0.26 and self.exits:
            self.exits[-1].append(self._put("EXIT"))
        elif roll < 0.32:
            self.calls.append(self._put("CALL"))
        elif roll < 0.33:
            self._put("END")
        else:
            self._put(self._pick(self.plain))

    def _branch(self, depth: int) -> None:
        name = self._pick((*BRANCHES, "JMP"))
        at, field = self._put(name), "i" if name == "JMP" else "c"
        self._statements(depth + 1)
        if name != "JMP" and self.random() < 0.5:
            leap = self._put("JMP")
            self._aim(at, field, len(self.words))
            self._statements(depth + 1)
            self._aim(leap, "i", len(self.words))
        else:
            self._aim(at, field, len(self.words))

    def _loop(self, depth: int) -> None:
        counted = self.random() < 0.5
        head = (
            self._put("LOOP", i=self._pick((1, 2, 3, 4)))
            if counted
            else self._put("LOOPR", c=self._pick((1, 2, 3, 4)))
        )
        self.exits.append([])
        self._statements(depth + 1)
        end = self._put("ENDLOOP", i=len(self.words) - head)
        if not counted:
            self._aim(head, "b", end)
        for at in self.exits.pop():
            self._aim(at, "i", end + 1)

    def _procedure(self) -> None:
        start = self._put("PROC")
        above, self.calls = self.calls, []
        for at in above:
            if self.random() < 0.7:
                self._aim(at, "i", start)
            else:
                self.calls.append(at)
        self.left += 6
        self._statements(0)
        self._put(self._pick(("RET", "RET", "RET", "END")))

    def _aim(self, at: int, field: str, to: int) -> None:
        """Write the distance from one word to another into a field."""
        shift, mask = FIELDS[field]
        self.words[at] = self.words[at] & ~(mask << shift) | (to - at & mask) << shift


class Computing(Writer):
    """Writes loops that only compute, with branches that nest, branches that do not, and exits."""

    def __init__(self, rng: Random, limits: Limits, size: int) -> None:
        super().__init__(rng, limits, size)
        waits = {"WAIT", "WAITR", "REPORT"}
        moves = {"MOVE", "MOVER", "TURN", "TURNR", "DRIVE", "LED", "TONE"}
        self.plain = [name for name in self.plain if name not in waits | moves]
        self.loose: list[list[tuple[int, str]]] = [[]]  # by open body: branches without a target

    def _statement(self, depth: int) -> None:
        self._settle(0.3)
        roll = self.random()
        if roll < 0.1:
            name = self._pick(("BEQ", "BNE", "BLT", "BGE", "JMP"))
            self.loose[-1].append((self._put(name), "i" if name == "JMP" else "c"))
        elif roll < 0.2 and self.exits:
            skip = self._put(self._pick(("BEQ", "BNE", "BLT", "BGE")), c=2)
            self.exits[-1].append(self._put("EXIT"))
            self._aim(skip, "c", len(self.words))
        elif roll < 0.3 and depth < 6:
            self._branch(depth)
        elif roll < 0.4 and len(self.exits) < 4 and depth < 6:
            self._body(depth)
        else:
            self._put(self._pick(self.plain))

    def _settle(self, share: float) -> None:
        """Let a share of the loose branches lead to the next word."""
        kept = []
        for at, field in self.loose[-1]:
            near = field == "i" or len(self.words) - at < 250
            if not near or self.random() < share:
                self._aim(at, field, len(self.words))
            else:
                kept.append((at, field))
        self.loose[-1] = kept

    def _body(self, depth: int) -> None:
        self.loose.append([])
        if self.random() < 0.5:
            head = self._put("LOOP", i=self._pick((1, 2, 5, 30)))
        else:
            head = self._put("LOOPR", c=self._pick((1, 3, 10)))
        self.exits.append([])
        self._statements(depth + 1)
        self._settle(1)
        self.loose.pop()
        end = self._put("ENDLOOP", i=len(self.words) - head)
        if self.words[head] & OPCODE_MASK == OPS["LOOPR"].code:
            self._aim(head, "b", end)
        for at in self.exits.pop():
            self._aim(at, "i", end + 1)

    def program(self) -> Program:
        """Return the block."""
        for register in range(4):
            self._put("LDI", a=register)
        while self.left > 0:
            self._body(0)
        self._settle(1)
        self._put("END")
        return Program(self.words, self.constants)
