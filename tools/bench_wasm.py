"""The robot's interpreter and its machine code against wasm3, an interpreter in C, on the same three loops.

wasm3 runs in this process, ours in MicroPython's unix port, in turns. Where they differ: our additions
saturate, our divisions by zero give 0 and every word is counted as fuel; wasm's additions wrap, its remainder
traps, and wasm3 counts nothing. Both end with the same number.
"""

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import NamedTuple

import wasm3
import wasmtime
from benchlib import Row, print_table

from llmbytecode import assemble
from llmbytecode.native import compile_block
from llmos.manifest import load_manifest
from llmos.micropython import MicroPythonNotFound, find

FIRMWARE = Path(__file__).parents[1] / "firmware"
ROUNDS = 5  # processes of MicroPython, and as many turns of wasm3
TURNS = 25  # in each; the least disturbed one counts
WANTED = {"interpreted": 0.15, "machine code": 1.0}  # of wasm3's speed
LIMITS = load_manifest().limits._replace(max_fuel=2**30 - 2, max_ms=2**30 - 2)
TARGETS = {64: "x64", 32: "x86"}


class Kernel(NamedTuple):
    """The same loop twice: ours leaves its result in r1, wasm's returns it."""

    ours: str
    wasm: str


KERNELS = {
    "sum": Kernel(
        """
        LDI     r2, 3
        LOOP    60000
        ADD     r1, r1, r2
        ADDI    r1, -1
        ENDLOOP
        END
        """,
        """
        (local.set $step (i32.const 3))
        (local.set $i (i32.const 60000))
        (loop $again
          (local.set $r (i32.add (local.get $r) (local.get $step)))
          (local.set $r (i32.add (local.get $r) (i32.const -1)))
          (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        """,
    ),
    "gcd": Kernel(
        """
        LOOP    5000
        LDI     r2, 10946
        LDI     r3, 6765
        LOOP    30
        BEQ     r3, r0, done
        MOD     r4, r2, r3
        MOV     r2, r3
        MOV     r3, r4
        JMP     next
done:   EXIT
next:   ENDLOOP
        ADD     r1, r1, r2
        ENDLOOP
        END
        """,
        """
        (local.set $i (i32.const 5000))
        (loop $again
          (local.set $a (i32.const 10946))
          (local.set $b (i32.const 6765))
          (block $done
            (loop $next
              (br_if $done (i32.eqz (local.get $b)))
              (local.set $t (i32.rem_s (local.get $a) (local.get $b)))
              (local.set $a (local.get $b))
              (local.set $b (local.get $t))
              (br $next)))
          (local.set $r (i32.add (local.get $r) (local.get $a)))
          (br_if $again (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        """,
    ),
    "nested": Kernel(
        """
        LDI     r4, 1
        LOOP    300
        LDI     r2, 0
        LOOP    200
        AND     r3, r2, r4
        BNE     r3, r0, odd
        ADD     r1, r1, r2
        JMP     next
odd:    SUB     r1, r1, r4
next:   ADDI    r2, 1
        ENDLOOP
        ENDLOOP
        END
        """,
        """
        (local.set $i (i32.const 300))
        (loop $outer
          (local.set $a (i32.const 0))
          (local.set $b (i32.const 200))
          (loop $inner
            (if (i32.and (local.get $a) (i32.const 1))
              (then (local.set $r (i32.sub (local.get $r) (i32.const 1))))
              (else (local.set $r (i32.add (local.get $r) (local.get $a)))))
            (local.set $a (i32.add (local.get $a) (i32.const 1)))
            (br_if $inner (local.tee $b (i32.sub (local.get $b) (i32.const 1)))))
          (br_if $outer (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
        """,
    ),
}
LOCALS = " ".join(f"(local ${name} i32)" for name in ("r", "step", "i", "a", "b", "t"))
TIMER = """
import json
from array import array
from time import ticks_diff, ticks_us

from llmvm import vm

figures = {}
programs = json.loads(%r)
senses = array("i", [1000] * 16)
for name in programs:
    code = array("I", programs[name])
    for kind, run in (("interpreted", vm.run), ("machine code", __import__(name).run)):
        best = 1 << 29
        for _ in range(%d):
            state = array("i", [0] * vm.STATE)
            state[vm.BUDGET] = 1 << 28
            start = ticks_us()
            run(state, code, senses, senses)
            best = min(best, ticks_diff(ticks_us(), start))
        figures[name + ", " + kind] = best, state[1], state[vm.FUEL]
print(json.dumps(figures))
"""


def with_wasm3(kernel: Kernel) -> Callable[[], int]:
    """Return a kernel as a function that wasm3 runs."""
    text = f'(module (func (export "run") (result i32) {LOCALS} {kernel.wasm} (local.get $r)))'
    environment = wasm3.Environment()
    runtime = environment.new_runtime(64 * 1024)
    runtime.load(environment.parse_module(bytes(wasmtime.wat2wasm(text))))
    function: Callable[[], int] = runtime.find_function("run")
    return function


def with_ours(micropython: Path, target: str) -> dict[str, tuple[int, int, int]]:
    """Return each kernel's time in µs at best, its result and its fuel, from one process of MicroPython."""
    programs = {name: assemble(kernel.ours) for name, kernel in KERNELS.items()}
    words = {name: program.words for name, program in programs.items()}
    with tempfile.TemporaryDirectory() as folder:
        for name, program in programs.items():
            Path(folder, f"{name}.mpy").write_bytes(compile_block(program, LIMITS, target))
        Path(folder, "timer.py").write_text(TIMER % (json.dumps(words), TURNS))
        done = subprocess.run(
            [micropython, "timer.py"],
            cwd=folder,
            env={"MICROPYPATH": f".frozen:{folder}:{FIRMWARE}"},
            capture_output=True,
            text=True,
            check=True,
        )
    figures: dict[str, tuple[int, int, int]] = json.loads(done.stdout)
    return figures


def best_us(function: Callable[[], int]) -> float:
    """Return what a function took in its least disturbed turn."""
    return 1e6 * min(_time(function) for _ in range(TURNS))


def _time(function: Callable[[], int]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(micropython: Path, bits: int) -> list[Row]:
    """Return two rows for each kernel: interpreted, and as machine code."""
    theirs = {name: with_wasm3(kernel) for name, kernel in KERNELS.items()}
    theirs_us = dict.fromkeys(KERNELS, math.inf)
    ours_us: dict[str, float] = {}
    fuel = {}
    for _ in range(ROUNDS):
        for case, (us, result, used) in with_ours(micropython, TARGETS[bits]).items():
            name = case.partition(",")[0]
            if result != theirs[name]():
                raise ValueError(f"{case}: ours gives {result}, wasm3 {theirs[name]()}")
            ours_us[case], fuel[case] = min(ours_us.get(case, math.inf), us), used
            theirs_us[name] = min(theirs_us[name], best_us(theirs[name]))
    rows = []
    for name, kind in product(KERNELS, WANTED):
        case = f"{name}, {kind}"
        us = ours_us[case]
        note = f"{1000 * us / fuel[case]:.2f} ns a word"
        rows.append(Row(f"{case}, {bits}-bit", us, "wasm3", theirs_us[name], "us", WANTED[kind], note))
    return rows


def run() -> list[Row]:
    """Each kernel by each MicroPython that is here."""
    rows = []
    for bits in (64, 32):
        try:
            rows += measure(find(bits), bits)
        except MicroPythonNotFound:
            continue
    return rows


if __name__ == "__main__":
    sys.exit(0 if print_table("Interpreter and machine code against wasm3", run()) else 1)
