"""The verifier against wasmtime's validator, on the same program; and the robot's own, on MicroPython.

A piece of 8 words, a loop with arithmetic and a branch, is 33 WebAssembly instructions, since wasm keeps
its operands on a stack. So there are two comparisons: of the same program, by whole calls, and of one
instruction, by the slope between two sizes, which leaves out what a call and a module's header cost on
both sides. There, wasmtime infers types and has no bounds to compute; ours computes the certificate and
has no types.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import wasmtime
from bench_verify import generous, program
from benchlib import Row, print_table, race

from llmbytecode import Limits, Program, assemble, manifest_hash, verify, write_container
from llmos.micropython import MicroPythonNotFound, find

FIRMWARE = Path(__file__).parents[1] / "firmware"
SIZE = 256  # words
LARGE = 4096
BUDGET_US = 50.0  # for a block of SIZE words on the host
DEVICE_MS = 5.0  # and on the robot
WANTED = 0.2  # of wasmtime's speed for one instruction; a wasm instruction does less
CALLS = 2001

PIECE = 8  # words of OURS
OURS = """
        LOOP    3
        ADD     r1, r2, r3
        BLT     r1, r2, {n}
        MUL     r3, r1, r2
        ADDI    r2, 5
        SUB     r1, r1, r3
        MOV     r4, r1
{n}:    ENDLOOP
"""
INSTRUCTIONS = 33  # of WASM, with each `end`
WASM = """
(local.set $i (i32.const 3))
(loop $l{n}
  (local.set $a (i32.add (local.get $b) (local.get $c)))
  (block $b{n}
    (br_if $b{n} (i32.lt_s (local.get $a) (local.get $b)))
    (local.set $c (i32.mul (local.get $a) (local.get $b)))
    (local.set $b (i32.add (local.get $b) (i32.const 5)))
    (local.set $a (i32.sub (local.get $a) (local.get $c)))
    (local.set $d (local.get $a)))
  (br_if $l{n} (local.tee $i (i32.sub (local.get $i) (i32.const 1)))))
"""
LOCALS = " ".join(f"(local ${name} i32)" for name in "abcdi")
TIMER = """
import gc, json
from time import ticks_diff, ticks_us

from llmvm.header import SIZE
from llmvm.verify import Verifier

limits, manifest, digits = json.loads(%r)
verifier = Verifier(limits, manifest)
data = memoryview(bytearray(bytes.fromhex(digits)))
words = data[SIZE:]
best, taken = 1 << 30, 0
for _ in range(50):
    gc.collect()
    before = gc.mem_alloc()
    start = ticks_us()
    rule = verifier.check(data, words)
    best = min(best, ticks_diff(ticks_us(), start))
    taken = gc.mem_alloc() - before
    if rule:
        raise ValueError("rule %%d" %% rule)
print(json.dumps([best, taken]))
"""


def ours(size: int, limits: Limits) -> Callable[[], object]:
    """Return the verification of a block of so many words: pieces, what is left of one, and END."""
    pieces, rest = divmod(size - 1, PIECE)
    block = assemble("".join(OURS.format(n=f"l{n}") for n in range(pieces)) + "LDI r1, 7\n" * rest + "END")
    return lambda: verify(block, limits)


def theirs(size: int) -> Callable[[], object]:
    """Return wasmtime's validation of a module with the same function."""
    pieces, rest = divmod(size - 1, PIECE)
    body = "".join(WASM.format(n=n) for n in range(pieces)) + "(local.set $a (i32.const 7))" * rest
    module = bytes(wasmtime.wat2wasm(f"(module (func {LOCALS} {body}))"))
    engine = wasmtime.Engine()
    return lambda: wasmtime.Module.validate(engine, module)


def host_rows() -> list[Row]:
    """Return the host's verifier: its budget, a whole call, and one more instruction."""
    limits = generous()
    rows = [Row(f"{SIZE} words, median", median_us(ours(SIZE, limits)), "budget", BUDGET_US, "us")]
    us: dict[tuple[str, int], float] = {}
    for size in (SIZE, LARGE):
        times = race({"ours": ours(size, limits), "wasmtime": theirs(size)})
        us |= {(name, size): 1000 * ms for name, ms in times.items()}
    count, rest = divmod(SIZE - 1, PIECE)
    note = f"{count * INSTRUCTIONS + 2 * rest} wasm instructions"
    rows.append(
        Row(
            f"{SIZE} words, the same program",
            us["ours", SIZE],
            "wasmtime",
            us["wasmtime", SIZE],
            "us",
            note=note,
        )
    )
    pieces = (LARGE - SIZE) // PIECE
    more = {name: 1000 * (us[name, LARGE] - us[name, SIZE]) / pieces for name in ("ours", "wasmtime")}
    mine, peers = more["ours"] / PIECE, more["wasmtime"] / INSTRUCTIONS
    note = "a word against one of wasm's"
    return [*rows, Row("one more instruction", mine, "wasmtime", peers, "ns", WANTED, note)]


def median_us(call: Callable[[], object]) -> float:
    """Return the median of many calls."""
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * statistics.median(times)


def device_rows() -> list[Row]:
    """Return the robot's verifier, for each MicroPython that is here."""
    rows = []
    block: Program = program(SIZE)
    for bits in (64, 32):
        try:
            ms, taken = on_device(find(bits), block)
        except MicroPythonNotFound:
            continue
        note = f"takes {taken} bytes of the heap"
        rows.append(Row(f"on the robot, {SIZE} words, {bits}-bit", ms, "budget", DEVICE_MS, "ms", note=note))
    return rows


def on_device(micropython: Path, block: Program) -> tuple[float, int]:
    """Return what one check of a block takes: ms at best, and bytes of the heap."""
    limits = generous()._replace(max_words=1024)
    given = json.dumps([list(limits), manifest_hash(limits), write_container(block, limits).hex()])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "timer.py").write_text(TIMER % given)
        done = subprocess.run(
            [micropython, "timer.py"],
            cwd=folder,
            env={"MICROPYPATH": f".frozen:{FIRMWARE}"},
            capture_output=True,
            text=True,
            check=True,
        )
    us, taken = json.loads(done.stdout)
    return us / 1000, taken


def run() -> list[Row]:
    """Return all of it."""
    return host_rows() + device_rows()


if __name__ == "__main__":
    sys.exit(0 if print_table("Verifier: against wasmtime's, and on the robot", run()) else 1)
