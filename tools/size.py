"""Holds the size limits: functions of 60 lines, files of 500; prints a budget for each top-level folder."""

import ast
import re
import statistics
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("bytecode", "firmware", "host", "tools")
FUNCTION_LIMIT = 60  # lines, decorators left out
FILE_LIMIT = 500
# The interpreter is one viper function by design: a call for each instruction would cost more than it does.
FUNCTION_LIMITS = {"firmware/llmvm/vm.py run": 250}
CYTHON_DEF = re.compile(r"^(\s*)(?:def|cdef|cpdef)\b.*?(\w+)\(.*\)[^()]*:\s*(?:#.*)?$")


class Function(NamedTuple):
    """A function and how many lines it has."""

    file: str
    line: int
    name: str
    lines: int

    @property
    def limit(self) -> int:
        """How many lines it may have."""
        return FUNCTION_LIMITS.get(f"{self.file} {self.name}", FUNCTION_LIMIT)


def main() -> int:
    """Print the budgets and every violation; 1 where there is one."""
    violations = []
    print(f"{'folder':<10}{'files':>7}{'lines':>8}{'functions':>11}{'median':>8}{'p90':>5}{'longest':>9}")
    for folder in FOLDERS:
        files = sorted(path for path in (ROOT / folder).rglob("*.py*") if _counts(path))
        sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files}
        functions = [function for path in files for function in functions_of(path)]
        print(_budget(folder, list(sizes.values()), [function.lines for function in functions]))
        violations += [f"{_name(path)}: {size} lines, the limit is {FILE_LIMIT}"
                       for path, size in sizes.items() if size > FILE_LIMIT]  # fmt: skip
        violations += [f"{f.file}:{f.line} {f.name}: {f.lines} lines, the limit is {f.limit}"
                       for f in functions if f.lines > f.limit]  # fmt: skip
    print(*violations, sep="\n", end="\n" if violations else "")
    return 1 if violations else 0


def _counts(path: Path) -> bool:
    if path.suffix not in (".py", ".pyx") or "__pycache__" in path.parts:
        return False
    with path.open(encoding="utf-8") as file:  # what a program wrote is bound by nothing but that program
        return "do not edit" not in "".join(file.readline() for _ in range(3)).lower()


def functions_of(path: Path) -> list[Function]:
    """The functions of a Python or Cython file with their lengths."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".pyx":
        return _cython_functions(path, text.splitlines())
    tree = ast.walk(ast.parse(text, str(path)))
    nodes = [node for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [Function(_name(path), node.lineno, node.name, _length(node)) for node in nodes]


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _cython_functions(path: Path, lines: list[str]) -> list[Function]:
    """By indentation, since ast does not read Cython; a signature of several lines counts from its last."""
    found = []
    for number, line in enumerate(lines):
        head = CYTHON_DEF.match(line)
        if head:
            body = 0
            for last, text in enumerate(lines[number + 1 :], 1):
                if text.strip() and len(text) - len(text.lstrip()) <= len(head[1]):
                    break
                body = last if text.strip() else body
            found.append(Function(_name(path), number + 1, head[2], body + 1))
    return found


def _budget(folder: str, sizes: list[int], lengths: list[int]) -> str:
    median = statistics.median(lengths) if lengths else 0
    p90 = statistics.quantiles(lengths, n=10)[-1] if len(lengths) > 1 else 0
    return (
        f"{folder:<10}{len(sizes):>7}{sum(sizes):>8}{len(lengths):>11}{median:>8.0f}{p90:>5.0f}"
        f"{max(lengths, default=0):>9}"
    )


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())
