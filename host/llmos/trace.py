"""What a block did when, word by word, from what its robot said on the way.

Telemetry tells the word that was executed last and how many were executed so far, but neither registers nor
branches taken. So all ways through the program are followed at once, word by word, and at each telemetry
those are kept that have come to its word with its fuel, and whose reports are those that arrived.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import NamedTuple

from llmbytecode import Op, Program
from llmbytecode._isa import State
from llmbytecode.program import OPCODE_MASK, decode
from llmos.link import Event, Telemetry
from llmos.runs import Run
from llmos.sim.judge import Truth
from llmos.trial import Trial

TIMED = (Op.MOVE, Op.MOVER, Op.TURN, Op.TURNR, Op.DRIVE, Op.WAIT, Op.WAITR)
ACTS = (*TIMED, Op.LED, Op.TONE, Op.TRIP, Op.REPORT, Op.MODE, Op.END, Op.FAIL)
MOST_STEPS = 1_000_000  # of all ways between two looks; where there are more, what happened is not known


class Act(NamedTuple):
    """A word that takes time or does something."""

    ms: int  # since the block began
    word: int
    seen: Telemetry  # the first after it
    took_ms: int = 0
    trip: int = 0  # what ended it early
    report: int | None = None
    sure: bool = True  # nothing else could have happened here


class Loop(NamedTuple):
    """A loop that runs: where its body begins, and how many rounds are left at least and at most."""

    body: int
    least: int
    most: int


@dataclass(frozen=True)
class Way:
    """One way through a program so far."""

    last: int  # word
    next: int  # word; -1 after the end
    stack: tuple[Loop | int, ...] = ()  # loops and return addresses
    reports: int = 0


Ways = dict[Way, tuple[tuple[int, ...], bool]]  # the acts since the last telemetry, and whether they are sure


def trace(run: Run) -> list[Act]:
    """Return what a block did, in the order of time.

    On the virtual robot, what the wheels and the light did has its exact time. Other times are as exact as
    the telemetry is frequent.
    """
    seen, began = _seen(run)
    changes = _changes(run.truth) if isinstance(run, Trial) else []
    acts: list[Act] = []
    ways: Ways = {Way(-1, 0): ((), True)}
    fuel, before, values = 0, began, iter(run.events)
    for one in seen:
        ways = follow(run.program, ways, one.fuel - fuel, one.pc, run.events)
        words, sure = _agreed(ways) if ways else ((one.pc,) if one.fuel > fuel else (), False)
        ms = next((change for change in changes if before < change <= one.ms), one.ms) if fuel else began
        for word in words:
            value = next(values).value if ways and _code(run.program, word) == Op.REPORT else None
            acts.append(Act(ms - began, word, one, report=value, sure=sure))
        ways = dict.fromkeys(ways, ((), True))
        fuel, before = one.fuel, one.ms
    return [_timed(run, act, after, seen) for act, after in zip_longest(acts, acts[1:])]


def _seen(run: Run) -> tuple[list[Telemetry], int]:
    """Return a block's telemetry from its beginning to its end, and when it began by the robot's clock."""
    seen = [one for one in run.telemetry if one.state == State.RUNNING and one.ms < run.ended_ms]
    last = run.telemetry[-1:]  # where another block follows, it is that one's already
    ends = [one._replace(ms=run.ended_ms, pc=run.done.pc, fuel=run.done.fuel) for one in last]
    return seen + ends, run.ended_ms - run.done.ms


def _agreed(ways: Ways) -> tuple[tuple[int, ...], bool]:
    """Return what happened on the first of the ways, and whether it is so on all."""
    acts, _ = next(iter(ways.values()))
    return acts, all(found == (acts, True) for found in ways.values())


def _timed(run: Run, act: Act, after: Act | None, seen: Sequence[Telemetry]) -> Act:
    """Return an act with how long it took, and what ended it early."""
    if _code(run.program, act.word) not in TIMED:
        return act
    during = [one for one in seen if (one.fuel, one.pc) == (act.seen.fuel, act.word)]
    took = (after.ms if after else run.done.ms) - act.ms
    return act._replace(took_ms=took, trip=max((one.trip for one in during), default=0))


def _changes(truth: Truth) -> list[int]:
    """Return the moments at which the wheels started or stopped, or the light changed."""
    pairs = pairwise(truth.samples)
    return [new.ms for old, new in pairs if (old.moving, old.led) != (new.moving, new.led)]


def follow(program: Program, ways: Ways, words: int, last: int, events: Sequence[Event]) -> Ways:
    """Follow ways for so many words, and return those that have then executed `last`; none where lost."""
    steps = 0
    for _ in range(words):
        steps += len(ways)
        if steps > MOST_STEPS:
            return {}
        onward: Ways = {}
        for way, (acts, sure) in ways.items():
            for then in step(program, way, events):
                done = (*acts, then.last) if _code(program, then.last) in ACTS else acts
                known = onward.get(then)
                onward[then] = (done, sure) if known is None else (known[0], sure and known == (done, True))
        ways = onward
    return {way: found for way, found in ways.items() if way.last == last or not words}


def step(program: Program, way: Way, events: Sequence[Event]) -> Iterator[Way]:
    """Return the ways that go on by one word, whatever the registers hold."""
    at = way.next
    decoded = decode(program.words[at]) if 0 <= at < len(program.words) else None
    if decoded is None:
        return
    code, fields = decoded[0].code, decoded[1]
    reports = way.reports
    if code == Op.REPORT:
        if reports == len(events) or events[reports].tag != fields["a"]:
            return
        reports += 1
    for to, stack in _next(code, fields, at, way.stack):
        yield Way(at, to, stack, reports)


def _next(
    code: int, fields: dict[str, int], at: int, stack: tuple[Loop | int, ...]
) -> Iterable[tuple[int, tuple[Loop | int, ...]]]:
    """Return where a word can lead, with the stack there."""
    top = stack[-1] if stack else None
    if code in (Op.END, Op.FAIL):
        return [(-1, ())]
    if code == Op.JMP:
        return [(at + fields["i"], stack)]
    if Op.BEQ <= code <= Op.BGE:
        return [(at + 1, stack), (at + fields["c"], stack)]
    if code == Op.LOOP:
        return [(at + 1, (*stack, Loop(at + 1, fields["i"], fields["i"])))]
    if code == Op.LOOPR:
        return [(at + 1, (*stack, Loop(at + 1, 1, fields["c"]))), (at + fields["b"] + 1, stack)]
    if code == Op.ENDLOOP and isinstance(top, Loop):
        again = (top.body, (*stack[:-1], Loop(top.body, max(top.least - 1, 1), top.most - 1)))
        return ([again] if top.most > 1 else []) + ([(at + 1, stack[:-1])] if top.least == 1 else [])
    if code == Op.EXIT:
        return [(at + fields["i"], stack[:-1])]
    if code == Op.CALL:
        return [(at + fields["i"], (*stack, at + 1))]
    if code == Op.RET and isinstance(top, int):
        return [(top, stack[:-1])]
    return [(at + 1, stack)]


def _code(program: Program, word: int) -> int:
    return program.words[word] & OPCODE_MASK
