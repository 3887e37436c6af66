"""Write the generated files from SPEC.md: the host's tables, the robot's tables, editors' colours.

`python tools/gen.py` writes them, `python tools/gen.py --check` only says which are out of date.
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from gen_tables import Row, SpecError, Tables, check_retired, live, load
from gen_textmate import textmate

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "bytecode" / "llmbytecode" / "SPEC.md"
BANNER = "Generated from bytecode/llmbytecode/SPEC.md by tools/gen.py; do not edit."
EXAMPLE = re.compile(r"`(.+?)`")
NEW_LINE = " ⏎ "  # in an example


def payload_format(payload: str) -> str:
    """Return the struct format of a frame's payload; `*`, the rest of the bytes, adds nothing."""
    return "<" + "".join(field.split(":")[1] for field in payload.split()).replace("*", "")


def enum(name: str, doc: str, rows: list[Row], column: str) -> str:
    """Return the source of an IntEnum."""
    lines = [
        f"    {row['name'].upper()} = {row[column]}" if live([row]) else f"    # {row[column]} is retired"
        for row in rows
    ]
    return f'class {name}(IntEnum):\n    """{doc}"""\n\n' + "\n".join(lines) + "\n"


def record(name: str, doc: str, rows: list[Row]) -> str:
    """Return the source of a NamedTuple of integers."""
    lines = [f"    {row['name']}: int" for row in rows]
    return f'class {name}(NamedTuple):\n    """{doc}"""\n\n' + "\n".join(lines) + "\n"


def struct_format(rows: list[Row]) -> str:
    """Return the little-endian struct format of a table with `type` cells."""
    return "<" + "".join(row["type"] for row in rows)


def field_names(payload: str) -> tuple[str, ...]:
    """Return the names of a payload's fields."""
    return tuple(field.split(":")[0] for field in payload.split())


def instruction_row(row: Row) -> str:
    """Return one row of the host's instruction table."""
    operands = tuple(tuple(operand.split(":")) for operand in row["operands"].split())
    values = (int(row["code"]), row["name"], operands, row["category"], row["meaning"], row["effect"])
    return f"    {row['code']}: Instruction{values!r},"


def kind_row(row: Row) -> str:
    """Return one row of the host's operand kind table."""
    numbers = f"{row['lo']}, {row['hi']}, {row['step']}"
    example = EXAMPLE.search(row["written as"])
    last = f"{row['unit']!r}, {example[1] if example else ''!r}"
    return f"    {row['kind']!r}: Kind({row['kind']!r}, {row['form']!r}, {numbers}, {last}),"


def rule_row(row: Row) -> str:
    """Return one row of the host's table of the verifier's rules."""
    columns = ("name", "holds when", "value", "limit", "hint", "reason", "given")
    values = [*(row[column] for column in columns), row["example"].replace(NEW_LINE, "\n")]
    return f"    {row['number']}: RuleText({row['number']}, {', '.join(map(repr, values))}),"


def table_row(name: str, key: str, columns: tuple[str, ...]) -> Callable[[Row], str]:
    """Return the writer of one dictionary row `key: Name(columns...)`; only numbers stand unquoted."""

    def write(row: Row) -> str:
        values = [row[c] if c == "number" else repr(row[c]) for c in columns]
        return f"    {values[columns.index(key)]}: {name}({', '.join(values)}),"

    return write


def frame_row(row: Row) -> str:
    """Return one row of the host's frame table."""
    names = field_names(row["payload"])
    return (
        f"    {row['code']}: Frame({row['code']}, {row['name']!r}, {row['kind'] == 'reliable'}, "
        f"{payload_format(row['payload'])!r}, {names!r}),"
    )


HOST_RECORDS = '''\
class Kind(NamedTuple):
    """What an operand's field may hold: one unit of it is `step` of `unit`; `form` is how it is written."""

    name: str
    form: str
    lo: int
    hi: int
    step: int
    unit: str
    example: str


class Instruction(NamedTuple):
    """One row of the instruction table.

    Operands are (field, kind) in the order of writing; `meaning` is for people, `effect` is its formal twin.
    """

    code: int
    name: str
    operands: tuple[tuple[str, str], ...]
    category: str
    meaning: str
    effect: str


class Channel(NamedTuple):
    """One row of the channel table."""

    number: int
    name: str
    unit: str
    meaning: str


class RuleText(NamedTuple):
    """One row of the verifier's rule table; `value` and `limit` name a refusal's two numbers.

    `example` is a program that breaks this rule first, where what `given` says is changed.
    """

    number: int
    name: str
    holds: str
    value: str
    limit: str
    hint: str
    reason: str
    given: str
    example: str


class Unit(NamedTuple):
    """One row of the unit table: one `name` is `factor` (a decimal number) of `base`."""

    name: str
    base: str
    factor: str


class Measure(NamedTuple):
    """One row of the certificate's table."""

    name: str
    unit: str
    meaning: str


class Frame(NamedTuple):
    """One row of the frame table; `fields` follow `format`, a last `bytes` takes the rest."""

    code: int
    name: str
    reliable: bool
    format: str
    fields: tuple[str, ...]
'''


