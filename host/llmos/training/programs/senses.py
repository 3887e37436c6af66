"""What depends on the sensors: ways that end before something, reports, comparisons, walls."""

from .phrases import Draw
from .steps import Case, Loop, Made, Node, side, step, whither

NEAR = "25cm"  # where a wish does not say how near, and
CLEAR = "50cm"  # how free
_ON = {
    "front": "(ahead|ahead|in front|in front of you|ahead of you)",
    "left": "(on the left|on the left|on your left|to the left|to your left|at the left)",
    "right": "(on the right|on the right|on your right|to the right|to your right|at the right)",
    "rear": "(behind|behind you|at the back|to the rear)",
}
NEAR_CM = (15, 18, 20, 20, 25, 30, 30, 35, 40, 45, 50, 60)
FREE_CM = (30, 40, 50, 50, 60, 70, 75, 80, 100)


def guarded(watch: str, *moves: str) -> list[Node]:
    """Return moves that end where a channel passes a threshold; what follows is not guarded."""
    return [f"GUARD g0, {watch}", *moves, "UNGUARD g0"]


def on_side(draw: Draw, channel: str) -> str:
    """Say where a channel looks."""
    return draw.fill(_ON[channel])


def beside(draw: Draw) -> tuple[str, str]:
    """Draw a side and the other one."""
    name, _ = side(draw)
    return name, "right" if name == "left" else "left"


# Moves until something is so.


@step("until_near", 2.2)
def _until_near(draw: Draw) -> Made:
    near, (fast, speed) = draw.length(*NEAR_CM), draw.speed()
    if draw.often(0.35):
        return draw.say("until.near_plain", v=fast), guarded(f"front < {NEAR}", f"MOVE 2m, {speed}")
    words = draw.say("until.near", d=near.words, v=fast)
    return words, guarded(f"front < {near.text}", f"MOVE 2m, {speed if fast and fast in words else '40mm/s'}")


@step("until_near_most", 0.9)
def _until_near_most(draw: Draw) -> Made:
    near, most, (fast, speed) = (
        draw.length(*NEAR_CM),
        draw.length(30, 40, 50, 60, 80, 100, 150, 200),
        draw.speed(),
    )
    plain = draw.often(0.4)
    if plain:
        words = draw.say("until.near_most_plain", m=most.words, v=fast)
    else:
        words = draw.say("until.near_most", m=most.words, d=near.words, v=fast)
    speed = speed if fast and fast in words else "40mm/s"
    return words, guarded(f"front < {NEAR if plain else near.text}", f"MOVE {most.text}, {speed}")


@step("two_speeds", 0.3)
def _two_speeds(draw: Draw) -> Made:
    far, near = draw.length(40, 50, 60, 80), draw.length(15, 20, 25, 30)
    fast = draw.pick(("fast", "quickly", "at full speed"))
    words = draw.say("until.two_speeds", v=fast, d=far.words, e=near.words)
    return words, [
        *guarded(f"front < {far.text}", "MOVE 2m, 47mm/s"),
        *guarded(f"front < {near.text}", "MOVE 1m, 20mm/s"),
    ]


@step("until_any", 0.3)
def _until_any(draw: Draw) -> Made:
    near = draw.length(*NEAR_CM)
    sides = draw.pick((("front", "left", "right"), ("left", "right"), ("front", "left"), ("front", "right")))
    told = [on_side(draw, name) for name in sides]
    words = draw.say("until.any", d=near.words, on=f"{', '.join(told[:-1])} or {told[-1]}")
    armed = [f"GUARD g{number}, {name} < {near.text}" for number, name in enumerate(sides)]
    return words, [*armed, "MOVE 2m, 40mm/s", *(f"UNGUARD g{number}" for number in range(len(sides)))]


@step("back_until", 0.9)
def _back_until(draw: Draw) -> Made:
    if draw.often(0.55):
        room = draw.length(*FREE_CM)
        return draw.say("until.back_room", d=room.words), guarded(f"front > {room.text}", "MOVE -1m, 40mm/s")
    if draw.often(0.3):
        return draw.say("until.back_near_plain"), guarded(f"rear < {NEAR}", "MOVE -2m, 40mm/s")
    near = draw.length(*NEAR_CM)
    return draw.say("until.back_near", d=near.words), guarded(f"rear < {near.text}", "MOVE -2m, 40mm/s")


