# Drives the steppers of the fake board. Standard input: a JSON line for each scenario,
#     {"top": steps/s, "from": us when power comes on, "late": [us that callbacks come late, in turn],
#      "calls": [[ms, left, right, rate, accel] or [ms, at once], ...]}
# and for each the answer's line: where the wheels stand and the us when that was seen, and us, left and right
# behind each step, told by the coils alone.
import json
import sys

sys.path.insert(0, "firmware")
sys.path.insert(0, "tests/firmware/fake")

import machine
from llmvm.hal.stepper import Stepper
from simulation import board

from wheels import Wheels

PINS = [4, 5, 6, 7, 15, 16, 17, 18]


def run(scenario):
    machine.restart(scenario["from"])
    late = scenario["late"]
    if late:
        turns = [0]

        def latency():
            turns[0] += 1
            return late[turns[0] % len(late)]

        board.latency_us = latency
    log = []
    wheels = Wheels(PINS, log)
    stepper = Stepper({"pins_left": PINS[:4], "pins_right": PINS[4:], "max_steps_s": scenario["top"]})
    for call in scenario["calls"]:
        board.until(scenario["from"] + call[0] * 1000)
        stepper.poll()
        if len(call) == 2:
            stepper.halt(call[1])
        else:
            stepper.move(*call[1:])
    while stepper.moving:
        board.advance(1000)
        stepper.poll()
    rest = board.us
    board.advance(200000)
    wheels.settle()
    print(json.dumps([rest, stepper.left, stepper.right, log]))


for line in sys.stdin:
    run(json.loads(line))
