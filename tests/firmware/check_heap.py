# The verifier checks a block with a locked heap: whatever it needs, it took when the robot started.
from world import *

import gc

import micropython
from llmvm import _isa as I
from llmvm.header import SIZE

# Guarded moves in a loop, a branch, a procedure, constants, and as many plain words as make 256.
mixed = [
    w(I.OP_GUARD, 0, 150), wi(I.OP_LOOP, 0, 3), wi(I.OP_MOVE, 40, 10), w(I.OP_TRIP, 1), w(I.OP_BNE, 1, 0, 2),
    wi(I.OP_CALL, 0, 248), wi(I.OP_ENDLOOP, 0, 5), wi(I.OP_LDK, 2, 1), w(I.OP_REPORT, 3, 2),
]  # fmt: skip
mixed += [wi(I.OP_LDI, 4, 7)] * (252 - len(mixed))
mixed += [w(I.OP_END), w(I.OP_PROC), w(I.OP_LED, 1), w(I.OP_RET)]


def locked(data):
    data = memoryview(data)
    words = data[SIZE:]
    gc.collect()
    before = gc.mem_alloc()
    micropython.heap_lock()
    try:
        rule = verifier.check(data, words)
    finally:
        micropython.heap_unlock()
    return rule, gc.mem_alloc() - before


good = container(mixed, (1, -70000))
check("a good block is accepted with a locked heap", locked(good), (0, 0))
check("so is it again", locked(good), (0, 0))
poor = bytearray(good)
poor[20] += 1
check(
    "a false certificate is refused with a locked heap", locked(sealed(bytes(poor))), (I.RULE_CERTIFICATE, 0)
)
slow = container(mixed[:2] + [wi(I.OP_MOVE, 90, 10)] + mixed[3:], (1, -70000), (0,) * 10)
check("a move that is too fast is refused with a locked heap", locked(slow), (I.RULE_SPEED, 0))
finish()
