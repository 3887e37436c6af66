"""Steps with others inside: done in a case, in a colour, or at the far end of a way."""

from .phrases import Draw
from .senses import FREE_CM, NEAR, NEAR_CM, beside, on_side
from .steps import COLOURS, OFF, STEPS, Case, Loop, Made, Node, Step, side, step

_PLAIN = (
    *("forward", "forward", "back", "turn", "turn", "quarter", "quarter", "about", "spin"),
    *("light", "light", "light", "blink", "blink", "hold", "wait", "report"),
)
_BLOCKED_MM = 300  # where a wish asks whether the way is blocked, and does not say how near


def _drawn(draw: Draw, *kinds: str) -> Step:
    """Draw a step of one of some kinds, or two plain ones."""
    kind = draw.pick(kinds or _PLAIN)
    made = Step(kind, *STEPS[kind][0](draw))
    if kinds or draw.often(0.85):
        return made
    other = _drawn(draw, *_PLAIN)
    return Step(kind, f"{made.words} and {other.words}", [*made.nodes, *other.nodes])


@step("case", 2.4)
def _case(draw: Draw) -> Made:
    said, nodes, skips, runs = _condition(draw)
    one, other, chance = _drawn(draw), _drawn(draw), draw.chance.random()
    if chance < 0.05:
        code = draw.pick(range(1, 10))
        one = Step("fail", draw.say("cases.fail", n=code), [f"FAIL {code}"])
    if chance < 0.6:
        words = draw.say("cases.if_else", c=said, w=one.words, o=other.words)
        return words, [*nodes, Case(skips, one.nodes, other.nodes)]
    if chance < 0.92:
        return draw.say("cases.if_only", c=said, w=one.words), [*nodes, Case(skips, one.nodes)]
    return draw.say("cases.unless", c=said, w=one.words), [*nodes, Case(runs, one.nodes)]


def _condition(draw: Draw) -> tuple[str, list[Node], str, str]:
    """Draw a condition: its words, the lines that read it, the branches where it fails and where it holds."""
    chance, less, more = draw.chance.random(), "BLT r1, r2", "BGE r1, r2"
    if chance < 0.12:
        name, other = beside(draw)
        told = {"on": on_side(draw, name), "and": on_side(draw, other)}
        said = draw.say("cases.more_left", name=name, other=other, **told)
        return said, [f"SENSE r1, {name}", f"SENSE r2, {other}"], less, more
    if chance < 0.2:
        volts = draw.pick((4.5, 4.8, 5.0, 5.2, 5.5, 6.0))
        said = draw.say("cases.low_battery", u=f"{volts:g}")
        return said, ["SENSE r1, battery", f"LDI r2, {round(1000 * volts)}"], more, less
    near, name = draw.often(0.5), "front"
    if chance < 0.32:
        mm = _BLOCKED_MM
        said = draw.say("cases.blocked_now" if near else "cases.clear_now")
    else:
        name = draw.pick(("front", "front", "front", "left", "right", "rear"))
        length = draw.length(*(NEAR_CM if near else FREE_CM))
        mm = length.value
        fields = {"name": name, "d": length.words, "on": on_side(draw, name)}
        said = draw.say("cases.near" if near else "cases.free", **fields)
    fails, holds = (more, less) if near else (less, more)
    return said, [f"SENSE r1, {name}", f"LDI r2, {mm}"], fails, holds


@step("do_until", 0.8)
def _do_until(draw: Draw) -> Made:
    said, nodes, fails, holds = _condition(draw)
    done = _drawn(draw, "forward", "turn", "blink", "wait", "hold", "back", "shuttle", "quarter", "report")
    lasts = draw.often(0.3)  # while it is so
    words = draw.say("cases.do_while" if lasts else "cases.do_until", c=said, w=done.words)
    return words, [Loop(10, [*nodes, Case(holds if lasts else fails, ["EXIT"]), *done.nodes])]


@step("blocked", 0.9)
def _blocked(draw: Draw) -> Made:
    length, one, other = draw.length(30, 40, 50, 60, 80, 100, 150), _drawn(draw), _drawn(draw)
    fields = {"d": length.words, "w": one.words, "o": other.words}
    tried = [f"GUARD g0, front < {NEAR}", f"MOVE {length.text}, 40mm/s", "TRIP r1", "UNGUARD g0"]
    if draw.often(0.5):
        return draw.say("cases.blocked", **fields), [*tried, Case("BEQ r1, r0", one.nodes)]
    return draw.say("cases.blocked_else", **fields), [*tried, Case("BEQ r1, r0", one.nodes, other.nodes)]


@step("levels", 0.3)
def _levels(draw: Draw) -> Made:
    near, far = draw.length(15, 20, 25, 30), draw.length(40, 50, 60, 80, 100)
    name = draw.pick(("front", "front", "left", "right", "rear"))
    colours = draw.chance.sample(("red", "green", "blue", "yellow", "white"), 3)
    if draw.often(0.4):
        colours = ["red", "yellow", "green"]
    fields = dict(zip("abc", colours, strict=True)) | {
        "d": near.words,
        "e": far.words,
        "on": on_side(draw, name),
    }
    shown = [f"LED {COLOURS[colour]}" for colour in colours]
    inner: list[Node] = [f"LDI r2, {far.value}", Case("BGE r1, r2", [shown[1]], [shown[2]])]
    outer = Case("BGE r1, r2", [shown[0]], inner)
    return draw.say("cases.levels", **fields), [f"SENSE r1, {name}", f"LDI r2, {near.value}", outer]


@step("lit", 1.0)
def _lit(draw: Draw) -> Made:
    done = _drawn(draw, "forward", "forward", "back", "turn", "quarter", "spin", "polygon", "until_near")
    name = draw.pick(tuple(COLOURS))
    return draw.say("cases.lit", w=done.words, c=name), [f"LED {COLOURS[name]}", *done.nodes, OFF]


@step("there", 0.8)
def _there(draw: Draw) -> Made:
    length, done = draw.length(), _drawn(draw, "wait", "wait", "blink", "hold", "report", "spin", "light")
    words = draw.say("cases.there", d=length.words, w=done.words)
    return words, [f"MOVE {length.text}, 40mm/s", *done.nodes, f"MOVE -{length.text}, 40mm/s"]


@step("aside", 0.5)
def _aside(draw: Draw) -> Made:
    (name, sign), angle = side(draw), draw.angle(30, 45, 60, 90, 90, 120)
    back, done = "" if sign else "-", _drawn(draw, "wait", "blink", "hold", "report", "report", "light")
    words = draw.say("cases.aside", a=angle.words, name=name, w=done.words)
    return words, [f"TURN {sign}{angle.text}, 30deg/s", *done.nodes, f"TURN {back}{angle.text}, 30deg/s"]
