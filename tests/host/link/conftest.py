"""The real thing on a desk: firmware on MicroPython, board, arena, pty and the host's end of the link."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from llmbytecode import assemble, write_container
from llmos.link import LinkError, Robot, VirtualBoard, open_port
from llmos.manifest import load_manifest, manifest_hash

LIMITS = load_manifest("cube").limits
ROOM = """
name = "room"
size_m = [12.0, 4.0]
start = { x = -5.0, y = 0.0, heading_deg = 0.0 }
goal = { x = 5.0, y = 0.0 }
"""


def block(text: str) -> bytes:
    """Return the container of a program."""
    return write_container(assemble(text), LIMITS)


def write_room(folder: Path) -> Path:
    """Return the file of an arena with nothing in it."""
    arena = folder / "room.toml"
    arena.write_text(ROOM)
    return arena


def refusal(url: str) -> str:
    """Return why a port cannot be opened: one line that names it."""
    with pytest.raises(LinkError) as caught:
        open_port(url)
    text = str(caught.value)
    assert "\n" not in text
    assert url in text
    return text


def read_truth(path: Path) -> list[dict[str, Any]]:
    """Return the poses of a truth log."""
    records = map(json.loads, path.read_text().splitlines())
    return [record for record in records if "x" in record]


def standstill(truth: list[dict[str, Any]]) -> int:
    """Return when the robot stood still for good, in ms."""
    moving = [number for number, record in enumerate(truth) if record["moving"]]
    return int(truth[moving[-1] + 1]["ms"])


class Desk:
    """A board and a robot in an empty room, with the truth log at hand."""

    def __init__(self, folder: Path, *faults: str, transcript: Any = None, **options: Any) -> None:
        self._truth = folder / "truth.jsonl"
        self.board = VirtualBoard(write_room(folder), faults=faults, truth_path=self._truth, **options)
        port, clock = self.board.port, self.board.clock
        self.robot = Robot(port, clock, manifest_hash(LIMITS), seed=1, transcript=transcript)

    def truth(self) -> list[dict[str, Any]]:
        """The poses of the truth log, after the board has ended."""
        self.board.close()
        return read_truth(self._truth)


class MakeDesk(Protocol):
    """Starts a desk; faults by position, the board's options by name."""

    def __call__(self, *faults: str, transcript: Any = None, **options: Any) -> Desk:
        """Start it."""


def _alive(marker: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.name != str(os.getpid()) and bytes(marker) in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has ended meanwhile
            continue
    return found


def nothing_left(marker: Path) -> bool:
    """Whether every process with the marker in its environment ends; the kernel may need a moment."""
    for _ in range(500):
        if not _alive(marker):
            return True
        time.sleep(0.01)
    raise AssertionError(_alive(marker))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micropython64: Path) -> Iterator[MakeDesk]:
    """Starts desks, ends them, and sees that no process is left."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # marks the processes
    desks: list[Desk] = []

    def make(*faults: str, transcript: Any = None, **options: Any) -> Desk:
        folder = tmp_path / str(len(desks))
        folder.mkdir()
        desks.append(Desk(folder, *faults, transcript=transcript, **options))
        return desks[-1]

    yield make
    for one in desks:
        one.board.close()
    assert nothing_left(tmp_path)
