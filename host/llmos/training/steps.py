"""What a wish is made of: steps of some kind, each with words for it and the lines that do it.

What a wish leaves unsaid has one meaning in all steps: 40 mm/s, 30 degrees a second, a quarter turn, to the
left, three blinks of half a second.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Union

from llmbytecode.grammar import BLOCKS

from .phrases import Draw


class Loop(NamedTuple):
    """Nodes that are repeated."""

    times: int
    body: "Sequence[Node]"


class Case(NamedTuple):
    """Nodes that are skipped where a branch's condition holds, and those that stand for them then."""

    branch: str  # without its label: `BLT r1, r2`
    body: "Sequence[Node]"
    other: "Sequence[Node]" = ()


Node = Union[str, Loop, Case]


class Step(NamedTuple):
    """One thing to do, in the imperative, and the program's part that does it."""

    kind: str
    words: str
    nodes: Sequence[Node]


Sampler = Callable[[Draw], tuple[str, Sequence[Node]]]
STEPS: dict[str, tuple[Sampler, float]] = {}  # by kind, with its share


def step(kind: str, share: float = 1.0) -> Callable[[Sampler], Sampler]:
    """Register what samples the steps of a kind."""

    def register(sampler: Sampler) -> Sampler:
        STEPS[kind] = sampler, share
        return sampler

    return register


def lines(nodes: Sequence[Node], place: str = "", first: int = 1) -> Iterator[str]:
    """Yield the lines of nodes, labels named after the place of their block as the grammar wants it."""
    number = first
    for node in nodes:
        if isinstance(node, str):
            yield node
            continue
        here, number = f"{place}{number}", number + 1
        if isinstance(node, Loop):
            yield f"LOOP {node.times}"
            yield from lines(node.body, here)
            yield "ENDLOOP"
            continue
        yield f"{node.branch}, L{here}"
        yield from lines(node.body, here)
        if node.other:
            yield f"JMP E{here}"
        yield f"L{here}:"
        if node.other:
            yield from lines(node.other, here, BLOCKS[len(here)] + 1)
            yield f"E{here}:"


# Words and lines that many steps share.

GO = "(go|go|drive|drive|move|roll|travel|head|run)"
AHEAD = "(forward|forward|forwards|ahead|straight ahead|straight on|straight forward|straight)"
BACK = "(back|backward|backwards|in reverse|straight back)"
COLOURS = {
    "red": "255, 0, 0",
    "green": "0, 255, 0",
    "blue": "0, 0, 255",
    "yellow": "255, 255, 0",
    "white": "255, 255, 255",
    "cyan": "0, 255, 255",
    "magenta": "255, 0, 255",
    "purple": "255, 0, 255",
    "pink": "255, 0, 255",
    "violet": "255, 0, 255",
    "turquoise": "0, 255, 255",
    "orange": "255, 160, 0",
}
_USUAL = ("red", "red", "green", "green", "blue", "blue", "yellow", "white")
OFF = "LED 0, 0, 0"
BASE_MM = 100  # between the wheels of the robot `cube`


def colour(draw: Draw) -> tuple[str, str]:
    """Draw a colour, and the line that shows it."""
    name = draw.pick(_USUAL) if draw.often(0.8) else draw.pick(tuple(COLOURS))
    return name, f"LED {COLOURS[name]}"


def side(draw: Draw) -> tuple[str, str]:
    """Draw a side, and the sign of an angle to it."""
    name = draw.pick(("left", "right"))
    return name, "" if name == "left" else "-"


def blinking(line: str, times: int, on: str = "500ms", off: str = "") -> Loop:
    """Return the loop that blinks."""
    return Loop(times, [line, f"WAIT {on}", OFF, f"WAIT {off or on}"])


# Moves.


