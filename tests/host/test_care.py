"""The wizard: each thing that can be wrong with a robot is found, and told with its remedy."""

import json
import os
import pty
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbytecode._isa import MAJOR, MINOR, SPEC_HASH
from llmos import care
from llmos.care import Examination, examine_body, examine_robot
from llmos.cli.doctor import doctor
from llmos.connection import in_session
from llmos.doctor import Check
from llmos.errors import LlmosError
from llmos.flashing.ports import VENDORS
from llmos.flashing.probe import Board
from llmos.link import Hello
from llmos.manifest import load_manifest, manifest_hash
from llmos.report import Order

CUBE = load_manifest("cube")
LLMOS = [sys.executable, "-m", "llmos"]
CUBES = manifest_hash(CUBE.limits)


def failed(checks: list[Check]) -> dict[str, Check]:
    """Return the checks that failed, by name; each has a remedy, and the others have none."""
    assert [check for check in checks if bool(check.remedy) == check.ok] == []
    return {check.name: check for check in checks if not check.ok}


def examine(*faults: str, arena: str = "simple", **permitted: bool) -> list[Check]:
    """Examine the body of a virtual robot with these faults, on its own clock."""
    with in_session(Order("", arena=arena, faults=faults), CUBE, Path(os.devnull)) as robot:
        return list(examine_body(robot, CUBE, Examination("P", "cube", **permitted)))


@contextmanager
def started(*words: str) -> Iterator[str]:
    """A virtual chip at the wall's pace; gives its pty."""
    command = [*LLMOS, "board", "--json", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline())["pty"]
        finally:
            process.terminate()