@step("until_side", 0.8)
def _until_side(draw: Draw) -> Made:
    name, _ = side(draw)
    on = on_side(draw, name)
    if draw.often(0.3):
        return draw.say("until.side_free", on=on), guarded(f"{name} > {CLEAR}", "MOVE 2m, 40mm/s")
    free = draw.often(0.5)
    length = draw.length(*(FREE_CM if free else NEAR_CM))
    words = draw.say("until.side_free_by" if free else "until.side_near", on=on, name=name, d=length.words)
    return words, guarded(f"{name} {'>' if free else '<'} {length.text}", "MOVE 2m, 40mm/s")


@step("turn_until", 1.3)
def _turn_until(draw: Draw) -> Made:
    (name, sign), kind = side(draw), draw.pick(("free", "free", "near"))
    where = draw.fill(whither(name))
    by = draw.fill("(by turning {n}|turning {n}|to the {n})", n=name)
    if draw.often(0.3):
        where = by = sign = ""
    plain = draw.often(0.3)
    length = draw.length(*(FREE_CM if kind == "free" else (30, 40, 50, 60, 80, 100)))
    words = draw.say(f"until.turn_{kind}{'_plain' if plain else ''}", where=where, by=by, d=length.words)
    watch = f"{'>' if kind == 'free' else '<'} {CLEAR if plain else length.text}"
    return words, guarded(f"front {watch}", f"TURN {sign}360deg, 15deg/s")


@step("turn_steps", 0.4)
def _turn_steps(draw: Draw) -> Made:
    (name, sign), part, length = side(draw), draw.angle(10, 15, 20, 30, 30, 45), draw.length(*FREE_CM)
    words = draw.say("until.turn_steps", where=draw.fill(whither(name)), s=part.words, d=length.words)
    angle = part if part.words in words else draw.angle(30)
    return words, _turning_till(
        f"LDI r2, {length.value}", f"TURN {sign}{angle.text}, 30deg/s", 360 // angle.value
    )


def _turning_till(threshold: str, turn: str, times: int) -> list[Node]:
    """Return a turn in steps that ends where the way ahead is as long as r2."""
    return [threshold, Loop(times, ["SENSE r1, front", Case("BLT r1, r2", ["EXIT"]), turn])]


@step("wait_until", 0.7)
def _wait_until(draw: Draw) -> Made:
    chance = draw.chance.random()
    if chance < 0.2:
        return draw.say("until.wait_free_plain"), guarded(f"front > {CLEAR}", "WAIT 60s")
    kind, sign, some = ("free", ">", FREE_CM) if chance < 0.5 else ("near", "<", NEAR_CM)
    length = draw.length(*some)
    return draw.say(f"until.wait_{kind}", d=length.words), guarded(f"front {sign} {length.text}", "WAIT 60s")


@step("bounce", 0.8)
def _bounce(draw: Draw) -> Made:
    chance, near = draw.chance.random(), draw.length(*NEAR_CM)
    kind, text = ("", NEAR) if chance < 0.5 else ("_near", near.text) if chance < 0.8 else ("_reverse", NEAR)
    words = draw.say(f"figures.bounce{kind}", d=near.words)
    out = ["SENSE r1, travelled", *guarded(f"front < {text}", "MOVE 2m, 40mm/s"), "SENSE r2, travelled"]
    if kind == "_reverse":
        return words, [*out, "SUB r1, r1, r2", "MOVER r1, max 2m, 40mm/s"]
    return words, [*out, "SUB r1, r2, r1", "TURN 180deg, 30deg/s", "MOVER r1, max 2m, 40mm/s"]


# Reports.


