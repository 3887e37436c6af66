"""Seeded random blocks: valid ones, nearly valid ones, and plain noise; used by tests and by fuzzers.

The same seed gives the same block on every machine, so a failure is repeated by its seed alone.
"""

from collections.abc import Callable
from random import Random

from llmbytecode import Limits, Program, Refusal, verify
from llmbytecode._isa import INSTRUCTIONS, KINDS, Kind, Op
from llmbytecode.program import BY_NAME as OPS
from llmbytecode.program import FIELDS, OPCODE_MASK, encode

PLAIN = [row for row in INSTRUCTIONS.values() if row.category != "control"]
NEEDS = {"move": 1} | {"LED": 2, "TONE": 4}
BRANCHES = [OPS[name] for name in ("BEQ", "BNE", "BLT", "BGE")]
ATTEMPTS = 50
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


class Writer:
    """Writes one block that is sound in form: loops closed, branches forward, calls downward."""

    def __init__(self, rng: Random, limits: Limits, size: int) -> None:
        self.rng, self.limits, self.left = rng, limits, size
        self.words: list[int] = []
        self.constants = [_edge(rng) for _ in range(rng.randint(0, min(4, limits.max_constants)))]
        self.calls: list[int] = []  # CALL words that want a procedure further down
        self.exits: list[list[int]] = []  # the open loops' EXIT words
        self.actuators = limits.actuators
        self.plain = [row for row in PLAIN if self._has(row.category, row.name)]

    def _has(self, category: str, name: str) -> bool:
        needed = NEEDS.get(category, 0) | NEEDS.get(name, 0)
        usable = name != "LDK" or bool(self.constants)
        return not needed & ~self.limits.actuators and usable

    def program(self) -> Program:
        """Return the block."""
        self._statements(0)
        self._put(self.rng.choice(["END", "END", "FAIL"]))
        for _ in range(self.rng.choice([0, 0, 1, 2, 4])):
            self._procedure()
        for at in self.calls:  # no procedure came: a word that does little
            self.words[at] = encode(OPS["TRIP"], {"a": 0})
        autonomous = self.rng.choice([0, 0, self.rng.randint(0, self.limits.max_autonomous_ms)])
        return Program(self.words, self.constants, [], autonomous)

    def _put(self, name: str, **values: int) -> int:
        """Append an instruction with the values given and random ones for the rest; return its place."""
        row = OPS[name]
        drawn = {field: self._draw(KINDS[kind]) for field, kind in row.operands}
        self.words.append(encode(row, drawn | values))
        return len(self.words) - 1

    def _draw(self, kind: Kind) -> int:
        rng = self.rng
        if kind.name in ("reg", "pair"):
            return rng.choice([0, 1, 2, 3, 0x10, 0x12, 0x23, 0xFE]) & kind.hi  # few, so that they meet
        if kind.name in ("channel", "watch"):
            channel = rng.choice([n for n in range(KINDS["channel"].hi + 1) if self.limits.channels >> n & 1])
            return channel if kind.name == "channel" else channel << 4 | rng.randrange(8)
        if kind.name == "const":
            return rng.randrange(len(self.constants)) if self.constants else 0
        tops = {"speed": self.limits.top_speed, "rate": self.limits.top_rate}
        high = min(kind.hi, tops.get(kind.name, kind.hi * kind.step) // kind.step)
        if rng.random() < 0.1 and kind.unit == "":
            return rng.choice([kind.lo, high])
        small = rng.choice([3, 30, 300])
        low = -small if kind.lo < 0 else kind.lo
        return min(high, rng.randint(low, max(low, small)))

    def _statements(self, depth: int) -> None:
        for _ in range(self.rng.randint(1, 6)):
            if self.left <= 0:
                break
            self.left -= 1
            self._statement(depth)

    def _statement(self, depth: int) -> None:
        roll = self.rng.random()
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
            self._put(self.rng.choice(self.plain).name)

    def _branch(self, depth: int) -> None:
        row = self.rng.choice([*BRANCHES, OPS["JMP"]])
        at = self._put(row.name)
        self._statements(depth + 1)
        if row.code != Op.JMP and self.rng.random() < 0.5:
            leap = self._put("JMP")
            self._aim(at, row.operands[-1][0], len(self.words))
            self._statements(depth + 1)
            self._aim(leap, "i", len(self.words))
        else:
            self._aim(at, row.operands[-1][0], len(self.words))

    def _loop(self, depth: int) -> None:
        counted = self.rng.random() < 0.5
        head = (
            self._put("LOOP", i=self.rng.randint(1, 4))
            if counted
            else self._put("LOOPR", c=self.rng.randint(1, 4))
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
            if self.rng.random() < 0.7:
                self._aim(at, "i", start)
            else:
                self.calls.append(at)
        self.left += 6
        self._statements(0)
        self._put(self.rng.choice(["RET", "RET", "RET", "END"]))

    def _aim(self, at: int, field: str, to: int) -> None:
        """Write the distance from one word to another into a field."""
        shift, mask = FIELDS[field]
        self.words[at] = self.words[at] & ~(mask << shift) | (to - at & mask) << shift
