# Runs blocks in a world of made-up numbers and prints what each did; test_differential.py has the same world
# for the reference machine. Standard input: one JSON list [words, constants, seed, slice] a line.
import json
import sys
from array import array

sys.path.insert(0, "firmware")

from llmvm import _isa as I
from llmvm import vm

state = array("i", [0] * vm.STATE)
senses = array("i", [0] * 16)


# What the channels read after so many moves and waits.
def look(seed, epoch):
    for channel in range(13):
        value = (epoch * 7919 + channel * 10007 + seed * 31) % 4001
        if channel <= I.CH_REAR and value > 3800:
            value = 65535
        senses[channel] = value - 1500 if channel >= I.CH_X else value


# Run one block; `most` instructions at a time.
def run(words, constants, seed, most):
    for i in range(vm.STATE):
        state[i] = 0
    code, constants = array("I", words), array("i", constants + [0])
    trace = []
    epoch = 0
    look(seed, epoch)
    while True:
        state[vm.BUDGET] = most
        op = vm.run(state, code, constants, senses)
        args = [state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2]]
        if op in (I.OP_END, I.OP_FAIL):
            return trace, state[vm.ARGS] if op == I.OP_FAIL else 0
        if I.OP_MOVE <= op <= I.OP_DRIVE or op in (I.OP_WAIT, I.OP_WAITR):
            epoch += 1
            look(seed, epoch)
            trip = vm.tripped(state, senses)
            if not trip and op <= I.OP_DRIVE and (epoch * 13 + seed) % 11 == 0:
                trip = 5
            state[vm.TRIP] = trip
            used = 3 if op == I.OP_DRIVE else 1 if op >= I.OP_WAIT else 2
            trace.append([min(op, I.OP_WAIT)] + args[:used] + [trip])
        elif op:
            used = 3 if op == I.OP_LED else 2
            trace.append([op] + args[:used])


for line in sys.stdin:
    trace, code = run(*json.loads(line))
    end = [code, state[vm.PC] - 1, state[vm.FUEL], state[vm.MODE], state[vm.TRIP]]
    print(json.dumps([trace, end, list(state[: 2 * vm.VARIABLES])]))
