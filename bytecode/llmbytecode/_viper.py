"""The viper statements of single instructions: the interpreter's formulas without checks that cannot fail.

Viper integers are as wide as the machine, so no step may leave 32 bits. `hi`, `lo` and `sign` are locals of
the function, because a literal of more than 30 bits is no viper integer on a 32-bit machine.
"""

from collections.abc import Callable

from llmbytecode._intervals import HIGH, LOW, Interval, State, Values
from llmbytecode._isa import KINDS, Op

# The interpreter's state array (firmware/llmvm/vm.py); a test holds these to it.
VARIABLES, PC, FUEL, BUDGET, DEPTH, TRIP, MODE, ARGS, WATCH, THRESHOLD, STACK = (
    16, 32, 33, 34, 35, 36, 37, 38, 41, 45, 49,
)  # fmt: skip
TOP = f"state[{STACK - 1} + depth]"  # the newest entry of the stack
STOP = 1 << 16  # is added to `pc` where the function returns, so that no piece of it feels meant any more
LITERAL = 2**30  # literals are smaller than this
Lines = list[str]
MARGIN = "    "


def indented(lines: Lines) -> Lines:
    """Return the lines one level deeper."""
    return [MARGIN + line for line in lines]


def choice(condition: str, yes: Lines, no: Lines | None = None) -> Lines:
    """Return an if statement; an empty branch is left out."""
    if not yes and not no:
        return []
    lines = [f"if {condition}:", *indented(yes or ["pass"])]
    return [*lines, "else:", *indented(no)] if no else lines


def loaded(place: str) -> str:
    """Return a 32-bit number from memory as a signed one; ptr32 extends with zeros on a 64-bit machine."""
    return f"({place} ^ sign) - sign"


class Names:
    """Where each register lives: in a local of its own, or in a parameter, which has a machine register.

    The compiler keeps the first three locals of a function in machine registers, and these are its
    parameters. Their type is a pointer; a cast to and from int costs nothing.
    """

    def __init__(self, fast: dict[int, str] | None = None) -> None:
        self.fast = fast or {}

    def read(self, register: int, known: Interval | None = None) -> str:
        """Return a register's value as an expression, a literal where only one is possible."""
        if known and known.lo == known.hi and abs(known.lo) < LITERAL:
            return str(known.lo)
        return f"int({self.fast[register]})" if register in self.fast else f"r{register}"

    def write(self, register: int, value: str) -> str:
        """Return the assignment of a value to a register."""
        if register in self.fast:
            return f"{self.fast[register]} = ptr32({value})"
        return f"r{register} = {value}"


class Operands:
    """An instruction's operands `x` and `y`, with what is known of them, and where its result goes."""

    def __init__(self, values: Values, state: State, names: Names) -> None:
        self.a, self.b, self.c = (values.get(field, 0) & 15 for field in "abc")
        self.names = names
        # one literal at most, because the compiler would fold two of them into a number of any size
        self.x, self.known_x = names.read(self.b), state[self.b]
        self.y, self.known_y = names.read(self.c, state[self.c]), state[self.c]

    def becomes(self, value: str) -> Lines:
        """Return the statement that sets the result."""
        return [self.names.write(self.a, value)]


def addition(o: Operands, x: str, kx: Interval, y: str, ky: Interval) -> Lines:
    """Return result = x + y, saturated."""
    over, under = kx.hi + ky.hi > HIGH, kx.lo + ky.lo < LOW
    plain = o.becomes(f"{x} + {y}")
    top = choice(f"{x} > hi - {y}", o.becomes("hi"), plain) if over else plain
    bottom = choice(f"{x} < lo - {y}", o.becomes("lo"), plain) if under else plain
    return _by_sign(y, ky, top, bottom, plain)


def subtraction(o: Operands, x: str, kx: Interval, y: str, ky: Interval) -> Lines:
    """Return result = x - y, saturated."""
    over, under = kx.hi - ky.lo > HIGH, kx.lo - ky.hi < LOW
    plain = o.becomes(f"{x} - {y}")
    top = choice(f"{x} > hi + {y}", o.becomes("hi"), plain) if over else plain
    bottom = choice(f"{x} < lo + {y}", o.becomes("lo"), plain) if under else plain
    return _by_sign(y, ky, bottom, top, plain)


def _by_sign(y: str, ky: Interval, positive: Lines, negative: Lines, plain: Lines) -> Lines:
    if positive == negative == plain:
        return plain
    if ky.lo >= 0:
        return positive
    if ky.hi <= 0:
        return negative
    return choice(f"{y} > 0", positive, negative)


