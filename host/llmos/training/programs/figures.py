"""Figures: bends, circles, polygons, ways to and fro."""

import math

from .phrases import Draw, Said
from .steps import OFF, Loop, Made, Node, blinking, colour, side, step

BASE_MM = 100  # between the wheels of the robot `cube`

# Radius in cm: speeds in mm/s of the inner and the outer wheel, so that (inner + outer) / (outer - inner) is
# the radius over half the base.
_WHEELS = {10: (15, 45), 15: (20, 40), 20: (24, 40), 25: (30, 45), 30: (25, 35), 40: (35, 45), 50: (36, 44)}
_LONGEST_S = 25  # of one DRIVE
_CORNERS = {"triangle": 3, "square": 4, "pentagon": 5, "hexagon": 6, "octagon": 8}


def _bend(name: str, inner: int, outer: int) -> list[Node]:
    """Return lines that set the wheels for a bend: the wheel on its side is the slower one."""
    left, right = (inner, outer) if name == "left" else (outer, inner)
    return [f"LDI r1, {left}", f"LDI r2, {right}"]


@step("arc", 1.1)
def _arc(draw: Draw) -> Made:
    name, _ = side(draw)
    time = draw.time(2, 3, 4, 5, 6, 7, 8, 10, 12)
    if draw.often(0.35):
        left, right = (5 * draw.pick(range(1, 10)) for _ in "lr")
        where = "left" if left < right else "right"
        words = draw.say("moves.wheels", t=time.words, l=left, r=right, name=where)
        return words, [
            f"LDI r1, {left}",
            f"LDI r2, {right}",
            f"DRIVE r1, r2, {max(left, right)}mm/s, {time.text}",
        ]
    bends = (("", 20), ("", 20), ("(gentle|wide|slight|soft)", 30), ("(sharp|tight|narrow|strong)", 10))
    bend, inner = draw.pick(bends)
    kind = "moves.arc_plain" if not bend and draw.often(0.4) else "moves.arc"
    words = draw.say(kind, bend=draw.fill(bend), name=name, t=time.words)
    return words, [*_bend(name, inner, 40), f"DRIVE r1, r2, 40mm/s, {time.text}"]


@step("circle", 1.3)
def _circle(draw: Draw) -> Made:
    radius, (name, _) = draw.pick(tuple(_WHEELS)), side(draw)
    parts = (
        ("circle", 1.0),
        ("circle", 1.0),
        ("half circle", 0.5),
        ("semicircle", 0.5),
        ("quarter circle", 0.25),
    )
    what, share = draw.pick(parts)
    across, along = draw.said_length(20 * radius), draw.said_length(10 * radius)
    size = draw.say("moves.circle_size", r=along.words, d=across.words)
    clock = "counter-clockwise|anticlockwise" if name == "left" else "clockwise"
    where = draw.fill(f"(to the {name}|{clock})")
    if draw.often(0.45):
        where, name = "", "left"
    if draw.often(0.2):
        size, radius = "", 20
    words = draw.say("moves.circle", what=what, size=size, where=where)
    return words, [*_bend(name, *_WHEELS[radius]), _circling(radius, share, "r1, r2")]


def _circling(radius: int, share: float, order: str) -> Node:
    """Return what drives a share of a circle."""
    inner, outer = _WHEELS[radius]
    seconds = share * 2 * math.pi * BASE_MM / (outer - inner)
    rounds = math.ceil(seconds / _LONGEST_S)
    ms = 100 * round(10 * seconds / rounds)
    line = f"DRIVE {order}, {outer}mm/s, {f'{ms}ms' if ms % 1000 else f'{ms // 1000}s'}"
    return Loop(rounds, [line]) if rounds > 1 else line


@step("eight", 0.2)
def _eight(draw: Draw) -> Made:
    radius = 10  # larger ones could turn further than the robot may in one block
    size = draw.say("moves.eight_size", r=draw.said_length(10 * radius).words)
    words = draw.say("moves.eight", s=size if draw.often(0.4) else "")
    both = (_circling(radius, 1.0, order) for order in ("r1, r2", "r2, r1"))
    return words, [*_bend("left", *_WHEELS[radius]), *both]


@step("slalom", 0.3)
def _slalom(draw: Draw) -> Made:
    pairs, time = draw.pick((1, 2, 3)), draw.time(2, 3, 4, 5)
    words = draw.say("figures.slalom", n=draw.number(2 * pairs), t=time.words)
    bends = [f"DRIVE {order}, 40mm/s, {time.text}" for order in ("r1, r2", "r2, r1")]
    return words, [*_bend("left", 20, 40), Loop(pairs, bends)]