@step("forward", 3.0)
def _forward(draw: Draw) -> tuple[str, Sequence[Node]]:
    length, (fast, speed) = draw.length(), draw.speed()
    if draw.often(0.06):
        words = draw.say(f"{GO} {AHEAD} (a bit|a little|a little bit|a tiny bit)")
        return words, ["MOVE 10cm, 40mm/s"]
    if draw.often(0.05):
        length = draw.said_length(draw.pick((1000, 1500, 2000, 3000)))
    words = draw.say(
        f"{GO} {AHEAD} {{d}} {{v}}", f"{GO} {{d}} {AHEAD} {{v}}", f"{GO} {AHEAD} (for|by) {{d}} {{v}}",
        f"{GO} {{d}} {{v}}", f"{GO} on (for|by|) {{d}} {{v}}", "advance (by|) {d} {v}", f"{{v}} {GO} {AHEAD} {{d}}",
        "cover {d} (straight ahead|) {v}", "(take|make) a {d} move forward {v}", f"{GO} straight on {{d}} {{v}}",
        d=length.words, v=fast,
    )  # fmt: skip
    return words, [f"MOVE {length.text}, {speed}"]


@step("back", 1.6)
def _back(draw: Draw) -> tuple[str, Sequence[Node]]:
    length, (fast, speed) = draw.length(), draw.speed()
    if draw.often(0.06):
        words = draw.say(f"({GO} {BACK}|back up|reverse) (a bit|a little|a little bit|a tiny bit)")
        return words, ["MOVE -10cm, 40mm/s"]
    words = draw.say(
        f"{GO} {BACK} {{d}} {{v}}", f"{GO} {{d}} {BACK} {{v}}", f"{GO} {BACK} (for|by) {{d}} {{v}}",
        "(reverse|back up|back off|retreat|back away) (by|for|) {d} {v}", "(reverse|back up|back|retreat) {d} {v}",
        "{v} (reverse|back up) (by|) {d}", "set back {d} {v}",
        d=length.words, v=fast,
    )  # fmt: skip
    return words, [f"MOVE -{length.text}, {speed}"]


@step("timed", 0.8)
def _timed(draw: Draw) -> tuple[str, Sequence[Node]]:
    time, (fast, speed) = draw.time(1, 2, 3, 4, 5, 6, 8, 10, 12, 15), draw.speed()
    back = draw.often(0.35)
    way = BACK if back else AHEAD
    words = draw.say(
        f"{GO} {way} for {{t}} {{v}}", f"{GO} {way} {{v}} for {{t}}", f"for {{t}} {GO} {way} {{v}}",
        f"{GO} {way} {{v}} during {{t}}", f"keep (driving|going|moving) {way} for {{t}} {{v}}", t=time.words, v=fast,
    )  # fmt: skip
    value = _mm_s(speed)
    wheel = -value if back else value
    return words, [f"LDI r1, {wheel}", f"DRIVE r1, r1, {value}mm/s, {time.text}"]


def _mm_s(speed: str) -> int:
    number = int(speed.rstrip("cm/s"))
    return 10 * number if speed.endswith("cm/s") else number


@step("turn", 3.0)
def _turn(draw: Draw) -> tuple[str, Sequence[Node]]:
    (name, sign), angle, (fast, rate) = side(draw), draw.angle(), draw.rate()
    clock = "anticlockwise|counter-clockwise|counterclockwise" if name == "left" else "clockwise|clockwise"
    where = f"({name}|to the {name}|to your {name}|{name}wards|towards the {name}|{clock})"
    words = draw.say(
        f"(turn|turn|rotate|spin|swivel|pivot) {where} (by|) {{a}} {{v}}", f"(turn|rotate|pivot) (by|) {{a}} {where} {{v}}",
        f"(turn|rotate|pivot) {{a}} (on the spot|in place|) {where} {{v}}", f"(make|do|take) a {{a}} turn to the {name} {{v}}",
        f"{{v}} (turn|rotate) {where} (by|) {{a}}", f"(go|swing|veer|face) {{a}} to the {name} {{v}}", a=angle.words, v=fast,
    )  # fmt: skip
    return words, [f"TURN {sign}{angle.text}, {rate}"]


@step("quarter", 1.2)
def _quarter(draw: Draw) -> tuple[str, Sequence[Node]]:
    (name, sign), (fast, rate) = side(draw), draw.rate()
    words = draw.say(
        f"(turn|turn|turn to the|rotate|turn to your|face) {name} {{v}}", f"(make|do|take) a {name} turn {{v}}",
        f"(make|do) a quarter turn (to the|) {name} {{v}}", f"turn a quarter (to the|) {name} {{v}}",
        f"turn {name} (by|) a right angle {{v}}", f"(make|do) a quarter of a turn to the {name} {{v}}",
        f"turn (by|) a quarter (turn|of a circle|) to the {name} {{v}}", v=fast,
    )  # fmt: skip
    return words, [f"TURN {sign}90deg, {rate}"]


@step("about", 1.0)
def _about(draw: Draw) -> tuple[str, Sequence[Node]]:
    fast, rate = draw.rate()
    words = draw.say(
        "turn (round|around|about) {v}", "(make|do) a (half turn|U-turn|half-turn|180) {v}", "turn (half round|halfway round|half way around) {v}",
        "turn to (face|look) (the other way|the opposite way|behind you|backwards) {v}", "(face|look) (the other way|the opposite direction|behind you|backwards) {v}",
        "(turn|face) the other way {v}", "turn your back (to what is ahead|) {v}", "about-face {v}", v=fast,
    )  # fmt: skip
    return words, [f"TURN 180deg, {rate}"]


@step("spin", 1.0)
def _spin(draw: Draw) -> tuple[str, Sequence[Node]]:
    times, (fast, rate) = draw.pick((1, 1, 1, 2, 2, 3)), draw.rate()
    name, sign = side(draw)
    where = f"(to the {name}|{name})"
    if draw.often(0.55):
        where, sign = "", ""
    once = "" if times > 1 else draw.pick(("", "once"))
    count = draw.times(times) if times > 1 else once
    whole = "(a full turn|a whole turn|a full circle on the spot|one full turn|a complete turn|one whole turn|360 degrees|one full rotation|a full rotation)"
    many = f"{draw.number(times)} (full turns|whole turns|turns|full rotations|full circles on the spot|complete turns)"
    words = draw.say(
        f"(spin|spin round|spin around|turn all the way round|turn right round|turn once round) {where} {{n}} {{v}}".replace("turn once round", "turn completely round"),
        f"(make|do|turn) {whole if times == 1 else many} {where} {{v}}",
        f"(spin|rotate|whirl) (on the spot|round|in place) {where} {{n}} {{v}}", n=count, v=fast,
    )  # fmt: skip
    return words, [f"TURN {sign}{360 * times}deg, {rate}"]


@step("timed_turn", 0.4)
def _timed_turn(draw: Draw) -> tuple[str, Sequence[Node]]:
    seconds, (name, sign) = draw.pick((2, 3, 4, 5, 6, 8, 10)), side(draw)
    words = draw.say(
        f"(turn|spin|rotate|keep turning) (to the|) {name} for {{t}}", f"for {{t}} (turn|rotate) to the {name}",
        f"(spin|turn) on the spot to the {name} for {{t}}", t=draw.said_time(1000 * seconds).words,
    )  # fmt: skip
    return words, [f"TURN {sign}{30 * seconds}deg, 30deg/s"]


@step("arc", 1.0)
def _arc(draw: Draw) -> tuple[str, Sequence[Node]]:
    name, _ = side(draw)
    time = draw.time(2, 3, 4, 5, 6, 8, 10, 12)
    if draw.often(0.3):
        left, right = draw.pick(
            ((10, 40), (20, 40), (30, 40), (15, 45), (40, 20), (40, 10), (25, 40), (45, 30))
        )
        words = draw.say(
            "drive for {t} with the left wheel at {l} mm/s and the right (one|wheel) at {r} mm/s",
            "run the left wheel at {l} mm/s and the right (one|wheel) at {r} mm/s for {t}",
            "(drive|go) (a|in a) (curve|bend) for {t}, left wheel {l} mm/s, right wheel {r} mm/s",
            t=time.words, l=left, r=right,
        )  # fmt: skip
        return words, [
            f"LDI r1, {left}",
            f"LDI r2, {right}",
            f"DRIVE r1, r2, {max(left, right)}mm/s, {time.text}",
        ]
    bend, slow = draw.pick(
        (("", 20), ("", 20), ("(gentle|wide|slight|soft|shallow)", 30), ("(sharp|tight|narrow|strong)", 10))
    )
    words = draw.say(
        f"(drive|go|make|take|follow) (a|in a) {bend} (curve|curve|bend|arc) to the {name} for {{t}}",
        f"(drive|go|make) (a|in a) {bend} {name} (curve|bend|arc) for {{t}}", f"for {{t}} (drive|go) in a {bend} (curve|arc|bend) to the {name}",
        *([] if bend else [f"(curve|bend|bear|swerve|arc) (to the|) {name} for {{t}}"]), t=time.words,
    ).replace("in a (", "in a ")  # fmt: skip
    return words, _wheels(name, slow, 40, f"DRIVE {{}}, 40mm/s, {time.text}")


def _wheels(name: str, inner: int, outer: int, *parts: str) -> list[Node]:
    """Return lines that drive a bend to a side: the wheel on that side is the slower one."""
    left, right = (inner, outer) if name == "left" else (outer, inner)
    return [f"LDI r1, {left}", f"LDI r2, {right}", *(part.format("r1, r2") for part in parts)]


_CIRCLES = {
    10: (15, 45),
    15: (20, 40),
    20: (24, 40),
    25: (30, 45),
    30: (25, 35),
    40: (35, 45),
    50: (36, 44),
}  # radius in cm: wheels in mm/s


def _circling(radius: int, share: float, order: str) -> Node:
    """Return what drives a share of a circle; one `DRIVE` is 25 s at most."""
    inner, outer = _CIRCLES[radius]
    seconds = share * 2 * math.pi * BASE_MM / (outer - inner)
    rounds = math.ceil(seconds / 25)
    line = f"DRIVE {order}, {outer}mm/s, {round(10 * seconds / rounds)}00ms".replace("000ms", "s")
    return Loop(rounds, [line]) if rounds > 1 else line


@step("circle", 1.2)
def _circle(draw: Draw) -> tuple[str, Sequence[Node]]:
    radius, (name, _) = draw.pick(tuple(_CIRCLES)), side(draw)
    what, share = draw.pick(
        (
            ("circle", 1.0),
            ("circle", 1.0),
            ("half circle", 0.5),
            ("semicircle", 0.5),
            ("quarter circle", 0.25),
        )
    )
    size = draw.say("(of|with a) radius (of|) {r}", "of {r} radius", "(of|with a) diameter (of|) {d}",
                    r=draw.said_length(10 * radius).words, d="{d}")  # fmt: skip
    size = size.replace("of radius of", "of radius").replace("with a radius", "with a radius")
    size = size.format(d=draw.said_length(20 * radius).words)
    where = f"(to the {name}|{'counter-clockwise' if name == 'left' else 'clockwise'})"
    if share == 1.0 and draw.often(0.5):
        where, name = "", "left"
    if draw.often(0.2):
        size, radius = "", 20
    words = draw.say(
        f"(drive|drive|go|go round|make|do|describe) (a|in a) {what} {size} {where}",
        f"(drive|make|do) (a|in a) {what} {where} {size}",
    )
    inner, outer = _CIRCLES[radius]
    return words, [*_wheels(name, inner, outer), _circling(radius, share, "r1, r2")]


@step("eight", 0.4)
def _eight(draw: Draw) -> tuple[str, Sequence[Node]]:
    radius = draw.pick((10, 15, 20, 25, 30))
    size = draw.say(
        "(with|of|with a) radius (of|) {r}",
        "with circles of {r} radius",
        "with loops of {r} radius",
        r=draw.said_length(10 * radius).words,
    )
    if draw.often(0.4):
        size, radius = "", 15
    words = draw.say(
        "(drive|go|make|do|describe) a (figure eight|figure of eight|figure-eight|figure 8|figure of 8) {s}",
        s=size,
    )
    inner, outer = _CIRCLES[radius]
    return words, [
        *_wheels("left", inner, outer),
        _circling(radius, 1, "r1, r2"),
        _circling(radius, 1, "r2, r1"),
    ]


# Lights and time.


@step("light", 1.6)
def _light(draw: Draw) -> tuple[str, Sequence[Node]]:
    if draw.often(0.15):
        words = draw.say(
            "(turn|switch) (the|your) (light|LED|lamp) off",
            "(turn|switch) off (the|your) (light|LED|lamp)",
            "go dark",
            "(lights|light) (off|out)",
            "put out (the|your) light",
        )
        return words, [OFF]
    name, line = colour(draw)
    return draw.say(*_SHOW, c=name), [line]


_SHOW = (
    "(light|light up|glow|shine|show|light up in|turn|go) {c}", "(turn|switch|set) (the|your) (light|LED|lamp) (to|) {c}",
    "(make|set) (the|your) (light|LED|lamp) {c}", "(turn|switch) on (the|a|your) {c} (light|LED|lamp)", "(turn|switch|put) (the|your) {c} (light|LED|lamp) on",
    "show (a|the) {c} light", "show the colour {c}", "light (the|your) (LED|lamp) (in|) {c}", "(turn|switch) the light on in {c}",
)  # fmt: skip


@step("hold", 1.2)
def _hold(draw: Draw) -> tuple[str, Sequence[Node]]:
    (name, line), time = colour(draw), draw.time()
    shown = draw.say(*_SHOW, c=name)
    words = draw.say(
        "{s} for {t}", "{s} for {t}", "{s} for {t}, then (turn it off|switch it off|off|go dark|turn the light off)", "for {t} {s}",
        "keep the light {c} for {t}", "(have|hold) the light {c} for {t}", "{s}, and (off|turn it off) after {t}", s=shown, t=time.words, c=name,
    )  # fmt: skip
    return words, [line, f"WAIT {time.text}", OFF]


@step("blink", 3.0)
def _blink(draw: Draw) -> tuple[str, Sequence[Node]]:
    (name, line), times = colour(draw), draw.pick((1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 10, 12))
    count = draw.times(times)
    if draw.often(0.08):
        count, times = "", 3
    plan, on, off = _pace(draw)
    words = draw.say(
        "(blink|blink|flash) {c} {n} {p}", "(blink|flash) {c} {n} {p}", "(blink|flash) {n} in {c} {p}", "(blink|flash) (the|your) {c} (light|LED|lamp) {n} {p}",
        "(blink|flash) (the|your) (light|LED|lamp) (in|) {c} {n} {p}", "make (the|your) (light|LED) (blink|flash) {c} {n} {p}", "{n} (blink|flash) {c} {p}",
        "let the {c} light (blink|flash) {n} {p}", "(blink|flash) with the {c} light {n} {p}", c=name, n=count, p=plan,
    )  # fmt: skip
    if draw.often(0.12) and times > 1:
        words = draw.say(
            "(give|show|make|do) {n} {c} (flashes|blinks) {p}", n=draw.number(times, 0.6), c=name, p=plan
        )
    return words, [blinking(line, times, on, off)]