def product(o: Operands) -> Lines:
    """Return result = x · y, saturated."""
    ends = [a * b for a in o.known_x for b in o.known_y]
    if min(ends) >= LOW and max(ends) <= HIGH:
        return o.becomes(f"{o.x} * {o.y}")
    extreme = o.becomes("lo if (x ^ y) < 0 else hi")
    large = choice("(n | d) > 0x7FFF and n > hi // d", extreme, o.becomes("x * y"))
    usual = ["n = x if x > 0 else 0 - x", "d = y if y > 0 else 0 - y", *large]
    least = choice("x == lo or y == lo", extreme, usual)
    return [f"x = {o.x}", f"y = {o.y}", *choice("x == 0 or y == 0", o.becomes("0"), least)]


def quotient(o: Operands) -> Lines:
    """Return result = x / y, toward zero."""
    return _division(o, "//", "0 - q if (x ^ y) < 0 else q")


def remainder(o: Operands) -> Lines:
    """Return result = x mod y with the sign of x."""
    return _division(o, "%", "0 - n if x < 0 else n")


def _division(o: Operands, operator: str, signed: str) -> Lines:
    if o.known_y.lo < 0 or o.known_x.lo == LOW:
        return [f"x = {o.x}", f"y = {o.y}", *MAGNITUDES, *o.becomes(signed)]
    lines = o.becomes(f"{o.x} {operator} {o.y}")
    if o.known_x.lo < 0:
        lines = choice(f"{o.x} < 0", o.becomes(f"0 - (0 - {o.x}) {operator} {o.y}"), lines)
    return lines if o.known_y.lo > 0 else choice(o.y, lines, o.becomes("0"))


# Quotient q and remainder n of the magnitudes; that of lo is hi + 1, so its last unit is divided by itself.
MAGNITUDES = """\
n = x if x > 0 else 0 - x
d = y if y > 0 else 0 - y
q = 0
if y == 0:
    n = 0
elif y == lo:
    if x == lo:
        q = 1
        n = 0
elif x == lo:
    q = hi // d
    n = hi - q * d + 1
    if n == d:
        n = 0
        q = hi if y == -1 else q + 1
else:
    q = n // d
    n -= q * d
""".splitlines()


def extreme(comparison: str) -> Callable[[Operands], Lines]:
    """Return the writer of result = the operand that is `comparison` the other."""

    def write(o: Operands) -> Lines:
        if o.a == o.b:
            return choice(f"{o.y} {comparison} {o.x}", o.becomes(o.y))
        if o.a == o.c:
            return choice(f"{o.x} {comparison} {o.y}", o.becomes(o.x))
        return choice(f"{o.y} {comparison} {o.x}", o.becomes(o.y), o.becomes(o.x))

    return write


def bitwise(operator: str) -> Callable[[Operands], Lines]:
    """Return the writer of result = x `operator` y."""
    return lambda o: o.becomes(f"{o.x} {operator} {o.y}")


def _count(o: Operands) -> tuple[Lines, str, Interval]:
    """Return a shift's count, of 0 to 31: what computes it, its name and what is known of it."""
    y = o.known_y
    if y.lo == y.hi:
        return [], str(y.lo & 31), Interval(y.lo & 31, y.lo & 31)
    if y.lo >= 0 and y.hi < 32:
        return [], o.y, y
    return [f"y = {o.y} & 31"], "y", Interval(0, 31)


def shift_left(o: Operands) -> Lines:
    """Return result = x · 2^y, saturated."""
    count, y, known = _count(o)
    x = o.known_x
    lines = o.becomes(f"{o.x} << {y}")
    if x.lo << known.hi < LOW:
        lines = choice(f"{o.x} < (lo >> {y})", o.becomes("lo"), lines)
    if x.hi << known.hi > HIGH:
        lines = choice(f"{o.x} > (hi >> {y})", o.becomes("hi"), lines)
    return count + lines


def shift_right(o: Operands) -> Lines:
    """Return result = x / 2^y, rounded down."""
    count, y, _ = _count(o)
    return count + o.becomes(f"{o.x} >> {y}")


BINARY: dict[int, Callable[[Operands], Lines]] = {
    Op.ADD: lambda o: addition(o, o.x, o.known_x, o.y, o.known_y),
    Op.SUB: lambda o: subtraction(o, o.x, o.known_x, o.y, o.known_y),
    Op.MUL: product,
    Op.DIV: quotient,
    Op.MOD: remainder,
    Op.MIN: extreme("<"),
    Op.MAX: extreme(">"),
    Op.AND: bitwise("&"),
    Op.OR: bitwise("|"),
    Op.XOR: bitwise("^"),
    Op.SHL: shift_left,
    Op.SHR: shift_right,
}