@step("report", 2.2)
def _report(draw: Draw) -> Made:
    chance, channels = draw.chance.random(), draw.chance.sample(tuple(_ON), 2)
    if chance < 0.12:
        channels, words = ["front", "left", "right", "rear"], draw.say("senses.report_all")
    elif chance < 0.27:
        name, other = channels
        words = draw.say(
            "senses.report_two",
            name=name,
            other=other,
            on=on_side(draw, name),
            **{"and": on_side(draw, other)},
        )
    elif chance < 0.42:
        channels = [draw.pick(("battery", "battery", "heading", "travelled", "clock", "x", "y"))]
        words = draw.say("senses.value", what=draw.say(f"senses.value_{channels[0]}"))
    elif chance < 0.46:
        channels, words = ["x", "y"], draw.say("senses.position")
    else:
        channels = [channels[0] if chance > 0.7 else draw.pick(("front", "left", "right"))]
        words = draw.say("senses.report", name=channels[0], on=on_side(draw, channels[0]))
    return words, [line for tag, name in enumerate(channels, 1) for line in _reported(name, tag)]


def _reported(channel: str, tag: int = 1) -> tuple[str, str]:
    return f"SENSE r1, {channel}", f"REPORT {tag}, r1"


@step("reckon", 0.8)
def _reckon(draw: Draw) -> Made:
    what, (name, other) = draw.pick(("width", "length", "greater", "lesser", "difference")), beside(draw)
    if what in ("width", "length"):
        name, other = ("left", "right") if what == "width" else ("front", "rear")
    elif draw.often(0.3):
        name, other = draw.chance.sample(tuple(_ON), 2)
    told = {"on": on_side(draw, name), "and": on_side(draw, other)}
    words = draw.say(f"senses.{what}", name=name, other=other, **told)
    by = {"width": "ADD", "length": "ADD", "greater": "MAX", "lesser": "MIN", "difference": "SUB"}[what]
    return words, [f"SENSE r1, {name}", f"SENSE r2, {other}", f"{by} r3, r1, r2", "REPORT 1, r3"]


