"""The verifier in plain Python: the SPEC's rules in its order, each one function over the whole block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from llmbytecode._isa import INSTRUCTIONS, KINDS, Certificate, Chan, Instruction, Limits, Op, Rule
from llmbytecode.errors import ProgramError, Refusal
from llmbytecode.program import OPCODE_MASK, decode, get

MAX_LOOPS = 4
MAX_CALLS = 4
CAP = 2**30 - 1  # costs saturate here
NO_LOOP = -1
ALL_GUARDS = 0b1111
UNREACHED = 0b10000  # no way leads to this word
ACTUATORS = {code: 1 for code, row in INSTRUCTIONS.items() if row.category == "move"} | {
    Op.LED: 2,
    Op.TONE: 4,
}
PART_ENDS = (Op.END, Op.FAIL)
BRANCHES = (Op.JMP, Op.BEQ, Op.BNE, Op.BLT, Op.BGE)
HEADS = (Op.LOOP, Op.LOOPR)
DEAD_ENDS = (Op.END, Op.FAIL, Op.RET)

Cost = tuple[int, int, int, int, int]  # fuel, ms, mm, mrad, reports
Step = tuple[Instruction, dict[str, int]]


@dataclass
class Block:
    """A block under examination; each rule may rely on what the earlier ones have proved and left here."""

    words: Sequence[int]
    constants: int
    autonomous_ms: int
    limits: Limits
    steps: list[Step] = field(default_factory=list)  # by rule opcode
    ops: list[tuple[int, int, dict[str, int]]] = field(default_factory=list)  # (word, code, fields), as well
    last: list[int] = field(default_factory=list)  # by rule region: the last word of each word's part
    body: list[int] = field(default_factory=list)  # by rule nesting: head of the loop body that a word is in
    end: dict[int, int] = field(default_factory=dict)  # by rule nesting: a loop's head -> its ENDLOOP
    cost: Cost = (0, 0, 0, 0, 0)  # by rule fuel

    def target(self, at: int) -> int:
        """Return the word that a branch, CALL or EXIT at a word goes on at."""
        instruction, values = self.steps[at]
        return at + values[instruction.operands[-1][0]]


def check(words: Sequence[int], constants: int, autonomous_ms: int, limits: Limits) -> Certificate:
    """Return the certificate of a block.

    Raises:
        ProgramError: a word has more than 32 bits, or the autonomous time.
        Refusal: the first rule broken, at the first word that breaks it.
    """
    if not 0 <= autonomous_ms < 1 << 32:
        raise ProgramError("autonomous_ms", autonomous_ms, 32)
    block = Block(words, constants, autonomous_ms, limits)
    for rule in RULES:
        rule(block)
    return Certificate(*block.cost, *_named(block), _guarded(block))


# Rules 1 to 5: the words by themselves.


def length(block: Block) -> None:
    if not 1 <= len(block.words) <= block.limits.max_words:
        raise Refusal(Rule.LENGTH, 0, len(block.words), block.limits.max_words)
    for at, word in enumerate(block.words):
        if not 0 <= word < 1 << 32:
            raise ProgramError(f"word {at}", word, 32)


def constants(block: Block) -> None:
    if block.constants > block.limits.max_constants:
        raise Refusal(Rule.CONSTANTS, 0, block.constants, block.limits.max_constants)


def opcode(block: Block) -> None:
    for at, word in enumerate(block.words):
        step = decode(word)
        if step is None:
            raise Refusal(Rule.OPCODE, at, word & OPCODE_MASK, max(INSTRUCTIONS))
        block.steps.append(step)
        block.ops.append((at, step[0].code, step[1]))


def operand(block: Block) -> None:
    for at, (instruction, values) in enumerate(block.steps):
        wide = "i" in values
        for name in "ai" if wide else "abc":
            kind = dict(instruction.operands).get(name)
            number = values[name] if kind else get(block.words[at], name)
            low, high = (KINDS[kind].lo, KINDS[kind].hi) if kind else (0, 0)
            if not low <= number <= high:
                raise Refusal(Rule.OPERAND, at, number, low if number < low else high)
            if kind == "watch" and number >> 2 & 3 > 1:
                raise Refusal(Rule.OPERAND, at, number, high)


def constant(block: Block) -> None:
    for at, code, values in block.ops:
        if code == Op.LDK and values["i"] >= block.constants:
            raise Refusal(Rule.CONSTANT, at, values["i"], block.constants)


# Rules 6 to 9: parts, loops, branches, calls.


def region(block: Block) -> None:
    starts = [0, *(at for at, code, _ in block.ops if code == Op.PROC and at), len(block.words)]
    for start, stop in pairwise(starts):
        block.last += [stop - 1] * (stop - start)
    procedure = False
    for at, code, _ in block.ops:
        procedure = procedure or code == Op.PROC
        ends = code in PART_ENDS or (procedure and code == Op.RET)
        if ((at == block.last[at] or code == Op.RET) and not ends) or (at == 0 and code == Op.PROC):
            raise Refusal(Rule.REGION, at, code, Op.END)


def nesting(block: Block) -> None:
    heads: list[int] = []
    for at, code, values in block.ops:
        block.body.append(heads[-1] if heads else NO_LOOP)
        if code in HEADS:
            if len(heads) == MAX_LOOPS:
                raise Refusal(Rule.NESTING, at, MAX_LOOPS + 1, MAX_LOOPS)
            heads.append(at)
        elif code == Op.ENDLOOP:
            _close(block, at, values["i"], heads)
        elif code == Op.RET and heads:
            raise Refusal(Rule.NESTING, at, len(heads), 0)
        if at == block.last[at] and heads:
            raise Refusal(Rule.NESTING, heads[-1], len(heads), 0)


def _close(block: Block, at: int, distance: int, heads: list[int]) -> None:
    if not heads:
        raise Refusal(Rule.NESTING, at, distance, 0)
    head = heads.pop()
    instruction, values = block.steps[head]
    if instruction.code == Op.LOOPR and values["b"] != at - head:
        raise Refusal(Rule.NESTING, head, values["b"], at - head)
    if distance != at - head:
        raise Refusal(Rule.NESTING, at, distance, at - head)
    block.end[head] = at


def target(block: Block) -> None:
    for at, code, _ in block.ops:
        if code == Op.EXIT:
            right = block.end[block.body[at]] + 1 if block.body[at] != NO_LOOP else 0
            if block.target(at) != right:
                raise Refusal(Rule.TARGET, at, block.target(at), right)
        elif code in BRANCHES:
            _check_branch(block, at)


def _check_branch(block: Block, at: int) -> None:
    to, head = block.target(at), block.body[at]
    bound = block.last[at] if head == NO_LOOP else block.end[head]
    if to > bound or block.body[to] != head:
        raise Refusal(Rule.TARGET, at, to, bound)


def call(block: Block) -> None:
    depths: dict[int, int] = {}  # PROC -> how deep it is called
    depth = 0
    for at, code, _ in block.ops:
        if code == Op.PROC:
            depth = depths.get(at, 0)
        elif code == Op.CALL:
            to = block.target(at)
            if to >= len(block.steps) or block.steps[to][0].code != Op.PROC:
                raise Refusal(Rule.CALL, at, to, len(block.steps) - 1)
            depths[to] = max(depths.get(to, 0), depth + 1)
            if depths[to] > MAX_CALLS:
                raise Refusal(Rule.CALL, at, depths[to], MAX_CALLS)


# Rules 10 to 12: what the robot has.


def channel(block: Block) -> None:
    for at, (instruction, values) in enumerate(block.steps):
        for number in _channels(instruction, values):
            if not block.limits.channels >> number & 1:
                raise Refusal(Rule.CHANNEL, at, number, block.limits.channels)


def actuator(block: Block) -> None:
    for at, code, _ in block.ops:
        needed = ACTUATORS.get(code, 0)
        if needed & ~block.limits.actuators:
            raise Refusal(Rule.ACTUATOR, at, needed, block.limits.actuators)


def speed(block: Block) -> None:
    tops = {"speed": block.limits.top_speed, "rate": block.limits.top_rate}
    for at, step in enumerate(block.steps):
        for kind, amount in _amounts(step).items():
            if kind in tops and amount > tops[kind]:
                raise Refusal(Rule.SPEED, at, amount, tops[kind])


# Rules 13 to 18: the worst case.


def fuel(block: Block) -> None:
    used, ms, *rest, reported = costs_from(block)[0]
    if used > block.limits.max_fuel:
        raise Refusal(Rule.FUEL, 0, used, block.limits.max_fuel)
    total = min(CAP, ms + _ceil(used * block.limits.instruction_us, 1000))
    block.cost = (used, total, rest[0], rest[1], reported)


def _at_most(rule: Rule, measure: int, limit: str) -> Callable[[Block], None]:
    def check_measure(block: Block) -> None:
        if block.cost[measure] > getattr(block.limits, limit):
            raise Refusal(rule, 0, block.cost[measure], getattr(block.limits, limit))

    return check_measure


def autonomy(block: Block) -> None:
    if block.autonomous_ms > block.limits.max_autonomous_ms:
        raise Refusal(Rule.AUTONOMY, 0, block.autonomous_ms, block.limits.max_autonomous_ms)


RULES: tuple[Callable[[Block], None], ...] = (
    length,
    constants,
    opcode,
    operand,
    constant,
    region,
    nesting,
    target,
    call,
    channel,
    actuator,
    speed,
    fuel,
    _at_most(Rule.DURATION, 1, "max_ms"),
    _at_most(Rule.PATH, 2, "max_path_mm"),
    _at_most(Rule.ROTATION, 3, "max_rotation_mrad"),
    _at_most(Rule.REPORTS, 4, "max_reports"),
    autonomy,
)


# What one word costs.


def _ceil(number: int, divisor: int) -> int:
    return -(-number // divisor)


def _amounts(step: Step) -> dict[str, int]:
    """Return the operands by kind in base units, in absolute value."""
    instruction, values = step
    return {kind: abs(values[name]) * KINDS[kind].step for name, kind in instruction.operands}


def own_cost(step: Step, limits: Limits) -> Cost:
    """Return what executing one word once costs."""
    price = PRICES.get(step[0].code)
    return (1, *price(_amounts(step), limits)) if price else (1, 0, 0, 0, 0)


Price = Callable[[dict[str, int], Limits], tuple[int, int, int, int]]


def _move(amounts: dict[str, int], limits: Limits) -> tuple[int, int, int, int]:
    way, v = amounts.get("distance", 0) or amounts.get("distance_max", 0), amounts["speed"]
    ms = _ceil(1000 * way, v) + _ceil(1000 * v, limits.accel) + limits.tick_ms
    return (ms, way, 0, 0) if way else (0, 0, 0, 0)


def _turn(amounts: dict[str, int], limits: Limits) -> tuple[int, int, int, int]:
    angle, rate = amounts.get("angle", 0) or amounts.get("angle_max", 0), amounts["rate"]
    ms = _ceil(1000 * angle, rate) + _ceil(1000 * rate, limits.turn_accel) + limits.tick_ms
    return (ms, 0, angle, 0) if angle else (0, 0, 0, 0)


def _drive(amounts: dict[str, int], limits: Limits) -> tuple[int, int, int, int]:
    v, ms = amounts["speed"], amounts["time100"]
    way = _ceil(v * ms, 1000) + _ceil(v * v, limits.accel)
    return (ms + _ceil(1000 * v, limits.accel) + limits.tick_ms, way, _ceil(2000 * way, limits.base_mm), 0)


def _wait(amounts: dict[str, int], limits: Limits) -> tuple[int, int, int, int]:
    return (amounts.get("time", 0) + amounts.get("time_max", 0) + limits.tick_ms, 0, 0, 0)


PRICES: dict[int, Price] = {
    Op.MOVE: _move,
    Op.MOVER: _move,
    Op.TURN: _turn,
    Op.TURNR: _turn,
    Op.DRIVE: _drive,
    Op.WAIT: _wait,
    Op.WAITR: _wait,
    Op.REPORT: lambda _amounts, _limits: (0, 0, 0, 1),
}


# What the block costs: one pass from the last word to the first.


def _sum(*costs: Cost) -> Cost:
    fuel, ms, way, angle, reports = (min(CAP, sum(measure)) for measure in zip(*costs, strict=True))
    return fuel, ms, way, angle, reports


def costs_from(block: Block) -> list[Cost]:
    """Return the worst cost from each word, itself included, to the end of its part or its loop's round."""
    costs: list[Cost] = [(0, 0, 0, 0, 0)] * len(block.words)
    for at in reversed(range(len(block.words))):
        own = own_cost(block.steps[at], block.limits)
        costs[at] = _sum(own, *_following(block, at, costs))
    return costs