ENUMS = (
    ("Op", "The instructions' codes.", "instructions", "code"),
    ("Mode", "The robot's modes.", "modes", "number"),
    ("Chan", "The channels' numbers.", "channels", "number"),
    ("Outcome", "How a block ended.", "outcomes", "number"),
    ("Rule", "The verifier's rules.", "rules", "number"),
    ("FrameType", "The frames' codes.", "frames", "code"),
    ("State", "The robot's state in TELEMETRY.", "states", "number"),
    ("Flag", "The bits of TELEMETRY's flags.", "flags", "number"),
    ("Fault", "The codes of FAULT.", "faults", "number"),
)
NUMBERED = {name: (table, column) for name, _, table, column in ENUMS}
ROWS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("KINDS", "kinds", kind_row),
    ("UNITS", "units", table_row("Unit", "unit", ("unit", "base", "factor"))),
    ("INSTRUCTIONS", "instructions", instruction_row),
    ("CHANNELS", "channels", table_row("Channel", "number", ("number", "name", "unit", "meaning"))),
    ("RULES", "rules", rule_row),
    ("MEASURES", "certificate", table_row("Measure", "name", ("name", "unit", "meaning"))),
    ("FRAMES", "frames", frame_row),
)


def header_record(rows: list[Row]) -> str:
    """Return the source of the container's header as a NamedTuple."""
    lines = [f"    {row['name']}: {'bytes' if row['type'].endswith('s') else 'int'}" for row in rows]
    return 'class Header(NamedTuple):\n    """The container\'s header."""\n\n' + "\n".join(lines) + "\n"


def host_module(tables: Tables, digest: int, version: tuple[str, str]) -> str:
    """Return the source of the host's table module."""
    out = [
        f'"""The tables of the SPEC.\n\n{BANNER}\n"""\n',
        "from enum import IntEnum",
        "from typing import NamedTuple\n",
    ]
    out += [f"MAJOR = {version[0]}", f"MINOR = {version[1]}", f"SPEC_HASH = 0x{digest:08X}\n\n"]
    out += [HOST_RECORDS, ""]
    for name, doc, table, column in ENUMS:
        out += [enum(name, doc, tables[table], column), ""]
    out += [record("Limits", "What a robot's manifest allows, in the SPEC's order.", tables["limits"]), ""]
    out += [record("Certificate", "What a block can cost at worst.", tables["certificate"]), ""]
    out += [header_record(tables["header"]), ""]
    for name, table, write in ROWS:
        rows = tables[table] if table in ("kinds", "units") else live(tables[table])
        out += [f"{name} = {{", *map(write, rows), "}\n"]
    out += [
        f"HEADER_FORMAT = {struct_format(tables['header'])!r}",
        f"FRAME_FORMAT = {struct_format(tables['frame'])!r}",
    ]
    return "\n".join(out) + "\n"


RETIRED = b"\xff" * 4  # where a code is no instruction


def form_bytes(tables: Tables) -> bytes:
    """Return, for each code, the numbers of the kinds of its fields a, b, c and i; 0 stands for no kind."""
    number = {row["kind"]: n for n, row in enumerate(tables["kinds"], 1)}
    out = bytearray()
    for row in tables["instructions"]:
        kinds = dict(operand.split(":") for operand in row["operands"].split())
        fields = bytes(number[kinds[field]] if field in kinds else 0 for field in "abci")
        out += fields if live([row]) else RETIRED
    return bytes(out)


def form_lines(tables: Tables) -> list[str]:
    """Return the robot's tables for the operand rule."""
    return [
        "# code * 4 + (0 a, 1 b, 2 c, 3 i in the place of b and c): the field's kind",
        "# 0: the field is unused; 255: the code is no instruction",
        f"FORMS = {form_bytes(tables)!r}",
        "# a kind's least and greatest number; a field whose least number is negative is signed",
        f"KIND_LO = (0, {', '.join(row['lo'] for row in tables['kinds'])})",
        f"KIND_HI = (0, {', '.join(row['hi'] for row in tables['kinds'])})",
        *(f"K_{row['kind'].upper()} = const({n})" for n, row in enumerate(tables["kinds"], 1)),
        "# what one unit of a field means, where it is not 1",
        *(
            f"STEP_{row['kind'].upper()} = const({row['step']})"
            for row in tables["kinds"]
            if row["step"] != "1"
        ),
    ]


