"""What a board is, asked of its REPL or of its chip."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.host.flashing.boards import VirtualBoard

from llmos.flashing.errors import NoAnswer
from llmos.flashing.probe import Board, probe
from llmos.flashing.repl import open_repl
from llmos.flashing.rom import Rom


def test_a_blank_board(tmp_path: Path, micropython64: Path) -> None:
    """Its chip answers over a port with control lines, also twice; without, what it prints is kept."""
    with VirtualBoard(tmp_path / "flash.bin") as board:
        found = probe(board.rfc2217)
        assert (found.chip, found.revision, found.flash_bytes) == ("ESP32-S3", "v0.2", 8 << 20)
        assert (found.micropython, found.runs) == (None, "nothing")
        with closing(Rom(board.rfc2217)) as rom:
            assert rom.identify().mac == found.mac
        with pytest.raises(NoAnswer, match="write MicroPython") as caught:
            open_repl(board.pty)
        assert b"invalid header: 0xffffffff" in caught.value.said


def test_what_runs_in_words() -> None:
    """Nothing, something silent, MicroPython, LLMos."""
    assert Board("p").runs == "nothing"
    assert Board("p", stored="micropython v1.25.0").runs == "micropython v1.25.0, which does not answer,"
    assert Board("p", micropython="1.19.1").runs == "MicroPython 1.19.1"
    assert not Board("p", micropython="1.19.1").recent
    robot = Board("p", micropython="1.25.0", spec_hash=0x1234)
    assert robot.runs == "LLMos with SPEC 0x00001234 on MicroPython 1.25.0"