def _following(block: Block, at: int, costs: list[Cost]) -> list[Cost]:
    """Return the costs that a word's own is added to."""
    instruction, values = block.steps[at]
    code = instruction.code
    if code in (*DEAD_ENDS, Op.EXIT, Op.ENDLOOP):
        return []
    if code in HEADS:
        rounds = values["i" if code == Op.LOOP else "c"]
        fuel, ms, way, angle, reports = (rounds * measure for measure in costs[at + 1])
        return [(fuel, ms, way, angle, reports), costs[block.end[at] + 1]]
    if code == Op.JMP:
        return [costs[block.target(at)]]
    if code in BRANCHES:
        fuel, ms, way, angle, reports = map(max, costs[at + 1], costs[block.target(at)])
        return [(fuel, ms, way, angle, reports)]
    if code == Op.CALL:
        return [costs[block.target(at)], costs[at + 1]]
    return [costs[at + 1]]


# What the block names, and whether its forward moves are guarded.


def _channels(instruction: Instruction, values: dict[str, int]) -> list[int]:
    shifts = {"channel": 0, "watch": 4}
    return [values[name] >> shifts[kind] for name, kind in instruction.operands if kind in shifts]


def _named(block: Block) -> tuple[int, int, int, int]:
    """Return the bits of the registers, variables, channels and actuators that are named."""
    registers = variables = channels = actuators = 0
    for instruction, values in block.steps:
        for name, kind in instruction.operands:
            if kind == "reg":
                registers |= 1 << values[name]
            elif kind == "pair":
                registers |= 1 << (values[name] >> 4) | 1 << (values[name] & 15)
            elif kind == "var":
                variables |= 1 << values[name]
        for number in _channels(instruction, values):
            channels |= 1 << number
        actuators |= ACTUATORS.get(instruction.code, 0)
    return registers, variables, channels, actuators


