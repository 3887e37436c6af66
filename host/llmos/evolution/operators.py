"""Mutation operators: each says where in a program it can act, and acts there.

A row's place counts from 0. What comes out need not be a program that a robot takes: `variants` checks it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from llmos.evolution.lines import (
    Quantity,
    Row,
    armed_before,
    forward_moves,
    free_guard,
    free_register,
    new_row,
    quantity_of,
    taking_labels,
)

Rows = tuple[Row, ...]
FACTORS = (0.5, 0.7, 0.85, 0.95, 1.05, 1.2, 1.4, 2.0)
SLOWER = (0.4, 0.55, 0.7, 0.85)
GAPS_CM = (15, 18, 20, 25, 30, 40)  # from the robot's middle to what is ahead
ANGLES_DEG = (30, 45, 60, 90, 120, 180)
APPROACH = (5, 10, 15, 20)  # cm before a stop that are driven slowly
KEPT = ("END", "LOOP", "LOOPR", "ENDLOOP", "PROC", "RET", "EXIT")  # removing one of these ends in a refusal


@dataclass(frozen=True)
class Operator:
    """A way to change a program.

    Args:
        does: what it does, in words that a model chooses by.
        places: where it can act.
        act: returns the changed rows, or None where it cannot after all.
    """

    does: str
    places: Callable[[Rows], list[int]]
    act: Callable[[Rows, int, Random], Rows | None]


def _with(rows: Rows, place: int, *instead: Row) -> Rows:
    return (*rows[:place], *instead, *rows[place + 1 :])


# Numbers.


def _holding(kind: str, guards: bool = False) -> Callable[[Rows], list[int]]:
    """Return where a number of a kind stands, in guards or elsewhere, but for parameters."""

    def places(rows: Rows) -> list[int]:
        return [
            place
            for place, row in enumerate(rows)
            if (row.op or row.name.lower() == ".const")
            and row.limits is None
            and (row.op == "GUARD") == guards
            and any(found.kind == kind and found.number for found in row.quantities())
        ]

    return places


def _scaled(kind: str, factors: Sequence[float]) -> Callable[[Rows, int, Random], Rows | None]:
    def act(rows: Rows, place: int, random: Random) -> Rows | None:
        row = rows[place]
        numbers = [n for n, found in enumerate(row.quantities()) if found.kind == kind and found.number]
        which = random.choice(numbers)
        scaled = row.quantities()[which].times(random.choice(factors))
        return _with(rows, place, row.with_quantity(which, scaled))

    return act


def _round(kind: str, unit: str, numbers: Sequence[int]) -> Callable[[Rows, int, Random], Rows | None]:
    """Scale, or take a number that people would take, in the same direction."""
    scale = _scaled(kind, FACTORS)

    def act(rows: Rows, place: int, random: Random) -> Rows | None:
        if random.random() < 0.5:
            return scale(rows, place, random)
        row = rows[place]
        which = next(n for n, found in enumerate(row.quantities()) if found.kind == kind and found.number)
        sign = 1 if row.quantities()[which].number > 0 else -1
        return _with(
            rows, place, row.with_quantity(which, Quantity(Fraction(sign * random.choice(numbers)), unit))
        )

    return act


def _parameters(rows: Rows) -> list[int]:
    return [place for place, row in enumerate(rows) if row.limits and row.quantities()]


def _other_default(rows: Rows, place: int, random: Random) -> Rows | None:
    row = rows[place]
    old = row.quantities()[-1]
    low, high = row.limits or (0, 0)
    number = round(float(old.number) * random.choice(FACTORS)) if random.random() < 0.8 else -1
    if number == old.number or not low <= number <= high:
        number = low + int((high - low + 1) * random.random())
    if number == old.number:
        return None
    return _with(
        rows, place, row.with_quantity(len(row.quantities()) - 1, Quantity(Fraction(number), old.unit))
    )


def _moving(rows: Rows) -> list[int]:
    """The first move, for what acts on all of them."""
    return [place for place, row in enumerate(rows) if row.op in ("MOVE", "MOVER") and _speed(row)][:1]


def _speed(row: Row) -> int | None:
    return next((n for n, found in enumerate(row.quantities()) if found.kind == "speed"), None)


def _all_slower(rows: Rows, place: int, random: Random) -> Rows | None:
    factor = random.choice(SLOWER)
    changed = []
    for row in rows:
        which = _speed(row) if row.op in ("MOVE", "MOVER") else None
        changed.append(
            row if which is None else row.with_quantity(which, row.quantities()[which].times(factor))
        )
    return tuple(changed)


def _turns(rows: Rows) -> list[int]:
    return [place for place, row in enumerate(rows) if row.op == "TURN" and row.operands]


def _other_way(rows: Rows, place: int, random: Random) -> Rows | None:
    row = rows[place]
    words = row.words.removeprefix("-") if row.words.startswith("-") else f"-{row.words}"
    return _with(rows, place, row.with_words(words))


# Guards and distances that are measured.


def _unguarded(rows: Rows) -> list[int]:
    moves = list(forward_moves(rows))
    return [p for p in moves if not any("front <" in watch for watch in armed_before(rows, p).values())]


def _guarded(rows: Rows) -> list[int]:
    return [p for p in forward_moves(rows) if p not in _unguarded(rows) and rows[p].op == "MOVE"]


def _guard(rows: Rows, place: int, random: Random) -> Rows | None:
    """A guard before the move, taken away behind it, as it would end a turn too."""
    guard = free_guard(rows)
    if guard is None:
        return None
    arm, move = taking_labels(new_row("GUARD", guard, f"front < {random.choice(GAPS_CM)}cm"), rows[place])
    return _with(rows, place, arm, move, new_row("UNGUARD", guard))


def _slow_end(rows: Rows, place: int, random: Random) -> Rows | None:
    """Stop earlier, then drive what is left slowly: a robot that is slow stops where it should."""
    move = rows[place]
    armed = {guard: watch for guard, watch in armed_before(rows, place).items() if "front <" in watch}
    guard, watch = next(iter(armed.items()))
    near = quantity_of(watch.partition("<")[2], rows)
    which = _speed(move)
    if near is None or near.kind != "distance" or which is None:
        return None
    more = random.choice(APPROACH)
    early = new_row("GUARD", guard, f"front < {round(near.base / 10) + more}cm")
    late = new_row("GUARD", guard, watch)
    speed = move.quantities()[which].times(random.choice((0.3, 0.45, 0.6)))
    slow = new_row("MOVE", f"{more + 5}cm", str(speed))
    early, move = taking_labels(early, move)
    return _with(rows, place, early, move, late, slow)


def _measured(rows: Rows, place: int, random: Random) -> Rows | None:
    """Drive what the sensor says, less a gap, in the place of a distance that somebody thought of."""
    move, register = rows[place], free_register(rows)
    if register is None or move.op != "MOVE" or len(move.operands) != 2:
        return None
    sense, move = taking_labels(new_row("SENSE", register, "front"), move)
    less = new_row("ADDI", register, f"-{random.choice(GAPS_CM)}cm")
    go = new_row("MOVER", register, f"max {random.choice((60, 100, 150, 200))}cm", move.operands[1])
    return _with(rows, place, sense, less, go)


def _plain_moves(rows: Rows) -> list[int]:
    return [place for place in forward_moves(rows) if rows[place].op == "MOVE"]


def _guarded_turns(rows: Rows) -> list[int]:
    return [place for place in _turns(rows) if armed_before(rows, place)]


def _free_turn(rows: Rows, place: int, random: Random) -> Rows | None:
    guards = sorted(armed_before(rows, place))
    first, turn = taking_labels(new_row("UNGUARD", guards[0]), rows[place])
    return _with(rows, place, first, *(new_row("UNGUARD", guard) for guard in guards[1:]), turn)


# Lines.


def _instructions(rows: Rows) -> list[int]:
    return [place for place, row in enumerate(rows) if row.op]


def _removable(rows: Rows) -> list[int]:
    return [place for place, row in enumerate(rows) if row.op and row.op not in KEPT]


def _removed(rows: Rows, place: int, random: Random) -> Rows | None:
    row = rows[place]
    if not row.labels:
        return _with(rows, place)
    behind = place + 1
    if behind >= len(rows) or not rows[behind].op or rows[behind].labels:
        return None
    return (*rows[:place], replace(rows[behind], head=row.head), *rows[behind + 1 :])


def _inserted(rows: Rows, place: int, random: Random) -> Rows | None:
    """A copy of another line of the program, or a short pause, before this one."""
    copies = [replace(row, head=" " * 8, tail="") for row in rows if row.op and row.op not in KEPT]
    pause = new_row("WAIT", random.choice(("100ms", "200ms", "500ms")))
    new, old = taking_labels(random.choice([*copies, pause]), rows[place])
    return _with(rows, place, new, old)


def _swappable(rows: Rows) -> list[int]:
    return [
        place
        for place in range(len(rows) - 1)
        if all(row.op and row.op not in KEPT for row in rows[place : place + 2])
    ]


def _swapped(rows: Rows, place: int, random: Random) -> Rows | None:
    first, second = rows[place], rows[place + 1]
    return (
        *rows[:place],
        replace(second, head=first.head),
        replace(first, head=second.head),
        *rows[place + 2 :],
    )


OPERATORS: dict[str, Operator] = {
    "other_default": Operator("change a parameter's default within its range", _parameters, _other_default),
    "scale_distance": Operator(
        "drive farther or less far", _holding("distance"), _scaled("distance", FACTORS)
    ),
    "scale_threshold": Operator(
        "let a guard trip earlier or later",
        _holding("distance", guards=True),
        _round("distance", "cm", GAPS_CM),
    ),
    "scale_angle": Operator("turn more or less", _holding("angle"), _round("angle", "deg", ANGLES_DEG)),
    "scale_time": Operator("wait longer or shorter", _holding("time"), _scaled("time", FACTORS)),
    "scale_count": Operator(
        "count, compare or add another number", _holding("count"), _scaled("count", FACTORS)
    ),
    "scale_rate": Operator("turn faster or slower", _holding("rate"), _scaled("rate", FACTORS)),
    "slow_down": Operator("drive one move slower", _holding("speed"), _scaled("speed", SLOWER)),
    "speed_up": Operator("drive one move faster", _holding("speed"), _scaled("speed", (1.2, 1.5, 2.0))),
    "all_slower": Operator("drive every move slower", _moving, _all_slower),
    "guard_move": Operator("stop a move when something is near ahead", _unguarded, _guard),
    "slow_end": Operator("drive the last stretch before a stop slowly", _guarded, _slow_end),
    "measure_first": Operator("drive as far as the front sensor sees, less a gap", _plain_moves, _measured),
    "free_turn": Operator("disarm the guards before a turn", _guarded_turns, _free_turn),
    "other_way": Operator("turn to the other side", _turns, _other_way),
    "insert_line": Operator("repeat a line elsewhere, or pause", _instructions, _inserted),
    "remove_line": Operator("leave a line out", _removable, _removed),
    "swap_lines": Operator("swap two lines", _swappable, _swapped),
}
