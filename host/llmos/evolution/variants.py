"""Variants of a skill: by a mutation operator, or from two parents; each is checked before anybody runs it.

A variant is a skill of its own: its program assembles, the verifier accepts it with the defaults, the
examples and the tests of its file, and the audit finds nothing that refuses it and did not refuse its parent.
"""

import difflib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from llmos.errors import LlmosError
from llmos.evolution.audit import audit
from llmos.evolution.lines import Row, read_rows, written_rows
from llmos.evolution.operators import OPERATORS, Rows
from llmos.skills import Physical, Skill

TRIES = 30  # of one mutation, before the program is taken for one that cannot be changed so
_TIER = "user"  # where what is accepted is written

Pick = tuple[str, int, str]  # an operator's name, the place where it acts, and who chose it
Picker = Callable[[Rows, Mapping[str, list[int]], Random], Pick]


@dataclass(frozen=True)
class Variant:
    """A skill that was changed, and how.

    Args:
        skill: with its own program.
        parents: the identifiers of the programs that it was made from; none of the original.
        operator: what made it: `original`, `crossover` or one of `OPERATORS`.
        lens: the view that weighed the operators; empty where none did.
        by: who chose: `chance`, or a model's name.
        line: of the file, where the operator acted; 0 for the whole program.
    """

    skill: Skill
    parents: tuple[str, ...] = ()
    operator: str = "original"
    lens: str = ""
    by: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        """What tells its program from others."""
        return identity(self.skill)

    def diff(self, other: Skill) -> list[str]:
        """Return how its file differs from another one's, as a unified diff without its head."""
        ours, theirs = (one.document.source.split("\n") for one in (self.skill, other))
        return list(difflib.unified_diff(theirs, ours, lineterm="", n=1))[2:]


def identity(skill: Skill) -> str:
    """Return 12 hexadecimal digits of the SHA-256 of what a skill's program does, with its tests' values.

    Comments and spaces make no difference.
    """
    tests = skill.front.tests if isinstance(skill.front, Physical) else ()
    programs = [skill.program(values) for values in ({}, *(test.values for test in tests))]
    told = "|".join(f"{program.words} {program.constants}" for program in programs)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


class Refusals(dict[str, int]):
    """How many variants were refused, by the reason's first words."""

    def add(self, reason: str) -> None:
        """Count one."""
        self[reason] = self.get(reason, 0) + 1


def blocks_of(skill: Skill) -> frozenset[str]:
    """Return the checks of the audit that refuse a skill; none of one that passes."""
    return frozenset(finding.check for finding in audit(skill.document, _TIER).blocking)


def checked(skill: Skill, rows: Rows, refusals: Refusals) -> Skill | None:
    """Return the skill with another program; None where it is none, or the verifier or the audit refuses it.

    What the audit held against the skill before, it may still hold against it: a way that leads to something
    better may be long. Nobody offers such a variant.
    """
    try:
        changed = skill.with_block(written_rows(rows))
    except LlmosError as error:
        refusals.add(_first_words(error))
        return None
    new = blocks_of(changed) - blocks_of(skill)
    if new:
        refusals.add(f"audit: {min(new)}")
        return None
    return changed


def _first_words(error: LlmosError) -> str:
    """Return what refused: the verifier's rule, or the assembler."""
    text = str(error)
    found = text.find("rule ")
    return f"verifier: {text[found:].split(',')[0].split(' at ')[0]}" if found >= 0 else "assembler"


def by_weight(weights: Mapping[str, float]) -> Picker:
    """Return who draws an operator by its weight, then a place."""

    def pick(rows: Rows, places: Mapping[str, list[int]], random: Random) -> Pick:
        names = [name for name in places if weights.get(name, 0) > 0] or list(places)
        name = random.choices(names, [weights.get(name, 0) or 1.0 for name in names])[0]
        return name, random.choice(places[name]), "chance"

    return pick


def mutated(
    parent: Variant, random: Random, pick: Picker, refusals: Refusals, lens: str = ""
) -> Variant | None:
    """Return a variant by one operator; None where none that does something else is found in `TRIES`."""
    rows = read_rows(parent.skill.block)
    places = {name: found for name, op in OPERATORS.items() if (found := op.places(rows))}
    for _ in range(TRIES if places else 0):
        name, place, by = pick(rows, places, random)
        changed = OPERATORS[name].act(rows, place, random)
        if changed is None or changed == rows:
            continue
        skill = checked(parent.skill, changed, refusals)
        if skill is not None and identity(skill) != parent.id:
            return Variant(skill, (parent.id,), name, lens, by, first_line(parent.skill) + place)
    return None


def first_line(skill: Skill) -> int:
    """The line of the file on which its program begins."""
    return next(number for number, line in enumerate(skill.text.split("\n"), 1) if line)


def crossed(one: Variant, other: Variant, random: Random, refusals: Refusals) -> Variant | None:
    """Return a child of two: each parameter's default from either, then one's head and the other's tail.

    The cut lies where both have the same line, or at a border of such lines. None where nothing new comes
    out.
    """
    rows, others = read_rows(one.skill.block), read_rows(other.skill.block)
    rows = _uniform(rows, others, random)
    cuts = _cuts(rows, others)
    here, there = random.choice(cuts) if cuts else (len(rows), len(others))
    child = checked(one.skill, (*rows[:here], *others[there:]), refusals)
    if child is None or identity(child) in (one.id, other.id):
        return None
    return Variant(child, (one.id, other.id), "crossover", by="chance")


def _uniform(rows: Rows, others: Rows, random: Random) -> Rows:
    """Take each parameter's line from either parent."""
    theirs = {_name(row): row for row in others if row.limits}
    return tuple(
        theirs[_name(row)] if row.limits and _name(row) in theirs and random.random() < 0.5 else row
        for row in rows
    )


def _name(row: Row) -> str:
    return row.words.split()[0] if row.words else ""


def _cuts(rows: Rows, others: Rows) -> list[tuple[int, int]]:
    """The pairs of places where a line of one program answers to a line of the other, parameters aside."""
    ours, theirs = (["" if row.limits else str(row) for row in some] for some in (rows, others))
    blocks = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
    return [
        (block.a + step, block.b + step)
        for block in blocks
        for step in range(block.size + 1)
        if 0 < block.a + step < len(rows) and 0 < block.b + step < len(others)
    ]


def reverted(variant: Variant, first: Skill, refusals: Refusals) -> list[Variant]:
    """Return the variants in which one of the changes since the original is taken back, each checked."""
    rows, others = read_rows(variant.skill.block), read_rows(first.block)
    ours, theirs = ([str(row) for row in some] for some in (rows, others))
    changes = difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    found = []
    for tag, i, j, k, m in changes:
        spans = [(i, j, k, m)]
        if j - i == m - k:  # line by line, where lines answer to each other
            spans = [(i + n, i + n + 1, k + n, k + n + 1) for n in range(j - i)]
        elif j - i > 1:  # all of them, or one line that is new
            spans += [(place, place + 1, k, k) for place in range(i, j)]
        for start, end, from_, to in spans if tag != "equal" else []:
            skill = checked(variant.skill, (*rows[:start], *others[from_:to], *rows[end:]), refusals)
            if skill is not None and identity(skill) != identity(first):
                found.append(Variant(skill, (variant.id,), "revert", line=first_line(first) + start))
    return found
