"""The interpreter in viper against the same source in plain MicroPython, types left out."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

from benchlib import Row

from llmbytecode import assemble
from llmos.micropython import MicroPythonNotFound, find

FIRMWARE = Path(__file__).parents[1] / "firmware"
PROGRAMS = {
    "arithmetic": """
        LDI r1, 3
        LDI r2, 1000
        LOOP 2000
        ADD r3, r1, r2
        MUL r4, r3, r1
        SUB r5, r4, r2
        DIV r6, r4, r1
        XOR r7, r6, r5
        ADDI r2, -1
        MAX r8, r7, r3
        SHR r9, r8, r1
        ENDLOOP
        END
    """,
    "control": """
        LOOP 1000
        SENSE r1, front
        LDI r2, 150
        BLT r1, r2, near
        CALL step
        JMP next
near:   ADDI r4, 1
next:   GUARD g0, front < 150mm
        SETV v1, r3
        ENDLOOP
        END
step:   PROC
        ADDI r3, 1
        RET
    """,
}
# Each program by each interpreter in turn, the least disturbed of many rounds; both end in the same state.
TIMER = """
import json
from array import array
from time import ticks_diff, ticks_us

import plain_vm
from llmvm import vm

ROUNDS = 15

# How long one run takes in µs, and its last state. `kind` is 'I' where numbers must look as viper loads them.
def once(machine, words, kind):
    state = array(kind, [0] * vm.STATE)
    state[vm.BUDGET] = 1000000
    code, senses = array(kind, words), array(kind, [1000] * 16)
    start = ticks_us()
    machine.run(state, code, senses, senses)
    return ticks_diff(ticks_us(), start), [x & 0xFFFFFFFF for x in state]

figures = {}
programs = json.loads(%r)
for name in programs:
    times = [], []
    for _ in range(ROUNDS):
        fast, state = once(vm, programs[name], "i")
        slow, other = once(plain_vm, programs[name], "I")
        if state != other:
            raise ValueError(name + ": the two interpreters differ")
        times[0].append(fast)
        times[1].append(slow)
    figures[name] = [1000 * min(t) / state[vm.FUEL] for t in times]
print(json.dumps(figures))
"""


def plain_source() -> str:
    """The interpreter's source as plain MicroPython."""
    source = (FIRMWARE / "llmvm/vm.py").read_text()
    return re.sub(r"@micropython\.viper\n", "", re.sub(r": ptr32", "", source))


def run() -> list[Row]:
    """Nanoseconds per instruction, for each MicroPython that is here."""
    rows = []
    for bits in (64, 32):
        try:
            figures = _measure(find(bits))
        except MicroPythonNotFound:
            continue
        for name, (viper, plain) in figures.items():
            note = "" if bits == 64 else "plain needs big integers for 32-bit words"
            rows.append(Row(f"{name}, {bits}-bit", viper, "plain", plain, "ns", 30.0, note))
    return rows


def _measure(micropython: Path) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "plain_vm.py").write_text(plain_source())
        programs = {name: assemble(text).words for name, text in PROGRAMS.items()}
        Path(folder, "timer.py").write_text(TIMER % json.dumps(programs))
        done = subprocess.run(
            [micropython, "-X", "heapsize=2m", "timer.py"],
            cwd=folder,
            env={"MICROPYPATH": f".frozen:{folder}:{FIRMWARE}"},
            capture_output=True,
            text=True,
            check=True,
        )
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures
