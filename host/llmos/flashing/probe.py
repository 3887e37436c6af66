"""What a board is and what runs on it, asked through its REPL, else through its chip's bootloader."""

from dataclasses import dataclass
from typing import Any

from llmos.flashing.errors import NoAnswer
from llmos.flashing.image import version_of
from llmos.flashing.ports import is_pty
from llmos.flashing.repl import ENTER_S, Repl, answer, open_repl
from llmos.flashing.rom import CHIP, Rom
from llmos.micropython import OLDEST

# sys.implementation._mpy names the machine code that a MicroPython loads, by number (py/persistentcode.h).
ARCHES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip

INVENTORY = "/llmvm/inventory.json"  # what `llmos flash` has written, by name

# Prints what the board says of itself as JSON. Each question may be one that a port cannot answer.
_QUESTIONS = f"""
import sys, os, json
def ask(f):
    try: return f()
    except Exception: return None
def load(p):
    with open(p) as f: return json.load(f)
def efuse():
    if "virtual" in os.uname().machine: return None
    from machine import mem32
    w3, w5 = mem32[0x60007050], mem32[0x60007058]
    return ((w5 >> 24) & 3) * 100 + ((w5 >> 20) & 8) + ((w3 >> 18) & 7)
print(json.dumps(dict(
    platform=sys.platform, version=list(sys.implementation[1][:3]), mpy=ask(lambda: sys.implementation._mpy),
    machine=ask(lambda: os.uname().machine), revision=ask(efuse),
    mac=ask(lambda: __import__("machine").unique_id().hex()),
    flash=ask(lambda: __import__("esp").flash_size()),
    room=list(ask(lambda: os.statvfs("/")) or ()), robot=ask(lambda: load("/robot.json")["name"]),
    inventory=ask(lambda: load("{INVENTORY}")), main=ask(lambda: os.stat("/main.py")[6]),
    spec=ask(lambda: __import__("llmvm._isa", None, None, ("SPEC_HASH",)).SPEC_HASH),
)))
"""


@dataclass(frozen=True)
class Board:
    """What is known of a board; None, or empty, where nobody could be asked."""

    port: str
    chip: str = ""
    revision: str = ""
    flash_bytes: int | None = None
    mac: str = ""
    micropython: str | None = None  # "1.25.0"; None: there is none, or it does not answer
    stored: str = ""  # what the flash holds, where that does not answer
    mpy: int = 0  # sys.implementation._mpy
    spec_hash: int | None = None  # of the LLMos on it
    robot: str = ""  # the name in its robot.json
    free_bytes: int = 0
    block_bytes: int = 4096  # of its file system
    inventory: dict[str, list[str]] | None = None  # what `llmos flash` has written: path -> its hashes
    virtual: bool = False

    @property
    def arch(self) -> str:
        """The machine code that its MicroPython loads, by mpy-cross's name; "" for none."""
        number = self.mpy >> 10 & 0xF
        return ARCHES[number] if number < len(ARCHES) else ""

    @property
    def recent(self) -> bool:
        """Whether it runs a MicroPython that the firmware runs on."""
        return self.micropython is not None and (version_of(self.micropython) or (0, 0)) >= OLDEST

    @property
    def runs(self) -> str:
        """What runs on it, in words."""
        if self.micropython is None:
            return f"{self.stored}, which does not answer," if self.stored else "nothing"
        if self.spec_hash is None:
            return f"MicroPython {self.micropython}"
        return f"LLMos with SPEC 0x{self.spec_hash:08x} on MicroPython {self.micropython}"


def probe(port: str, wait_s: float = ENTER_S) -> Board:
    """Say what the board at a port is; what runs on it is interrupted, and started again.

    Raises:
        LinkError: the port is missing, not permitted or no port.
        PortBusy: another program has it open.
        NoAnswer: neither a REPL nor a bootloader answers; `said` is what the port said.
    """
    with Reached(port, wait_s) as reached:
        return reached.board


class Reached:
    """A board that is reached by its REPL, or, where that does not answer, by its chip's bootloader."""

    def __init__(self, port: str, wait_s: float = ENTER_S) -> None:
        """Interrupt what runs on the board, and ask what it is.

        Raises:
            LinkError: the port is missing, not permitted or no port.
            PortBusy: another program has it open.
            NoAnswer: neither a REPL nor a bootloader answers; `said` is what the port said.
        """
        self.repl: Repl | None = None
        self.rom: Rom | None = None
        try:
            self.repl = open_repl(port, wait_s=wait_s)
        except NoAnswer:
            if is_pty(port):
                raise
        try:
            self.board = from_repl(self.repl, port) if self.repl else from_chip(self.bootloader(port), port)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Reached":
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let what is on the board run."""
        if self.repl is not None:
            self.repl.close()
        if self.rom is not None:
            self.rom.close()
        self.repl = self.rom = None

    def bootloader(self, port: str) -> Rom:
        """The bootloader; the REPL is gone then."""
        if self.rom is None:
            self.close()
            self.rom = Rom(port)
        return self.rom


def from_repl(repl: Repl, port: str) -> Board:
    """Ask a board's REPL what the board is."""
    said: dict[str, Any] = answer(repl, _QUESTIONS)
    machine = said["machine"] or ""
    room = said["room"]
    return Board(
        port=port,
        chip=_chip(machine, said["platform"]),
        revision="" if said["revision"] is None else "v{}.{}".format(*divmod(said["revision"], 100)),
        flash_bytes=said["flash"],
        mac=_mac(said["mac"]),
        micropython=".".join(map(str, said["version"])),
        mpy=said["mpy"] or 0,
        spec_hash=None if said["main"] is None or said["spec"] is None else said["spec"] & 0xFFFFFFFF,
        robot=said["robot"] or "",
        free_bytes=room[1] * room[3] if room else 0,
        block_bytes=room[1] if room else 4096,
        inventory=_inventory(said["inventory"]),
        virtual="virtual" in machine,
    )


def from_chip(rom: Rom, port: str) -> Board:
    """Ask a chip's bootloader what the board is.

    Raises:
        NoAnswer: it has stopped answering.
    """
    chip = rom.identify()
    image = chip.image
    stored = f"{image.project or 'a program'} {image.version}".strip() if image else ""
    return Board(port, chip.name, chip.revision, chip.flash_bytes, chip.mac, stored=stored)


def _chip(machine: str, platform: str) -> str:
    """The chip's name as the bootloader has it, from MicroPython's "… with ESP32S3"."""
    if "ESP32S3" in machine:
        return CHIP
    return machine.rpartition(" with ")[2] or platform


def _inventory(said: object) -> dict[str, list[str]] | None:
    """The inventory's files; None where it is none, and nothing on the board is known as ours."""
    files = said.get("files") if isinstance(said, dict) else None
    if not isinstance(files, dict) or not all(isinstance(hashes, list) for hashes in files.values()):
        return None
    return files


def _mac(digits: str | None) -> str:
    if not digits or len(digits) != 12:
        return ""
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
