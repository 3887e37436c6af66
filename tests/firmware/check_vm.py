# Every instruction of the interpreter, and its arithmetic against MicroPython's own unbounded integers.
from world import *

import micropython
from array import array
from llmvm import _isa as I
from llmvm import vm

HI, LO = 2147483647, -2147483648
EDGES = [
    LO,
    LO + 1,
    -1073741825,
    -65537,
    -46341,
    -32768,
    -1000,
    -7,
    -2,
    -1,
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    46340,
    46341,
]
EDGES += [65535, 65536, 1073741823, 1073741824, HI - 1, HI]

state = array("i", [0] * vm.STATE)
senses = array("i", [-5 + i for i in range(16)])


def run(words, constants=(0,), budget=256, fresh=True):
    if fresh:
        for i in range(vm.STATE):
            state[i] = 0
    state[vm.BUDGET] = budget
    code = array("I", [x & 0xFFFFFFFF for x in words])
    return vm.run(state, code, array("i", constants), senses)


def saturate(x):
    return HI if x > HI else LO if x < LO else x


def quotient(x, y):
    q = abs(x) // abs(y) if y else 0
    return -q if (x < 0) != (y < 0) else q


def unsigned(x):
    return x & 0xFFFFFFFF


def signed(x):
    return x - (1 << 32) if x & 0x80000000 else x


ORACLES = {
    I.OP_ADD: lambda x, y: x + y,
    I.OP_SUB: lambda x, y: x - y,
    I.OP_MUL: lambda x, y: x * y,
    I.OP_DIV: quotient,
    I.OP_MOD: lambda x, y: x - y * quotient(x, y) if y else 0,
    I.OP_MIN: min,
    I.OP_MAX: max,
    I.OP_AND: lambda x, y: signed(unsigned(x) & unsigned(y)),
    I.OP_OR: lambda x, y: signed(unsigned(x) | unsigned(y)),
    I.OP_XOR: lambda x, y: signed(unsigned(x) ^ unsigned(y)),
    I.OP_SHL: lambda x, y: x << (y & 31),
    I.OP_SHR: lambda x, y: x >> (y & 31),
}


def arithmetic(op, oracle):
    wrong = []
    for x in EDGES:
        for y in EDGES:
            run([wi(I.OP_LDK, 1, 0), wi(I.OP_LDK, 2, 1), w(op, 3, 1, 2), w(I.OP_END)], (x, y))
            if state[3] != saturate(oracle(x, y)):
                wrong.append((x, y, state[3]))
    check(f"arithmetic {op}", wrong, [])


for op in ORACLES:
    arithmetic(op, ORACLES[op])

wrong = []
for x in EDGES:
    for i in (-32768, -1, 0, 1, 32767):
        run([wi(I.OP_LDK, 1, 0), wi(I.OP_ADDI, 1, i), wi(I.OP_LDI, 2, i), w(I.OP_END)], (x,))
        if state[1] != saturate(x + i) or state[2] != i:
            wrong.append((x, i, state[1]))
check("ADDI and LDI", wrong, [])

wrong = []
for op, holds in (
    (I.OP_BEQ, lambda x, y: x == y),
    (I.OP_BNE, lambda x, y: x != y),
    (I.OP_BLT, lambda x, y: x < y),
    (I.OP_BGE, lambda x, y: x >= y),
):
    for x in EDGES:
        for y in EDGES:
            words = [wi(I.OP_LDK, 1, 0), wi(I.OP_LDK, 2, 1), w(op, 1, 2, 2), wi(I.OP_LDI, 3, 1), w(I.OP_END)]
            run(words, (x, y))
            if state[3] != (0 if holds(x, y) else 1):
                wrong.append((op, x, y))
check("branches", wrong, [])

# control
loop = [wi(I.OP_LOOP, 0, 3), wi(I.OP_ADDI, 1, 1), wi(I.OP_ENDLOOP, 0, 2), w(I.OP_FAIL, 9)]
check("LOOP ends with FAIL", run(loop), I.OP_FAIL)
check("LOOP ran three rounds", (state[1], state[vm.DEPTH], state[vm.ARGS], state[vm.FUEL]), (3, 0, 9, 8))
for value, rounds in ((-5, 0), (0, 0), (1, 1), (4, 4), (200, 4)):
    body = [wi(I.OP_ADDI, 1, 1), wi(I.OP_ENDLOOP, 0, 2)]
    run([wi(I.OP_LDI, 2, value), w(I.OP_LOOPR, 2, 2, 4)] + body + [w(I.OP_END)])
    check(f"LOOPR of {value}", (state[1], state[vm.DEPTH]), (rounds, 0))
