"""Small multiples: the true way of every drive in its arena, a card an arena, a row a driver."""

from collections.abc import Sequence
from functools import cache

from llmos.errors import LlmosError
from llmos.sim.arena import Arena, load_arena
from llmos.world.draw import escaped

from ._figures import drivers, label, who
from ._jobs import Row

MOST = 2400  # drives on a page: some 700 bytes each
MOST_SEEDS = 5  # of a driver in an arena
SIDE = 92  # pixels of a room's longer side


def drives(rows: Sequence[Row]) -> str:
    """Return the cards; arenas where a drive failed or hit something come first where not all find room."""
    places = list(dict.fromkeys(row["place"] for row in rows))
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    lines = len(drivers(rows))
    shown = max(1, min(MOST_SEEDS, MOST // max(1, lines * len(places)), len(seeds)))
    most = max(1, MOST // (lines * shown))
    if len(places) > most:
        bad = {row["place"] for row in rows if not row["good"] or row["collisions"]}
        places = sorted(places, key=lambda place: place not in bad)[:most]
    cards = [_card(n, place, [row for row in rows if row["place"] == place], seeds[:shown])
             for n, place in enumerate(places)]  # fmt: skip
    drawn = sum(row["place"] in set(places) and row["seed"] in seeds[:shown] for row in rows)
    note = f"{drawn} of {len(rows)} drives; seeds {', '.join(map(str, seeds[:shown]))}, from left to right. "
    signs = "Ring: start. Cross: goal. Line: the way really driven. A frame in red: failed, or hit something."
    return f'<p>{note}{signs}</p><div class="cards">{"".join(card for card in cards if card)}</div>'


def _card(number: int, place: str, rows: list[Row], seeds: Sequence[int]) -> str:
    arena = _arena(place)
    if arena is None:
        return ""
    lines = []
    for driver in drivers(rows):
        mine = [row for row in rows if who(row) == driver and row["seed"] in seeds]
        pictures = "".join(_picture(number, arena, row) for row in mine)
        lines.append(f"<dt>{escaped(label(driver))}</dt><dd>{pictures}</dd>")
    return f"<section><h3>{escaped(arena.name)}</h3>{_room(number, arena)}<dl>{''.join(lines)}</dl></section>"


@cache
def _arena(place: str) -> Arena | None:
    try:
        return load_arena(place, check=False)
    except LlmosError:  # a file that has gone since
        return None


def _spot(arena: Arena, x: float, y: float) -> str:
    """A place in whole centimetres from the north-western corner."""
    return f"{100 * (x + arena.size_m[0] / 2):.0f} {100 * (arena.size_m[1] / 2 - y):.0f}"


def _room(number: int, arena: Arena) -> str:
    """The room, drawn once, for all pictures of it."""
    width, height = (round(100 * side) for side in arena.size_m)
    walls = "".join(f"M{_spot(arena, *wall[:2])}L{_spot(arena, *wall[2:])}" for wall in arena.walls)
    rounds = []
    for x, y, radius in arena.discs:
        column, line = _spot(arena, x, y).split()
        rounds.append(f'<circle class="disc" cx="{column}" cy="{line}" r="{100 * radius:.0f}"/>')
    column, line = _spot(arena, arena.start.x, arena.start.y).split()
    goal = ""
    if arena.goal:
        goal = (
            f'<path class="goal" d="M{_spot(arena, arena.goal.x, arena.goal.y)}m-14-14l28 28m0-28l-28 28"/>'
        )
    return (
        f'<svg width="0" height="0" class="room"><g id="a{number}"><rect class="floor" width="{width}" '
        f'height="{height}"/><path class="wall" d="{walls}"/>{"".join(rounds)}'
        f'<circle class="start" cx="{column}" cy="{line}" r="12"/>{goal}</g></svg>'
    )


def _picture(number: int, arena: Arena, row: Row) -> str:
    width, height = (round(100 * side) for side in arena.size_m)
    scale = SIDE / max(width, height)
    steps = [_spot(arena, x / 100, y / 100) for x, y in row["way"]]
    way = f'<path class="way" d="M{"L".join(steps)}"/>' if steps else ""
    bad = "" if row["good"] and not row["collisions"] else " bad"
    spl = "" if row["spl"] is None else f", SPL {row['spl']:.2f}"
    told = (
        f"{row['arena']}, {label(who(row))}, seed {row['seed']}: {row['outcome']}, {row['path_m']:.1f} m{spl}"
        f", {row['collisions']} collisions, {row['cycles']} cycles"
    )
    return (
        f'<svg class="drive{bad}" viewBox="0 0 {width} {height}" width="{width * scale:.0f}" '
        f'height="{height * scale:.0f}"><title>{escaped(told)}</title><use href="#a{number}"/>{way}</svg>'
    )
