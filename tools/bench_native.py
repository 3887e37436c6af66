"""Machine code of blocks against the interpreter, and against the same kernels written by hand in viper.

By hand, a kernel is what a MicroPython programmer would write who knows its numbers: it limits what the
block limits, and saturates only where a number leaves 32 bits, which is in the kernel of that name. Both ends
are compared, so a kernel that differed would not be measured. "In slices" are the runner's, of 256
instructions for the interpreter and 1,000 for machine code; the other rows are one call.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchlib import Row

from llmbytecode import assemble
from llmbytecode.native import compile_block, compile_source
from llmos.link.native import BYTE_MS
from llmos.manifest import load_manifest
from llmos.micropython import MicroPythonNotFound, find

FIRMWARE = Path(__file__).parents[1] / "firmware"
LIMITS = load_manifest("cube").limits._replace(max_fuel=2**30 - 2, max_ms=2**30 - 2)
TARGETS = {64: "x64", 32: "x86"}


class Kernel(NamedTuple):
    """A kernel in assembly, and by hand: a function of its rounds that returns the block's last r1."""

    rounds: int
    assembly: str
    by_hand: str


KERNELS = {
    "sum": Kernel(
        20000,
        """
        LDI r2, 1
        LOOP {rounds}
        ADD r1, r1, r2
        ADDI r2, 1
        ENDLOOP
        END
        """,
        """
    total = 0
    number = 1
    while rounds:
        total += number
        number += 1
        rounds -= 1
    return total
        """,
    ),
    "saturating sum": Kernel(
        40000,
        """
.const step 100000
        LDK r2, step
        LOOP {rounds}
        ADD r1, r1, r2
        ENDLOOP
        END
        """,
        """
    total = 0
    one = 1
    hi = (one << 31) - 1
    while rounds:
        if total > hi - 100000:
            total = hi
        else:
            total += 100000
        rounds -= 1
    return total
        """,
    ),
    # division takes most of its time, whoever asks for it
    "gcd": Kernel(
        2000,
        """
.const big 832040
        LDK r5, big
        LDK r6, 514229
        LOOP {rounds}
        MOV r1, r5
        MOV r2, r6
        LOOP 40
        BNE r2, r0, more
        EXIT
more:   MOD r3, r1, r2
        MOV r1, r2
        MOV r2, r3
        ENDLOOP
        ENDLOOP
        END
        """,
        """
    a = b = c = 0
    while rounds:
        a = 832040
        b = 514229
        while b:
            c = a % b
            a = b
            b = c
        rounds -= 1
    return a
        """,
    ),
    # a wheel's speed that follows a set point, in 1/256 mm/s; integral, output and speed are limited
    "pi controller": Kernel(
        20000,
        """
        LDI r2, 12000       ; set point
        LDI r10, 4000       ; limit of the integral
        LDI r11, -4000
        LDI r12, 255        ; limit of the output
        LDI r13, -255
        LDI r7, 3           ; shifts
        LDI r8, 5
        LDI r9, 6
        LDI r14, 20000      ; the fastest wheel
        LOOP {rounds}
        SUB r3, r2, r1      ; error
        SHR r4, r3, r8
        ADD r5, r5, r4      ; integral
        MIN r5, r5, r10
        MAX r5, r5, r11
        SHR r6, r3, r7
        ADD r6, r6, r5
        SHR r6, r6, r9
        MIN r6, r6, r12
        MAX r6, r6, r13
        ADD r1, r1, r6      ; the wheel
        SHR r4, r1, r9
        SUB r1, r1, r4
        MIN r1, r1, r14
        MAX r1, r1, r0
        ENDLOOP
        END
        """,
        """
    speed = 0
    integral = 0
    error = 0
    output = 0
    while rounds:
        error = 12000 - speed
        integral += error >> 5
        if integral > 4000:
            integral = 4000
        elif integral < -4000:
            integral = -4000
        output = ((error >> 3) + integral) >> 6
        if output > 255:
            output = 255
        elif output < -255:
            output = -255
        speed += output
        speed -= speed >> 6
        if speed > 20000:
            speed = 20000
        elif speed < 0:
            speed = 0
        rounds -= 1
    return speed
        """,
    ),
    # a shift register with feedback, of 16 bits
    "xorshift": Kernel(
        20000,
        """
        LDI r1, 1
        LDI r3, 7
        LDI r4, 9
        LDI r5, 8
        LDK r6, 65535
        LOOP {rounds}
        SHL r2, r1, r3
        XOR r1, r1, r2
        AND r1, r1, r6
        SHR r2, r1, r4
        XOR r1, r1, r2
        SHL r2, r1, r5
        XOR r1, r1, r2
        AND r1, r1, r6
        ENDLOOP
        END
        """,
        """
    x = 1
    while rounds:
        x ^= x << 7
        x &= 0xFFFF
        x ^= x >> 9
        x ^= x << 8
        x &= 0xFFFF
        rounds -= 1
    return x
        """,
    ),
    # the nearest and the farthest of many readings, and how many were near
    "nearest": Kernel(
        20000,
        """
        LDI r2, 30000       ; nearest
        LDI r3, 0           ; farthest
        LDI r5, 17
        LDI r6, 8191
        LDI r7, 1000
        LDI r8, 77
        LOOP {rounds}
        MUL r4, r8, r5      ; the next reading
        ADDI r4, 123
        AND r4, r4, r6
        MOV r8, r4
        BGE r4, r2, farther
        MOV r2, r4
farther: BGE r3, r4, count
        MOV r3, r4
count:  BGE r4, r7, next
        ADDI r1, 1
next:   ENDLOOP
        END
        """,
        """
    near = 0
    nearest = 30000
    farthest = 0
    reading = 77
    while rounds:
        reading = (reading * 17 + 123) & 8191
        if reading < nearest:
            nearest = reading
        if reading > farthest:
            farthest = reading
        if reading < 1000:
            near += 1
        rounds -= 1
    return near
        """,
    ),
}
# The least disturbed of many rounds; all take turns.
TIMER = """
import json
import sys
from array import array
from time import ticks_diff, ticks_us

import by_hand
from llmvm import vm
from llmvm.native import _load

TURNS = 25
WHOLE = 10000000
SLICES = 256, 1000  # the runner's: interpreted, machine code

# How long one run takes in us, and its last state.
def block(run, words, constants, budget):
    state = array("i", [0] * vm.STATE)
    code, constants, senses = array("I", words), array("i", constants + [0]), array("i", [0] * 16)
    start = ticks_us()
    state[vm.BUDGET] = budget
    while not run(state, code, constants, senses):
        state[vm.BUDGET] = budget
    return ticks_diff(ticks_us(), start), state

figures = {}
for name, words, constants, rounds in json.loads(sys.stdin.readline()):
    native = __import__(name).run
    hand = getattr(by_hand, name)
    times = [[], [], [], [], []]
    for _ in range(TURNS):
        for n in range(4):
            us, state = block((vm.run, native)[n % 2], words, constants, SLICES[n % 2] if n > 1 else WHOLE)
            times[n].append(us)
        start = ticks_us()
        answer = hand(rounds)
        times[4].append(ticks_diff(ticks_us(), start))
        if answer != state[1]:
            raise ValueError(name + ": %d by hand, %d by the block" % (answer, state[1]))
    with open(name + ".mpy", "rb") as file:
        data = file.read()
    start = ticks_us()
    _load(data)
    load = ticks_diff(ticks_us(), start)
    figures[name] = [load, state[vm.FUEL]] + [min(t) for t in times]
print(json.dumps(figures))
"""


