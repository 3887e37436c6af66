"""The e-stop in the midst of each kind of instruction, and of the exchange of each kind of frame."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from llmbytecode import Outcome, assemble, block_hash
from llmbytecode._isa import Fault, FrameType
from llmbytecode.native import compile_block, target_of
from llmos.link import Robot
from llmos.link.transport import Transport
from llmos.sim.arena import Arena, Start
from llmos.sim.judge import Sample

from .stage import LIMITS, Host, Scene, block, play

ROOM = Arena(name="hall", size_m=(12.0, 8.0), start=Start(x=0.0, y=0.0), noise_mm=5.0)
ARRIVES_MS = 4  # of a frame behind another one
SETTLE_MS = 60
GOOD = block("MOVE 5mm, 40mm/s\nEND")
DRIVE = block("LOOP 9\nMOVE 100mm, 47mm/s\nMOVE -100mm, 47mm/s\nENDLOOP\nEND")

# What takes time, each for 20 s or more; with the frame that is sent 200 ms before the e-stop, if any.
INSTRUCTIONS: dict[str, tuple[str, FrameType | None]] = {
    "MOVE": ("MOVE 2m, 40mm/s\nEND", None),
    "MOVER": ("LDI r1, -1500\nMOVER r1, max 1500mm, 40mm/s\nEND", None),
    "MOVE, joined": ("LOOP 40\nMOVE 25mm, 47mm/s\nENDLOOP\nEND", None),
    "MOVE, ramps": ("LOOP 20\nMOVE 20mm, 47mm/s\nMOVE -20mm, 47mm/s\nENDLOOP\nEND", None),
    "TURN": ("TURN 1000deg, 500mrad/s\nEND", None),
    "TURNR": ("LDI r1, -12000\nTURNR r1, max 12000mrad, 400mrad/s\nEND", None),
    "DRIVE": ("LDI r1, 30\nLDI r2, 45\nDRIVE r1, r2, 45mm/s, 25s\nEND", None),
    "DRIVE, at rest": ("DRIVE r1, r1, 45mm/s, 25s\nEND", None),
    "WAIT": ("WAIT 30s\nEND", None),
    "WAITR": ("LDI r1, 30000\nWAITR r1, max 30s\nEND", None),
    "WAIT, guarded": ("GUARD g0, front < 10mm\nWAIT 30s\nEND", None),
    "LOOP": ("LOOP 2000\nADDI r1, 3\nMUL r2, r1, r1\nWAIT 3ms\nENDLOOP\nEND", None),
    "LOOPR, EXIT": ("LOOP 30\nLDI r3, 50\nLOOPR r3, max 50\nWAIT 4ms\nENDLOOP\nENDLOOP\nEND", None),
    "CALL": ("LOOP 1900\nCALL sub\nENDLOOP\nEND\nsub: PROC\nWAIT 5ms\nRET", None),
    "SENSE": ("LOOP 2000\nSENSE r1, front\nWAIT 3ms\nENDLOOP\nEND", None),
    "REPORT": ("LOOP 60\nREPORT 1, r1\nWAIT 400ms\nENDLOOP\nEND", None),
    "LED": ("LOOP 2000\nLED 9, 9, 9\nWAIT 3ms\nENDLOOP\nEND", None),
    "TONE": ("LOOP 300\nTONE 440Hz, 100ms\nWAIT 90ms\nENDLOOP\nEND", None),
    "MODE, SETV, GETV": ("LOOP 1900\nMODE exploring\nSETV v1, r1\nGETV r2, v1\nWAIT 5ms\nENDLOOP\nEND", None),
    "a guard's ramp": ("GUARD g0, clock > 600ms\nMOVE 2m, 47mm/s\nEND", None),
    "the end's ramp": ("MOVE 2m, 47mm/s\nEND", FrameType.STOP),
    "machine code": ("LOOP 40\nADDI r1, 3\nMOVE 25mm, 47mm/s\nENDLOOP\nEND", None),
}
SENT = [
    FrameType.IDENTIFY, FrameType.HEARTBEAT, FrameType.STATUS, FrameType.BEGIN, FrameType.DATA,
    FrameType.COMMIT, FrameType.RUN, FrameType.NEXT, FrameType.NATIVE, FrameType.STOP, FrameType.ESTOP,
    FrameType.CLEAR, FrameType.ACK,
]  # fmt: skip
ORDERS = ("before", "behind", "within", "damaged")  # the e-stop and the other frame
REFUSED = (FrameType.RUN, FrameType.BEGIN, FrameType.NEXT, FrameType.NATIVE)


@dataclass
class Stops:
    """What e-stops of one kind led to; times in ms from when the frame was sent."""

    kind: str
    presses: int = 0
    moving: int = 0  # the wheels turned when it was pressed
    worst_ms: int = 0  # until they stood
    wrong: list[str] = field(default_factory=list)


def press_in_instructions(kind: str, presses: int, seed: int) -> Stops:
    """Press it at random moments of an instruction."""
    text, before = INSTRUCTIONS[kind]

    def script(host: Host) -> None:
        robot, random = host.robot, Random(f"{kind} {seed}")
        for _ in range(presses):
            robot.connect()
            robot.upload(block(text))
            if kind == "machine code" and robot.hello:
                target = target_of(robot.hello.native) or ""
                if not robot.attach_native(block(text), compile_block(assemble(text), LIMITS, target)):
                    robot.run(block(text))  # all that may be loaded was
            robot._request(FrameType.RUN, block_hash(block(text)))
            robot.wait(random.randint(5, 3000))
            if before:
                robot._request(before)
                robot.wait(random.randint(5, 400))
            nonce = robot.telemetry.clear
            _press(host)
            _insist(host, block(text), [0, nonce])
            _release(host)

    return _judged(kind, script, seed)


def press_in_frames(kind: FrameType, presses: int, seed: int) -> Stops:
    """Press it before, behind, within the exchange and within the bytes of a frame, at rest and in motion."""

    def script(host: Host) -> None:
        robot, random = host.robot, Random(f"{kind} {seed}")
        for number in range(presses):
            _prepare(robot, kind, moving=random.random() < 0.7)
            robot.wait(random.randint(20, 1500))
            old = robot.telemetry.clear
            _mix(host, kind, ORDERS[number % len(ORDERS)], random)
            _insist(host, DRIVE, [0, old])
            _release(host)

    return _judged(kind.name, script, seed)


def _prepare(robot: Robot, kind: FrameType, moving: bool) -> None:
    """Bring the robot to where a frame of this kind has something to do."""
    robot.connect()
    robot.upload(GOOD)
    robot.upload(DRIVE)
    if moving:
        robot._request(FrameType.RUN, block_hash(DRIVE))
        robot.wait(10)
    if kind in (FrameType.DATA, FrameType.COMMIT):
        robot._request(FrameType.BEGIN, block_hash(GOOD), len(GOOD))
    if kind is FrameType.COMMIT:
        robot._request(FrameType.DATA, 0, tail=GOOD)


def _request(robot: Robot, kind: FrameType) -> None:
    """Ask for something of this kind."""
    held, other = block_hash(DRIVE), block_hash(GOOD)
    values: dict[FrameType, tuple[int | bytes, ...]] = {
        FrameType.IDENTIFY: (7,),
        FrameType.HEARTBEAT: (1,),
        FrameType.BEGIN: (other, len(GOOD)),
        FrameType.DATA: (0,),
        FrameType.COMMIT: (other,),
        FrameType.RUN: (other,),
        FrameType.NEXT: (held, other),
        FrameType.NATIVE: (held, 100),
        FrameType.CLEAR: (robot.telemetry.clear,),
    }
    robot._request(kind, *values.get(kind, ()), tail=GOOD if kind is FrameType.DATA else b"")


def _emit(robot: Robot, damaged: Random | None = None) -> None:
    """Put on the line what is to be sent, at once and without waiting; perhaps not all of it."""
    data, _ = robot._transport.poll(robot.clock.now())
    if damaged and data:
        data = data[: damaged.randrange(len(data) - 2)]  # its CRC at least
    if data:
        robot._port.write(data)


def _mix(host: Host, kind: FrameType, order: str, random: Random) -> None:
    """Send a frame of this kind and the e-stop, in this order."""
    robot, session = host.robot, host.robot._transport
    if order == "before":
        _press(host, wait=False)
    if kind is FrameType.IDENTIFY:  # it begins another session, unless it is damaged
        robot._transport = Transport(random.getrandbits(16), robot.stats)
    _request(robot, kind)
    _emit(robot, random if order == "damaged" else None)
    if order == "before":
        robot.wait(SETTLE_MS)
        return
    if order == "within":
        robot.clock.wait(robot.clock.now() + random.randint(1, 12))
    if order == "damaged":
        robot._transport = session
    _press(host)


def _press(host: Host, wait: bool = True) -> None:
    host.robot._request(FrameType.ESTOP)
    host.note(pressed=True)
    _emit(host.robot)
    if wait:
        host.robot.wait(SETTLE_MS)


def _settled(robot: Robot) -> None:
    robot._request(FrameType.STATUS)
    robot._pump(1000, lambda: robot._told)


def _insist(host: Host, container: bytes, nonces: list[int]) -> None:
    """Try all that must not release it, nor do anything else."""
    robot, name = host.robot, block_hash(container)
    asked: dict[FrameType, tuple[int | bytes, ...]] = {
        FrameType.RUN: (name,),
        FrameType.BEGIN: (name, len(container)),
        FrameType.NEXT: (name, name),
        FrameType.NATIVE: (name, 100),
    }

    def expect(what: str, holds: bool) -> None:
        if not holds:
            host.note(wrong=what)

    _settled(robot)
    expect("it is not latched", robot.latched)
    for type_ in REFUSED:
        robot._request(type_, *asked[type_])
        robot._pump(1000, lambda: robot._fault)
        expect(
            f"{type_.name} is not refused", robot._fault is not None and robot._fault.code == Fault.LATCHED
        )
    robot._verdict = None
    robot._request(FrameType.DATA, 0, tail=container)
    robot._request(FrameType.COMMIT, name)
    robot._request(FrameType.STOP)
    robot._request(FrameType.HEARTBEAT, 1)
    for nonce in (*nonces, robot.telemetry.clear ^ 1):
        robot._request(FrameType.CLEAR, nonce)
    _settled(robot)
    expect("an upload is answered", robot._verdict is None)
    expect("it is released", robot.latched)
    ended = [done for done, _, _ in robot._ended]
    robot._ended.clear()
    expect(f"{len(ended)} blocks ended", len(ended) <= 2)
    nonce = robot.telemetry.clear
    expect("a new session releases it", robot.connect().clear == nonce and robot.latched)


def _release(host: Host) -> None:
    """Clear it, see that nothing goes on by itself, and that the robot works again."""
    robot = host.robot
    host.note(released=True)
    robot.clear()
    robot.wait(150)
    if not robot.at_rest:
        host.note(wrong="what was running goes on")
    host.note(works=True)
    if robot.run(GOOD).outcome != Outcome.COMPLETED:
        host.note(wrong="no block runs after the release")


def _judged(kind: str, script: Callable[[Host], None], seed: int) -> Stops:
    played = play(Scene(ROOM, script, seed))
    stops = Stops(kind)
    stops.wrong += [f"{note['ms']} ms: {note['wrong']}" for note in played.notes if "wrong" in note]
    stops.wrong += [f"{note['ms']} ms: {note['link']}" for note in played.notes if "link" in note]
    for pressed, works in _presses(played.notes):
        during = _between(played.truth.samples, pressed, works)
        stood = max((there.ms for here, there in during if here.moving), default=pressed) - pressed
        stops.presses += 1
        stops.moving += during[0][0].moving
        stops.worst_ms = max(stops.worst_ms, stood)
        if stood > ARRIVES_MS:
            stops.wrong.append(f"{pressed} ms: it moves for {stood} ms")
    return stops


def _presses(notes: list[dict[str, int]]) -> Iterator[tuple[int, int]]:
    """Yield when it was pressed, and until when nothing may move."""
    pressed = None
    for note in notes:
        if "pressed" in note and pressed is None:
            pressed = note["ms"]
        elif "works" in note and pressed is not None:
            yield pressed, note["ms"]
            pressed = None


def _between(samples: list[Sample], first: int, last: int) -> list[tuple[Sample, Sample]]:
    """The samples from the state at one moment to another, each with the one behind it."""
    pairs = list(zip(samples, [*samples[1:], samples[-1]], strict=True))
    return [pair for pair in pairs if pair[1].ms > first and pair[0].ms < last] or [pairs[-1]]
