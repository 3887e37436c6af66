"""The host's end of the link: frames, sessions, ports, clocks, the virtual board and the robot."""

from llmos.link.board import VirtualBoard
from llmos.link.body import AroundBody, Body
from llmos.link.clock import Clock, LockstepClock, WallClock
from llmos.link.errors import (
    BlockRefused,
    HashMismatch,
    LinkError,
    LinkTimeout,
    RobotFault,
    RobotRestarted,
)
from llmos.link.messages import Done, Event, Hello, Telemetry, Verdict
from llmos.link.port import Port, open_port
from llmos.link.robot import Robot
from llmos.link.transport import Stats

__all__ = [
    "AroundBody",
    "BlockRefused",
    "Body",
    "Clock",
    "Done",
    "Event",
    "HashMismatch",
    "Hello",
    "LinkError",
    "LinkTimeout",
    "LockstepClock",
    "Port",
    "Robot",
    "RobotFault",
    "RobotRestarted",
    "Stats",
    "Telemetry",
    "Verdict",
    "VirtualBoard",
    "WallClock",
    "open_port",
]
