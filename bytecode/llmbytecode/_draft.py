"""A program whose distances are links, so that words can be put in, left out and moved."""

from dataclasses import dataclass, field

from llmbytecode._isa import KINDS
from llmbytecode.program import FIELDS, Program, decode

Link = tuple["Item", int]  # a word, and how many words behind it the target is


@dataclass(eq=False)
class Item:
    """One word; `links` are its fields that hold a distance."""

    word: int
    line: int = 0
    links: dict[str, Link] = field(default_factory=dict)


class Draft:
    """A program to be changed; `items` may be changed at will, `program` gives the result."""

    def __init__(self, program: Program) -> None:
        self.items = [Item(word, program.line(at)) for at, word in enumerate(program.words)]
        self.constants, self.autonomous_ms = list(program.constants), program.autonomous_ms
        for at, item in enumerate(self.items):
            item.links = self.links(at, item.word)

    def links(self, at: int, word: int) -> dict[str, Link]:
        """Return the links that a word would have in a place."""
        decoded = decode(word)
        links = {}
        for name, kind in decoded[0].operands if decoded else ():
            if KINDS[kind].form in ("label", "implied") and decoded:
                distance = decoded[1][name]
                to = at - distance if kind == "back" else at + distance
                behind = 1 if kind == "out" else 0  # an EXIT stays with its ENDLOOP
                if 0 <= to - behind < len(self.items):
                    links[name] = (self.items[to - behind], behind)
        return links

    def relink(self, old: Item, new: Item, inside: list[Item] | None = None) -> None:
        """Let what goes to one word go to another, unless it comes from `inside`."""
        kept = set(map(id, inside or ()))
        for item in self.items:
            if id(item) in kept:
                continue
            item.links = {
                name: (new, behind) if to is old and not behind else (to, behind)
                for name, (to, behind) in item.links.items()
            }

    def leave_out(self, at: int) -> None:
        """Take a word away; what went to it goes to the next one."""
        if at + 1 < len(self.items):
            self.relink(self.items[at], self.items[at + 1])
        del self.items[at]

    def copy(self, start: int, stop: int) -> list[Item]:
        """Return copies of some words; links among them are links among the copies."""
        copies = {id(item): Item(item.word, item.line) for item in self.items[start:stop]}
        for item in self.items[start:stop]:
            links = {name: (copies.get(id(to), to), behind) for name, (to, behind) in item.links.items()}
            copies[id(item)].links = links
        return list(copies.values())

    def program(self) -> Program | None:
        """Return the program, or None where a distance does not fit its field."""
        places = {id(item): at for at, item in enumerate(self.items)}
        words = []
        for at, item in enumerate(self.items):
            word: int | None = item.word
            for name, (to, behind) in item.links.items():
                if word is not None:
                    word = _aim(word, name, at, places.get(id(to), at) + behind)
            if word is None:
                return None
            words.append(word)
        lines = [item.line for item in self.items]
        return Program(words, list(self.constants), lines if any(lines) else [], self.autonomous_ms)


def _aim(word: int, name: str, at: int, to: int) -> int | None:
    decoded = decode(word)
    if decoded is None:
        return word
    kind = KINDS[dict(decoded[0].operands)[name]]
    distance = at - to if kind.name == "back" else to - at
    return set_field(word, name, distance) if kind.lo <= distance <= kind.hi else None


def set_field(word: int, name: str, number: int) -> int:
    """Return a word with a number in one of its fields."""
    shift, mask = FIELDS[name]
    return word & ~(mask << shift) & 0xFFFFFFFF | (number & mask) << shift
