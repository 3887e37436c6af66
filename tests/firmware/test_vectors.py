"""The vectors on the robot: it leaves behind what every machine must, and refuses what it must."""

import json
from pathlib import Path

from llmbytecode import Certificate, Rule, write_container
from llmbytecode._isa import Outcome
from llmbytecode.container import pack_container
from tests.bytecode.test_vectors import patched
from tests.cases import Case, cases
from tests.firmware.test_differential import ask, verdicts

OK, CONTAINER = cases("ok"), cases("container")
ERR = [case for case in cases("err") if case.sections["error"].startswith("rule ")]


def test_blocks_leave_what_they_must(micropython: Path) -> None:
    """The whole firmware in an empty room: what the case says is left, and no bound is passed."""
    lines = [json.dumps([list(case.limits), write_container(case.program, case.limits).hex()]) for case in OK]
    answers = ask(micropython, "run_containers.py", lines)
    for case, ((outcome, code, trip, mode, within), reports, numbers) in zip(OK, answers, strict=True):
        left = {"outcome": Outcome(outcome).name.lower(), "code": code, "trip": trip, "mode": mode}
        left |= {f"r{n}": value for n, value in enumerate(numbers[:16])}
        left |= {f"v{n}": value for n, value in enumerate(numbers[16:])}
        rows = case.rows("result")
        expected = {row[0]: row[1] for row in rows if row[0] != "report"}
        assert {name: str(left[name]) for name in expected} == expected, case.name
        assert reports == [[int(row[1]), int(row[2])] for row in rows if row[0] == "report"], case.name
        assert within, case.name


def test_blocks_are_refused_by_the_right_rule(micropython: Path) -> None:
    """Rule, word, value and limit are those of the case."""
    nothing = Certificate(*[0] * len(Certificate._fields))
    refused = [(case.limits, pack_container(case.program, nothing, case.limits)) for case in ERR]
    refused += [
        (case.limits, patched(write_container(case.program, case.limits), case.rows("patch")))
        for case in CONTAINER
    ]
    for case, verdict in zip(ERR + CONTAINER, verdicts(micropython, refused), strict=True):
        assert written(case, verdict) == dict(case.rows("error")), case.name


def written(case: Case, verdict: list[object]) -> dict[str, str]:
    """A verdict as a case writes it, its wild cards kept."""
    rule, word, value, limit = verdict
    found = {"rule": Rule(rule).name.lower(), "word": word, "value": value, "limit": limit}
    expected = dict(case.rows("error"))
    return {name: "*" if expected[name] == "*" else str(value) for name, value in found.items()}
