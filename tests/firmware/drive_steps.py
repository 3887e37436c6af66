# Drives the steppers of the fake board. Standard input: a JSON line for each scenario,
#     {"top": steps/s, "from": us when power comes on, "late": [us that callbacks come late, in turn],
#      "calls": [[ms, left, right, rate, accel] or [ms, at once], ...]}
# and for each the answer's line: every change of the eight coils as [us, bits, ...] and when it rests.
import json
import sys

sys.path.insert(0, "firmware")
sys.path.insert(0, "tests/firmware/fake")

import machine
from llmvm.hal.stepper import Stepper
from simulation import board

PINS = [4, 5, 6, 7, 15, 16, 17, 18]


# Writes down which coils are on after each microsecond in which that changes.
class Recorder:
    def __init__(self):
        self.log = []
        self.coils = 0
        for bit in range(8):
            machine.line(PINS[bit]).listeners.append(lambda us, level, bit=bit: self.changed(us, level, bit))

    def changed(self, us, level, bit):
        self.coils = self.coils & ~(1 << bit) | level << bit
        if self.log and self.log[-2] == us:
            self.log[-1] = self.coils
        else:
            self.log.append(us)
            self.log.append(self.coils)


def run(scenario):
    machine.restart(scenario["from"])
    late = scenario["late"]
    if late:
        turns = [0]

        def latency():
            turns[0] += 1
            return late[turns[0] % len(late)]

        board.latency_us = latency
    recorder = Recorder()
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
    stepper.poll()
    print(json.dumps([rest, stepper.left, stepper.right, recorder.log]))


for line in sys.stdin:
    run(json.loads(line))
