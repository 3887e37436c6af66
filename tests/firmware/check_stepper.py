# The stepper drive's callback: it needs no memory, comes back when it is too early, and makes up for lost
# ones.
from parts import *

import micropython

from llmvm.hal import stepper
from wheels import Wheels

DRIVE = {"pins_left": [4, 5, 6, 7], "pins_right": [15, 16, 17, 18], "max_steps_s": 1024}


# A timer that only knows when it is due, on a clock that only the test moves.
class Bell:
    due = 0
    now = 0

    def init(self, mode, period, tick_hz, callback):
        Bell.due = Bell.now + period

    def deinit(self):
        Bell.due = -1


def ticks():
    return Bell.now


def quiet(_level):
    pass


# Step to the end of a motion; what the heap lock forbids raises MemoryError in here.
def run(drive):
    while drive._state[stepper_go]:
        Bell.now = Bell.due
        drive._fire(None)


stepper_go = 2
machine.restart()
drive = stepper.Stepper(DRIVE)
drive._timer = Bell()
drive._pins = [quiet] * 8
before, stepper.ticks_us = stepper.ticks_us, ticks
drive.move(3000, -2000, 1000, 512)
micropython.heap_lock()
run(drive)
micropython.heap_unlock()
stepper.ticks_us = before
drive.poll()
check("no step needs memory", (drive.left, drive.right, drive.moving), (3000, -2000, 0))

machine.restart()
wheels = Wheels(DRIVE["pins_left"] + DRIVE["pins_right"])
drive = stepper.Stepper(DRIVE)
drive.move(500, 500, 1024, 512)
board.advance(500000)
drive.poll()
made = drive.left
for _ in range(20):
    drive._fire(None)
drive.poll()
check("a callback before its time makes no step", drive.left, made)
board.advance(10000000)
check("and delays none", (wheels.left, wheels.right), (500, 500))

drive.move(500, 500, 1024, 512)
board.advance(500000)
drive._timer.deinit()  # as where the interrupt found the queue full
board.advance(500000)
drive.poll()
check("a lost interrupt is made up for", drive.moving, 1)
board.advance(10000000)
check("to the last step", (wheels.left, wheels.right), (1000, 1000))

drive.move(400, 400, 1024, 512)
board.advance(500000)
drive.halt(1)
check("at once is at once", wheels.coils, 0)
place = wheels.left
drive._fire(None)
board.advance(1000000)
check("an interrupt that was under way does nothing", (wheels.left, wheels.coils), (place, 0))
drive.move(-30, 30, 1024, 512)
board.advance(5000000)
check("the next move begins where the rotors stand", (wheels.left, wheels.right), (place - 30, place + 30))
check("after a motion the coils are off", wheels.coils, 0)

plan = stepper._plan


# An interrupt comes in the middle of a change.
def interrupted(numbers):
    stepper._plan = plan
    board.advance(10000)
    plan(numbers)


place = wheels.left
drive.move(200, 200, 1024, 512)
board.advance(300000)
drive.poll()
made = drive.left - place
stepper._plan = interrupted
drive.move(100, 100, 1024, 512)
drive.poll()
check("no step is made while the plan changes", drive.left - place, made)
board.advance(5000000)
check("and all of the new plan", wheels.left - place, made + 100)

for rate, accel in ((1, 1), (1024, 100000), (100000, 512)):
    place = wheels.left
    drive.move(3, 3, rate, accel)
    board.advance(20000000)
    check("steps at rate %d and acceleration %d" % (rate, accel), wheels.left, place + 3)
finish()