def _guard_bit(values: dict[str, int]) -> int:
    return 1 << (values["a"] & 3)


def _names(block: Block) -> dict[int, int]:
    """Return, for each loop's head and each PROC, the guards that it names."""
    names: dict[int, int] = {}
    open_sets = [0]  # the part's, then one for each loop that is open on the way up
    for at, code, values in reversed(block.ops):
        if code == Op.ENDLOOP:
            open_sets.append(0)
        elif code in (Op.GUARD, Op.UNGUARD):
            open_sets[-1] |= _guard_bit(values)
        elif code == Op.CALL:
            open_sets[-1] |= names[block.target(at)]
        elif code in HEADS:
            names[at] = open_sets.pop()
            open_sets[-1] |= names[at]
        elif code == Op.PROC:
            names[at], open_sets[-1] = open_sets[-1], 0
    return names


def _guarded(block: Block) -> int:
    """Return 1 when a guard on `front` with `<` counts at every forward move, else 0."""
    names = _names(block)
    sets = [ALL_GUARDS | UNREACHED] * len(block.words)  # the guards that count at each word
    sets[0] = 0
    for at, code, values in block.ops:
        if code == Op.PROC:
            sets[at] = 0
        if sets[at] & UNREACHED:
            continue
        if _is_forward(code, values) and not sets[at]:
            return 0
        for to, passed in _passes(block, at, sets[at], names):
            sets[to] &= passed
    return 1


def _is_forward(code: int, values: dict[str, int]) -> bool:
    return code in (Op.MOVER, Op.DRIVE) or (code == Op.MOVE and values["i"] > 0)


def _passes(block: Block, at: int, guards: int, names: dict[int, int]) -> list[tuple[int, int]]:
    """Return the words that can follow a word, each with the guards that are passed on to it."""
    instruction, values = block.steps[at]
    code, after = instruction.code, at + 1
    if code in DEAD_ENDS:
        return []
    if code == Op.GUARD:
        front = values["a"] >> 2 == Chan.FRONT << 2
        return [(after, guards | _guard_bit(values) if front else guards & ~_guard_bit(values))]
    if code == Op.UNGUARD:
        return [(after, guards & ~_guard_bit(values))]
    if code in HEADS:
        behind = [(block.end[at] + 1, guards)] if code == Op.LOOPR else []
        return [(after, guards & ~names[at]), *behind]
    if code == Op.CALL:
        return [(after, guards & ~names[block.target(at)])]
    if code in (Op.JMP, Op.EXIT):
        return [(block.target(at), guards)]
    if code in BRANCHES:
        return [(after, guards), (block.target(at), guards)]
    return [(after, guards)]
