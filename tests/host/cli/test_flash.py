"""`llmos flash` on virtual boards: from blank to a robot, killed at its steps, and what it refuses."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.host.flashing.boards import VirtualBoard, cut_at, flash, image, kill_at, mpremote

from llmbytecode._isa import SPEC_HASH
from llmos.flashing.plan import sha256
from llmos.flashing.probe import INVENTORY
from llmos.resources import system_volume

# In the order in which they come, so that each run gets farther; tools/campaign_flash.py has all of them.
MICROPYTHON_STEPS = ("write MicroPython", "/llmvm/inventory.json")
FILE_STEPS = ("/llmvm/vm.mpy", "/main.py", "restart the robot")

READ = "with open({!r}) as f: print(f.read())"
FILL = """
import os
room = os.statvfs("/")
with open("/big", "w") as f:
    for _ in range(room[3] - 4): f.write("." * room[1])
"""
WRITE = "with open({!r}, 'w') as f: f.write({!r})"


@pytest.fixture(scope="module")
def flashed(tmp_path_factory: pytest.TempPathFactory, micropython64: Path) -> Path:
    """The flash of a board that was blank, and flashed with a kill at each of the steps."""
    folder = tmp_path_factory.mktemp("board")
    firmware = str(image(folder))
    with VirtualBoard(folder / "flash.bin") as board:
        for step in MICROPYTHON_STEPS:
            lines = kill_at(step, board.rfc2217, "--firmware", firmware)
            assert "8 MB of flash" in lines[0]
        for step in FILE_STEPS:
            assert "MicroPython 1." in kill_at(step, board.pty)[0]
        said = flash(board.pty)
    assert "nothing to write" in said
    assert f"SPEC 0x{SPEC_HASH:08x}" in said
    return folder / "flash.bin"


@pytest.fixture
def chip(flashed: Path, tmp_path: Path) -> Path:
    """A copy of that flash."""
    return Path(shutil.copy(flashed, tmp_path / "flash.bin"))


@pytest.fixture
def board(chip: Path) -> Iterator[VirtualBoard]:
    """A board that is flashed."""
    with VirtualBoard(chip) as running:
        yield running


def other_robot(folder: Path) -> str:
    """The manifest of a robot that differs from the cube a little."""
    text = (system_volume() / "robots/cube.toml").read_text()
    (folder / "other.toml").write_text(text.replace("stop_m = 0.06", "stop_m = 0.07"))
    return str(folder / "other.toml")


def test_only_what_differs_is_written(board: VirtualBoard, tmp_path: Path) -> None:
    """Another robot's robot.json; a file of an older firmware goes, the user's stay."""
    listed = f"i['files']['/llmvm/old.mpy'] = ['{sha256(b'old')}']"
    program = [
        WRITE.format("/notes.txt", "mine"), WRITE.format("/llmvm/mine.py", "mine"),
        WRITE.format("/llmvm/old.mpy", "old"),
        f"import json\nwith open({INVENTORY!r}) as f: i = json.load(f)",
        listed, f"with open({INVENTORY!r}, 'w') as f: json.dump(i, f)",
    ]  # fmt: skip
    mpremote(board.pty, "exec", "\n".join(program))
    would = flash(board.pty, "--dry-run", "--robot", other_robot(tmp_path))
    assert "would write /robot.json" in would
    done = json.loads(flash(board.pty, "--json", "--robot", other_robot(tmp_path)).splitlines()[-1])
    assert set(done["written"]) == {INVENTORY, "/robot.json", "/main.py"}
    assert done["removed"] == ["/main.py", "/llmvm/old.mpy"]
    assert (done["spec"], done["wrote_micropython"]) == (f"0x{SPEC_HASH:08x}", None)
    assert done["battery_mv"] > 4000
    left = mpremote(
        board.pty, "exec", READ.format("/notes.txt"), "exec", "print(__import__('os').listdir('/llmvm'))"
    )
    assert "mine" in left
    assert "mine.py" in left
    assert "old.mpy" not in left


@contextmanager
def held(port: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another program has the port, as it should be had: for itself."""
    program = "import serial, sys; s = serial.Serial(sys.argv[1], exclusive=True); print(flush=True); input()"
    command = [sys.executable, "-c", program, port]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        yield holder
        holder.communicate(b"\n")


def test_what_is_refused_before_anything_is_written(board: VirtualBoard, tmp_path: Path) -> None:
    """No room; a main.py of the user, which stays; another program at the port; no control lines."""
    mpremote(board.pty, "exec", FILL)
    said = flash(board.pty, "--robot", other_robot(tmp_path), code=1)
    assert "KiB free and the firmware needs" in said
    program = (
        f"import os\nos.remove('/big')\nos.remove({INVENTORY!r})\n{WRITE.format('/main.py', 'print(1)')}"
    )
    mpremote(board.pty, "exec", program)
    said = flash(board.pty, code=1)
    assert "/main.py on the board is not of `llmos flash`" in said
    assert "print(1)" in mpremote(board.pty, "exec", READ.format("/main.py"))
    with held(board.pty) as holder:
        said = flash(board.pty, code=1)
    assert f"({holder.pid})" in said
    said = flash(board.pty, "--erase", "--firmware", str(image(tmp_path)), code=1)
    assert "without the control lines" in said
    assert "the robot answers" in flash(board.pty, "--overwrite")


def test_a_board_that_loses_its_power_in_the_middle(chip: Path, tmp_path: Path) -> None:
    """A sentence, and the next flash completes."""
    with VirtualBoard(chip) as board:
        said = cut_at("/robot.json", board, "--robot", other_robot(tmp_path))
    assert "\nllmos: flash: port " in f"\n{said}"
    assert "run this again" in said
    with VirtualBoard(chip) as board:
        assert "the robot answers" in flash(board.pty, "--robot", other_robot(tmp_path))


def test_by_ampy(board: VirtualBoard) -> None:
    """A file that is missing comes back."""
    mpremote(board.pty, "exec", "import os\nos.remove('/main.py')")
    assert "write /main.py" in flash(board.pty, "--via", "ampy")


def test_wrong_images_and_no_image(tmp_path: Path) -> None:
    """Refused before the port is opened, and a blank board without an image is told what it needs."""
    (tmp_path / "wrong.bin").write_bytes(b"PK" + bytes(1000))
    said = flash("/dev/none", "--firmware", str(tmp_path / "wrong.bin"), code=1)
    assert "wrong.bin is no image for an ESP32" in said
    assert "there is no such port" in flash("/dev/none", code=1)
    assert "has no [wifi]" in flash("/dev/none", "--pairing-key", "0123456789abcdef", code=2)
