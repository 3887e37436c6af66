"""A chain of lines: each ends with a tag that depends on itself and on the tag of the line before.

A line `{…,"#":"TAG"}` has for its tag the first eight hexadecimal digits of the SHA-256 of the tag before
it (none before the first), a line end, and the line without its tag. So a line that is changed, added,
removed or moved is found, and where. A forger who makes all tags anew is not; that shows in the index of the
runs, which has the SHA-256 of each whole record.
"""

import hashlib
import re
from typing import NamedTuple

DIGITS = 8  # of a tag; an accident passes unseen once in 4·10⁹
_END = re.compile(rb',"#":"([0-9a-f]{%d})"\}' % DIGITS)
_KIND = re.compile(rb'\{"kind": ?"(\w+)"')


class Broken(NamedTuple):
    """A line that does not fit the chain: its number, from 1, and its kind; empty where it has none."""

    line: int
    kind: str

    def __str__(self) -> str:
        """Name it."""
        return f"line {self.line}" + (f" ({self.kind})" if self.kind else "")


def linked(before: str, line: bytes) -> tuple[bytes, str]:
    """Return a line, a JSON object with at least one field, with its tag; and the tag for the next."""
    tag = _tag(before, line)
    return b'%b,"#":"%b"}' % (line[:-1], tag.encode()), tag


def _tag(before: str, line: bytes) -> str:
    return hashlib.sha256(before.encode() + b"\n" + line).hexdigest()[:DIGITS]


def is_chained(raw: bytes) -> bool:
    """Whether a file's lines have tags; those of older versions have none."""
    return any(_split(line)[1] for line in raw.split(b"\n"))


def breaks(raw: bytes) -> list[Broken]:
    """Return the lines of a chained file that are not as they were written, or do not follow the one before.

    What stands behind the last line's end is the beginning of a line that was being written, and is checked
    only where it goes on behind a tag.
    """
    *lines, tail = raw.split(b"\n")
    found, before = list[Broken](), ""
    for number, line in enumerate([*lines, tail] if _END.search(tail) else lines, 1):
        body, tag = _split(line)
        if not tag or (before is not None and _tag(before, body) != tag):
            found.append(Broken(number, kind_of(line)))
        before = tag or None  # type: ignore[assignment]
    return found


def _split(line: bytes) -> tuple[bytes, str]:
    """Return a line without its tag, and the tag; empty where it has none."""
    match = _END.search(line, max(0, len(line) - DIGITS - len(b',"#":""}')))
    if match is None or match.end() != len(line):
        return line, ""
    return line[: match.start()] + b"}", match[1].decode()


def kind_of(line: bytes) -> str:
    """Return the kind of a line, as far as it can be read."""
    match = _KIND.match(line)
    return match[1].decode() if match else ""


def tag_of(raw: bytes) -> str:
    """Return the tag of a file's last whole line, which the next line's depends on."""
    return _split(raw[:-1].rpartition(b"\n")[2])[1]