def run() -> list[Row]:
    """Nanoseconds per instruction and the break-even, for each MicroPython that is here."""
    rows = []
    for bits in (64, 32):
        try:
            micropython = find(bits)
        except MicroPythonNotFound:
            continue
        for name, figures in _measure(micropython, TARGETS[bits]).items():
            load, fuel, *microseconds = figures
            interpreted, native, sliced, native_sliced, by_hand = (1000 * us / fuel for us in microseconds)
            case = f"{name}, {bits}-bit"
            wanted = 7.0 if name == "gcd" else 10.0
            rows.append(Row(case, native, "interpreter", interpreted, "ns", wanted))
            rows.append(Row(f"{case}, in slices", native_sliced, "interpreter", sliced, "ns", 1.0))
            rows.append(Row(case, native, "by hand", by_hand, "ns", 1 / 1.5))
            if name == "pi_controller":
                rows.append(_break_even(f"{bits}-bit", TARGETS[bits], load / 1000, sliced - native_sliced))
    return rows


def _break_even(case: str, target: str, load_ms: float, saved_ns: float) -> Row:
    """Return what machine code costs before it runs, beside what it saves in a million instructions."""
    kernel = KERNELS["pi controller"]
    program = assemble(kernel.assembly.format(rounds=kernel.rounds))
    begun = time.perf_counter()
    size = len(compile_block(program, LIMITS, target))
    compile_ms = 1000 * (time.perf_counter() - begun)
    wire_ms = size * BYTE_MS
    cost_ms = compile_ms + wire_ms + load_ms
    note = (
        f"compile {compile_ms:.0f} ms + {size} bytes at 115200 baud {wire_ms:.0f} ms + load {load_ms:.1f} ms"
    )
    note += f"; pays after {cost_ms / saved_ns:.0f} million instructions"
    return Row(f"break-even, {case}", cost_ms, "saved in 10^6", saved_ns, "ms", 0.0, note)


def _measure(micropython: Path, target: str) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as folder:
        cases, by_hand = [], []
        for name, kernel in KERNELS.items():
            module = name.replace(" ", "_")
            program = assemble(kernel.assembly.format(rounds=kernel.rounds))
            Path(folder, f"{module}.mpy").write_bytes(compile_block(program, LIMITS, target))
            by_hand.append(
                f"@micropython.viper\ndef {module}(rounds: int) -> int:\n{kernel.by_hand.rstrip()}\n"
            )
            cases.append([module, program.words, program.constants, kernel.rounds])
        Path(folder, "by_hand.mpy").write_bytes(compile_source("\n".join(by_hand), target))
        Path(folder, "timer.py").write_text(TIMER)
        done = subprocess.run(
            [micropython, "-X", "heapsize=4m", "timer.py"],
            cwd=folder,
            env={"MICROPYPATH": f".frozen:{folder}:{FIRMWARE}"},
            input=json.dumps(cases) + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures
