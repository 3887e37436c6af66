"""What a wish is made of: steps of some kind, each with words for it and the lines that do it.

What a wish leaves unsaid has one meaning in all steps: 40 mm/s, 30 degrees a second, a quarter turn, to the
left, three blinks of half a second.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from llmbytecode.grammar import BLOCKS

from .phrases import Draw, worded


class Loop(NamedTuple):
    """Nodes that are repeated."""

    times: int
    body: "Sequence[Node]"


class Case(NamedTuple):
    """Nodes that are skipped where a branch's condition holds, and those that stand for them then."""

    branch: str  # without its label: `BLT r1, r2`
    body: "Sequence[Node]"
    other: "Sequence[Node]" = ()


Node = str | Loop | Case


class Step(NamedTuple):
    """One thing to do, in the imperative, and the program's part that does it."""

    kind: str
    words: str
    nodes: Sequence[Node]


Made = tuple[str, Sequence[Node]]  # words, and the lines that do it
Sampler = Callable[[Draw], Made]
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
            yield from lines(node.other, here, sum(BLOCKS[len(here) : len(here) + 1]) + 1)
            yield f"E{here}:"


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
OFF = "LED 0, 0, 0"
_USUAL = ("red", "red", "green", "green", "blue", "blue", "yellow", "white")


def colour(draw: Draw) -> tuple[str, str]:
    """Draw a colour, and the line that shows it."""
    name = draw.pick(_USUAL if draw.often(0.8) else tuple(COLOURS))
    return name, f"LED {COLOURS[name]}"


def side(draw: Draw) -> tuple[str, str]:
    """Draw a side, and the sign of an angle to it."""
    return draw.pick((("left", ""), ("right", "-")))


def whither(name: str) -> str:
    """Return a template for words that say to which side one turns."""
    clock = "anticlockwise|counter-clockwise|counterclockwise" if name == "left" else "clockwise|clockwise"
    return (
        f"({name}|{name}|to the {name}|to the {name}|to your {name}|{name}wards|towards the {name}|{clock})"
    )


# Moves.


@step("forward", 3.0)
def _forward(draw: Draw) -> Made:
    length, (fast, speed) = draw.length(), draw.speed()
    chance = draw.chance.random()
    if chance < 0.05:
        return draw.say("moves.forward_bit"), ["MOVE 10cm, 40mm/s"]
    if chance < 0.08:
        return draw.say("moves.forward_some", v=fast), [f"MOVE 30cm, {speed}"]
    if chance < 0.15:
        length = draw.said_length(draw.pick((1000, 1200, 1500, 2000, 2500, 3000)))
    return draw.say("moves.forward", d=length.words, v=fast), [f"MOVE {length.text}, {speed}"]


@step("back", 1.8)
def _back(draw: Draw) -> Made:
    length, (fast, speed) = draw.length(), draw.speed()
    if draw.often(0.06):
        return draw.say("moves.back_bit"), ["MOVE -10cm, 40mm/s"]
    return draw.say("moves.back", d=length.words, v=fast), [f"MOVE -{length.text}, {speed}"]


@step("timed", 0.8)
def _timed(draw: Draw) -> Made:
    time, (fast, speed) = draw.time(1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20), draw.speed()
    number = int(speed.rstrip("cm/s"))
    value = 10 * number if speed.endswith("cm/s") else number
    way, sign = draw.pick((("{AHEAD}", ""), ("{AHEAD}", ""), ("{BACK}", "-")))
    words = draw.say("moves.timed", way=draw.fill(worded(way)), t=time.words, v=fast)
    return words, [f"LDI r1, {sign}{value}", f"DRIVE r1, r1, {value}mm/s, {time.text}"]


@step("turn", 3.2)
def _turn(draw: Draw) -> Made:
    (name, sign), angle, (fast, rate) = side(draw), draw.angle(), draw.rate()
    words = draw.say("moves.turn", where=draw.fill(whither(name)), name=name, a=angle.words, v=fast)
    return words, [f"TURN {sign}{angle.text}, {rate}"]


@step("quarter", 1.4)
def _quarter(draw: Draw) -> Made:
    (name, sign), (fast, rate) = side(draw), draw.rate()
    return draw.say("moves.quarter", name=name, v=fast), [f"TURN {sign}90deg, {rate}"]


@step("about", 1.0)
def _about(draw: Draw) -> Made:
    fast, rate = draw.rate()
    return draw.say("moves.about", v=fast), [f"TURN 180deg, {rate}"]


