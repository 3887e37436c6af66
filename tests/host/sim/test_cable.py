"""A real port's bytes pass through a bad cable at the host's end."""

from collections.abc import Callable

import pytest

from llmos.link import Port, open_port
from llmos.sim.cable import Cable
from llmos.sim.faults import FaultError, line_faults

DATA = bytes(range(1, 201))


class Clock:
    """A wall clock that stands until it is set."""

    ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    """One for each test."""
    return Clock()


Opens = Callable[..., Port]


@pytest.fixture
def opens(clock: Clock) -> Opens:
    """Opens a line that gives back what it gets, through a cable with faults."""

    def make(*faults: str) -> Port:
        parsed = line_faults(faults)
        return open_port("loop://", through=lambda line: Cable(line, parsed, 1, clock))

    return make


def echo(port: Port, clock: Clock) -> bytes:
    """Send DATA there and back."""
    port.write(DATA)
    got = b""
    for _ in range(20):
        clock.ms += 1
        got += port.read()
    return got


def test_a_good_cable_takes_its_time_and_nothing_else(opens: Opens, clock: Clock) -> None:
    port = opens("flip=0")
    port.write(DATA)
    assert port.read() == b""
    assert not port.await_bytes(0)
    clock.ms += 20
    port.read()  # now they are at the other end, and on their way back
    clock.ms += 20
    assert port.await_bytes(0)
    assert port.read() == DATA
    port.close()


@pytest.mark.parametrize("fault", ["drop=1", "lose=1", "cut@0", "flip=0.1", "double=0.1", "swap=0.1"])
@pytest.mark.parametrize("end", ["", "/robot", "/host"])
def test_each_fault_of_the_line_harms_each_direction(
    opens: Opens, clock: Clock, fault: str, end: str
) -> None:
    name = fault.replace("@", "=").partition("=")[0]
    port = opens(name + end + fault[len(name) :])
    assert echo(port, clock) != DATA
    port.close()


def test_a_cable_that_comes_back(opens: Opens, clock: Clock) -> None:
    port = opens("cut@0+100")
    assert echo(port, clock) == b""
    clock.ms += 100
    assert echo(port, clock) == DATA
    port.close()


@pytest.mark.parametrize("fault", ["slip=0.1", "brownout@5", "blind=front@5", "battery=4000"])
def test_a_real_robot_cannot_be_made_to_slip(fault: str) -> None:
    with pytest.raises(FaultError, match="a real robot cannot have it; its line can have cut, delay"):
        line_faults(["flip=0.1", fault])
