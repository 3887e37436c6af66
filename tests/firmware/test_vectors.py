"""The vectors on the robot: it leaves behind what every machine must, and refuses what it must."""

import json
import subprocess
from pathlib import Path

from llmbytecode import Certificate, Rule, write_container
from llmbytecode._isa import Outcome
from llmbytecode.container import pack_container
from tests.bytecode.test_vectors import patched
from tests.cases import Case, cases
from tests.firmware.differential import ROOT, Board, Case as Put

OK, CONTAINER = cases("ok"), cases("container")
ERR = [case for case in cases("err") if case.sections["error"].startswith("rule ")]


def ask(micropython: Path, program: str, lines: list[str]) -> list[list[object]]:
    """What a MicroPython program answers, one JSON line for each of ours."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", f"tests/firmware/{program}"],
        input="".join(f"{line}\n" for line in lines),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


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
    robots = list(dict.fromkeys(limits for limits, _ in refused))
    board = Board(micropython, robots=robots)
    for case, (limits, data) in zip(ERR + CONTAINER, refused, strict=True):
        verdict, _ = board.tell(Put(0, "vector", robots.index(limits), data, 256))
        assert written(case, verdict) == dict(case.rows("error")), case.name
    board.close()


def written(case: Case, verdict: list[int]) -> dict[str, str]:
    """A verdict as a case writes it, its wild cards kept."""
    rule, word, value, limit = verdict
    found = {"rule": Rule(rule).name.lower(), "word": word, "value": value, "limit": limit}
    expected = dict(case.rows("error"))
    return {name: "*" if expected[name] == "*" else str(value) for name, value in found.items()}
