"""DTR and RTS do to the virtual board what they do to a development kit."""

import pytest

from llmos.sim.reset import EN_RISE_S, ResetCircuit

Step = tuple[float, bool, bool]  # s, DTR, RTS

ON, OFF = True, False
OPENED = [(0.0, ON, OFF), (0.05, ON, ON)]  # as pyserial does
CLASSIC = [(0.0, OFF, ON), (0.2, ON, ON), (0.3, ON, OFF), (0.45, OFF, OFF)]
TIGHT = [(0.0, ON, ON), (0.0, OFF, ON), (0.1, ON, OFF), (0.15, OFF, OFF)]
HARD = [(0.0, OFF, ON), (0.1, OFF, OFF)]


def events(steps: list[Step], end_s: float = 2.0) -> list[str]:
    """What the chip does, asked every 10 ms."""
    circuit, found, waiting = ResetCircuit(), [], list(steps)
    for centisecond in range(int(end_s * 100)):
        now_s = centisecond / 100
        while waiting and waiting[0][0] <= now_s:
            circuit.lines(*waiting.pop(0))
        while event := circuit.due(now_s):
            found.append(event)
    return found


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(OPENED, [], id="opening a port"),
        pytest.param([*OPENED, (0.1, OFF, OFF)], [], id="opening and closing"),
        pytest.param(CLASSIC, ["hold", "download"], id="esptool's classic reset"),
        pytest.param(
            [*OPENED, *((at + 1, d, r) for at, d, r in CLASSIC)], ["hold", "download"], id="opened before"
        ),
        pytest.param(TIGHT, ["hold", "download"], id="both lines at once"),
        pytest.param(HARD, ["hold", "run"], id="hard reset"),
        pytest.param([(0.0, OFF, ON)], ["hold"], id="held"),
        pytest.param(
            [(0.0, OFF, ON), (0.1, ON, ON), (0.9, ON, OFF)], ["hold", "run"], id="GPIO0 low too late"
        ),
        pytest.param(
            [*HARD, (0.2, OFF, ON), (0.3, OFF, OFF)], ["hold", "hold", "run"], id="reset while it starts"
        ),
    ],
)
def test_sequences(steps: list[Step], expected: list[str]) -> None:
    """Each known sequence leads to its mode, once."""
    assert events(steps) == expected


def test_late_news() -> None:
    """Changes that are told late, but with their times, count as if told in time."""
    circuit = ResetCircuit()
    for step in CLASSIC:
        circuit.lines(*step)
    for at_s, dtr, rts in HARD:
        circuit.lines(at_s + 5, dtr, rts)
    assert [circuit.due(5.2) for _ in range(4)] == ["hold", "download", "hold", None]
    assert circuit.due_s == pytest.approx(5.1 + EN_RISE_S)
    assert [circuit.due(9.0) for _ in range(2)] == ["run", None]