@step("polygon", 2.6)
def _polygon(draw: Draw) -> Made:
    what = draw.pick(("triangle", "square", "square", "square", "pentagon", "hexagon", "octagon"))
    corners, length = _CORNERS[what], draw.length(8, 10, 12, 15, 18, 20, 25, 30, 35, 40, 45, 50, 60)
    (where, sign), (fast, speed) = _way_round(draw), draw.speed() if draw.often(0.3) else ("", "40mm/s")
    told, extra = _at_corners(draw) if draw.often(0.4) else ("", [])
    fields = {"where": f"{where} {fast}", "x": told}
    if draw.often(0.07):
        length = Said("", "30cm", 300)
        words = draw.say("figures.polygon_plain", what=what, **fields)
    elif draw.often(0.15):
        corners = draw.pick((3, 4, 5, 6, 8, 9, 10, 12))
        words = draw.say("figures.sides", n=draw.number(corners), d=length.words, **fields)
    else:
        words = draw.say("figures.polygon", what=what, d=length.words, **fields)
    turn = f"TURN {sign}{360 // corners}deg, 30deg/s"
    return words, [Loop(corners, [f"MOVE {length.text}, {speed}", *extra, turn])]


def _way_round(draw: Draw) -> tuple[str, str]:
    """Draw which way round: to the left in most cases, which is not said."""
    if draw.often(0.65):
        return "", ""
    name, sign = side(draw)
    clock = "counter-clockwise|anticlockwise" if name == "left" else "clockwise"
    return draw.fill(f"({clock}|{clock}|to the {name}|turning {name})"), sign


def _at_corners(draw: Draw) -> tuple[str, list[Node]]:
    """Draw what is done at each corner."""
    (name, line), time, chance = colour(draw), draw.time(0.5, 1, 2, 3), draw.chance.random()
    done: list[Node] = [line, "WAIT 300ms", OFF]
    if chance < 0.18:
        told, done = draw.fill("(wait|pause|stop) (for|) {t}", t=time.words), [f"WAIT {time.text}"]
    elif chance < 0.3:
        times = draw.pick((2, 3))
        told = draw.fill("(blink|flash) {c} {n}", c=name, n=draw.times(times))
        done = [blinking(line, times, "300ms")]
    elif chance < 0.4:
        told = draw.fill("(show|light|light up) {c} for {t}", c=name, t=time.words)
        done = [line, f"WAIT {time.text}", OFF]
    elif chance < 0.5:
        told = draw.fill("(report|tell me|measure) the (distance|free way) ahead")
        done = ["SENSE r1, front", "REPORT 1, r1"]
    else:
        told = draw.fill(
            "(blink|light|flash|show|light up|blink|flash|blink {c} once|flash {c} once)", c="{c}"
        )
        told = told.format(c=name) if "{c}" in told else f"{told} {name}"
    return draw.say("figures.corner", a=told), done


@step("rectangle", 0.7)
def _rectangle(draw: Draw) -> Made:
    one, other = draw.length(20, 25, 30, 35, 40, 45, 50, 60), draw.length(10, 15, 20, 25, 30, 40)
    where, sign = _way_round(draw)
    words = draw.say("figures.rectangle", d=one.words, e=other.words, where=where)
    corner = f"TURN {sign}90deg, 30deg/s"
    return words, [Loop(2, [f"MOVE {one.text}, 40mm/s", corner, f"MOVE {other.text}, 40mm/s", corner])]


@step("star", 0.3)
def _star(draw: Draw) -> Made:
    length = draw.length(15, 20, 25, 30, 40)
    return draw.say("figures.star", d=length.words), [
        Loop(5, [f"MOVE {length.text}, 40mm/s", "TURN 144deg, 30deg/s"])
    ]


@step("uturn", 0.3)
def _uturn(draw: Draw) -> Made:
    length, (name, sign) = draw.length(15, 20, 25, 30, 40, 50), side(draw)
    where = draw.fill(f"(to the {name}|, turning {name})")
    if draw.often(0.5):
        where = sign = ""
    words = draw.say("figures.uturn", d=length.words, where=where)
    if name == "right" and where not in words:
        sign = ""
    move, turn = f"MOVE {length.text}, 40mm/s", f"TURN {sign}90deg, 30deg/s"
    return words, [move, turn, move, turn, move]


