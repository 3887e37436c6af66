"""Reads the vectors: one case per file, in sections that begin with `-- name`.

A case's first lines, `# …`, say what it shows. Its sections:

    limits       limits of the cube that this case changes, `max_words 4`
    asm          the program
    bytes        its words, little-endian, one a line in hexadecimal
    constants    its constants
    header       what it asks for, `autonomous_ms 500`
    certificate  measures of its certificate, `fuel 3`
    result       what all machines leave: outcome, code, trip, mode, registers, variables, `report TAG VALUE`
    room         what the empty room adds: ms, path_mm, rotation_mrad, x_mm, y_mm, heading_mrad
    patch        changes to the container: `OFFSET HEX`, `cut SIZE`, or `seal`, which makes its CRC-32 right
    world        of a case on which machines differed once: the made-up world's `seed`, `slice`, and `robot`
    container    its container in hexadecimal, where it is not the program's own
    error        `rule NAME`, `word N`, `value N`, `limit N`, or, for text, `LINE:COLUMN: message; hint`
"""

from pathlib import Path
from typing import NamedTuple

from llmbytecode import Limits, Program
from llmos.manifest import load_manifest

VECTORS = Path(__file__).parent / "vectors"
SECTIONS = (
    "limits",
    "asm",
    "bytes",
    "constants",
    "header",
    "certificate",
    "result",
    "room",
    "patch",
    "world",
    "container",
    "error",
)


class Case(NamedTuple):
    """One vector."""

    name: str
    title: str
    sections: dict[str, str]

    @property
    def limits(self) -> Limits:
        """The robot's limits in this case."""
        return load_manifest().limits._replace(**self.numbers("limits"))

    @property
    def program(self) -> Program:
        """The program of the sections bytes and constants."""
        words = [
            int.from_bytes(bytes.fromhex(line), "little") for line in self.sections.get("bytes", "").split()
        ]
        constants = [int(text) for text in self.sections.get("constants", "").split()]
        return Program(words, constants, [], self.numbers("header").get("autonomous_ms", 0))

    def rows(self, section: str) -> list[list[str]]:
        """A section's lines, split at blanks."""
        return [line.split() for line in self.sections.get(section, "").splitlines()]

    def numbers(self, section: str) -> dict[str, int]:
        """The lines of a section that are a name and a number."""
        return {
            row[0]: int(row[1])
            for row in self.rows(section)
            if len(row) == 2 and row[1].lstrip("-").isdecimal()
        }


def read_case(path: Path) -> Case:
    """Return the case in a file."""
    head, *rest = ("\n" + path.read_text(encoding="utf-8")).split("\n-- ")
    sections = {}
    for part in rest:
        name, _, body = part.partition("\n")
        if name not in SECTIONS:
            raise ValueError(f"{path}: section {name!r} is unknown; one of {', '.join(SECTIONS)}")
        sections[name] = body.rstrip("\n") + "\n" if body.strip() else ""
    return Case(path.stem, head.strip().lstrip("# "), sections)


def cases(folder: str) -> list[Case]:
    """Return the cases of a folder in the order of their names."""
    return [read_case(path) for path in sorted((VECTORS / folder).glob("*.case"))]
