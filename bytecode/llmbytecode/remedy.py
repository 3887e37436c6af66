"""The smallest change that lets a refused block pass, proved by verifying the changed block.

For each rule there is a function that proposes edits, the smallest first. Of these the first one with
which the verifier accepts the block is told; failing that, the first with which it gets farther: to a
later rule, or by the same rule to a later word. What refuses the block next is then told too.

The search is bounded: the longer a block, the fewer edits are tried, for each costs time in proportion to
its words. A block that is longer than the bound gets the rule's hint.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from llmbytecode import _edits
from llmbytecode._edits import MOST_WORDS, Edit
from llmbytecode._isa import CHANNELS, Limits, Rule
from llmbytecode._shrink import shrink
from llmbytecode.errors import Refusal
from llmbytecode.program import Program
from llmbytecode.verify import refused_by

MOST_REPEATS = 64  # of the same edit at other words
MOST_TOLD = 8

PROPOSALS: dict[Rule, Callable[[Program, Limits, Refusal], Iterator[Edit]]] = {
    Rule.LENGTH: _edits.length,
    Rule.CONSTANTS: _edits.constants,
    Rule.OPERAND: _edits.operand,
    Rule.CONSTANT: _edits.constant,
    Rule.REGION: _edits.region,
    Rule.NESTING: _edits.nesting,
    Rule.TARGET: _edits.target,
    Rule.CALL: _edits.call,
    Rule.CHANNEL: _edits.channel,
    Rule.ACTUATOR: _edits.actuator,
    Rule.SPEED: _edits.speed,
    Rule.FUEL: shrink,
    Rule.DURATION: shrink,
    Rule.PATH: shrink,
    Rule.ROTATION: shrink,
    Rule.REPORTS: shrink,
    Rule.AUTONOMY: _edits.autonomy,
}
REPEATED = (Rule.OPERAND, Rule.CHANNEL, Rule.ACTUATOR, Rule.SPEED)  # a word by itself breaks these


class Repair(NamedTuple):
    """An edit that was tried: the program with it, and what refuses that one, None where it is accepted."""

    text: str
    program: Program
    refused: Refusal | None


def remedy(program: Program, limits: Limits, refusal: Refusal) -> str:
    """Return in one line the smallest change that lets a block pass; without one, the rule's hint."""
    found = repair(program, limits, refusal)
    if found is None:
        return _hint(limits, refusal)
    if found.refused is None:
        return found.text
    where = f", {_edits.place(found.program, found.refused.word)}" if found.refused.line else ""
    return f"{found.text}; then rule {found.refused.rule.name.lower()} is next{where}"


def _hint(limits: Limits, refusal: Refusal) -> str:
    if refusal.rule not in PROPOSALS:
        return refusal.hint
    channels = [row.name for number, row in CHANNELS.items() if limits.channels >> number & 1]
    lists = f": {', '.join(channels)}" if refusal.rule == Rule.CHANNEL else ""
    return f"no change that passes was found; {refusal.hint}{lists}"


def repair(program: Program, limits: Limits, refusal: Refusal) -> Repair | None:
    """Return the smallest change with which a block is accepted or gets farther, None where none is known."""
    farther, rule = None, refusal.rule
    most = MOST_WORDS // max(1, len(program.words))
    if rule not in PROPOSALS or not most:
        return None
    for edit in islice(PROPOSALS[rule](program, limits, refusal), most):
        found = _tried(edit, program, limits, refusal)
        if found and rule in REPEATED:
            found = _repeated(found, limits, rule, min(MOST_REPEATS, most - 1))
        if found and found.refused is None:
            return found
        farther = farther or found
    return farther


def _tried(edit: Edit, program: Program, limits: Limits, refusal: Refusal) -> Repair | None:
    """Return an edit with what becomes of it, None where it gets no farther."""
    then = refused_by(edit.program, limits)
    added = len(edit.program.words) - len(program.words)
    if then and then.rule <= refusal.rule and not _is_behind(then, refusal, added):
        return None
    return Repair(edit.text, edit.program, then)


def _is_behind(then: Refusal, now: Refusal, added: int) -> bool:
    """Say whether the same rule, one that names a word, is broken farther down; some words were added."""
    names_word = Rule.OPCODE <= now.rule <= Rule.SPEED
    return names_word and then.rule == now.rule and then.word - added > now.word


def _repeated(found: Repair, limits: Limits, rule: Rule, most: int) -> Repair:
    """Return an edit together with the same at every other word that needs it, at most so many."""
    text, others = found.text, list[str]()
    while found.refused and found.refused.rule == rule and len(others) < most:
        again = next(PROPOSALS[rule](found.program, limits, found.refused), None)
        then = _tried(again, found.program, limits, found.refused) if again else None
        if again is None or then is None:
            break
        found = then
        others.append(again.where)
    told = ", ".join(others[:MOST_TOLD])
    more = f" and {len(others) - MOST_TOLD} more" if len(others) > MOST_TOLD else ""
    return found._replace(text=f"{text}; likewise {told}{more}" if others else text)
