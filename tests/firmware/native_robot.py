# Machine code on a robot: what is taken in, what is refused, and what becomes of code that lies. Argument:
# the folder with block.llmb, its block.mpy, other.mpy for another processor, and the liars.
from world import *

import micropython
from llmvm import _isa as I
from llmvm import native, vm

folder = sys.argv[1]


def read(name):
    with open(folder + "/" + name, "rb") as file:
        return file.read()


data, code = read("block.llmb"), read("block.mpy")


# A robot that holds the block and runs it as this machine code.
def attached(name):
    world, robot, host = start()
    host.upload(data)
    check(name + " is taken in", host.attach(data, read(name + ".mpy")), (block_of(data), 0, 0, 0, 0))
    return world, robot, host


def fault_of(host):
    faults = [unpack(I.FAULT_FORMAT, payload)[0] for _, payload in host.of(I.F_FAULT)]
    return faults[-1] if faults else 0


world, robot, host = start()
check("HELLO tells the kind", host.hello[6], sys.implementation._mpy & 0xFFFF)
check("no code for an unknown block", host.attach(data, code), (I.FAULT_UNKNOWN_BLOCK, len(code)))
host.upload(data)
interpreted = host.run(data)
check("the block completes", interpreted.outcome, I.OUT_COMPLETED)
moves = world.drive.moves

world, robot, host = attached("block")
slot = robot._blocks.find(block_of(data))
check("it runs as machine code", slot.run is vm.run, False)
done = host.run(data)
check("and does the same", (done.fields, world.drive.moves), (interpreted.fields, moves))
again = host.upload(data)
check("code outlives another upload", robot._blocks.find(block_of(data)).run is vm.run, False)
left = robot._blocks.native._left
check("its bytes are counted", left, LIMITS[I.LIM_MAX_NATIVE] - len(code))
host.attach(data, code)
check("but once", robot._blocks.native._left, left)
host.identify(nonce=2, session=8)
host.upload(data)
check("a new session begins without", robot._blocks.find(block_of(data)).run is vm.run, True)
check("and attaches again", host.attach(data, code)[1], 0)
check("what is loaded", robot._blocks.native._left, left)

# A call and its check take nothing from the heap.
slot, state, values = robot._blocks.find(block_of(data)), robot._runner.state, robot._senses.values
robot._runner.reset()
state[vm.BUDGET] = 256
micropython.heap_lock()
asked = slot.run(state, slot.words, slot.constants, values)
held = native.kept(state, slot, values, asked, 0, 256)
micropython.heap_unlock()
check("no step allocates", (asked, held), (I.OP_MOVER, True))

# Refusals; the block stays and is interpreted.
world, robot, host = start()
host.upload(data)
refused = (I.FAULT_NATIVE, 0)
check("another processor's code is refused", host.attach(data, read("other.mpy")), refused)
check("no module is refused", host.attach(data, b"not machine code"), refused)
check("a module without run is refused", host.attach(data, read("empty.mpy")), refused)
check("damaged code is refused", host.attach(data, code[:-1] + b"?", block_of(code)), refused)
check("code that ends early is refused", host.attach(data, code[:100], block_of(code)), refused)
check("the block runs all the same", host.run(data).fuel, interpreted.fuel)
host.send(I.F_RUN, block_of(data))
host.until(world.ms + 300)
check("nothing is loaded while a block runs", host.attach(data, code), (I.FAULT_BUSY, 0))
host.until(world.ms + 100000, I.F_DONE)
check("but afterwards", host.attach(data, code)[1], 0)

# The budget
world, robot, host = start(LIMITS[: I.LIM_MAX_NATIVE] + [0])
check("a robot without room says so", host.hello[6], 0)
world, robot, host = start()
host.upload(data)
robot._blocks.native._left = len(code) - 1
check("no more than the budget", host.attach(data, code), (I.FAULT_NATIVE, len(code)))
robot._blocks.native._left = len(code)
check("all of the budget", host.attach(data, code)[1], 0)
check("then it is used up", host.attach(data, read("greedy.mpy")), (I.FAULT_NATIVE, len(read("greedy.mpy"))))

# Code that lies
for name in ("wrong_code", "far_away", "thrifty", "wasteful", "deep", "control"):
    world, robot, host = attached(name)
    host.send(I.F_RUN, block_of(data))
    try:
        host.until(world.ms + 100)
    except RuntimeError as error:
        robot._fail(error)  # as `run` does
    host.until(world.ms + 200)
    ended = Done(unpack(I.DONE_FORMAT, host.of(I.F_DONE)[-1][1]))
    seen = ended.outcome, fault_of(host), host.telemetry().state, world.drive.moves
    check(name + " is caught and latched", seen, (I.OUT_FAULT, I.FAULT_INTERNAL, I.STATE_LATCHED, []))
world, robot, host = attached("greedy")
check("arguments are the words' own", (host.run(data).outcome, world.drive.moves), (I.OUT_COMPLETED, moves))
world, robot, host = attached("again")
host.send(I.F_RUN, block_of(data))
try:
    host.until(world.ms + 100000, I.F_DONE)
except RuntimeError as error:
    robot._fail(error)
host.until(world.ms + 200)
done = Done(unpack(I.DONE_FORMAT, host.of(I.F_DONE)[-1][1]))
verifier.check(data)
limit = verifier.certificate
check("the same move for ever ends by a bound", done.outcome, I.OUT_FAULT)
check("within the certificate's fuel", done.fuel <= limit[I.CERT_FUEL], True)
check("and its path", done.path <= limit[I.CERT_PATH_MM], True)
world, robot, host = attached("idle")
done = host.run(data)
check("code that does nothing ends by its time", done.outcome, I.OUT_FAULT)
check("in time", done.ms <= limit[I.CERT_MS] + 100, True)
finish()