exits = [wi(I.OP_LOOP, 0, 9), wi(I.OP_ADDI, 1, 1), wi(I.OP_EXIT, 0, 2), wi(I.OP_ENDLOOP, 0, 3), w(I.OP_END)]
run(exits)
check("EXIT leaves the loop", (state[1], state[vm.DEPTH], state[vm.PC]), (1, 0, 5))
calls = [
    wi(I.OP_CALL, 0, 3), wi(I.OP_CALL, 0, 2), w(I.OP_END),
    w(I.OP_PROC), wi(I.OP_ADDI, 1, 1), wi(I.OP_CALL, 0, 2), w(I.OP_RET),
    w(I.OP_PROC), wi(I.OP_ADDI, 2, 1), w(I.OP_RET),
]  # fmt: skip
check("CALL comes back to END", run(calls), I.OP_END)
check("CALL counts", (state[1], state[2], state[vm.DEPTH], state[vm.FUEL]), (2, 2, 0, 17))
run([wi(I.OP_JMP, 0, 2), wi(I.OP_LDI, 1, 1), w(I.OP_END)])
check("JMP jumps", state[1], 0)

# the budget
check("a budget of 5 stops LOOP", run(loop, budget=5), 0)
check("and keeps the place", (state[vm.FUEL], state[vm.BUDGET], state[vm.PC]), (5, 0, 1))
check("the next budget goes on", run(loop, budget=5, fresh=False), I.OP_FAIL)
check("fuel adds up", (state[1], state[vm.FUEL], state[vm.BUDGET]), (3, 8, 2))
check("no budget, no step", (run(loop, budget=0), state[vm.PC], state[vm.FUEL]), (0, 0, 0))

# senses and guards
run([w(I.OP_SENSE, 1, 0), w(I.OP_SENSE, 2, 12), w(I.OP_TRIP, 3), w(I.OP_END)])
check("SENSE reads the array", (state[1], state[2], state[3]), (-5, 7, 0))
guards = [wi(I.OP_GUARD, 0 << 4 | 0 << 2 | 1, 150), wi(I.OP_GUARD, 9 << 4 | 1 << 2 | 3, -20), w(I.OP_END)]
run(guards)
check("GUARD arms", list(state[vm.WATCH : vm.WATCH + 4]), [0, 2, 0, 9 * 16 + 4 + 3 + 1])
check("GUARD keeps thresholds", list(state[vm.THRESHOLD : vm.THRESHOLD + 4]), [0, 150, 0, -20])


def trip(front, heading):
    senses[0], senses[9] = front, heading
    return vm.tripped(state, senses)


check("guards that hold", [trip(149, 0), trip(150, -20), trip(150, -19), trip(0, 0)], [2, 0, 4, 2])
check("a blind guard trips", [trip(65535, -20), trip(65534, -20)], [2, 0])
run([wi(I.OP_GUARD, 1, 150), w(I.OP_UNGUARD, 1), w(I.OP_END)])
check("UNGUARD disarms", trip(0, 0), 0)
senses[0] = 65535
run([wi(I.OP_GUARD, 1 << 2, 100), w(I.OP_END)])
check("a blind > guard trips too", vm.tripped(state, senses), 1)


# what returns to the supervisor
def asks(*words, constants=(0,)):
    code = run(list(words) + [w(I.OP_END)], constants)
    return code, state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2]


check("MOVE", asks(wi(I.OP_MOVE, 40, -300)), (I.OP_MOVE, -300, 40, 0))
check("TURN", asks(wi(I.OP_TURN, 50, 1571)), (I.OP_TURN, 1571, 500, 0))
state[vm.TRIP] = 3
for still in (wi(I.OP_MOVE, 40, 0), wi(I.OP_TURN, 50, 0), w(I.OP_MOVER, 1, 9, 9), w(I.OP_TURNR, 1, 9, 9)):
    code = run([wi(I.OP_LDI, 5, 1), still, w(I.OP_END)])
    check("a move over nothing goes on", (code, state[vm.TRIP]), (I.OP_END, 0))
