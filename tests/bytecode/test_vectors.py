"""Every vector drives every tool that it can: assembler, disassembler, both verifiers, machine, container."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.bytecode.twins import TWINS, Check
from tests.cases import Case, cases

from llmbytecode import (
    AssemblyError,
    EmptyRoom,
    Machine,
    Refusal,
    Rule,
    assemble,
    disassemble,
    read_container,
    write_container,
)
from llmbytecode._isa import MEASURES
from llmbytecode.container import seal

OK, ERR, CONTAINER = cases("ok"), cases("err"), cases("container")
REFUSED = [case for case in ERR if case.sections["error"].startswith("rule ")]
UNREADABLE = [case for case in ERR if case not in REFUSED]


def named(given: list[Case]) -> Callable[[Any], Any]:
    """Parametrize a test by cases, each under its name."""
    return pytest.mark.parametrize("case", given, ids=lambda case: case.name)


@named(OK + REFUSED)
def test_text_and_words_are_the_same(case: Case) -> None:
    """The assembler gives the words, and the disassembler's text gives them again."""
    assert assemble(case.sections["asm"]) == case.program
    assert assemble(disassemble(case.program)) == case.program


@pytest.mark.parametrize("twin", TWINS)
@named(OK)
def test_certificate(case: Case, twin: Check) -> None:
    """Both verifiers give the certificate."""
    program = case.program
    certificate = twin(program.words, len(program.constants), program.autonomous_ms, case.limits)
    expected = case.numbers("certificate")
    assert {name: certificate._asdict()[name] for name in expected} == expected
    assert set(expected) <= set(MEASURES)


@named(OK)
def test_result(case: Case) -> None:
    """The reference machine leaves behind what the case says, within the certificate."""
    room = EmptyRoom(case.limits)
    machine = Machine(case.program, case.limits, room)
    machine.run()
    left = left_behind(machine, room)
    for section in ("result", "room"):
        rows = [row for row in case.rows(section) if row[0] != "report"]
        assert {name: str(left[name]) for name, _ in rows} == dict(rows)
    assert [list(map(str, report)) for report in machine.reports] == [
        row[1:] for row in case.rows("result") if row[0] == "report"
    ]
    assert machine.fuel <= machine.certificate.fuel
    assert machine.ms <= machine.certificate.ms


def left_behind(machine: Machine, room: EmptyRoom) -> dict[str, object]:
    """Return what a run leaves, by the names that the cases use."""
    left: dict[str, object] = {"outcome": machine.outcome.name.lower()}
    for name in ("code", "trip", "mode", "ms", "path_mm", "rotation_mrad"):
        left[name] = int(getattr(machine, name))
    left |= {"x_mm": round(room.x), "y_mm": round(room.y), "heading_mrad": round(1000 * room.heading)}
    left |= {f"r{n}": value for n, value in enumerate(machine.registers)}
    return left | {f"v{n}": value for n, value in enumerate(machine.variables)}


def refusal(case: Case, error: Refusal) -> dict[str, str]:
    """Return a refusal as a case writes it, its wild cards kept."""
    found = {"rule": error.rule.name.lower(), "word": error.word, "value": error.value, "limit": error.limit}
    expected = dict(case.rows("error"))
    return {name: "*" if expected[name] == "*" else str(value) for name, value in found.items()}


@pytest.mark.parametrize("twin", TWINS)
@named(REFUSED)
def test_refusal(case: Case, twin: Check) -> None:
    """Both verifiers refuse it by the rule, the word, the value and the limit."""
    program = case.program
    with pytest.raises(Refusal) as caught:
        twin(program.words, len(program.constants), program.autonomous_ms, case.limits)
    assert refusal(case, caught.value) == dict(case.rows("error"))


@named(UNREADABLE)
def test_text_that_is_no_program(case: Case) -> None:
    """The assembler tells each mistake, its place and what to do."""
    with pytest.raises(AssemblyError) as caught:
        assemble(case.sections["asm"], "FILE")
    found = [str(problem).removeprefix("FILE:") for problem in caught.value.problems]
    assert found == case.sections["error"].splitlines()


@named(CONTAINER)
def test_container(case: Case) -> None:
    """A container that is wrong is refused by name."""
    data = write_container(case.program, case.limits)
    assert read_container(data, case.limits).program == case.program
    with pytest.raises(Refusal) as caught:
        read_container(patched(data, case.rows("patch")), case.limits)
    assert refusal(case, caught.value) == dict(case.rows("error"))


def patched(data: bytes, patch: list[list[str]]) -> bytes:
    """Return a container with a case's changes."""
    for where, *what in patch:
        if where == "seal":
            data = seal(data)
        elif where == "cut":
            data = data[: int(what[0])]
        else:
            new = bytes.fromhex(what[0])
            data = data[: int(where)] + new + data[int(where) + len(new) :]
    return data


def test_each_rule_has_a_vector() -> None:
    """No rule goes unbroken."""
    broken = {row[1] for case in REFUSED + CONTAINER for row in case.rows("error") if row[0] == "rule"}
    assert broken == {rule.name.lower() for rule in Rule if rule is not Rule.OK}
