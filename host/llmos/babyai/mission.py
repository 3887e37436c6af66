"""What a mission says, read by a grammar: the part of the rule that knows language."""

import hashlib
import re
from dataclasses import dataclass

from llmos.babyai.belief import COLOURS, Seen

THING = rf"(?:the|an?) (?:({'|'.join(COLOURS)}) )?(door|key|ball|box|object)"
CLAUSE = re.compile(rf"(?:(go to|pick up|open) {THING}|(put) {THING} next to {THING})")
KEPT_BACK = 5  # one mission in so many is never taught to a kernel


@dataclass(frozen=True)
class Wanted:
    """A description; an empty part fits everything."""

    colour: str
    kind: str

    def fits(self, seen: Seen | None) -> bool:
        """Tell whether something is what is described."""
        return seen is not None and self.colour in ("", seen.colour) and self.kind in ("", seen.kind)


@dataclass(frozen=True)
class Step:
    """One thing to do: `go to`, `pick up`, `open` or `put`; `beside` is where to put it."""

    verb: str
    what: Wanted
    beside: Wanted | None = None


def read_mission(text: str) -> tuple[Step, ...]:
    """Return the steps of a mission in their order; none where it is not understood."""
    first, after, last = text.partition(" after you ")
    parts = [last, first] if after else text.split(", then ")
    found = [CLAUSE.fullmatch(part.strip()) for part in parts]
    return tuple(step(one) for one in found if one) if all(found) else ()


def kept_back(text: str) -> bool:
    """Tell whether a mission is never taught; it is one and the same mission in all words that mean it."""
    meaning = repr(read_mission(text)).encode()
    return int.from_bytes(hashlib.sha256(meaning).digest()[:8], "big") % KEPT_BACK == 0


def step(found: re.Match[str]) -> Step:
    """Return what a clause says."""
    verb, colour, kind, put, *rest = (part or "" for part in found.groups())
    if put:
        return Step(put, wanted(rest[0], rest[1]), wanted(rest[2], rest[3]))
    return Step(verb, wanted(colour, kind))


def wanted(colour: str, kind: str) -> Wanted:
    """Return a description."""
    return Wanted(colour, "" if kind == "object" else kind)