for value, clamped in ((LO, -2550), (-2551, -2550), (-7, -7), (2550, 2550), (2551, 2550), (HI, 2550)):
    expected = (I.OP_MOVER, clamped, 47, 0)
    check(f"MOVER {value}", asks(wi(I.OP_LDK, 1, 0), w(I.OP_MOVER, 1, 255, 47), constants=(value,)), expected)
    angle = 5 * clamped if abs(clamped) > 7 else clamped
    value = 5 * clamped if value not in (LO, HI, -7) else value
    expected = (I.OP_TURNR, angle, 940, 0)
    check(f"TURNR {value}", asks(wi(I.OP_LDK, 1, 0), w(I.OP_TURNR, 1, 255, 94), constants=(value,)), expected)
drive = (wi(I.OP_LDK, 1, 0), wi(I.OP_LDK, 2, 1), w(I.OP_DRIVE, 0x12, 40, 15))
check("DRIVE", asks(*drive, constants=(30, -20)), (I.OP_DRIVE, 30, -20, 1500))
check("DRIVE clamps", asks(*drive, constants=(LO, HI)), (I.OP_DRIVE, -40, 40, 1500))
check("LED", asks(w(I.OP_LED, 1, 2, 255)), (I.OP_LED, 1, 2, 255))
check("TONE", asks(wi(I.OP_TONE, 20, 440)), (I.OP_TONE, 440, 200, 0))
check("WAIT", asks(wi(I.OP_WAIT, 0, 65535)), (I.OP_WAIT, 65535, 0, 0))
for value, ms in ((LO, 0), (-1, 0), (0, 0), (500, 500), (60001, 60000), (HI, 60000)):
    answer = asks(wi(I.OP_LDK, 1, 0), wi(I.OP_WAITR, 1, 60000), constants=(value,))
    check(f"WAITR {value}", answer, (I.OP_WAITR, ms, 0, 0))
check("REPORT", asks(wi(I.OP_LDI, 4, -9), w(I.OP_REPORT, 7, 4)), (I.OP_REPORT, 7, -9, 0))

# state
keep = [wi(I.OP_LDK, 1, 0), w(I.OP_SETV, 15, 1), w(I.OP_GETV, 2, 15)]
run(keep + [w(I.OP_MODE, 3), w(I.OP_MOV, 4, 2), w(I.OP_END)], (LO,))
check(
    "SETV, GETV, MOV, MODE", (state[2], state[4], state[vm.VARIABLES + 15], state[vm.MODE]), (LO, LO, LO, 3)
)

# no step allocates
mixed = [
    wi(I.OP_LDK, 1, 0), wi(I.OP_LDK, 2, 1), wi(I.OP_LOOP, 0, 9), w(I.OP_MUL, 3, 1, 2), w(I.OP_ADD, 3, 1, 2),
    w(I.OP_DIV, 4, 1, 2), w(I.OP_MOD, 5, 2, 1), w(I.OP_SHL, 6, 1, 2), w(I.OP_SUB, 7, 2, 1),
    w(I.OP_SENSE, 8, 3), wi(I.OP_GUARD, 5, 100), w(I.OP_SETV, 3, 1), wi(I.OP_CALL, 0, 4), w(I.OP_MODE, 2),
    wi(I.OP_ENDLOOP, 0, 12), w(I.OP_END), w(I.OP_PROC), w(I.OP_TRIP, 9), w(I.OP_BLT, 1, 2, 1), w(I.OP_RET),
]  # fmt: skip
code, constants = array("I", [x & 0xFFFFFFFF for x in mixed]), array("i", (HI, LO))
for i in range(vm.STATE):
    state[i] = 0
state[vm.BUDGET] = 256
micropython.heap_lock()
try:
    answer = vm.run(state, code, constants, senses)
    tripped = vm.tripped(state, senses)
finally:
    micropython.heap_unlock()
check("the interpreter runs with a locked heap", (answer, state[vm.FUEL]), (I.OP_END, 148))
finish()
