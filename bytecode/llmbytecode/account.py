"""Where a block's worst case comes from: how often each word runs on the worst path, and what it costs there.

The SPEC's section 5.3 computes the worst cost from the last word to the first. This is the same sum told
from the first word to the last: word 0 runs once, and every word hands its number of runs on to what
follows it, a loop's head multiplied by its rounds, a branch to the dearer way alone. Since each measure
takes its own dearer way, the worst paths of two measures may differ.
"""

from dataclasses import dataclass
from typing import NamedTuple

from llmbytecode._isa import Limits, Op, Rule
from llmbytecode._verify_py import (
    BRANCHES,
    DEAD_ENDS,
    HEADS,
    RULES,
    Block,
    Cost,
    costs_from,
    own_cost,
)
from llmbytecode.program import Program
from llmbytecode.verify import verify


class Measures(NamedTuple):
    """One number for each measure that a block is charged with."""

    fuel: int
    ms: int
    path_mm: int
    rotation_mrad: int
    reports: int


class Share(NamedTuple):
    """What one word adds to the worst case.

    `runs` says how often it runs on each measure's worst path, `cost` what all these runs cost
    together. `line` is its line in the source, 0 where it is unknown.
    """

    word: int
    line: int
    runs: Measures
    cost: Measures


@dataclass(frozen=True)
class Account:
    """A worst case, word by word.

    The shares' costs add up to the certificate; to its `ms` belongs `executing_ms` too, the time that
    executing so many words takes by itself.
    """

    shares: list[Share]
    executing_ms: int

    @property
    def total(self) -> Measures:
        """The sum, which is the certificate's."""
        sums = Measures(*map(sum, zip(*(share.cost for share in self.shares), strict=True)))
        return sums._replace(ms=sums.ms + self.executing_ms)


def account(program: Program, limits: Limits) -> Account:
    """Return where the certificate of a block comes from.

    Raises:
        Refusal: the block breaks a rule.
    """
    verify(program, limits)
    return attribute(program, limits)


def attribute(program: Program, limits: Limits) -> Account:
    """Return where the worst case comes from, even if it is beyond the limits (and then without saturation).

    Raises:
        Refusal: the block breaks one of the rules from length to speed.
    """
    block = Block(program.words, len(program.constants), program.autonomous_ms, limits)
    for rule in RULES[: Rule.FUEL - 1]:
        rule(block)
    costs = costs_from(block)
    runs = [_runs(block, costs, measure) for measure in range(len(Measures._fields))]
    shares = []
    for at, times in enumerate(zip(*runs, strict=True)):
        own = own_cost(block.steps[at], limits)
        cost = Measures(*(n * each for n, each in zip(times, own, strict=True)))
        shares.append(Share(at, program.line(at), Measures(*times), cost))
    fuel = sum(share.cost.fuel for share in shares)
    return Account(shares, -(-fuel * limits.instruction_us // 1000))


def _runs(block: Block, costs: list[Cost], measure: int) -> list[int]:
    """Return how often each word runs on a measure's worst path."""
    runs = [0] * len(block.words)
    runs[0] = 1
    for at in range(len(block.words)):  # whatever follows a word stands further down
        if runs[at]:
            for to, rounds in _followers(block, costs, measure, at):
                runs[to] += runs[at] * rounds
    return runs


def _followers(block: Block, costs: list[Cost], measure: int, at: int) -> list[tuple[int, int]]:
    """Return the words whose costs are added to a word's own, each with how many times."""
    instruction, values = block.steps[at]
    code = instruction.code
    if code in (*DEAD_ENDS, Op.EXIT, Op.ENDLOOP):
        return []
    if code in HEADS:
        return [(at + 1, values["i" if code == Op.LOOP else "c"]), (block.end[at] + 1, 1)]
    if code == Op.JMP:
        return [(block.target(at), 1)]
    if code in BRANCHES:  # of two ways that cost the same, the one that costs more in other measures
        return [(max(at + 1, block.target(at), key=lambda to: (costs[to][measure], costs[to][1:])), 1)]
    if code == Op.CALL:
        return [(block.target(at), 1), (at + 1, 1)]
    return [(at + 1, 1)]
