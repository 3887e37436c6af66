# Runs machine code beside the interpreter, exit by exit, in a world of made-up numbers. Prints for each block
# the first difference between the two, or "", and how many instructions ran. Arguments: the folder and the
# name of the .mpy. Standard input: one JSON list [words, constants, seed] a line; line n is function run_n.
import json
import sys
from array import array

sys.path.insert(0, "firmware")
sys.path.insert(0, sys.argv[1])

from llmvm import _isa as I
from llmvm import vm

module = __import__(sys.argv[2])
ARGUMENTS = {I.OP_DRIVE: 3, I.OP_LED: 3, I.OP_WAIT: 1, I.OP_WAITR: 1, I.OP_FAIL: 1, I.OP_END: 0}
BUDGETS = (1, 2, 3, 5, 8, 13, 40, 128, 256, 1000)
interpreted = array("i", [0] * vm.STATE)
compiled = array("i", [0] * vm.STATE)
senses = array("i", [0] * 16)


# What the channels read after so many moves and waits.
def look(seed, epoch):
    for channel in range(13):
        value = (epoch * 7919 + channel * 10007 + seed * 31) % 4001
        if channel <= I.CH_REAR and value > 3800:
            value = 65535
        senses[channel] = value - 1500 if channel >= I.CH_X else value


# Run until an instruction needs the supervisor. Each call brings its own budget to what the last one left.
def until_exit(run, state, words, constants, draw):
    while True:
        fuel = state[vm.FUEL]
        given = draw()
        state[vm.BUDGET] += given
        had = state[vm.BUDGET]
        code = run(state, words, constants, senses)
        if state[vm.FUEL] - fuel != had - state[vm.BUDGET] or state[vm.BUDGET] < 0:
            raise ValueError(f"{had} were granted, {state[vm.FUEL] - fuel} used, {state[vm.BUDGET]} left")
        if code:
            return code
        if had >= 256 and state[vm.FUEL] == fuel:
            raise ValueError(f"no progress at {state[vm.PC]}")


# All of a state that means something.
def meaning(state, code):
    kept = list(state[: vm.PC + 1]) + [state[vm.FUEL], state[vm.DEPTH], state[vm.TRIP], state[vm.MODE]]
    kept += list(state[vm.ARGS : vm.ARGS + ARGUMENTS.get(code, 2)])
    return kept + list(state[vm.WATCH : vm.STACK + state[vm.DEPTH]])


class Draw:
    def __init__(self, seed):
        self.seed = seed

    def __call__(self):
        self.seed = (self.seed * 1103515245 + 12345) & 0x3FFFFFFF
        return BUDGETS[(self.seed >> 12) % len(BUDGETS)]


# Run one block to its end by both; return the first difference.
def run(native, words, constants, seed):
    for i in range(vm.STATE):
        interpreted[i] = compiled[i] = 0
    words, constants = array("I", words), array("i", constants + [0])
    epoch, draw = 0, Draw(seed)
    while True:
        look(seed, epoch)
        wanted = until_exit(vm.run, interpreted, words, constants, lambda: 1000)
        code = until_exit(native, compiled, words, constants, draw)
        if (code, meaning(compiled, code)) != (wanted, meaning(interpreted, wanted)):
            return f"{code} {meaning(compiled, code)}, interpreted {wanted} {meaning(interpreted, wanted)}"
        if code in (I.OP_END, I.OP_FAIL):
            return ""
        if I.OP_MOVE <= code <= I.OP_DRIVE or code in (I.OP_WAIT, I.OP_WAITR):
            epoch += 1
            trip = vm.tripped(compiled, senses)
            if not trip and code <= I.OP_DRIVE and (epoch * 13 + seed) % 11 == 0:
                trip = 5
            interpreted[vm.TRIP] = compiled[vm.TRIP] = trip


for number, line in enumerate(sys.stdin):
    try:
        difference = run(getattr(module, "run_%d" % number), *json.loads(line))
    except ValueError as error:
        difference = str(error)
    print(json.dumps([difference, compiled[vm.FUEL]]))
