"""From whatever a board holds to a robot that answers: each step looks first, so it can be done again.

Nothing is remembered between two runs but what lies on the board. A run that is interrupted anywhere leaves a
board that the next run sees as it is, and completes.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Protocol

from llmos.flashing.errors import BoardLost, FlashError, NoAnswer, WrongChip
from llmos.flashing.fetch import fetch
from llmos.flashing.files import SECRETS, wanted_files
from llmos.flashing.image import Image, check_fits, load_image
from llmos.flashing.install import carry_out, survey
from llmos.flashing.plan import Action, check_room, plan, sha256
from llmos.flashing.ports import choose, find_again, find_ports
from llmos.flashing.probe import Board, Reached, from_repl
from llmos.flashing.repl import Repl, Via, open_repl
from llmos.flashing.rom import CHIP, wrong_chip
from llmos.link import HashMismatch, Hello, LinkError, Robot, Telemetry, WallClock, open_port
from llmos.manifest import Manifest, manifest_hash
from llmos.micropython import OLDEST

_FIRST_BOOT_S = 60.0  # within which a new MicroPython has made its file system
_BOOT_S = 15.0
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Job:
    """What is asked of a flash."""

    manifest: Manifest
    port: str | None = None  # None: the one that there is
    firmware: Path | None = None  # MicroPython's image
    fetch: bool = False
    via: Via = "mpremote"
    secrets: Mapping[str, str] = field(default_factory=dict)
    erase: bool = False
    overwrite: bool = False
    dry_run: bool = False


class Tell(Protocol):
    """Who hears how a flash goes on."""

    def board(self, board: Board) -> None:
        """What was found."""

    def stage(self, text: str, total: int) -> None:
        """A stage begins, of so many bytes."""

    def step(self, text: str) -> None:
        """A step of it begins."""

    def progress(self, count: int) -> None:
        """So many bytes more are done."""


@dataclass
class Outcome:
    """What a flash has done, or in a dry run would do."""

    board: Board
    wrote_micropython: str = ""  # its version
    actions: list[Action] = field(default_factory=list)
    hello: Hello | None = None  # of the robot that answers; None in a dry run
    telemetry: Telemetry | None = None

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.wrote_micropython or self.actions)


def flash(job: Job, tell: Tell) -> Outcome:
    """Bring a board to what the job asks for, and shake hands with the robot.

    Raises:
        FlashError: as its subclasses say.
        LinkError: the port cannot be opened, or the robot does not answer in the end.
    """
    image = _image(job)
    port = job.port or choose(find_ports()).path
    with Reached(port) as reached:
        tell.board(reached.board)
        if reached.board.chip != CHIP:
            raise WrongChip(wrong_chip(reached.board.chip))
        outcome = Outcome(reached.board)
        if job.erase or not reached.board.recent:
            data, stored, name = image or _missing(job, reached.board)
            check_fits(data, stored, reached.board.flash_bytes or 0, name)
            outcome.wrote_micropython = stored.version
            if job.dry_run:
                return outcome
            _write_micropython(job, reached, data, stored, tell)
            outcome.board = reached.board
        _update(job, reached, outcome, tell)
    if not job.dry_run:
        _shake_hands(job, outcome, tell)
    return outcome


def _image(job: Job) -> tuple[bytes, Image, str] | None:
    """The image, checked before anything is touched."""
    path = fetch() if job.fetch and job.firmware is None else job.firmware
    return None if path is None else (*load_image(path), str(path))


def _missing(job: Job, board: Board) -> NoReturn:
    oldest = ".".join(map(str, OLDEST))
    why = "the flash is to be erased" if job.erase else f"{board.runs} is on it"
    raise FlashError(
        f"port {board.port}: {why}, and the firmware needs MicroPython {oldest} or newer; give it with "
        "--firmware FILE (ESP32_GENERIC_S3 from micropython.org), or --fetch"
    )


def _write_micropython(job: Job, reached: Reached, data: bytes, image: Image, tell: Tell) -> None:
    """Write MicroPython, start it, and reach the board by its REPL."""
    rom = reached.bootloader(reached.board.port)
    chip = rom.identify()
    if chip.name != CHIP:
        raise WrongChip(wrong_chip(chip.name))
    check_fits(data, image, chip.flash_bytes, "the image")
    tell.stage(f"MicroPython {image.version}", len(data))
    tell.step(f"write MicroPython {image.version} ({len(data)} bytes)")
    done = 0

    def progress(part: int, whole: int) -> None:
        nonlocal done
        now = len(data) * part // max(whole, 1)
        tell.progress(now - done)
        done = now

    rom.write(data, job.erase, progress)
    reached.close()
    tell.step("start MicroPython")
    end = time.monotonic() + _FIRST_BOOT_S
    while True:
        port = find_again(reached.board.port, chip.mac)  # the chip's own USB has gone and comes back
        try:
            reached.repl = open_repl(port)
            reached.board = from_repl(reached.repl, port)
            return
        except (NoAnswer, BoardLost, LinkError):
            reached.close()
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_S)


def _update(job: Job, reached: Reached, outcome: Outcome, tell: Tell) -> None:
    """Bring the files up to date, and restart the robot where any was not."""
    repl, board = reached.repl, reached.board
    if repl is None:
        raise NoAnswer(
            f"port {board.port}: MicroPython does not answer; press RESET on the board, then run this again"
        )
    known = board.inventory or {}
    wanted = wanted_files(board, job.manifest, job.secrets)
    held = survey(repl, {*wanted, *known, SECRETS})
    keep = frozenset({SECRETS}) if job.manifest.wifi and not job.secrets else frozenset[str]()
    outcome.actions = plan(wanted, held, known, keep=keep, overwrite=job.overwrite)
    check_room(outcome.actions, held, board)
    if job.dry_run or not outcome.actions:
        return
    if job.via == "ampy":
        reached.close()
        repl = reached.repl = open_repl(board.port, "ampy")
    tell.stage("files", sum(len(action.data) for action in outcome.actions))
    carry_out(repl, outcome.actions, lambda action: tell.step(str(action)), tell.progress)
    _verify(repl, wanted, board)
    tell.step("restart the robot")
    repl.reset()
    reached.repl = None


def _verify(repl: Repl, wanted: Mapping[str, bytes], board: Board) -> None:
    """Compare all files once more, as they lie there in the end."""
    held = survey(repl, wanted)
    wrong = [path for path, data in wanted.items() if path not in held or held[path].sha256 != sha256(data)]
    if wrong:
        raise BoardLost(
            f"port {board.port}: {', '.join(wrong)} is not what was written; the flash chip may be worn: run "
            "this again, with --erase if it says so again"
        )


def _shake_hands(job: Job, outcome: Outcome, tell: Tell) -> None:
    """Open a session with the robot, which takes some seconds to start."""
    board = outcome.board
    code = manifest_hash(job.manifest.limits)
    tell.step("shake hands")
    end = time.monotonic() + _BOOT_S
    while outcome.hello is None:
        try:
            line = open_port(find_again(board.port, board.mac))
            with Robot(line, WallClock(line), code) as robot:
                hello = robot.connect()
                outcome.hello, outcome.telemetry = hello, robot.telemetry
        except HashMismatch:
            raise
        except LinkError:  # it is still starting
            if time.monotonic() >= end:
                raise
            time.sleep(_PAUSE_S)
