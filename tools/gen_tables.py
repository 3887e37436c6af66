"""Reads the tables of SPEC.md, and refuses those that contradict themselves, each other, or the past."""

import hashlib
import re

TABLE = re.compile(r"<!-- table: (\w+) -->\n((?:\|.*\n)+)")
TITLE = re.compile(r"^# LLMBytecode (\d+)\.(\d+)$", re.M)
REMOVED = "removed"  # the name of a retired row
# What is written for people only: it can be mended without making another language.
PROSE = ("meaning", "hint", "written as", "effect", "reason", "given", "example")
# tables that give more columns to another one's rows
BESIDE = {"effects": "instructions", "reasons": "rules"}
NAMES = ("name", "kind", "unit")  # the first of these columns names a table's rows
LAYOUTS = ("", "a", "ab", "abc", "ai", "i")  # the fields that a word can have

Row = dict[str, str]
Tables = dict[str, list[Row]]
Version = tuple[str, str]


class SpecError(Exception):
    """SPEC.md contradicts itself."""


def load(text: str) -> tuple[Tables, int, Version]:
    """Return a SPEC's tables, checked and joined, its hash, and its version.

    Raises:
        SpecError: what is wrong, where, and what to do.
    """
    title = TITLE.search(text)
    if title is None:
        raise SpecError("SPEC.md: its title does not read '# LLMBytecode MAJOR.MINOR'")
    tables = read_tables(text)
    check(tables)
    tables = join(tables)
    version = (title[1], title[2])
    return tables, spec_hash(tables, version), version


def read_tables(text: str) -> Tables:
    """Return every marked table as a list of rows keyed by column name."""
    tables: Tables = {}
    for name, body in TABLE.findall(text):
        head, _, *rows = map(cells, body.splitlines())
        for row in rows:
            if len(row) != len(head):
                raise SpecError(f"table {name}: row {row[0]} has {len(row)} cells, its head has {len(head)}")
        tables[name] = [dict(zip(head, row, strict=True)) for row in rows]
    return tables


def cells(line: str) -> list[str]:
    """Split one markdown table line into its stripped cells."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def live(rows: list[Row]) -> list[Row]:
    """Return the rows that are not retired."""
    return [row for row in rows if row["name"] != REMOVED]


def check(tables: Tables) -> None:
    """Refuse tables that contradict themselves or each other."""
    for name, rows in tables.items():
        check_names(name, rows)
        for column in ("code", "number"):
            if column in rows[0]:
                check_numbers(name, rows, column)
    kinds = {row["kind"] for row in tables["kinds"]}
    for row in tables["instructions"]:
        check_operands(row, kinds)
    bases = {row["base"] for row in tables["units"]}
    for row in tables["kinds"]:
        if row["unit"] and row["unit"] not in bases:
            raise SpecError(f"kind {row['kind']}: unit {row['unit']} is no base of table units")


def check_names(name: str, rows: list[Row]) -> None:
    """Refuse two rows of one name; retired rows share the name `removed`."""
    column = next((column for column in NAMES if column in rows[0]), "")
    names = [row[column] for row in rows if column and row[column] != REMOVED]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SpecError(f"table {name}: {', '.join(twice)} stands there twice: rename one")


def check_numbers(name: str, rows: list[Row], column: str) -> None:
    """Refuse a duplicate or a gap among the numbers of a table; flags are the powers of two."""
    numbers = [row[column] for row in rows]
    first = int(numbers[0]) if numbers[0].isdecimal() else 0
    expected = [str(1 << n if name == "flags" else first + n) for n in range(len(numbers))]
    wrong = [(number, due) for number, due in zip(numbers, expected, strict=True) if number != due]
    if wrong:
        number, due = wrong[0]
        raise SpecError(f"table {name}: {number} stands where {due} is due: mend the duplicate or the gap")


def check_operands(instruction: Row, kinds: set[str]) -> None:
    """Refuse operands of an unknown kind, and fields that overlap or leave a gap."""
    name, operands = instruction["name"], instruction["operands"].split()
    for operand in operands:
        if operand.partition(":")[2] not in kinds:
            raise SpecError(f"instruction {name}: kind of {operand} is not in table kinds")
    fields = "".join(sorted(operand.partition(":")[0] for operand in operands))
    if fields not in LAYOUTS:
        raise SpecError(f"instruction {name}: fields {fields} are none of {', '.join(LAYOUTS[1:])}")


def join(tables: Tables) -> Tables:
    """Return the tables with the columns of each table in BESIDE put into the rows that they belong to."""
    joined = {name: rows for name, rows in tables.items() if name not in BESIDE}
    for name, table in BESIDE.items():
        rows, more = live(tables[table]), {row["name"]: row for row in tables[name]}
        if list(more) != [row["name"] for row in rows]:
            wrong = sorted(set(more) ^ {row["name"] for row in rows}) or "their order"
            raise SpecError(f"tables {name} and {table} differ in {wrong}: give each row its partner")
        plain = {n: {k: v.strip("`") for k, v in row.items()} for n, row in more.items()}
        joined[table] = [row | plain.get(row["name"], {}) for row in tables[table]]
    return joined


def spec_hash(tables: Tables, version: Version) -> int:
    """Return the first 32 bits of the SHA-256 over the version and the tables' cells, without prose."""
    lines = (
        f"{name}|" + "|".join(f"{column}={cell}" for column, cell in row.items() if column not in PROSE)
        for name, rows in tables.items()
        for row in rows
    )
    text = "\n".join([".".join(version), *lines])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


# The past: what the generated module says of numbers, as gen.py's `enum` writes it.


def numbers_of(module: str) -> dict[str, dict[int, str]]:
    """Return, for each enumeration of a generated module, its numbers and their names."""
    found: dict[str, dict[int, str]] = {}
    for name, body in re.findall(r"^class (\w+)\(IntEnum\):\n((?:    .*\n|\n)+)", module, re.M):
        rows = re.findall(r"^    (?:(\w+) = (\d+)|# (\d+) is retired)$", body, re.M)
        found[name] = {int(number or retired): row or REMOVED for row, number, retired in rows}
    return found


def check_retired(tables: Tables, numbered: dict[str, tuple[str, str]], module: str) -> None:
    """Refuse a number that had another name in the module that was generated before.

    Args:
        tables: the tables of today.
        numbered: the table and the column of numbers that each enumeration is made from.
        module: the source of the generated module that holds the enumerations.
    """
    before = numbers_of(module)
    for name, (table, column) in numbered.items():
        now = {int(row[column]): row["name"] for row in tables[table]}
        for number, old in before.get(name, {}).items():
            new = now.get(number, "nothing")
            if new.upper() not in (old.upper(), REMOVED.upper()):
                was = "retired" if old == REMOVED else old
                raise SpecError(
                    f"table {table}: number {number} is {was} and cannot be {new}: "
                    f"name its row `{REMOVED}` to retire it, and add new rows at the table's end "
                    "(git checkout of the generated _isa.py forgets what was never committed)"
                )