def _pace(draw: Draw) -> tuple[str, str, str]:
    """Draw how fast to blink: in words, and how long the light is on and off."""
    chance = draw.chance.random()
    if chance < 0.55:
        return "", "500ms", ""
    if chance < 0.63:
        return draw.say("(quickly|fast|rapidly)"), "200ms", ""
    if chance < 0.7:
        return "slowly", "1s", ""
    on = draw.time(0.2, 0.3, 0.5, 1, 1, 1, 2)
    if chance < 0.85:
        words = draw.say(
            "{t} on and {t} off",
            ", {t} on, {t} off",
            ", {t} each",
            "with {t} on and {t} off",
            ", {t} on and {t} off",
            "with {t} pauses" if on.words[0].isdigit() else "with pauses of {t}",
            t=on.words,
        )
        return words, on.text, ""
    off = draw.time(0.2, 0.5, 1, 1.5, 2, 3)
    words = draw.say(
        "{t} on and {o} off",
        ", {t} on, {o} off",
        "with {t} on and {o} off",
        ", on for {t} and off for {o}",
        t=on.words,
        o=off.words,
    )
    return words, on.text, off.text


@step("alternate", 0.8)
def _alternate(draw: Draw) -> tuple[str, Sequence[Node]]:
    (one, first), (other, second) = colour(draw), colour(draw)
    if first == second:
        one, first, other, second = "red", f"LED {COLOURS['red']}", "blue", f"LED {COLOURS['blue']}"
    times, time = draw.pick((2, 3, 4, 5, 6)), draw.time(0.5, 0.5, 1, 2)
    each = draw.say("(, {t} each|with {t} each|, each for {t})", t=time.words)
    if draw.often(0.6):
        each, time = "", draw.said_time(500)
    words = draw.say(
        "(alternate|switch) between {a} and {b} {n} {e}", "(blink|flash) {a} and {b} (in turn|alternately|by turns) {n} {e}",
        "alternate {a} and {b} (light|lights|) {n} {e}", "{n} show {a} and then {b} {e}", a=one, b=other, n=draw.times(times), e=each,
    )  # fmt: skip
    return words, [Loop(times, [first, f"WAIT {time.text}", second, f"WAIT {time.text}"]), OFF]


@step("series", 1.0)
def _series(draw: Draw) -> tuple[str, Sequence[Node]]:
    count = draw.pick((2, 3, 3, 4))
    names = draw.chance.sample(
        ("red", "green", "blue", "yellow", "white", "cyan", "magenta", "orange"), count
    )
    if draw.often(0.15):
        words, names = (
            draw.say("(play|be|act as|act like|show|imitate) a traffic light"),
            ["red", "green", "yellow"],
        )
        time = draw.said_time(2000)
    else:
        last = draw.say("(and|then|and then|and finally) {c}", c=names[-1])
        listed = draw.say("{h} {l}", "{h}, {l}", h=(draw.pick((", ", ", then "))).join(names[:-1]), l=last)
        words = draw.say(
            "(show|light|light up|light up in|shine|glow|display) {s}",
            "(show|display) the colours {s}",
            "(turn|set|switch) the light {s}",
            s=listed,
        )
        time = draw.said_time(1000)
    if draw.often(0.6):
        time = draw.time(0.5, 1, 1, 2, 3, 4, 5)
        words = draw.say(
            "{w} for {t} each",
            "{w}, {t} each",
            "{w}, each for {t}",
            "{w}, with {t} for each (colour|)",
            w=words,
            t=time.words,
        )
    return words, [part for name in names for part in (f"LED {COLOURS[name]}", f"WAIT {time.text}")] + [OFF]


@step("wait", 1.4)
def _wait(draw: Draw) -> tuple[str, Sequence[Node]]:
    time = draw.time(0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 60)
    if draw.often(0.06):
        return draw.say("(wait|pause|stop|stand still) (a moment|for a moment|briefly|for a short while)"), [
            "WAIT 1s"
        ]
    words = draw.say(
        "(wait|wait|pause|rest|stop|stay|sleep|stand) (for|) {t}", "(stand still|stay put|stay where you are|keep still|do nothing|remain still|stay still|hold still|hold on) for {t}",
        "wait {t}", "(do not|don't) move for {t}", "let {t} pass", "(take|make) a (pause|break) of {t}", t=time.words,
    )  # fmt: skip
    return words, [f"WAIT {time.text}"]