@step("spin", 1.0)
def _spin(draw: Draw) -> Made:
    times, (fast, rate), (name, sign) = draw.pick((1, 1, 1, 2, 2, 3, 4)), draw.rate(), side(draw)
    where = draw.fill(whither(name))
    if draw.often(0.55):
        where = sign = ""
    count = draw.times(times) if times > 1 else draw.pick(("", "once"))
    many = draw.say("moves.many_turns", n=draw.number(times)) if times > 1 else draw.say("moves.one_turn")
    words = draw.say("moves.spin", where=where, n=count, many=many, v=fast)
    return words, [f"TURN {sign}{360 * times}deg, {rate}"]


@step("timed_turn", 0.4)
def _timed_turn(draw: Draw) -> Made:
    seconds, (name, sign) = draw.pick((2, 3, 4, 5, 6, 8, 10)), side(draw)
    words = draw.say("moves.timed_turn", name=name, t=draw.said_time(1000 * seconds).words)
    return words, [f"TURN {sign}{30 * seconds}deg, 30deg/s"]


@step("wait", 1.6)
def _wait(draw: Draw) -> Made:
    time = draw.time(0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 45, 60)
    if draw.often(0.06):
        return draw.say("moves.moment"), ["WAIT 1s"]
    return draw.say("moves.wait", t=time.words), [f"WAIT {time.text}"]


# Lights.


@step("light", 1.6)
def _light(draw: Draw) -> Made:
    if draw.often(0.12):
        return draw.say("lights.off"), [OFF]
    name, line = colour(draw)
    return draw.say("lights.show", c=name), [line]


@step("hold", 1.3)
def _hold(draw: Draw) -> Made:
    (name, line), time = colour(draw), draw.time()
    words = draw.say("lights.hold", s=draw.say("lights.show", c=name), t=time.words, c=name)
    return words, [line, f"WAIT {time.text}", OFF]


@step("blink", 3.0)
def _blink(draw: Draw) -> Made:
    (name, line), times = colour(draw), draw.pick((1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15))
    pace, on, off = _pace(draw)
    count = draw.times(times)
    if draw.often(0.07):
        count, times = "", 3
    words = draw.say("lights.blink", c=name, n=count, p=pace)
    if draw.often(0.1) and times > 1:
        words = draw.say("lights.flashes", n=draw.number(times, 0.6), c=name, p=pace)
    return words, [blinking(line, times, on, off)]


def blinking(line: str, times: int, on: str = "500ms", off: str = "") -> Loop:
    """Return the loop that blinks."""
    return Loop(times, [line, f"WAIT {on}", OFF, f"WAIT {off or on}"])


def _pace(draw: Draw) -> tuple[str, str, str]:
    """Draw how fast to blink: in words, and how long the light is on and off."""
    chance = draw.chance.random()
    if chance < 0.58:
        return "", "500ms", ""
    if chance < 0.7:
        return ("slowly", "1s", "") if chance < 0.64 else (draw.fill("(quickly|fast|rapidly)"), "200ms", "")
    on = draw.time(0.2, 0.3, 0.5, 1, 1, 1, 2)
    if chance < 0.86:
        return draw.say("lights.pace", t=on.words), on.text, ""
    off = draw.time(0.2, 0.5, 1, 1.5, 2, 3)
    return draw.say("lights.uneven", t=on.words, o=off.words), on.text, off.text


@step("alternate", 0.8)
def _alternate(draw: Draw) -> Made:
    one, other = draw.chance.sample(("red", "green", "blue", "yellow", "white", "orange", "cyan"), 2)
    times, time = draw.pick((2, 3, 4, 5, 6, 8)), draw.time(0.2, 0.5, 1, 1, 2)
    each = draw.say("lights.each_time", t=time.words)
    if draw.often(0.6):
        each, time = "", draw.said_time(500)
    words = draw.say("lights.alternate", a=one, b=other, n=draw.times(times), e=each)
    shown = [part for name in (one, other) for part in (f"LED {COLOURS[name]}", f"WAIT {time.text}")]
    return words, [Loop(times, shown), OFF]


@step("series", 1.0)
def _series(draw: Draw) -> Made:
    names = draw.chance.sample(_SERIES, draw.pick((2, 3, 3, 4)))
    time = draw.said_time(1000)
    if draw.often(0.15):
        words, names, time = draw.say("lights.traffic"), ["red", "green", "yellow"], draw.said_time(2000)
    else:
        first = draw.pick((", ", ", ", ", then ")).join(names[:-1])
        words = draw.say(
            "lights.series", s=draw.fill("{f}(,|) (and|then|and then) {c}", f=first, c=names[-1])
        )
    if draw.often(0.6):
        time = draw.time(0.5, 1, 1, 2, 3, 4, 5)
        words = draw.say("lights.series_each", w=words, t=time.words)
    shown = [part for name in names for part in (f"LED {COLOURS[name]}", f"WAIT {time.text}")]
    return words, [*shown, OFF]


_SERIES = ("red", "green", "blue", "yellow", "white", "cyan", "magenta", "orange")