def robot_constants(prefix: str, rows: list[Row], column: str) -> list[str]:
    """Return `PREFIX_NAME = const(n)` lines."""
    return [f"{prefix}_{row['name'].upper()} = const({row[column]})" for row in live(rows)]


def robot_module(tables: Tables, digest: int, version: tuple[str, str]) -> str:
    """Return the source of the robot's constants."""
    out = [f"# {BANNER}", "from micropython import const", ""]
    out += [f"MAJOR = const({version[0]})", f"MINOR = const({version[1]})", f"SPEC_HASH = 0x{digest:08X}"]
    for prefix, table, column in (
        ("OP", "instructions", "code"),
        ("CH", "channels", "number"),
        ("OUT", "outcomes", "number"),
        ("RULE", "rules", "number"),
        ("F", "frames", "code"),
        ("STATE", "states", "number"),
        ("FLAG", "flags", "number"),
        ("FAULT", "faults", "number"),
    ):
        out += ["", *robot_constants(prefix, tables[table], column)]
    out += ["", *(f"LIM_{r['name'].upper()} = const({i})" for i, r in enumerate(tables["limits"]))]
    out += [f"LIMITS = const({len(tables['limits'])})"]
    out += [f"MODES = const({len(tables['modes'])})"]
    out += [f"FRAMES = const({len(tables['frames']) + 1})"]
    out += ["", *(f"CERT_{r['name'].upper()} = const({i})" for i, r in enumerate(tables["certificate"]))]
    out += ["", *form_lines(tables)]
    out += [
        "",
        f"HEADER_FORMAT = {struct_format(tables['header'])!r}",
        f"FRAME_FORMAT = {struct_format(tables['frame'])!r}",
    ]
    out += [
        f"{r['name']}_FORMAT = {payload_format(r['payload'])!r}" for r in tables["frames"] if r["payload"]
    ]
    reliable = sum(1 << int(r["code"]) for r in tables["frames"] if r["kind"] == "reliable")
    out += ["", "# bit n: frames of type n are reliable", f"RELIABLE = const({reliable})"]
    return "\n".join(out) + "\n"


def cython_numbers(tables: Tables, digest: int, version: tuple[str, str]) -> str:
    """Return the source of the numbers that the Cython twin includes: those of the robot's module."""
    robot = robot_module(tables, digest, version)
    numbers = re.findall(r"^([A-Z]\w*) = const\((\d+)\)$", robot, re.M)
    return f"# {BANNER}\ncdef enum:\n" + "".join(f"    {name} = {number}\n" for name, number in numbers)


def textmate_file(tables: Tables, _digest: int, _version: tuple[str, str]) -> str:
    """Return the assembly's colours for editors."""
    return textmate(tables, BANNER)


HOST_MODULE = ROOT / "bytecode/llmbytecode/_isa.py"
TARGETS: dict[Path, Callable[[Tables, int, tuple[str, str]], str]] = {
    HOST_MODULE: host_module,
    ROOT / "bytecode/llmbytecode/_isa.pxi": cython_numbers,
    ROOT / "bytecode/llmbytecode/lasm.tmLanguage.json": textmate_file,
    ROOT / "firmware/llmvm/_isa.py": robot_module,
}
# MicroPython folds a const() only into the module that holds it: these files get the numbers that they use.
FOLDED = tuple(ROOT / "firmware/llmvm" / name for name in ("vm.py", "verify.py", "certify.py"))
REGION = re.compile(
    r"(?<=\n# numbers of the SPEC, written by tools/gen.py\n).*?(?=# end of the SPEC's numbers\n)", re.S
)


def fold(path: Path, robot: str) -> str:
    """Return the text of a robot's module with a constant `_NAME` for each table constant `NAME` it uses."""
    text = path.read_text()
    used = set(re.findall(r"\b_[A-Z][A-Z0-9_]+\b", REGION.sub("", text)))
    numbers = [f"_{line}" for line in re.findall(r"^[A-Z]\w* = const\(\d+\)$", robot, re.M)]
    return REGION.sub("".join(f"{line}\n" for line in numbers if line.split()[0] in used), text)


def generate() -> dict[Path, str]:
    """Return every generated file's path and text."""
    tables, digest, version = load(SPEC.read_text())
    if HOST_MODULE.exists():
        check_retired(tables, NUMBERED, HOST_MODULE.read_text())
    files = {path: write(tables, digest, version) for path, write in TARGETS.items()}
    robot = robot_module(tables, digest, version)
    return files | {path: fold(path, robot) for path in FOLDED if path.exists()}


def main() -> int:
    """Write the generated files, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which files are out of date")
    only_check = parser.parse_args().check
    try:
        files = generate()
    except SpecError as error:
        print(f"gen: {error}", file=sys.stderr)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{'out of date' if only_check else 'wrote'}: {path.relative_to(ROOT)}")
        if not only_check:
            path.write_text(files[path])
    return 1 if only_check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