@step("stairs", 0.3)
def _stairs(draw: Draw) -> Made:
    times, length = draw.pick((2, 3, 4, 5)), draw.length(8, 10, 12, 15, 20)
    move = f"MOVE {length.text}, 40mm/s"
    words = draw.say("figures.stairs", n=draw.number(times), d=length.words)
    return words, [Loop(times, [move, "TURN 90deg, 30deg/s", move, "TURN -90deg, 30deg/s"])]


@step("zigzag", 0.6)
def _zigzag(draw: Draw) -> Made:
    pairs, length = draw.pick((1, 2, 2, 3, 4)), draw.length(8, 10, 12, 15, 20, 25, 30)
    words = draw.say("figures.zigzag", n=draw.number(2 * pairs), d=length.words)
    move = f"MOVE {length.text}, 40mm/s"
    legs = Loop(pairs, [move, "TURN -90deg, 30deg/s", move, "TURN 90deg, 30deg/s"])
    return words, ["TURN 45deg, 30deg/s", legs, "TURN -45deg, 30deg/s"]


@step("spiral", 0.7)
def _spiral(draw: Draw) -> Made:
    legs, grows = draw.pick((3, 4, 5, 6)), draw.length(3, 4, 5, 6, 8, 10)
    first, said = grows, ""
    if draw.often(0.35):
        first = draw.length(5, 10, 15, 20)
        said = draw.say("figures.first_leg", f=first.words)
    words = draw.say("figures.spiral", n=draw.number(legs), s=grows.words, f=said)
    leg: list[Node] = ["MOVER r1, max 60cm, 40mm/s", f"ADDI r1, {grows.value}", "TURN 90deg, 30deg/s"]
    return words, [f"LDI r1, {first.value}", Loop(legs, leg)]


@step("shuttle", 1.2)
def _shuttle(draw: Draw) -> Made:
    times, one = draw.pick((1, 2, 2, 3, 4, 5)), draw.length(5, 8, 10, 12, 15, 20, 25, 30, 40, 50)
    count = draw.times(times) if times > 1 or draw.often(0.3) else ""
    if draw.often(0.55):
        words, other = draw.say("figures.shuttle_same", d=one.words, n=count), one
    else:
        other = draw.length(5, 10, 15, 20, 30) if draw.often(0.4) else one
        words = draw.say("figures.shuttle", d=one.words, e=other.words, n=count)
    fast, speed = draw.speed() if draw.often(0.3) else ("", "40mm/s")
    legs = [f"MOVE {one.text}, {speed}", f"MOVE -{other.text}, {speed}"]
    return f"{words} {fast}".strip(), [Loop(times, legs)] if count else legs


@step("patrol", 0.9)
def _patrol(draw: Draw) -> Made:
    times, length = draw.pick((1, 1, 2, 2, 3, 4)), draw.length(10, 15, 20, 25, 30, 40, 50, 60)
    count = draw.times(times) if times > 1 or draw.often(0.4) else ""
    legs = [f"MOVE {length.text}, 40mm/s", "TURN 180deg, 30deg/s"]
    return draw.say("figures.patrol", d=length.words, n=count), [Loop(2 * times, legs)]


@step("return", 0.7)
def _return(draw: Draw) -> Made:
    length = draw.length()
    move = f"MOVE {length.text}, 40mm/s"
    return draw.say("figures.return", d=length.words), [move, "TURN 180deg, 30deg/s", move]


@step("cross", 0.3)
def _cross(draw: Draw) -> Made:
    length = draw.length(5, 10, 15, 20, 25, 30)
    arm = [f"MOVE {length.text}, 40mm/s", f"MOVE -{length.text}, 40mm/s", "TURN 90deg, 30deg/s"]
    return draw.say("figures.cross", d=length.words), [Loop(4, arm)]


@step("wiggle", 0.6)
def _wiggle(draw: Draw) -> Made:
    times, angle = draw.pick((1, 2, 2, 3, 4, 5)), draw.angle(15, 20, 30, 30, 40, 45, 60, 90)
    count = draw.times(times) if times > 1 or draw.often(0.3) else ""
    told = draw.fill("(by|) {a} (each way|to each side)", a=angle.words)
    words = draw.say("figures.wiggle", n=count, a=told, x=angle.words)
    if angle.words not in words:
        angle = Said("", "30deg", 30)
    sides = [f"TURN {part}deg, 30deg/s" for part in (angle.value, -2 * angle.value, angle.value)]
    return words, [Loop(times, sides)] if count else sides
