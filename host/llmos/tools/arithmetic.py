"""Arithmetic: a small language of its own, read by Python's parser and evaluated by nobody else's code."""

import ast
import math
import operator
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from llmos.tools.session import Session
from llmos.tools.tool import Arguments, ToolError, tool

LONGEST = 200  # characters of an expression
DEEPEST = 40  # operations within each other
LARGEST = 1e15  # of any value on the way
MOST_POWER = 64
NAMES = {"pi": math.pi, "e": math.e, "tau": math.tau}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(math, name)
    for name in ("sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "hypot", "exp", "log", "log10")
} | {
    "radians": math.radians,
    "degrees": math.degrees,
    "floor": math.floor,
    "ceil": math.ceil,
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
}


class Expression(Arguments):
    """What is to be calculated."""

    expression: Annotated[str, Field(min_length=1, max_length=LONGEST)]


@tool("math", "read", {"expression": "2*(3+4)"}, {"expression": "hypot(30, 40)"})
def calculate(session: Session, arguments: Expression) -> dict[str, Any]:
    """Evaluate an expression."""
    return {"value": evaluate(arguments.expression)}


def evaluate(text: str) -> int | float:
    """Return the value of an expression: numbers, + - * / // % **, brackets, and the functions of FUNCTIONS.

    Angles are in radians.

    Raises:
        ToolError: it is none, or a value on the way is too large or no number.
    """
    try:
        return _value(ast.parse(text.strip(), mode="eval").body, 0)
    except SyntaxError as error:
        raise ToolError(f"{text!r} is no expression: {error.msg}") from None
    except (ValueError, TypeError, ArithmeticError, MemoryError, RecursionError) as error:
        raise ToolError(f"{text!r} has no value: {error}") from None


def _value(node: ast.expr, depth: int) -> int | float:
    if depth > DEEPEST:
        raise ToolError(f"the expression is more than {DEEPEST} operations deep: split it")
    found: Any
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        found = node.value
    elif isinstance(node, ast.Name) and node.id in NAMES:
        found = NAMES[node.id]
    elif isinstance(node, ast.UnaryOp) and type(node.op) in UNARY:
        found = UNARY[type(node.op)](_value(node.operand, depth + 1))
    elif isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        left, right = _value(node.left, depth + 1), _value(node.right, depth + 1)
        if isinstance(node.op, ast.Pow) and abs(right) > MOST_POWER:
            raise ToolError(f"the power {right} is beyond {MOST_POWER}: this calculator goes no further")
        found = BINARY[type(node.op)](left, right)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        if node.keywords or any(isinstance(one, ast.Starred) for one in node.args):
            raise ToolError(f"{node.func.id} takes numbers only")
        found = FUNCTIONS[node.func.id](*(_value(one, depth + 1) for one in node.args))
    else:
        known = ", ".join([*FUNCTIONS, *NAMES])
        raise ToolError(f"{ast.unparse(node)[:40]!r} is no arithmetic; it has + - * / // % **, {known}")
    if not isinstance(found, int | float) or not abs(found) <= LARGEST:
        raise ToolError(f"a value on the way is {str(found)[:30]}, beyond {LARGEST:g}")
    return found
