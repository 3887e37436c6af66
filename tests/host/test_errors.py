"""The tree of errors in `llmos.errors` is the one that the code draws."""

import ast
import re
from pathlib import Path

from llmos import errors

PACKAGE = Path(errors.__file__).parent


def drawn() -> dict[str, str]:
    """Each error of the docstring's tree with its parent."""
    parents, branch = {}, ["Exception"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+) {2,}\S", line)
        if match:
            depth = len(match[1]) // 4
            branch[depth + 1 :] = [match[2]]
            parents[match[2]] = branch[depth]
    return parents


def defined() -> dict[str, str]:
    """Each public class of the package that is an LlmosError, with its first base."""
    bases: dict[str, str] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.bases and isinstance(node.bases[0], ast.Name):
                bases[node.name] = node.bases[0].id

    def is_ours(name: str) -> bool:
        return name == "LlmosError" or (name in bases and is_ours(bases[name]))

    return {name: base for name, base in bases.items() if is_ours(name) and not name.startswith("_")}


def test_the_tree_is_true() -> None:
    """Every error is drawn, beneath its base, and nothing else is."""
    assert drawn() == defined()