@contextmanager
def saying(text: bytes) -> Iterator[str]:
    """A port whose board says the same again and again."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    silent = threading.Event()

    def talk() -> None:
        while not silent.wait(0.02):
            with suppress(BlockingIOError):
                os.write(master, text)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield os.ttyname(slave)
    finally:
        silent.set()
        talker.join()
        os.close(master)
        os.close(slave)


# The body, on the robot's own clock.


def test_a_sound_robot_is_fit_to_drive(micropython64: Path) -> None:
    """Also after it has turned; without --move that is told as not tried, and does not count."""
    checks = examine(arena="office", move=True)
    assert failed(checks) == {}
    assert [check.name for check in checks] == ["cable", "battery", "sensors", "e-stop", "turn", "motors"]


@pytest.mark.parametrize(
    ("faults", "name", "found", "remedy"),
    [
        (["flip=0.002"], "cable", "damaged frames", "shorter cable"),
        (["drop/host=0.1"], "cable", "200 questions", "shorter cable"),
        (["battery=4300"], "battery", "4.30 V; no block starts below 4.40 V", "charge it"),
        (["blind=left@0", "blind=rear@0"], "sensors", "no reading from left, rear", "range.pins"),
        (["stuck=left@0"], "sensors", "left never changed in a whole turn", "see its plug"),
        (["stall=left@0"], "motors", "told 360°, it has turned about 18", "both wheels turn"),
        (["wheel=54"], "motors", "told 360°, it has turned about 32", "llmos calibrate"),
        (["stall=left@0", "stall=right@0"], "motors", "nothing that the robot sees has changed", "supply"),
    ],
)
def test_one_finding_one_remedy(
    faults: list[str], name: str, found: str, remedy: str, micropython64: Path
) -> None:
    """The fault is found, and nothing else; what can be seen only in a turn wants one."""
    wrong = failed(examine(*faults, move=name == "motors" or "stuck=left@0" in faults))
    wrong.pop("turn", None)
    assert list(wrong) == [name]
    assert found in wrong[name].found
    assert remedy in wrong[name].remedy


def test_a_latched_robot_is_not_moved_unless_that_is_wanted(micropython64: Path) -> None:
    """It is told to be latched; with --clear it is released first."""
    with in_session(Order(""), CUBE, Path(os.devnull)) as robot:
        robot.estop()
        before = robot.telemetry
        checks = list(examine_body(robot, CUBE, Examination("P", "cube", move=True)))
        assert list(failed(checks)) == ["e-stop"]
        assert checks[-1].name == "e-stop"
        assert robot.telemetry.heading_mrad == before.heading_mrad
        checks = list(examine_body(robot, CUBE, Examination("P", "cube", clear=True)))
        assert list(failed(checks)) == ["turn"]


def test_where_nothing_is_in_sight_nothing_is_claimed(tmp_path: Path, micropython64: Path) -> None:
    """The same greatest reading in all directions is neither a dead sensor nor a dead motor."""
    arena = tmp_path / "hall.toml"
    arena.write_text('name = "hall"\nsize_m = [9.0, 9.0]\nstart = { x = 0.0, y = 0.0, heading_deg = 0.0 }\n')
    check = examine(arena=str(arena), move=True)[-1]
    assert (check.ok, check.required) == (False, False)
    assert "put the robot within a metre of a wall" in check.remedy


# What runs on it.


@pytest.mark.parametrize(
    ("hello", "found", "remedy"),
    [
        ((SPEC_HASH ^ 1, CUBES, MAJOR, MINOR), "it speaks LLMBytecode", "llmos flash --port P --robot cube"),
        ((SPEC_HASH ^ 1, CUBES, MAJOR - 1, 9), f"LLMBytecode {MAJOR - 1}.9, this host", "llmos flash"),
        ((SPEC_HASH ^ 1, CUBES, MAJOR, MINOR + 1), "it speaks", "update LLMos on this host"),
        ((SPEC_HASH, 7, MAJOR, MINOR), "the robot's 0x00000007 is not cube's", "llmos flash"),
        ((SPEC_HASH, CUBES, MAJOR, MINOR), "the robot's is cube", "--robot cube"),
    ],
)
def test_versions_and_manifests(hello: tuple[int, ...], found: str, remedy: str) -> None:
    """Whoever is older is updated; a manifest that is known here is named."""
    spec, manifest, major, minor = hello
    check = care._other(Hello(0, spec, manifest, major, minor, 0, 0), Examination("P", "cube"))
    assert found in check.found
    assert remedy in check.remedy


def test_a_robot_with_its_own_manifest_is_known_again(state_folder: Path, micropython64: Path) -> None:
    """The one that `llmos calibrate` has written is named."""
    own = state_folder / "robots" / "cube.toml"
    own.parent.mkdir(parents=True)
    text = (care.system_volume() / "robots" / "cube.toml").read_text()
    own.write_text(text.replace("wheel_base_m = 0.100", "wheel_base_m = 0.104"))
    mine = load_manifest(str(own))
    with in_session(Order("", robot=str(own)), mine, Path(os.devnull)) as robot:
        robot._manifest_hash = CUBES
        check = care._answers(robot, Examination("P", "cube"))
    assert check.name == "manifest"
    assert f"the robot's is {own}, not cube" in check.found
    assert f"--robot {own}" in check.remedy


S3 = Board("P", chip="ESP32-S3", micropython="1.25.0", spec_hash=SPEC_HASH)


@pytest.mark.parametrize(
    ("board", "found", "remedy"),
    [
        (replace(S3, chip="ESP32C3"), "it is an ESP32C3", "take a board with an ESP32-S3"),
        (replace(S3, micropython=None, stored="arduino-lib-builder 1"), "no MicroPython", "llmos flash"),
        (replace(S3, micropython="1.19.1"), "MicroPython 1.19.1 is too old", "--firmware FILE"),
        (replace(S3, spec_hash=None), "MicroPython 1.25.0 without LLMos", "llmos flash"),
        (replace(S3, spec_hash=7), "LLMos with SPEC 0x00000007", "llmos flash"),
        (S3, "LLMos was not running: the board was at its REPL", "try again"),
    ],
)
def test_what_answers_in_place_of_the_firmware(board: Board, found: str, remedy: str) -> None:
    """As its REPL or its bootloader tells."""
    check = care._described(board, "`llmos flash`")
    assert found in check.found
    assert remedy in check.remedy


def test_micropython_without_llmos(tmp_path: Path, micropython64: Path) -> None:
    """A board on which MicroPython alone is flashed."""
    image, flash = tmp_path / "v.bin", tmp_path / "flash.bin"
    subprocess.run([*LLMOS, "board", "--image", str(image)], check=True)
    data = image.read_bytes()
    flash.write_bytes(data + b"\xff" * (8 * 2**20 - len(data)))
    with started("--flash", str(flash)) as port:
        (check,) = failed(list(examine_robot(Examination(port, "cube")))).values()
    assert "without LLMos" in check.found
    assert check.remedy == f"`llmos flash --port {port} --robot cube`"


BANNER = b"ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\n"


@pytest.mark.parametrize(
    ("said", "found", "remedy"),
    [
        (b"ESP-ROM:esp32c3-api1-20210207\r\n", "it is an ESP32C3", "take a board with an ESP32-S3"),
        (
            BANNER + b"rst:0x1 (POWERON),boot:0x0 (DOWNLOAD)\r\nwaiting for download\r\n",
            "bootloader",
            "reset",
        ),
        (
            BANNER + b"Guru Meditation Error: Core 1 panic'ed (LoadProhibited)\r\n",
            "LoadProhibited",
            "--erase",
        ),
        (
            BANNER + b"rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x8\r\n",
            "again and again: RTCWDT_BROWN",
            "supply",
        ),
        (BANNER + b"invalid header: 0x464c457f\r\n", "no program for this chip", "llmos flash"),
        (BANNER + b"invalid header: 0xffffffff\r\n" * 8, "it is blank", "llmos flash"),
    ],
)
def test_what_the_chip_says_itself(
    said: bytes, found: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ROM's banner tells the chip, and that it starts again and again; messages are Espressif's."""
    monkeypatch.setattr(care, "STORY_S", 0.2)
    with saying(said) as port:
        checks = list(examine_robot(Examination(port, "cube")))
    assert found in checks[-1].found
    assert remedy in checks[-1].remedy
    assert len(failed(checks)) == 1


# The port.


def test_no_port_and_no_serial_port(tmp_path: Path) -> None:
    """A name that is not there, and a file."""
    (check,) = examine_robot(Examination(str(tmp_path / "ttyACM0"), "cube"))
    assert "there is no" in check.found
    (tmp_path / "file").touch()
    (check,) = examine_robot(Examination(str(tmp_path / "file"), "cube"))
    assert "is no serial port" in check.found


def test_a_port_that_is_in_use_names_who_uses_it() -> None:
    """By its process's number; here another LLMos that has it open."""
    with saying(b"") as port:
        program = (
            f"from llmos.link import open_port; p = open_port({port!r}); print('open', flush=True); input()"
        )
        command = [sys.executable, "-c", program]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout
            assert other.stdout.readline() == "open\n"
            *_, check = examine_robot(Examination(port, "cube"))
            assert check.name == "port free"
            assert f"({other.pid})" in check.found
            assert "end the other program" in check.remedy
            other.communicate("\n")


def test_a_port_without_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    """The group and the udev rule are named."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with saying(b"") as port:
        *_, check = examine_robot(Examination(port, "cube"))
    assert check.name == "permission"
    assert "--write-udev" in check.remedy
    assert "dialout" in check.remedy


def test_the_udev_rule_names_every_vendor(tmp_path: Path) -> None:
    """One line each; a folder that may not be written is told."""
    care.write_udev(tmp_path / "60-llmos.rules")
    text = (tmp_path / "60-llmos.rules").read_text()
    assert all(f'ATTRS{{idVendor}}=="{vendor:04x}"' in text for vendor in VENDORS)
    with pytest.raises(LlmosError, match="cannot be written"):
        care.write_udev(tmp_path / "no" / "60-llmos.rules")


def test_the_command_exits_1_and_tells_the_same_as_json(tmp_path: Path) -> None:
    """As for the machine: `ok` and `checks`."""
    missing = str(tmp_path / "ttyUSB7")
    told = CliRunner().invoke(doctor, ["--port", missing, "--json"])
    report = json.loads(told.stdout)
    assert (told.exit_code, report["ok"]) == (1, False)
    assert set(report["checks"][0]) == {"name", "ok", "required", "found", "remedy"}
    shown = CliRunner().invoke(doctor, ["--port", missing])
    assert shown.exit_code == 1
    assert f"FAIL  port            there is no {missing}\n" in shown.stdout
    assert f"-> {report['checks'][0]['remedy']}" in shown.stdout
