"""SPEC.md is the only source of the language's numbers."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.bytecode.specification import ROOT, SPEC, gen

from llmbytecode import Op

GENERATED = {"_isa.py"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| 2 | FAIL |", "| 1 | FAIL |", "duplicate or the gap"),
        ("| 47 | REPORT |", "| 48 | REPORT |", "duplicate or the gap"),
        ("| 1 | moving |", "| 3 | moving |", "3 stands where 1 is due: mend the duplicate or the gap"),
        ("| 8 | stale |", "| 16 | stale |", "16 stands where 8 is due"),
        ("| 2 | FAIL |", "| two | FAIL |", "two stands where 2 is due"),
        ("| 2 | FAIL |", "| 2 | END |", "END stands there twice"),
        ("| byte | number |", "| reg | number |", "table kinds: reg stands there twice"),
        ("| cm | mm | 10 |", "| mm | mm | 10 |", "table units: mm stands there twice"),
        ("| 2 | FAIL | a:byte |", "| 2 | FAIL |", "table instructions: row 2 has 4 cells, its head has 5"),
        ("a:reg i:int16", "b:reg i:int16", "LDI: fields bi are none of a, ab, abc, ai, i"),
        ("a:reg b:reg c:ahead8", "a:reg b:reg b:ahead8", "BEQ: fields abb are none of"),
        ("| 2 | FAIL | a:byte", "| 2 | FAIL | a:bite", "is not in table kinds"),
        ("10 | mm | `max 300mm`", "10 | furlong | `max 300mm`", "no base of table units"),
    ],
)
def test_contradictions_are_refused(old: str, new: str, message: str) -> None:
    """A duplicate, a gap or an unknown kind in a table stops the generator."""
    assert old in SPEC
    with pytest.raises(gen.SpecError, match=message):
        gen.load(SPEC.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("| 2 | FAIL |", "| 2 | removed |"),
        ("| 5 | constant |", "| 5 | removed |"),
        ("| RET | `", "| RETURN | `"),
        ("| speed | the price", "| velocity | the price"),
    ],
)
def test_tables_beside_each_other_have_the_same_rows(old: str, new: str) -> None:
    """Each live instruction has its effect, each rule its reason and example."""
    assert old in SPEC
    with pytest.raises(gen.SpecError, match="give each row its partner"):
        gen.load(SPEC.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("Arithmetic is total.", "Arithmetic is always defined.", True),
        ("end the block: failed", "give up", True),
        ("`pc ← pc + i` |", "`pc ← i + pc` |", True),
        ("nothing to execute |", "nothing to do |", True),
        ("`LDI r1, 1 ⏎ LDI r2, 2 ⏎ END`", "`LDI r1, 1 ⏎ LDI r1, 1 ⏎ END`", True),
        ("# LLMBytecode 1.", "# LLMBytecode 2.", False),
        ("| FAIL | a:byte |", "| FAIL | i:byte |", False),
        ("| `t + tick_ms` |", "| `t + tick_ms + 1` |", False),
        ("| `own + C(w + i)` |", "| `C(w + i)` |", False),
        ("block:8s size:H", "block:8s size:I", False),
    ],
)
def test_hash_covers_the_tables_and_not_the_prose(old: str, new: str, same: bool) -> None:
    """Another number, price or version is another language; another sentence is not."""
    assert old in SPEC
    assert (gen.load(SPEC.replace(old, new, 1))[1] == gen.load(SPEC)[1]) is same


def generated(spec: str) -> str:
    """Return the host's table module of a SPEC."""
    return str(gen.host_module(*gen.load(spec)))


def without_fail(spec: str) -> str:
    """Return a SPEC in which FAIL is retired."""
    retired = spec.replace("| 2 | FAIL | a:byte |", "| 2 | removed | |", 1)
    return "".join(line for line in retired.splitlines(True) if not line.startswith("| FAIL | `outcome"))


def renamed(spec: str) -> str:
    """Return a SPEC in which MOV has another name."""
    return spec.replace("| 17 | MOV |", "| 17 | COPY |", 1).replace("| MOV | `", "| COPY | `", 1)


def test_a_number_is_retired_for_ever() -> None:
    """A row may become `removed`; then its number belongs to nobody, not even to the old name."""
    retired = without_fail(SPEC)
    tables = gen.load(retired)[0]
    gen.check_retired(tables, gen.NUMBERED, generated(SPEC))
    gen.check_retired(tables, gen.NUMBERED, generated(retired))
    with pytest.raises(gen.SpecError, match="table instructions: number 2 is retired and cannot be FAIL"):
        gen.check_retired(gen.load(SPEC)[0], gen.NUMBERED, generated(retired))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (renamed(SPEC), "table instructions: number 17 is MOV and cannot be COPY"),
        (SPEC.replace("| 5 | goal_reached |\n", ""), "table modes: number 5 is GOAL_REACHED"),
        (
            SPEC.replace("| 6 | BEGIN |", "| 6 | START |"),
            "table frames: number 6 is BEGIN and cannot be START",
        ),
        (
            SPEC.replace("| 16 | battery | the battery is below its minimum |\n", ""),
            "table flags: number 16 is BATTERY and cannot be nothing",
        ),
    ],
)
def test_no_number_gets_another_name(changed: str, message: str) -> None:
    """A renamed, renumbered or dropped row is refused, and the message says how to retire it."""
    assert changed != SPEC
    with pytest.raises(gen.SpecError, match=f"{message}.* name its row `removed`"):
        gen.check_retired(gen.load(changed)[0], gen.NUMBERED, generated(SPEC))


def sources() -> Iterator[tuple[Path, str]]:
    """Yield the hand-written Python of the language and the robot, without what gen.py writes into it."""
    for folder in ("bytecode/llmbytecode", "firmware", "host/llmos"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name not in GENERATED and "typings" not in path.parts and "_data" not in path.parts:
                yield path, gen.REGION.sub("", path.read_text(encoding="utf-8"))


def is_code(node: ast.expr) -> bool:
    """Say whether an expression is called like an instruction's code."""
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("op", "opcode")


def number_comparisons(tree: ast.AST) -> Iterator[int]:
    """Yield the lines in which an instruction's code is compared with a bare number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(map(is_code, (node.left, *node.comparators))):
            others = [c for c in (node.left, *node.comparators) if not is_code(c)]
            if any(isinstance(c, ast.Constant) and isinstance(c.value, int) for c in others):
                yield node.lineno


def test_no_instruction_code_is_written_by_hand() -> None:
    """No module compares a code with a bare number or writes an `OP_` constant."""
    names = "|".join(op.name for op in Op)
    assigned = re.compile(rf"^\s*_?OP_(?:{names})\s*=\s*(?:const\()?(?:0x)?[0-9]", re.M)
    strays = []
    for path, text in sources():
        strays += [f"{path.relative_to(ROOT)}:{line}" for line in number_comparisons(ast.parse(text))]
        strays += [f"{path.relative_to(ROOT)}: {found.group().strip()}" for found in assigned.finditer(text)]
    assert strays == []


def test_compiled_verifier_writes_no_instruction_code() -> None:
    """The Cython twin takes the codes from the generated file."""
    text = (ROOT / "bytecode/llmbytecode/_verify.pyx").read_text(encoding="utf-8")
    assert not re.search(r"\bcode(?:_of\([^)]*\))?\s*[=!<>]=?\s*\d", text)