@step("scan", 0.8)
def _scan(draw: Draw) -> Made:
    times = draw.pick((4, 6, 8, 8, 9, 10, 12, 12, 18))
    part = draw.angle(360 // times)
    if draw.often(0.2):
        times, words = 12, draw.say("senses.scan_plain")
    else:
        words = draw.say("senses.scan", n=draw.number(times), s=part.words)
    return words, [Loop(times, [*_reported("front"), f"TURN {360 // times}deg, 30deg/s"])]


@step("survey", 0.7)
def _survey(draw: Draw) -> Made:
    times, length = draw.pick((2, 3, 4, 5, 6, 8, 10)), draw.length(5, 10, 10, 15, 20, 20, 25, 30)
    name = draw.pick(("front", "left", "right"))
    if draw.often(0.3):
        time = draw.time(0.5, 1, 1, 2, 3)
        words = draw.say("senses.measure", n=draw.number(times), on=on_side(draw, name), t=time.words)
        return words, [Loop(times, [*_reported(name), f"WAIT {time.text}"])]
    whole = draw.said_length(times * length.value).words
    words = draw.say("senses.survey", n=draw.number(times), d=length.words, m=whole, on=on_side(draw, name))
    return words, [Loop(times, [f"MOVE {length.text}, 40mm/s", *_reported(name)])]


# Comparisons.


@step("freer", 1.3)
def _freer(draw: Draw) -> Made:
    angle, tighter = draw.angle(30, 45, 60, 90, 90, 90, 120), draw.often(0.15)
    told = draw.fill("(by|) {a}", a=angle.words)
    if draw.often(0.5):
        told, angle = "", draw.angle(90)
    words = draw.say("senses.tighter" if tighter else "senses.freer", a=told)
    nodes = _to_side(angle.text, "right" if tighter else "left")
    if draw.often(0.25) and not tighter:
        length = draw.length(10, 20, 25, 30, 40, 50)
        told = draw.say("senses.freer_go", w=words, d=length.words)
        nodes = nodes if words in told else _to_side("90deg", "left")
        return told, [*nodes, f"MOVE {length.text}, 40mm/s"]
    return words, nodes


def _to_side(angle: str, freer: str) -> list[Node]:
    """Return a turn to `freer` where there is more room on the left than on the right, else away from it."""
    turns = [f"TURN {angle}, 30deg/s", f"TURN -{angle}, 30deg/s"]
    here, there = turns if freer == "left" else reversed(turns)
    return ["SENSE r1, left", "SENSE r2, right", Case("BLT r1, r2", [here], [there])]


@step("freest", 0.5)
def _freest(draw: Draw) -> Made:
    turn = "TURN 30deg, 30deg/s"
    look = Loop(12, ["SENSE r1, front", "MAX r2, r2, r1", turn])
    return draw.say("senses.freest"), ["LDI r2, 0", look, *_turning_till("ADDI r2, -50", turn, 12)]


# Walls.


@step("follow", 1.3)
def _follow(draw: Draw) -> Made:
    (name, _), gap, times = (
        side(draw),
        draw.length(18, 20, 22, 25, 25, 28, 30, 30, 35, 40, 45, 50),
        draw.pick((5, 6, 8, 10, 10, 12, 15)),
    )
    told = draw.say("walls.follow_length", m=draw.said_length(100 * times).words)
    if draw.often(0.5):
        told, times = "", 10
    if draw.often(0.3):
        words = draw.say("walls.follow_keep", name=name, g=gap.words, l=told)
    elif draw.often(0.2):
        words, gap = draw.say("walls.follow", name=name, g="", l=told), draw.length(25)
    else:
        words = draw.say("walls.follow", name=name, g=draw.say("walls.follow_gap", g=gap.words), l=told)
    # A ray 30 degrees ahead is twice as long as the gap where the robot stands along the wall.
    off = "SUB r3, r1, r2" if name == "left" else "SUB r3, r2, r1"
    steer = [f"SENSE r1, front_{name}", f"LDI r2, {2 * gap.value}", off, "TURNR r3, max 20deg, 30deg/s"]
    return words, [Loop(times, [*steer, "MOVE 10cm, 40mm/s"])]


@step("wander", 1.0)
def _wander(draw: Draw) -> Made:
    times, near = draw.pick((4, 5, 6, 7, 8, 9)), draw.length(20, 25, 25, 30, 35, 40)
    rounds = draw.say("walls.wander_rounds", n=draw.number(times))
    if draw.often(0.65):
        rounds, times = draw.pick(("", draw.say("walls.wander_time"))), 8
    kind = draw.chance.choices(("near", "freer", "keep", ""), (35, 15, 40, 10))[0]
    keeps = draw.say(f"walls.wander_{kind}", d=near.words) if kind else ""
    words = draw.say("walls.wander", r=rounds, k=keeps)
    text = near.text if kind == "near" else NEAR
    turn: list[Node] = _to_side("60deg", "left") if kind == "freer" else ["TURN 100deg, 30deg/s"]
    stretch: list[Node] = [
        f"GUARD g0, front < {text}",
        "MOVE 30cm, 40mm/s",
        "TRIP r1",
        "UNGUARD g0",
        Case("BEQ r1, r0", turn),
    ]
    return words, [Loop(times, stretch)]


@step("keep", 0.7)
def _keep(draw: Draw) -> Made:
    gap = draw.length(20, 25, 30, 35, 40, 45, 50, 60, 80)
    near = [
        "WAIT 200ms",
        "SENSE r1, front",
        f"LDI r2, {gap.value}",
        "SUB r3, r1, r2",
        "MOVER r3, max 20cm, 40mm/s",
    ]
    return draw.say("walls.keep", d=gap.words), [Loop(8, near)]


@step("middle", 0.3)
def _middle(draw: Draw) -> Made:
    times = draw.pick((5, 6, 8, 10, 10, 12))
    told = draw.say("walls.follow_length", m=draw.said_length(100 * times).words)
    if draw.often(0.5):
        told, times = "", 10
    steer = ["SENSE r1, front_left", "SENSE r2, front_right", "SUB r3, r1, r2", "LDI r4, 3", "DIV r3, r3, r4"]
    words = draw.say("walls.middle", l=told)
    return words, [Loop(times, [*steer, "TURNR r3, max 20deg, 30deg/s", "MOVE 10cm, 40mm/s"])]


@step("first_heading", 0.3)
def _first_heading(draw: Draw) -> Made:
    return draw.say("senses.first_heading"), [
        "SENSE r1, heading",
        "SUB r1, r0, r1",
        "TURNR r1, max 360deg, 30deg/s",
    ]
