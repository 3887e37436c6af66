"""Two views of a machine word, for symbolic execution: a bit-vector of the word size, which is exact for
everything but divisions, and an integer of any size, which suits products and divisions.
"""

from typing import Any

import z3
from tests.symbolic import COMPARED, CONCRETE, Path, Unsupported, Value, wrap

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