def plain(op: int, values: Values, constants: list[int], state: State, names: Names) -> Lines:
    """Return the statements of an instruction after which the next word always follows."""
    o = Operands(values, state, names)
    if op in BINARY:
        return BINARY[op](o)
    if op == Op.ADDI:
        number = values["i"]
        a, known = names.read(o.a, state[o.a]), state[o.a]
        if number < 0:
            return subtraction(o, a, known, str(-number), Interval(-number, -number))
        return addition(o, a, known, str(number), Interval(number, number)) if number else []
    if op in SIMPLE:
        return SIMPLE[op](o, values, constants)
    return []  # PROC


def _constant(o: Operands, values: Values, constants: list[int]) -> Lines:
    number = constants[values["i"]]
    literal = abs(number) < LITERAL
    return o.becomes(str(number) if literal else loaded(f"constants[{values['i']}]"))


def _arm(_o: Operands, values: Values, _constants: list[int]) -> Lines:
    guard = values["a"] & 3
    return [f"state[{WATCH + guard}] = {values['a'] + 1}", f"state[{THRESHOLD + guard}] = {values['i']}"]


SIMPLE: dict[int, Callable[[Operands, Values, list[int]], Lines]] = {
    Op.LDI: lambda o, v, _: o.becomes(str(v["i"])),
    Op.LDK: _constant,
    Op.MOV: lambda o, _v, _k: o.becomes(o.x),
    Op.SENSE: lambda o, v, _: o.becomes(loaded(f"senses[{v['b']}]")),
    Op.GUARD: _arm,
    Op.UNGUARD: lambda _o, v, _: [f"state[{WATCH + v['a']}] = 0"],
    Op.TRIP: lambda o, _v, _k: o.becomes(loaded(f"state[{TRIP}]")),
    Op.MODE: lambda _o, v, _: [f"state[{MODE}] = {v['a']}"],
    Op.GETV: lambda o, v, _: o.becomes(loaded(f"state[{VARIABLES + v['b']}]")),
    Op.SETV: lambda o, v, _: [f"state[{VARIABLES + v['a']}] = {o.x}"],
}
COMPARISON = {Op.BEQ: "==", Op.BNE: "!=", Op.BLT: "<", Op.BGE: ">="}


def condition(op: int, values: Values, state: State, names: Names, holds: bool = True) -> str:
    """Return the condition under which a branch is taken, or its contrary."""
    opposite = {"==": "!=", "!=": "==", "<": ">=", ">=": "<"}
    comparison = COMPARISON[Op(op)] if holds else opposite[COMPARISON[Op(op)]]
    x, y = names.read(values["a"]), names.read(values["b"], state[values["b"]])
    if y == "0" and comparison in ("==", "!="):  # the compiler's own tests are the shortest
        return x if comparison == "!=" else f"not {x}"
    return f"{x} {comparison} {y}"


def _step(kind: str) -> int:
    return KINDS[kind].step


def arguments(op: int, values: Values, names: Names) -> Lines:
    """Return the statements that leave a supervisor's instruction's arguments in the state."""
    v = values
    if op in (Op.MOVE, Op.TURN):
        return _told(v["i"], v["a"] * (_step("rate") if op == Op.TURN else 1))
    if op in (Op.MOVER, Op.TURNR):
        turns = op == Op.TURNR
        most = v["b"] * _step("angle_max" if turns else "distance_max")
        return [*_clamped("x", v["a"], most, names), *_told("x", v["c"] * (_step("rate") if turns else 1))]
    if op == Op.DRIVE:
        left, right = _clamped("x", v["a"] >> 4, v["b"], names), _clamped("y", v["a"] & 15, v["b"], names)
        return [*left, *right, *_told("x", "y", v["c"] * _step("time100"))]
    if op == Op.LED:
        return _told(v["a"], v["b"], v["c"])
    if op == Op.TONE:
        return _told(v["i"], v["a"] * _step("time10"))
    if op == Op.WAIT:
        return _told(v["i"])
    if op == Op.WAITR:
        lines = [f"x = {names.read(v['a'])}", *choice("x < 0", ["x = 0"])]
        return [*lines, *choice(f"x > {v['i']}", [f"x = {v['i']}"]), *_told("x")]
    if op == Op.REPORT:
        return _told(v["a"], names.read(v["b"]))
    return _told(v["a"]) if op == Op.FAIL else []  # END has none


def _told(*args: int | str) -> Lines:
    return [f"state[{ARGS + n}] = {arg}" for n, arg in enumerate(args)]


def _clamped(local: str, register: int, most: int, names: Names) -> Lines:
    lines = [f"{local} = {names.read(register)}", *choice(f"{local} > {most}", [f"{local} = {most}"])]
    return [*lines, *choice(f"{local} < {-most}", [f"{local} = {-most}"])]
