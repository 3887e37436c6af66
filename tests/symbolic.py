"""Executes viper functions symbolically, from their source: what is proved is the code that the robot runs.

Viper's integers are machine words: 64 or 32 bits that wrap. A load through `ptr32` is zero-extended where
words are wider, a store drops the upper half, `//` is the floor of the quotient, `<` and `>>` are signed: see
`emit_native_load_subscr` and `emit_native_binary_op` in MicroPython's py/emitnative.c.

An execution forks at every condition that it cannot decide, so each path is straight, and the conditions of
the paths exclude each other and leave nothing out. What the code relies on is collected as claims to be
proved: an index within its array, a shift count below the word size, a product that does not overflow. There
are two views of a number: a bit-vector of the word size, which is exact for everything but divisions, and an
integer of any size, which suits products and divisions.
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


EFFORT = 2_000_000  # z3 gives up here, on any machine at the same point; no proof needs a tenth of it
LONGEST_MS = 30_000  # and here, in case that some of its steps are not counted


def unsatisfiable(solver: Any, formulas: list[Any]) -> bool:
    """Say whether z3 finds that formulas exclude each other; False as well where it finds nothing."""
    solver.set("rlimit", EFFORT)
    solver.set("timeout", LONGEST_MS)
    solver.add(*formulas)
    return bool(solver.check() == z3.unsat)


class Reads:
    """Takes the arrays out of a formula: each word that is read becomes a variable of its own.

    Two reads of an array at the same index give the same word, a read behind a write what was written.
    """

    def __init__(self) -> None:
        self.known: list[tuple[Any, Any, Any]] = []  # (array, index, variable)
        self.consistent: list[Any] = []

    def without(self, formula: Any) -> Any:
        """Return a formula without arrays."""
        found: dict[int, Any] = {}
        seen: set[int] = set()

        def look(term: Any) -> None:
            if term.get_id() in seen:
                return
            seen.add(term.get_id())
            if z3.is_select(term):
                found[term.get_id()] = term
                return
            for child in term.children():
                look(child)

        look(formula)
        words = [(term, self._read(term.arg(0), self.without(term.arg(1)))) for term in found.values()]
        return z3.substitute(formula, *words) if words else formula

    def _read(self, array: Any, index: Any) -> Any:
        if z3.is_store(array):
            same = z3.simplify(self.without(array.arg(1)) == index)
            if z3.is_true(same):
                return self.without(array.arg(2))
            below = self._read(array.arg(0), index)
            return below if z3.is_false(same) else z3.If(same, self.without(array.arg(2)), below)
        if z3.is_app_of(array, z3.Z3_OP_ITE):
            either = self._read(array.arg(1), index), self._read(array.arg(2), index)
            return z3.If(self.without(array.arg(0)), *either)
        return self._variable(array, z3.simplify(index))

    def _variable(self, array: Any, index: Any) -> Any:
        reads = [(at, word) for other, at, word in self.known if other.eq(array)]
        for at, word in reads:
            if at.eq(index):
                return word
        new = z3.FreshConst(array.sort().range(), "word")
        self.consistent += [z3.Implies(at == index, word == new) for at, word in reads]
        self.known.append((array, index, new))
        return new


SIZES = {"state": 73, "senses": 13}  # words of the arrays whose indices are to be proved


class Words:
    """Numbers as bit-vectors of the word size."""

    def __init__(self, width: int) -> None:
        self.width = width

    def of(self, value: Value) -> Any:
        """Return a value as a bit-vector."""
        return z3.BitVecVal(value, self.width) if isinstance(value, int) else value

    def proved(self, conditions: list[Any], holds: Any) -> bool:
        """Say whether something is proved to follow from conditions, by deciding its bits."""
        reads = Reads()
        formula = reads.without(z3.And(*conditions, z3.Not(holds)))
        return unsatisfiable(z3.SolverFor("QF_BV"), [formula, *reads.consistent])

    def binary(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of an operator; divisions have no meaning here."""
        if op in ("FloorDiv", "Mod", "Pow", "Div"):
            raise Unsupported(f"{op} of bit-vectors")
        x, y = self.of(x), self.of(y)
        if op in ("LShift", "RShift"):
            path.claim("the shift count is below the word size", z3.simplify(z3.ULT(y, self.width)))
        result = z3.simplify(CONCRETE[op](x, y))
        return result.as_signed_long() if z3.is_bv_value(result) else result

    def compare(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of a signed comparison."""
        result = z3.simplify(COMPARED[op](self.of(x), self.of(y)))
        return z3.is_true(result) if z3.is_true(result) or z3.is_false(result) else result

    def load(self, path: Path, pointer: str, index: Value) -> Value:
        """Return a word, zero-extended."""
        self._within(path, pointer, index)
        word = z3.Select(path.memory[pointer], self.of(index))
        word = z3.simplify(z3.ZeroExt(self.width - 32, word) if self.width > 32 else word)
        return word.as_signed_long() if z3.is_bv_value(word) else word

    def store(self, path: Path, pointer: str, index: Value, value: Value) -> None:
        """Set a word to the lower 32 bits of a value."""
        self._within(path, pointer, index)
        word = z3.Extract(31, 0, self.of(value))
        path.memory[pointer] = z3.Store(path.memory[pointer], self.of(index), word)

    def _within(self, path: Path, pointer: str, index: Value) -> None:
        if pointer in SIZES:
            path.claim(f"the index is within {pointer}", z3.simplify(z3.ULT(self.of(index), SIZES[pointer])))


class Packed:
    """A word of the program, seen as an integer: its bytes, from the lowest on, some of them shifted out."""

    def __init__(self, parts: list[Value], shifted: int = 0) -> None:
        self.parts, self.shifted = parts, shifted


class Raw:
    """A loaded word as an integer: the 32 bits of a signed number, zero-extended."""

    def __init__(self, signed: Any) -> None:
        self.signed = signed


class Mixed:
    """Two integers joined by a bit operation; the answers about them are lemmas on bit-vectors."""

    def __init__(self, op: str, x: Value, y: Value) -> None:
        self.op, self.x, self.y = op, x, y


class Numbers:
    """Numbers as integers of any size, for products and divisions.

    A sum that leaves the machine word wraps; a product has to stay within it. What is said of bits here are
    `bit_lemmas` of test_smt.py, which proves them for bit-vectors of both sizes. The registers are a function
    of their number, what is written to them is listed; of the rest of the state only given words are known.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.low, self.high = -(1 << width - 1), (1 << width - 1) - 1

    def proved(self, conditions: list[Any], holds: Any) -> bool:
        """Say whether something is proved to follow from conditions, in the arithmetic of integers."""
        return unsatisfiable(z3.Solver(), [*conditions, z3.Not(holds)])

    def binary(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of an operator."""
        if isinstance(x, Packed):
            return self._cut(op, x, y)
        if op == "BitXor" and isinstance(x, Raw) and y == wrap(1 << 31, self.width):
            return Mixed("signing", x.signed, y)
        if isinstance(x, Mixed):
            if (x.op, op) == ("signing", "Sub") and x.y == y:
                return x.x
            raise Unsupported(f"{op} of a result of {x.op}")
        if isinstance(x, Raw) or isinstance(y, Raw):
            raise Unsupported(f"{op} of a word that was not made signed")
        if op in ("BitXor", "BitOr"):
            return Mixed(op, x, y)
        if op == "FloorDiv":
            return self._divide(path, x, y)
        if op not in ("Add", "Sub", "Mult"):
            raise Unsupported(f"{op} of integers")
        exact = CONCRETE[op](self.decided(path, x), self.decided(path, y))
        inside = z3.And(exact >= self.low, exact <= self.high)
        if op == "Mult":
            path.claim("the product is within the machine word", inside)
            return exact
        if self.proved(path.conditions, inside):
            return exact
        turn = 1 << self.width
        return z3.If(exact > self.high, exact - turn, z3.If(exact < self.low, exact + turn, exact))

    def _divide(self, path: Path, x: Value, y: Value) -> Value:
        x, y = self.decided(path, x), self.decided(path, y)
        path.claim("the divisor is positive, the dividend not negative", z3.And(x >= 0, y > 0))
        quotient = z3.FreshInt("quotient")
        path.conditions += [quotient >= 0, quotient * y <= x, x < quotient * y + y]
        path.memory["quotients"] = [*path.memory["quotients"], quotient]
        return quotient

    def decided(self, path: Path, value: Value) -> Value:
        """Return a number without the cases that the path has excluded."""
        while z3.is_expr(value) and z3.is_app_of(value, z3.Z3_OP_ITE):
            condition, one, other = value.children()
            if self.proved(path.conditions, condition):
                value = one
            elif self.proved(path.conditions, z3.Not(condition)):
                value = other
            else:
                break
        return value

    def _cut(self, op: str, x: Packed, y: Value) -> Value:
        if op == "RShift" and y in (0, 8, 16, 24):
            return Packed(x.parts, x.shifted + y)
        if op != "BitAnd" or y not in (15, 0xFF):
            raise Unsupported(f"{op} {y} of a program's word")
        return x.parts[x.shifted // 8]  # a register's number is at most 15, so that both masks keep it

    def compare(self, path: Path, op: str, x: Value, y: Value) -> Value:
        """Return the result of a comparison."""
        if isinstance(x, Mixed):
            if (x.op, op, y) == ("BitXor", "Lt", 0):
                return (x.x < 0) != (x.y < 0)
            if (x.op, op) == ("BitOr", "Gt") and isinstance(y, int) and y & (y + 1) == 0:
                path.claim("neither is negative", z3.And(x.x >= 0, x.y >= 0))
                return z3.Or(x.x > y, x.y > y)
            raise Unsupported(f"{op} {y} of a result of {x.op}")
        return COMPARED[op](x, y)

    def load(self, path: Path, pointer: str, index: Value) -> Value:
        """Return a word: of the program its bytes, of the registers a number of 32 bits."""
        if pointer == "words":
            return Packed(path.memory[pointer])
        if isinstance(index, int):
            return path.memory[pointer][index]
        path.claim("the index is a register's", z3.And(index >= 0, index <= 15))
        signed = path.memory["registers"](index)
        path.conditions += [signed >= -(1 << 31), signed < 1 << 31]
        return Raw(signed)

    def store(self, path: Path, pointer: str, index: Value, value: Value) -> None:
        """Set a word, which has to be a number of 32 bits."""
        if isinstance(index, int):
            path.memory[pointer] = path.memory[pointer] | {index: value}
            return
        path.claim("the index is a register's", z3.And(index >= 0, index <= 15))
        path.claim("what is stored has 32 bits", z3.And(value >= -(1 << 31), value < 1 << 31))
        path.memory["written"] = [*path.memory["written"], (index, value)]
