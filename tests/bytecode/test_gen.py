"""SPEC.md is the only source of the language's numbers."""

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbytecode import Op

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))
gen = importlib.import_module("gen")
sys.path.remove(str(ROOT / "tools"))
SPEC = (ROOT / "bytecode/llmbytecode/SPEC.md").read_text(encoding="utf-8")
GENERATED = {"_isa.py"}


def test_generated_files_are_up_to_date() -> None:
    """`make gen` would change nothing."""
    command = [sys.executable, "tools/gen.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("| 2 | FAIL |", "| 1 | FAIL |", "duplicate or the gap"),
        ("| 47 | REPORT |", "| 48 | REPORT |", "duplicate or the gap"),
        ("| 2 | FAIL |", "| 2 | END |", "END stands there twice"),
        ("| 2 | FAIL | a:byte", "| 2 | FAIL | a:bite", "is not in table kinds"),
        ("10 | mm | `max 300mm`", "10 | furlong | `max 300mm`", "no base of table units"),
    ],
)
def test_contradictions_are_refused(old: str, new: str, message: str) -> None:
    """A duplicate, a gap or an unknown kind in a table stops the generator."""
    assert old in SPEC
    with pytest.raises(gen.SpecError, match=message):
        gen.check(gen.read_tables(SPEC.replace(old, new, 1)))


def test_hash_covers_the_tables_and_not_the_prose() -> None:
    """Another number is another language; another sentence is not."""
    changed = SPEC.replace("| 2 | FAIL |", "| 2 | FALL |", 1)
    reworded = SPEC.replace("one unit of fuel", "1 unit of fuel")
    assert changed != SPEC != reworded
    assert gen.spec_hash(gen.read_tables(changed)) != gen.spec_hash(gen.read_tables(SPEC))
    assert gen.spec_hash(gen.read_tables(reworded)) == gen.spec_hash(gen.read_tables(SPEC))


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
