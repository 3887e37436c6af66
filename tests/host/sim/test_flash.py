"""A virtual flash is a NOR chip: writing clears bits, erasing sets whole sectors, and nothing is lost."""

import os
import re
import signal
import subprocess
import sys
from hashlib import md5
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.sim.flash import SECTOR, SIZE, Flash, FlashFileError

SMALL = 4 * SECTOR
_number = count()

writes = st.tuples(st.integers(0, SMALL - 1), st.binary(max_size=300))
erasures = st.tuples(st.integers(0, 3), st.integers(0, 4))


@given(st.lists(writes | erasures, max_size=20))
def test_nor_laws(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, bytes | int]]) -> None:
    """After any writes and erasures it holds what a list of cells does; what lies outside changes nothing."""
    flash = Flash(tmp_path_factory.getbasetemp() / f"nor{next(_number)}", SMALL)
    cells = bytearray(b"\xff" * SMALL)
    for start, what in steps:
        try:
            if isinstance(what, bytes):
                flash.write(start, what)
                for at, byte in enumerate(what, start):
                    cells[at] &= byte
            else:
                flash.erase(start * SECTOR, what * SECTOR)
                cells[start * SECTOR : (start + what) * SECTOR] = b"\xff" * (what * SECTOR)
        except FlashFileError:
            assert start + len(what) > SMALL if isinstance(what, bytes) else start + what > 4
    assert flash.read(0, SMALL) == cells
    assert flash.md5(100, 5000) == md5(cells[100:5100]).digest()
    flash.close()
    flash.path.unlink()


def test_a_new_one_is_blank(tmp_path: Path) -> None:
    """A file that is not there is created, with every bit set."""
    flash = Flash(tmp_path / "flash.bin")
    flash.close()
    assert (tmp_path / "flash.bin").read_bytes() == b"\xff" * SIZE
    assert os.listdir(tmp_path) == ["flash.bin"]


def test_it_survives_a_kill(tmp_path: Path) -> None:
    """What was written is there after the process was killed, and the file can be used again."""
    path = tmp_path / "flash.bin"
    code = f"""
import os, pathlib
from llmos.sim.flash import Flash
flash = Flash(pathlib.Path({str(path)!r}))
flash.write(5, b"kept")
os.kill(os.getpid(), {int(signal.SIGKILL)})
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    flash = Flash(path)
    assert flash.read(4, 6) == b"\xffkept\xff"
    flash.close()


def refused(what: str, path: Path, size: int = SIZE) -> None:
    with pytest.raises(FlashFileError, match=re.escape(what)):
        Flash(path, size)


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    """Another size, a folder, a path that leads nowhere: one sentence each, and the file stays as it is."""
    short = tmp_path / "short.bin"
    short.write_bytes(bytes(1000))
    refused(f"flash {short} has 1000 bytes, not the 8388608 of this board's flash", short)
    assert short.read_bytes() == bytes(1000)
    refused(f"flash {tmp_path}: Is a directory", tmp_path)
    refused(f"flash {tmp_path / 'no' / 'flash'}: No such file or directory", tmp_path / "no" / "flash")


def test_one_board_for_a_file(tmp_path: Path) -> None:
    """A file is one board's until that closes it."""
    flash = Flash(tmp_path / "flash.bin", SMALL)
    refused("belongs to another running board", flash.path, SMALL)
    flash.close()
    Flash(flash.path, SMALL).close()


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (SMALL, 1), (SMALL - 1, 2), (1 << 40, 0), (0, -1)])
def test_outside(tmp_path: Path, offset: int, size: int) -> None:
    """Reading outside of the flash is refused."""
    flash = Flash(tmp_path / "flash.bin", SMALL)
    with pytest.raises(FlashFileError, match="do not lie within"):
        flash.read(offset, size)
    with pytest.raises(FlashFileError, match="not whole sectors"):
        flash.erase(SECTOR, 100)
    flash.close()
