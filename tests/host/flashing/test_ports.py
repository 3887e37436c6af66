"""Which ports there are, who holds them, and how one is found again."""

import os
import pty
import subprocess
import sys
import tty

import pytest

from llmos.flashing import ports
from llmos.flashing.errors import BoardLost, NoPort, SeveralPorts
from llmos.flashing.ports import ESPRESSIF, PortInfo, bare, choose, find_again, holders, is_pty

ONE = PortInfo("/dev/ttyACM0", ESPRESSIF, 0x1001, "9A:00:D3:CA:0D:C6", "USB JTAG/serial debug unit")
TWO = PortInfo("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001", "CP2102N")


def test_the_only_one_is_taken() -> None:
    """None and several are refused; several are listed."""
    assert choose([ONE]) == ONE
    with pytest.raises(NoPort, match="--port"):
        choose([])
    with pytest.raises(SeveralPorts, match=r"ttyACM0 .*ttyUSB0 .*--port"):
        choose([ONE, TWO])


def test_who_has_a_port_open() -> None:
    """Another process, by name and number; not ourselves."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    assert is_pty(path)
    assert holders(path) == []
    program = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout
        other.stdout.readline()
        (found,) = holders(path)
        assert found.endswith(f" ({other.pid})")
        other.communicate()
    os.close(master)
    os.close(slave)


def test_a_port_that_comes_back_by_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its MAC, as the ROM or as MicroPython writes it; a pty or an address stays; what is gone is told."""
    there: list[PortInfo] = []
    monkeypatch.setattr(ports, "find_ports", lambda: there)
    with pytest.raises(BoardLost, match="plug it in again"):
        find_again("/dev/ttyNONE0", "9a:00:d3:ca:0d:c6", seconds=0)
    there.append(ONE._replace(path="/dev/ttyACM7", serial="9a00d3ca0dc6"))
    assert find_again("/dev/ttyNONE0", "9a:00:d3:ca:0d:c6", seconds=0) == "/dev/ttyACM7"
    assert find_again("rfc2217://x:1", "9a:00:d3:ca:0d:c6", seconds=0) == "rfc2217://x:1"


def test_a_name_that_another_board_has_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port of the same name is not taken where it is known to be somebody else's."""
    monkeypatch.setattr(ports, "find_ports", lambda: [ONE._replace(path="/dev/null")])
    with pytest.raises(BoardLost):
        find_again("/dev/null", "11:22:33:44:55:66", seconds=0)
    assert find_again("/dev/null", "", seconds=0) == "/dev/null"
    assert bare("9a:00:d3") == "9A00D3"
