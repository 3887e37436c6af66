"""Less of what costs the most: the rounds, amounts and speeds with which a block keeps its limits."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from llmbytecode._draft import set_field
from llmbytecode._edits import MOST_WORDS, Edit, code_of, leave_out, place, text_of
from llmbytecode._isa import INSTRUCTIONS, KINDS, Limits, Op, Rule
from llmbytecode._verify_py import HEADS
from llmbytecode.account import attribute
from llmbytecode.errors import Refusal
from llmbytecode.program import Program, get
from llmbytecode.verify import refused_by

MOST_TRIED = 6  # of the words that cost the most, and as many loops around them; fewer in a long block
AMOUNTS = ("count", "count8", "distance", "distance_max", "angle", "angle_max", "time", "time_max", "time100")
LEAST = {kind: max(1, KINDS[kind].lo) for kind in AMOUNTS}
SPEEDS = ("speed", "rate")
MEASURES = {
    Rule.FUEL: "fuel",
    Rule.DURATION: "ms",
    Rule.PATH: "path_mm",
    Rule.ROTATION: "rotation_mrad",
    Rule.REPORTS: "reports",
}
Passes = Callable[[Refusal | None], bool]


class Amount(NamedTuple):
    """A field that says how much, of one word or of several that are alike, and how far it may go."""

    words: list[int]
    name: str
    kind: str
    end: int

    @property
    def is_speed(self) -> bool:
        """Say whether it grows towards its end."""
        return self.kind in SPEEDS

    def numbers(self, program: Program) -> list[int]:
        """Return what the fields hold, in absolute value."""
        return [abs(get(program.words[at], self.name, self.kind)) for at in self.words]


def shrink(program: Program, limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Yield what is faster; less of a word, of all alike; no such word; at last what only gets farther."""
    shares, measure = attribute(program, limits).shares, MEASURES[refusal.rule]
    costs = [getattr(share.cost, measure) for share in shares]
    if measure == "ms":  # in µs, so that executing a word counts too
        costs = [1000 * share.cost.ms + share.runs.ms * limits.instruction_us for share in shares]
    heaviest = _heaviest(costs)
    tops = (
        {"speed": limits.top_speed, "rate": limits.top_rate // KINDS["rate"].step} if measure == "ms" else {}
    )
    faster = [amount for word in heaviest for amount in _amounts(program, [word], tops)]
    less = [
        amount
        for word in _heaviest(_with_bodies(program, costs))
        for amount in _amounts(program, [word], LEAST)
    ]
    alike = [amount for words in _alike(program, heaviest) for amount in _amounts(program, words, LEAST)]
    for amounts in (faster, less, alike):
        yield from _nearest_of(program, limits, amounts, _is_accepted)
    for word in heaviest:
        yield from leave_out(program, word)
    for amounts in (faster, less, alike):
        yield from _nearest_of(
            program, limits, amounts, lambda then: then is None or then.rule > refusal.rule
        )


def _is_accepted(refused: Refusal | None) -> bool:
    return refused is None


def _heaviest(costs: list[int]) -> list[int]:
    """Return the words that cost the most, the dearest first."""
    return [word for word in sorted(range(len(costs)), key=lambda word: -costs[word]) if costs[word]][
        : min(MOST_TRIED, MOST_WORDS // len(costs))
    ]


def _with_bodies(program: Program, costs: list[int]) -> list[int]:
    """Return each word's cost, that of a loop's head with its body's."""
    sums, open_sums = list(costs), [0]
    for word in reversed(range(len(costs))):
        code = code_of(program.words[word])
        open_sums[-1] += costs[word]
        if code == Op.ENDLOOP:
            open_sums.append(costs[word])
        elif code in HEADS and len(open_sums) > 1:
            sums[word] += open_sums.pop()
            open_sums[-1] += sums[word] - costs[word]
    return sums


def _alike(program: Program, words: list[int]) -> list[list[int]]:
    """Return, for each instruction among some words, all its words where there are several."""
    codes = dict.fromkeys(code_of(program.words[word]) for word in words)
    groups = [[at for at, word in enumerate(program.words) if code_of(word) == code] for code in codes]
    return [group for group in groups if len(group) > 1]


def _amounts(program: Program, words: list[int], ends: dict[str, int]) -> list[Amount]:
    operands = INSTRUCTIONS[code_of(program.words[words[0]])].operands
    return [Amount(words, name, kind, ends[kind]) for name, kind in operands if kind in ends]


def _nearest_of(program: Program, limits: Limits, amounts: list[Amount], passes: Passes) -> Iterator[Edit]:
    """Yield the edits of those amounts that can be made to pass, the one that changes the least first."""
    found = []
    for amount in amounts:
        now = max(amount.numbers(program))
        near = _nearest(program, limits, amount, now, passes)
        if near is not None:
            found.append((min(near, now) / max(near, now), amount, near))
    for _, amount, near in sorted(found, key=lambda each: -each[0]):
        yield _edit(program, amount, near)


def _nearest(program: Program, limits: Limits, amount: Amount, now: int, passes: Passes) -> int | None:
    """Return the number between an amount's end and now that passes and is nearest to now, by bisection."""
    good, bad = amount.end, now
    if (good < bad) is amount.is_speed or good == bad:
        return None
    if not passes(refused_by(_changed(program, amount, good), limits)):
        return None
    while abs(good - bad) > 1:
        middle = (good + bad) // 2
        if passes(refused_by(_changed(program, amount, middle), limits)):
            good = middle
        else:
            bad = middle
    return good


def _changed(program: Program, amount: Amount, bound: int) -> Program:
    """Return the program with an amount that is at most, a speed that is at least the bound."""
    words = list(program.words)
    for at in amount.words:
        number = get(words[at], amount.name, amount.kind)
        right = max(number, bound) if amount.is_speed else max(-bound, min(bound, number))
        words[at] = set_field(words[at], amount.name, right)
    return Program(words, program.constants, program.lines, program.autonomous_ms)


def _edit(program: Program, amount: Amount, bound: int) -> Edit:
    changed, first = _changed(program, amount, bound), amount.words[0]
    if len(amount.words) == 1:
        what = f"write {text_of(changed, first)} instead of {text_of(program, first)}"
        return Edit(place(program, first), what, changed)
    kind = KINDS[amount.kind]
    name = INSTRUCTIONS[code_of(program.words[first])].name
    return Edit(f"every {name}", f"at most {bound * kind.step}{kind.unit}", changed)
