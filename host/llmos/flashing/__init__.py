"""Flashing: from a bare board to one that runs the robot's firmware."""

from llmos.flashing.errors import (
    BoardLost,
    FlashError,
    ForeignFile,
    ImageError,
    NoAnswer,
    NoPort,
    NoRoom,
    PortBusy,
    SeveralPorts,
    WrongChip,
)
from llmos.flashing.ports import PortInfo, choose, find_ports, holders
from llmos.flashing.probe import Board, probe

__all__ = [
    "Board",
    "BoardLost",
    "FlashError",
    "ForeignFile",
    "ImageError",
    "NoAnswer",
    "NoPort",
    "NoRoom",
    "PortBusy",
    "PortInfo",
    "SeveralPorts",
    "WrongChip",
    "choose",
    "find_ports",
    "holders",
    "probe",
]
