"""What both kinds of virtual robot share: the body in its arena, the serial line, the log of the truth."""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from llmos.manifest import Manifest
from llmos.sim.arena import Arena
from llmos.sim.body import World
from llmos.sim.child import HEAP_KB, FirmwareDied
from llmos.sim.faults import Faults
from llmos.sim.truth import TruthLog
from llmos.sim.uart import Wire

ADVANCE, DRIVE, HALT, LED, TONE, READY = range(1, 7)
REPLY = struct.Struct("<IIiiBBH6H6H")


class Moment(NamedTuple):
    """Where the body is at one moment: ms, m, m, rad; taken whole by who looks on from another thread."""

    ms: int
    x: float
    y: float
    heading: float
    arena: Arena


@dataclass
class Setting:
    """What a virtual robot is started with."""

    arena: Arena
    manifest: Manifest
    firmware: Path
    micropython: Path
    seed: int = 0
    speed: float = 1.0  # simulated over wall time; 0 for as fast as possible
    truth: str | None = None
    faults: Faults = field(default_factory=Faults)
    heap_kb: int = HEAP_KB


class Rig:
    """A robot's body and its serial line; the firmware's requests are obeyed here."""

    def __init__(self, setting: Setting) -> None:
        self.world = World(setting.arena, setting.manifest, setting.seed, setting.faults)
        self.truth = TruthLog(setting.truth, self.world, setting.seed)
        self.to_robot = Wire(setting.faults, setting.seed, 0)
        self.to_host = Wire(setting.faults, setting.seed, 1)
        self.brownout_ms = setting.faults.when("brownout")
        self._note_moment()

    def pass_time(self, to_ms: int) -> int:
        """Let the arena's time pass to `to_ms`; returns it."""
        world, truth = self.world, self.truth
        while world.now < to_ms:
            world.advance(min(to_ms, truth.due_ms, world.rest_ms) if world.moving else to_ms)
            truth.note()
        self._note_moment()
        return world.now

    def _note_moment(self) -> None:
        world = self.world
        self.moment = Moment(world.now, world.x, world.y, world.heading, world.arena)

    def obey(self, operation: int, first: int, second: int, third: int, fourth: int) -> None:
        """Do what the firmware asks for.

        Raises:
            FirmwareDied: it asked for what there is not.
        """
        if operation == DRIVE:
            self.world.drive(first, second, third, fourth)
        elif operation == HALT:
            self.world.halt(at_once=first == 1)
        elif operation == LED:
            self.world.led = (first & 255, second & 255, third & 255)
        elif operation == TONE:
            self.truth.event(tone_hz=first, tone_ms=second)
        else:
            raise FirmwareDied(f"the firmware asked for the unknown operation {operation}")

    def reply(self, sent: int) -> bytes:
        """Return the answer to ADVANCE; `sent` bytes in all are on the firmware's serial port."""
        world = self.world
        wheels = world.left_pos, world.right_pos, world.moving
        readings = world.battery_mv, *world.ranges(), *world.ages()
        return REPLY.pack(world.now, sent, *wheels, 0, *readings)
