"""Executes viper functions symbolically, from their source: what is proved is the code that the robot runs.

Viper's integers are machine words: 64 or 32 bits that wrap. A load through `ptr32` is zero-extended where
words are wider, a store drops the upper half, `//` is the floor of the quotient, `<` and `>>` are signed: see
`emit_native_load_subscr` and `emit_native_binary_op` in MicroPython's py/emitnative.c.

An execution forks at every condition that it cannot decide, so each path is straight, and the conditions of
the paths exclude each other and leave nothing out. What the code relies on is collected as claims to be
proved: an index within its array, a shift count below the word size, a product that does not overflow. What
a number is, is a matter of the view: see tests/views.py.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import z3

Value = Any  # a Python int or bool where it is known, else a z3 term, or what a view makes of some operations


class Unsupported(Exception):
    """The code does something that has no meaning here, so nothing is proved about it."""


@dataclass
class Path:
    """One way through a function: its conditions, and what holds at its end."""

    names: dict[str, Value]
    memory: dict[str, Any]  # the arrays by name, and what else a view keeps
    conditions: list[Any] = field(default_factory=list)
    claims: list[tuple[str, list[Any], Any]] = field(default_factory=list)  # (what, under these, this holds)
    result: Value = None
    left: str = ""  # "break" or "return" while the path leaves a loop or the function

    def fork(self, condition: Any) -> "Path":
        """Return the path on which a condition holds as well."""
        return replace(
            self,
            names=dict(self.names),
            memory=dict(self.memory),
            conditions=[*self.conditions, condition],
            claims=list(self.claims),
        )

    def claim(self, what: str, holds: Any) -> None:
        """Note what the code relies on here."""
        if not z3.is_true(holds):
            self.claims.append((what, list(self.conditions), holds))


class View(Protocol):
    """What a number is."""

    width: int

    def proved(self, conditions: list[Any], holds: Any) -> bool:
        """Say whether something is proved to follow from conditions."""

    def binary(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of an arithmetic operator, named as in `ast`."""

    def compare(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of a comparison."""

    def load(self, path: Path, pointer: str, index: Value) -> Value:
        """Return a 32-bit word of an array, zero-extended."""

    def store(self, path: Path, pointer: str, index: Value, value: Value) -> None:
        """Set a 32-bit word of an array."""


CONCRETE: dict[str, Callable[[int, int], Any]] = {
    "Add": lambda x, y: x + y,
    "Sub": lambda x, y: x - y,
    "Mult": lambda x, y: x * y,
    "BitAnd": lambda x, y: x & y,
    "BitOr": lambda x, y: x | y,
    "BitXor": lambda x, y: x ^ y,
    "LShift": lambda x, y: x << y,
    "RShift": lambda x, y: x >> y,
    "FloorDiv": lambda x, y: x // y,
    "Mod": lambda x, y: x % y,
}
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": lambda x, y: x == y,
    "NotEq": lambda x, y: x != y,
    "Lt": lambda x, y: x < y,
    "LtE": lambda x, y: x <= y,
    "Gt": lambda x, y: x > y,
    "GtE": lambda x, y: x >= y,
}


def wrap(number: int, width: int) -> int:
    """Return the machine word that a number becomes."""
    return (number + (1 << width - 1)) % (1 << width) - (1 << width - 1)


class Function:
    """A function of a source, with the constants of its module."""

    def __init__(self, source: str, name: str) -> None:
        module = ast.parse(source)
        self.constants = {
            node.targets[0].id: ast.literal_eval(node.value.args[0])
            for node in module.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Name)
            and node.value.func.id == "const"
        }
        found = [node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == name]
        if len(found) != 1:
            raise Unsupported(f"{len(found)} functions are named {name}")
        self.body = found[0].body
        self.parameters = [argument.arg for argument in found[0].args.args]

    def paths(self, view: View, memory: dict[str, Any], conditions: list[Any]) -> Iterator[Path]:
        """Yield all ways through the function, from a memory on which some conditions hold.

        The memory's first names are those of the arrays that the parameters point to.
        """
        start = Path(dict(zip(self.parameters, memory, strict=False)), dict(memory), list(conditions))
        yield from Execution(self, view).block(self.body, start)


class Execution:
    """One execution of a function in a view."""

    def __init__(self, function: Function, view: View) -> None:
        self.constants, self.view = function.constants, view

    def block(self, statements: list[ast.stmt], path: Path) -> Iterator[Path]:
        """Execute statements; yield the ends of all paths through them."""
        if not statements or path.left:
            yield path
            return
        for after in self.statement(statements[0], path):
            yield from self.block(statements[1:], after)

    def statement(self, node: ast.stmt, path: Path) -> Iterator[Path]:
        """Execute one statement."""
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is None:
            raise Unsupported(f"line {node.lineno}: {ast.unparse(node).splitlines()[0]}")
        yield from handler(node, path)

    def _pass(self, _node: ast.Pass, path: Path) -> Iterator[Path]:
        yield path

    def _if(self, node: ast.If, path: Path) -> Iterator[Path]:
        for taken, after in self.choose(node.test, path):
            yield from self.block(node.body if taken else node.orelse, after)

    def _while(self, node: ast.While, path: Path) -> Iterator[Path]:
        for taken, after in self.choose(node.test, path):
            if not taken:
                yield after
                continue
            for end in self.block(node.body, after):
                if end.left == "break":
                    end.left = ""
                    yield end
                elif end.left:
                    yield end
                else:
                    yield from self._while(node, end)

    def _break(self, _node: ast.Break, path: Path) -> Iterator[Path]:
        path.left = "break"
        yield path

    def _return(self, node: ast.Return, path: Path) -> Iterator[Path]:
        for value, after in self.values(node.value, path):
            after.result, after.left = value, "return"
            yield after

    def _assign(self, node: ast.Assign, path: Path) -> Iterator[Path]:
        for value, after in self.values(node.value, path):
            self.assign(node.targets[0], value, after)
            yield after

    def _augassign(self, node: ast.AugAssign, path: Path) -> Iterator[Path]:
        old = ast.parse(ast.unparse(node.target), mode="eval").body
        for value, after in self.values(node.value, path):
            op = type(node.op).__name__
            self.assign(node.target, self.binary(after, op, self.value(old, after), value), after)
            yield after

    def assign(self, target: ast.expr, value: Value, path: Path) -> None:
        """Set a local or a word of an array."""
        if isinstance(target, ast.Name):
            path.names[target.id] = value
        elif isinstance(target, ast.Subscript):
            self.view.store(path, self.value(target.value, path), self.value(target.slice, path), value)
        else:
            raise Unsupported(f"line {target.lineno}: {ast.unparse(target)} = …")

    def choose(self, test: ast.expr, path: Path) -> Iterator[tuple[bool, Path]]:
        """Yield whether a test holds, with the path on which it does so."""
        if isinstance(test, ast.BoolOp):
            yield from self._choose_all(test.values, isinstance(test.op, ast.And), path)
            return
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield from ((not taken, after) for taken, after in self.choose(test.operand, path))
            return
        condition = self.value(test, path)
        if isinstance(condition, int):
            yield bool(condition), path
            return
        if not z3.is_bool(condition):
            condition = self.view.compare(path, "NotEq", condition, 0)
        yield True, path.fork(condition)
        yield False, path.fork(z3.Not(condition))

    def _choose_all(self, tests: list[ast.expr], all_of: bool, path: Path) -> Iterator[tuple[bool, Path]]:
        for taken, after in self.choose(tests[0], path):
            if taken == all_of and len(tests) > 1:
                yield from self._choose_all(tests[1:], all_of, after)
            else:
                yield taken, after

    def values(self, node: ast.expr | None, path: Path) -> Iterator[tuple[Value, Path]]:
        """Yield what an expression can be; a conditional expression forks the path."""
        if isinstance(node, ast.IfExp):
            for taken, after in self.choose(node.test, path):
                yield from self.values(node.body if taken else node.orelse, after)
        elif node is not None:
            yield self.value(node, path), path

    def value(self, node: ast.expr, path: Path) -> Value:
        """Return the value of an expression that does not fork."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            if node.id not in path.names and node.id not in self.constants:
                raise Unsupported(f"line {node.lineno}: {node.id} has no value")
            return path.names.get(node.id, self.constants.get(node.id))
        if isinstance(node, ast.BinOp):
            x, y = self.value(node.left, path), self.value(node.right, path)
            return self.binary(path, type(node.op).__name__, x, y)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.binary(path, "Sub", 0, self.value(node.operand, path))
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            x, y = self.value(node.left, path), self.value(node.comparators[0], path)
            known = isinstance(x, int) and isinstance(y, int)
            op = type(node.ops[0]).__name__
            return COMPARED[op](x, y) if known else self.view.compare(path, op, x, y)
        if isinstance(node, ast.Subscript):
            return self.view.load(path, self.value(node.value, path), self.value(node.slice, path))
        raise Unsupported(f"line {node.lineno}: {ast.unparse(node)}")

    def binary(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of an operator, as a number where both operands are."""
        if isinstance(x, int) and isinstance(y, int):
            return wrap(CONCRETE[op](x, y), self.view.width)
        return self.view.binary(path, op, x, y)
