"""Serial ports: which may have a board behind them, and who has them open."""

import os
import stat
import time
from pathlib import Path
from typing import NamedTuple

from serial.tools.list_ports import comports

from llmos.flashing.errors import BoardLost, NoPort, SeveralPorts

ESPRESSIF = 0x303A
# USB vendors of what a board has between its UART and the cable, and of the chip's own USB.
VENDORS = {
    ESPRESSIF: "ESP32-S3's own USB",
    0x10C4: "Silicon Labs CP210x",
    0x1A86: "WCH CH34x",
    0x0403: "FTDI",
    0x067B: "Prolific",
}
_UNIX98_PTY = 136  # the first of its eight major numbers
_LOOK_S = 0.1


class PortInfo(NamedTuple):
    """A serial port on USB."""

    path: str
    vendor: int
    product: int
    serial: str  # of the USB device; the ESP32-S3's own USB gives its MAC address
    description: str


def find_ports() -> list[PortInfo]:
    """Return the ports that may have a board behind them, in the order of their names."""
    return sorted(
        PortInfo(port.device, port.vid, port.pid, port.serial_number or "", port.description or "")
        for port in comports()
        if port.vid in VENDORS
    )


def choose(ports: list[PortInfo]) -> PortInfo:
    """Return the one port that there is.

    Raises:
        NoPort: there is none.
        SeveralPorts: there are several.
    """
    if not ports:
        raise NoPort(
            "no board is connected by USB; plug one in with a cable that carries data, or name its port "
            "with --port"
        )
    if len(ports) > 1:
        listed = ", ".join(f"{port.path} ({port.description or VENDORS[port.vendor]})" for port in ports)
        raise SeveralPorts(f"{len(ports)} boards are connected: {listed}; name one with --port")
    return ports[0]


def holders(path: str) -> list[str]:
    """Return which other processes have the port open, as "name (pid)"; those of other users stay unseen."""
    device, found = os.path.realpath(path), []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            if any(os.readlink(fd) == device for fd in (process / "fd").iterdir()):
                found.append(f"{(process / 'comm').read_text().strip()} ({process.name})")
        except OSError:  # it has ended, or is not ours to look into
            continue
    return sorted(found)


def is_pty(path: str) -> bool:
    """Whether the port is a pseudo-terminal, which has no control lines."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISCHR(status.st_mode) and _UNIX98_PTY <= os.major(status.st_rdev) < _UNIX98_PTY + 8


def find_again(path: str, identity: str, seconds: float = 10.0) -> str:
    """Return the name under which a port comes back after a reset, waiting for it.

    Args:
        path: its name before.
        identity: its USB serial number or the board's MAC address; empty where neither is known.
        seconds: how long to wait.

    Raises:
        BoardLost: it does not come back.
    """
    if "://" in path or is_pty(path):
        return path
    end = time.monotonic() + seconds
    while True:
        for port in find_ports():
            if identity and bare(port.serial) == bare(identity):
                return port.path
        if os.path.exists(path) and not identity_moved(path, identity):
            return path
        if time.monotonic() >= end:
            raise BoardLost(
                f"port {path} has not come back within {seconds:g} s of the reset; unplug the board, plug it "
                "in again, then run this again"
            )
        time.sleep(_LOOK_S)


def identity_moved(path: str, identity: str) -> bool:
    """Whether another device of known identity now has this name."""
    there = [port for port in find_ports() if port.path == path and port.vendor == ESPRESSIF]
    return bool(identity and there and there[0].serial and bare(there[0].serial) != bare(identity))


def bare(identity: str) -> str:
    """A serial number or MAC address without punctuation: MicroPython and the ROM write it differently."""
    return "".join(letter for letter in identity.upper() if letter.isalnum())
