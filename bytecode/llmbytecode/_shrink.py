"""Less of what costs the most: the rounds, distance, angle or time with which a block keeps its limits."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from llmbytecode._draft import set_field
from llmbytecode._edits import Edit, code_of, leave_out, place, text_of
from llmbytecode._isa import INSTRUCTIONS, KINDS, Limits, Op, Rule
from llmbytecode._verify_py import HEADS
from llmbytecode.account import attribute
from llmbytecode.errors import Refusal
from llmbytecode.program import Program, get
from llmbytecode.verify import refused_by

MOST_TRIED = 6  # of the words that cost the most, and as many loops around them
AMOUNTS = ("count", "count8", "distance", "distance_max", "angle", "angle_max", "time", "time_max", "time100")
MEASURES = {
    Rule.FUEL: "fuel",
    Rule.DURATION: "ms",
    Rule.PATH: "path_mm",
    Rule.ROTATION: "rotation_mrad",
    Rule.REPORTS: "reports",
}
Passes = Callable[[Refusal | None], bool]


class Amount(NamedTuple):
    """A field that says how much: the same one of several words at once, where they are alike."""

    words: list[int]
    name: str
    kind: str


def shrink(program: Program, limits: Limits, refusal: Refusal) -> Iterator[Edit]:
    """Yield what keeps the most: of a word, of all alike, without a word; then what only gets farther."""
    shares, measure = attribute(program, limits).shares, MEASURES[refusal.rule]
    costs = [getattr(share.cost, measure) for share in shares]
    if measure == "ms":  # in µs, so that executing a word counts too
        costs = [1000 * share.cost.ms + share.runs.ms * limits.instruction_us for share in shares]
    heaviest = _heaviest(costs)
    single = [
        amount for word in _heaviest(_with_bodies(program, costs)) for amount in _amounts(program, [word])
    ]
    alike = [amount for words in _alike(program, heaviest) for amount in _amounts(program, words)]
    yield from _largest_of(program, limits, single, _is_accepted)
    yield from _largest_of(program, limits, alike, _is_accepted)
    for word in heaviest:
        yield from leave_out(program, word)
    for amounts in (single, alike):
        yield from _largest_of(
            program, limits, amounts, lambda then: then is None or then.rule > refusal.rule
        )


def _is_accepted(refused: Refusal | None) -> bool:
    return refused is None


def _heaviest(costs: list[int]) -> list[int]:
    """Return the words that cost the most, the dearest first."""
    return [word for word in sorted(range(len(costs)), key=lambda word: -costs[word]) if costs[word]][
        :MOST_TRIED
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


def _amounts(program: Program, words: list[int]) -> list[Amount]:
    operands = INSTRUCTIONS[code_of(program.words[words[0]])].operands
    return [Amount(words, name, kind) for name, kind in operands if kind in AMOUNTS]


def _largest_of(program: Program, limits: Limits, amounts: list[Amount], passes: Passes) -> Iterator[Edit]:
    """Yield the edits of those amounts that can be made to pass, the one that keeps the most first."""
    found = []
    for amount in amounts:
        before = max(abs(get(program.words[at], amount.name, amount.kind)) for at in amount.words)
        most = _most(program, limits, amount, before, passes)
        if most is not None:
            found.append((most / before, amount, most))
    for _, amount, most in sorted(found, key=lambda each: -each[0]):
        yield _edit(program, amount, most)


def _most(program: Program, limits: Limits, amount: Amount, before: int, passes: Passes) -> int | None:
    """Return the largest number below `before` that passes, by bisection; costs only fall with it."""
    fits, too_much = max(1, KINDS[amount.kind].lo), before
    if fits >= too_much or not passes(refused_by(_capped(program, amount, fits), limits)):
        return None
    while too_much - fits > 1:
        middle = (fits + too_much) // 2
        if passes(refused_by(_capped(program, amount, middle), limits)):
            fits = middle
        else:
            too_much = middle
    return fits


def _capped(program: Program, amount: Amount, most: int) -> Program:
    words = list(program.words)
    for at in amount.words:
        number = get(words[at], amount.name, amount.kind)
        words[at] = set_field(words[at], amount.name, max(-most, min(most, number)))
    return Program(words, program.constants, program.lines, program.autonomous_ms)


def _edit(program: Program, amount: Amount, most: int) -> Edit:
    changed, first = _capped(program, amount, most), amount.words[0]
    if len(amount.words) == 1:
        what = f"write {text_of(changed, first)} instead of {text_of(program, first)}"
        return Edit(place(program, first), what, changed)
    kind = KINDS[amount.kind]
    name = INSTRUCTIONS[code_of(program.words[first])].name
    return Edit(f"every {name}", f"at most {most * kind.step}{kind.unit}", changed)
