# Verifies and runs blocks by the batch for differential.py, which has the same made-up world for the
# reference machine. Standard input: one JSON line [[limits, manifest hash], ...], then batches, each
#     <HBIB  number of cases, whether the answers are wanted in full, size of the cases, size of the name of a
#     module with machine code: run_0 for the first case and so on; no name: interpret
#     and for each case  <IHBH  seed of the world, instructions in a slice, robot, container's size, container
# The argument is the folder of such modules. Answers: for each case two CRC-32, of the verdict and of what
# the run did (0: refused or too long to run); in full one JSON line for each case: the numbers of both.
import json
import sys
from array import array
from binascii import crc32
from struct import calcsize, pack, unpack_from

sys.path.insert(0, "firmware")
sys.path.append(sys.argv[1])

import micropython
from llmvm import _isa as I
from llmvm import vm
from llmvm.verify import Verifier

HEADER = calcsize(I.HEADER_FORMAT)
CASE = calcsize("<IHBH")
LONGEST = 20000  # instructions; longer blocks are verified only
ROOM = 1000  # numbers of the log before they go into the checksum
OVERRUN = -1
REFLEX = 5

state = array("i", [0] * vm.STATE)
senses = array("i", [0] * 16)
nothing = array("i", [0] * vm.STATE)
log = array("i", [0] * (ROOM + 100))
slot = memoryview(bytearray(1 << 17))


# A number below 2^30 that follows from the seed, the number of acts and the place; the product's low bits are
# the same in machine words of 32 and of 64 bits.
@micropython.viper
def roll(seed: int, epoch: int, place: int) -> int:
    h = (seed * 40503 + epoch * 7919 + place * 10007) & 0x3FFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0x3FFFFFFF
    h = ((h ^ (h >> 12)) * 0x297A2D39) & 0x3FFFFFFF
    return h ^ (h >> 15)


# What the channels read after so many acts; from place 16 on, what the variables hold before the block.
@micropython.viper
def look(into: ptr32, count: int, seed: int, epoch: int, place: int):
    one = 1
    at = 0
    while at < count:
        h = (seed * 40503 + epoch * 7919 + (place + at) * 10007) & 0x3FFFFFFF
        h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0x3FFFFFFF
        h = ((h ^ (h >> 12)) * 0x297A2D39) & 0x3FFFFFFF
        h ^= h >> 15
        value = (h >> 4) % 4001
        if h & 8:
            value -= 1500
        if h & 7 == 0:
            value = 65535
        elif h & 7 == 1:
            h = (h >> 3) & 3
            value = one << 31
            if h == 1:
                value -= 1
            elif h > 1:
                value = 0 - (h & 1)
        into[at] = value
        at += 1


# How many of its arguments an exit of the interpreter has.
def arguments():
    counts = bytearray(I.OP_REPORT + 1)
    for op in (I.OP_MOVE, I.OP_MOVER, I.OP_TURN, I.OP_TURNR, I.OP_TONE, I.OP_REPORT):
        counts[op] = 2
    for op in (I.OP_WAIT, I.OP_WAITR, I.OP_FAIL):
        counts[op] = 1
    counts[I.OP_DRIVE] = counts[I.OP_LED] = 3
    return bytes(counts)


ARGUMENTS = arguments()
ACTS = (I.OP_MOVE, I.OP_MOVER, I.OP_TURN, I.OP_TURNR, I.OP_DRIVE, I.OP_WAIT, I.OP_WAITR)


# Takes the numbers of a run: into a checksum, or as they are.
class Log:
    def __init__(self, full):
        self.crc = self.count = 0
        self.numbers = [] if full else None

    def flush(self):
        done = memoryview(log)[: self.count]
        self.crc = crc32(done, self.crc)
        if self.numbers is not None:
            self.numbers.extend(done)
        self.count = 0

    def exit(self, op, trip):
        at = self.count
        log[at] = op
        for n in range(ARGUMENTS[op]):
            at += 1
            log[at] = state[vm.ARGS + n]
        if op in ACTS:
            at += 1
            log[at] = trip
        self.count = at + 1
        if at >= ROOM:
            self.flush()

    # Add what a run left behind.
    def end(self):
        at = self.count
        for place in (vm.PC, vm.FUEL, vm.MODE, vm.TRIP):
            log[at] = state[place]
            at += 1
        log[at : at + 2 * vm.VARIABLES] = state[: 2 * vm.VARIABLES]
        at += 2 * vm.VARIABLES
        for guard in range(4):
            watch = state[vm.WATCH + guard]
            log[at] = watch
            log[at + 1] = state[vm.THRESHOLD + guard] if watch else 0
            at += 2
        self.count = at
        self.flush()


# Run a block from its beginning to its end, `most` instructions at a time.
def run(execute, words, constants, seed, most, fuel, told):
    state[:] = nothing
    look(memoryview(state)[vm.VARIABLES :], vm.VARIABLES, seed, 0, 16)
    look(senses, 13, seed, 0, 0)
    epoch = 0
    state[vm.BUDGET] = most
    while True:
        op = execute(state, words, constants, senses)
        if op == 0:
            if state[vm.FUEL] > fuel + most:
                log[told.count] = OVERRUN
                told.count += 1
                break
            state[vm.BUDGET] += most  # machine code leaves what does not suffice for its next stretch
            continue
        trip = 0
        if op in ACTS:
            epoch += 1
            look(senses, 13, seed, epoch, 0)
            trip = vm.tripped(state, senses)
            if not trip and op <= I.OP_DRIVE and roll(seed, epoch, 40) & 7 == 0:
                trip = REFLEX
            state[vm.TRIP] = trip
        told.exit(op, trip)
        if op == I.OP_END or op == I.OP_FAIL:
            break
    told.end()


# Verify and run one container; returns the verdict's numbers, and the log, or None where it did not run.
def judge(execute, verifier, data, seed, most, full):
    if verifier.check(data):
        return [verifier.rule, verifier.word, verifier.value, verifier.limit], None
    verdict = [0] + list(verifier.certificate)
    fuel = verifier.certificate[I.CERT_FUEL]
    if fuel > LONGEST:
        return verdict, None
    behind = HEADER + 4 * verifier.words
    told = Log(full)
    run(execute, data[HEADER:behind], data[behind:], seed, most, fuel, told)
    return verdict, told


def answer(count, full, module, batch):
    out = bytearray()
    at = 0
    for number in range(count):
        execute = getattr(module, "run_%d" % number) if module else vm.run
        seed, most, robot, size = unpack_from("<IHBH", batch, at)
        at += CASE
        data = slot[:size]
        data[:] = batch[at : at + size]
        at += size
        verdict, told = judge(execute, robots[robot], data, seed, most, full)
        if full:
            out += json.dumps([verdict, told and told.numbers]) + "\n"
        else:
            out += pack("<II", crc32(array("i", verdict)), told.crc if told else 0)
    sys.stdout.buffer.write(out)


robots = [Verifier(limits, manifest) for limits, manifest in json.loads(sys.stdin.readline())]
while True:
    head = sys.stdin.buffer.read(8)
    if len(head) < 8:
        break
    count, full, size, named = unpack_from("<HBIB", head, 0)
    name = sys.stdin.buffer.read(named).decode()
    module = __import__(name) if name else None
    answer(count, full, module, memoryview(sys.stdin.buffer.read(size)))
    if name:
        del sys.modules[name]
