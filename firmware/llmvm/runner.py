# Runs one block: lets the interpreter compute, does what it asks for, and looks after moves and waits.
from array import array

from micropython import const

from llmvm import _isa, vm
from llmvm.motion import Gear, Reflex

_SLICE = const(256)  # instructions between two looks at everything else
_REFLEX = const(5)  # TRIP's answer

# What the block does
_COMPUTES = const(0)
_MOVES = const(1)
_WAITS = const(2)
_BRAKES = const(3)  # to standstill, which ends a move early
_ENDS = const(4)  # to standstill, which ends the block


class Runner:
    # `report(tag, value)` and `done(slot, outcome, code, ms)` are called for the host, and `follow(slot)` for
    # the queued block when the one before it has ended.
    def __init__(self, hal, limits, angles_mrad, senses, odometry, report, done, follow):
        self._hal = hal
        self._senses = senses
        self._odometry = odometry
        self._report_to = report
        self._done = done
        self._follow = follow
        self._gear = Gear(limits)
        self._reflex = Reflex(limits, angles_mrad)
        self._tick = limits[_isa.LIM_TICK_MS]
        self._executors = self._instructions()
        self.state = array("i", [0] * vm.STATE)
        self.slot = None  # of the block that runs
        self.queued = None  # the slot of the block that runs when that one has completed
        self.began = 0  # ms
        self.reflex = False  # it has stopped the last move
        self._phase = _COMPUTES
        self._forward = 0  # the move's direction: 1, -1, or 0 for a turn
        self._moved = self._ends = 0  # ms when the move began, when the wait ends
        self._goal_left = self._goal_right = 0  # the wheels' places where the move ends
        self._outcome = 0  # of the block that ends

    # What the interpreter leaves to us; each returns whether the block can go on computing at once.
    def _instructions(self):
        executors = [None] * (_isa.OP_REPORT + 1)
        executors[_isa.OP_END] = self._end
        executors[_isa.OP_FAIL] = self._fail
        executors[_isa.OP_MOVE] = executors[_isa.OP_MOVER] = self._move
        executors[_isa.OP_TURN] = executors[_isa.OP_TURNR] = self._turn
        executors[_isa.OP_DRIVE] = self._drive
        executors[_isa.OP_WAIT] = executors[_isa.OP_WAITR] = self._wait
        executors[_isa.OP_LED] = self._led
        executors[_isa.OP_TONE] = self._tone
        executors[_isa.OP_REPORT] = self._report
        return executors

    # Forget everything, the variables included.
    def reset(self):
        self.slot = self.queued = None
        self.reflex = False
        for i in range(vm.STATE):
            self.state[i] = 0

    # Whether the block runs on: nothing has begun to end it.
    @property
    def goes_on(self):
        return self._phase != _ENDS

    def begin(self, slot, now):
        state = self.state
        for i in range(vm.STATE):
            if i < vm.VARIABLES or (i >= vm.PC and i != vm.MODE):
                state[i] = 0
        self.slot = slot
        self.began = now
        self._phase = _COMPUTES
        self._odometry.begin_block()
        self._senses.refresh(now, now)

    # Do what is due, until the block waits for time to pass.
    def go_on(self, now):
        if self._phase != _COMPUTES:
            self._poll(now)
        if self.slot and self._phase == _COMPUTES:
            self._compute(now)
        if self.slot and now - self.began > self.slot.certificate[_isa.CERT_MS]:
            self.stop(_isa.OUT_FAULT)

    # When the next look at the block is due.
    def next(self, now):
        if self._phase == _COMPUTES:
            return now
        if self._phase == _WAITS:
            return min(self._ends, now + self._tick) if self._watched() else self._ends
        return now + self._tick

    def _watched(self):
        state = self.state
        first = vm.WATCH
        return state[first] or state[first + 1] or state[first + 2] or state[first + 3]

    # End the block with this outcome as soon as the robot stands. An end that has begun already keeps its
    # outcome.
    def stop(self, outcome):
        if self._phase == _ENDS:
            return
        self._outcome = outcome
        self._phase = _ENDS
        if self._hal.drive.moving:
            self._hal.drive.halt(0)
        else:
            self._finish(outcome, 0)

    # End the block now, the wheels being stopped already.
    def abort(self, outcome):
        self._finish(self._outcome if self._phase == _ENDS else outcome, 0)

    def _finish(self, outcome, code):
        slot, queued = self.slot, self.queued
        self.slot = self.queued = None
        self._phase = _COMPUTES
        self._done(slot, outcome, code, self._hal.clock.ms - self.began)
        if queued:
            self._follow(queued)

    # Execute instructions until the block moves, waits or ends, or its slice is over.
    def _compute(self, now):
        state, slot = self.state, self.slot
        fuel = slot.certificate[_isa.CERT_FUEL]
        state[vm.BUDGET] = min(_SLICE, fuel - state[vm.FUEL])
        while True:
            code = vm.run(state, slot.words, slot.constants, self._senses.values)
            if code == 0:
                if state[vm.FUEL] >= fuel:
                    self.stop(_isa.OUT_FAULT)
                return
            if not self._executors[code](now):
                return

    # Look after a move or a wait that goes on.
    def _poll(self, now):
        drive = self._hal.drive
        phase = self._phase
        if phase == _WAITS:
            trip = 0 if now >= self._ends else vm.tripped(self.state, self._senses.values)
            if trip or now >= self._ends:
                self._resume(trip)
        elif not drive.moving:
            if phase == _ENDS:
                self._finish(self._outcome, 0)
            else:
                self._resume(0 if phase == _MOVES else self.state[vm.TRIP])
        elif phase == _MOVES:
            trip = self._obstructed(now)
            if trip:
                self.state[vm.TRIP] = trip
                self._phase = _BRAKES
                drive.halt(0)

    def _resume(self, trip):
        self.state[vm.TRIP] = trip
        self._phase = _COMPUTES

    # What must end the move now: a guard's number plus 1, the reflex, or 0.
    def _obstructed(self, now):
        values = self._senses.values
        trip = vm.tripped(self.state, values)
        if trip or not self._forward:
            return trip
        gear, drive = self._gear, self._hal.drive
        # no faster than the acceleration since the move began allows
        rate = min(gear.rate, gear.accel * (now - self._moved) // 1000) if drive.moving else 0
        left = max(abs(self._goal_left - drive.left), abs(self._goal_right - drive.right))
        if self._reflex.blocked(self._forward, rate, gear.accel, left, values, self._hal.range.ages):
            self.reflex = True
            return _REFLEX
        return 0

    # Begin the motion that the gear holds, unless a guard or the reflex forbids it.
    def _start(self, now, forward):
        gear, drive = self._gear, self._hal.drive
        self.reflex = False
        self._forward = forward
        self._moved = now
        self._goal_left = drive.left + gear.left
        self._goal_right = drive.right + gear.right
        trip = self._obstructed(now)
        self.state[vm.TRIP] = trip
        if trip or not (gear.left or gear.right):
            return True
        drive.move(gear.left, gear.right, gear.rate, gear.accel)
        self._phase = _MOVES
        return False

    def _move(self, now):
        mm = self.state[vm.ARGS]
        self._gear.move(mm, self.state[vm.ARGS + 1])
        return self._start(now, 1 if mm > 0 else -1)

    def _turn(self, now):
        self._gear.turn(self.state[vm.ARGS], self.state[vm.ARGS + 1])
        return self._start(now, 0)

    def _drive(self, now):
        state, gear = self.state, self._gear
        left, right, ms = state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2]
        gear.drive(left, right, ms)
        if not gear.left and not gear.right:
            state[vm.ARGS] = ms
            return self._wait(now)
        way = left + right
        return self._start(now, 1 if way > 0 else -1 if way else 0)

    def _wait(self, now):
        state = self.state
        trip = vm.tripped(state, self._senses.values)
        state[vm.TRIP] = trip
        if trip or not state[vm.ARGS]:
            return True
        self._ends = now + state[vm.ARGS]
        self._phase = _WAITS
        return False

    def _led(self, _now):
        state = self.state
        self._hal.led.set(state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2])
        return True

    def _tone(self, _now):
        self._hal.led.tone(self.state[vm.ARGS], self.state[vm.ARGS + 1])
        return True

    def _report(self, _now):
        self._report_to(self.state[vm.ARGS], self.state[vm.ARGS + 1])
        return True

    def _end(self, _now):
        self._finish(_isa.OUT_COMPLETED, 0)
        return False

    def _fail(self, _now):
        self._finish(_isa.OUT_FAILED, self.state[vm.ARGS])
        return False
