# Runs one block: lets the interpreter compute, does what it asks for, and looks after moves and waits.
from array import array

from micropython import const

from llmvm import _isa, native, vm
from llmvm.ahead import Ahead
from llmvm.motion import Gear, Reflex

_SLICE = const(256)  # interpreted instructions between two looks at everything else
_REFLEX = const(5)  # TRIP's answer
_EARLY_MS = const(5)  # before a move brakes, what follows it is looked at

# What the block does
_COMPUTES = const(0)
_MOVES = const(1)
_WAITS = const(2)
_BRAKES = const(3)  # to standstill, which ends a move early
_ENDS = const(4)  # to standstill, which ends the block


class Runner:
    # `report(tag, value)` and `done(slot, outcome, code, ms)` are called for the host, and `follow(slot,
    # begun)` for the queued block when the one before it has ended; its first move may have begun by then.
    def __init__(self, hal, limits, angles_mrad, senses, odometry, report, done, follow):
        self._hal = hal
        self._senses = senses
        self._odometry = odometry
        self._report_to = report
        self._done = done
        self._follow = follow
        self._gear = Gear(limits)
        self._reflex = Reflex(limits, angles_mrad, odometry)
        self._ahead = Ahead(limits)
        self._tick = limits[_isa.LIM_TICK_MS]
        # instructions of machine code: what fits between two polls even at the pace of the certificate
        self._stride = max(_SLICE, self._tick * 1000 // max(1, limits[_isa.LIM_INSTRUCTION_US]))
        self._executors = self._instructions()
        self.state = array("i", [0] * vm.STATE)
        self.slot = None  # of the block that runs
        self.queued = None  # the slot of the block that runs when that one has completed
        self.began = 0  # ms
        self.reflex = False  # it has stopped the last move
        self._phase = _COMPUTES
        self._forward = 0  # the move's direction: 1, -1, or 0 for a turn
        self._moved = self._ends = 0  # ms when the move began, when the wait ends
        self._first = self._rate = 0  # steps/s when the move began, and the most
        self._goal_left = self._goal_right = 0  # the wheels' places where the move ends
        self._straight = False
        self._looked = False  # at what follows the move
        self._beyond = 0  # steps of the next move, with which this one is joined
        self._across = False  # the next move is the queued block's
        self._outcome = 0  # of the block that ends
        self._asked_mm = self._asked_mrad = 0  # by machine code

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
        self.reflex = self._across = False
        self._reflex.forget()
        self._beyond = 0
        for i in range(vm.STATE):
            self.state[i] = 0

    # Run `slot` as soon as this block has completed. False where something has begun to end the block.
    def queue(self, slot):
        if self._phase == _ENDS:
            return False
        self.queued = slot
        self._looked = self._beyond != 0
        return True

    def begin(self, slot, now):
        vm.restart(self.state)
        self._asked_mm = self._asked_mrad = 0
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
        if self._may_join() or (self._beyond and self._left() > 0):
            return now + min(max(self._soon(now), 1), self._tick)
        return now + self._tick

    # Whether the move can still be joined with another one.
    def _may_join(self):
        return self._phase == _MOVES and self._straight and not self._looked

    # Steps to where the move ends; negative behind it.
    def _left(self):
        return (self._goal_left - self._hal.drive.left) * self._forward

    # Not more than the ms to the end of a straight move, or to where it brakes where nothing is known of what
    # follows.
    def _soon(self, now):
        steps, rate = self._left(), self._rate
        if self._looked:
            return steps * 1000 // rate
        speed = self._speed(now)
        steps -= speed * speed // (2 * self._gear.accel)
        return steps * 1000 // (rate if speed == rate else 2 * rate) - _EARLY_MS

    # Not less than the steps/s that the wheels make.
    def _speed(self, now):
        if not self._hal.drive.moving:
            return 0
        return min(self._rate, self._first + self._gear.accel * (now - self._moved) // 1000)

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
        if self._phase == _ENDS:
            outcome = self._outcome
        self._across = self._across and self._left() < 0
        self._divide()
        while self.slot:
            self._finish(outcome, 0)

    # The way behind the end of a move that is joined with one of the queued block is that block's.
    def _divide(self):
        if self._across:
            self._odometry.end_block(-self._left())

    def _finish(self, outcome, code):
        slot, queued, across = self.slot, self.queued, self._across
        self.slot = self.queued = None
        self._across = False
        self._phase = _COMPUTES
        if not across:
            self._beyond = 0
        self._done(slot, outcome, code, self._hal.clock.ms - self.began)
        if queued:
            self._follow(queued, across)

    # Execute instructions until the block moves, waits or ends, or its slice is over.
    def _compute(self, now):
        state, slot = self.state, self.slot
        fuel, began = slot.certificate[_isa.CERT_FUEL], state[vm.FUEL]
        grant = _SLICE if slot.run is vm.run else self._stride
        state[vm.BUDGET] = min(grant, fuel - state[vm.FUEL])
        while True:
            before, budget = state[vm.FUEL], state[vm.BUDGET]
            code = slot.run(state, slot.words, slot.constants, self._senses.values)
            if slot.run is not vm.run:
                self._audit(code, before, budget)
            if code == 0:
                if state[vm.FUEL] >= fuel or state[vm.FUEL] == began:
                    self.stop(_isa.OUT_FAULT)
                return
            if not self._executors[code](now):
                return

    # Machine code is not proved, so it is watched: an error, which latches, where it breaks its contract or
    # asks for moves or turns beyond the certificate.
    def _audit(self, code, fuel, budget):
        state, certificate = self.state, self.slot.certificate
        good = native.kept(state, self.slot, self._senses.values, code, fuel, budget)
        if code == _isa.OP_MOVE or code == _isa.OP_MOVER:
            self._asked_mm += abs(state[vm.ARGS])
        elif code == _isa.OP_TURN or code == _isa.OP_TURNR:
            self._asked_mrad += abs(state[vm.ARGS])
        good = good and self._asked_mm <= certificate[_isa.CERT_PATH_MM]
        if not good or self._asked_mrad > certificate[_isa.CERT_ROTATION_MRAD]:
            raise RuntimeError("machine code")

    # Look after a move or a wait that goes on.
    def _poll(self, now):
        drive = self._hal.drive
        phase = self._phase
        if phase == _WAITS:
            trip = 0 if now >= self._ends else vm.tripped(self.state, self._senses.values)
            if trip or now >= self._ends:
                self._resume(trip)
        elif self._beyond and self._left() <= 0 and (phase != _ENDS or self._across):
            self._pass(phase)
        elif not drive.moving:
            self._beyond = 0
            self._across = False
            if phase == _ENDS:
                self._finish(self._outcome, 0)
            else:
                self._resume(0 if phase == _MOVES else self.state[vm.TRIP])
        elif phase == _MOVES:
            trip = self._obstructed(now)
            if trip or (self._beyond and vm.tripped(self._ahead.state, self._senses.values)):
                self._brake(trip)
            elif self._may_join() and self._soon(now) <= 0:
                self._join(now)

    # A move that is joined with the next one ends here, in motion.
    def _pass(self, phase):
        self._divide()
        if phase != _ENDS:
            self._resume(0 if phase == _MOVES else self.state[vm.TRIP])
        else:
            self._finish(self._outcome, 0)
            self._phase = _ENDS

    # Ramp down to standstill, for what TRIP then tells.
    def _brake(self, trip):
        self.state[vm.TRIP] = trip
        self._phase = _BRAKES
        self._hal.drive.halt(0)

    # Just before the move brakes: where another one is certain to follow it the same way and no slower, let
    # the wheels go on to that one's end.
    def _join(self, now):
        self._looked = True
        ahead, values, drive = self._ahead, self._senses.values, self._hal.drive
        if not ahead.look(self.state, self.slot, self.queued, values):
            return
        gear = ahead.gear
        if gear.left * self._forward <= 0 or gear.rate < self._rate or vm.tripped(ahead.state, values):
            return
        if ahead.across and self._senses.flags & _isa.FLAG_BATTERY:
            return
        self._beyond = gear.left
        if self._blocked(now):
            self._beyond = 0
            return
        self._across = ahead.across
        left, right = self._goal_left - drive.left, self._goal_right - drive.right
        drive.move(left + self._beyond, right + self._beyond, self._rate, gear.accel)

    def _resume(self, trip):
        self.state[vm.TRIP] = trip
        self._phase = _COMPUTES

    # What must end the move now: a guard's number plus 1, the reflex, or 0.
    def _obstructed(self, now):
        values = self._senses.values
        trip = vm.tripped(self.state, values)
        if trip or not self._forward or not self._blocked(now):
            return trip
        self.reflex = True
        return _REFLEX

    # Whether the reflex forbids to go on to where the wheels will stand.
    def _blocked(self, now):
        drive, beyond, reflex = self._hal.drive, self._beyond, self._reflex
        left = abs(self._goal_left + beyond - drive.left)
        left = max(left, abs(self._goal_right + beyond - drive.right))
        speed, ages = self._speed(now), self._hal.range.ages
        return reflex.blocked(self._forward, speed, self._gear.accel, left, self._senses.values, ages)

    # Begin the motion that the gear holds, unless a guard or the reflex forbids it. The wheels may turn for
    # it already.
    def _start(self, now, forward, straight):
        gear, drive = self._gear, self._hal.drive
        self._first = self._speed(now)
        self._rate, self._moved = gear.rate, now
        self._forward, self._straight = forward, straight
        self.reflex = self._looked = self._across = False
        if not self._beyond:
            self._goal_left, self._goal_right = drive.left, drive.right
        self._beyond = 0
        self._goal_left += gear.left
        self._goal_right += gear.right
        left, right = self._goal_left - drive.left, self._goal_right - drive.right
        trip = self._obstructed(now)
        if trip and drive.moving:
            self._brake(trip)
            return False
        self.state[vm.TRIP] = trip
        if trip or not (left or right):
            return True
        drive.move(left, right, gear.rate, gear.accel)
        self._phase = _MOVES
        return False

    def _move(self, now):
        mm = self.state[vm.ARGS]
        self._gear.move(mm, self.state[vm.ARGS + 1])
        return self._start(now, 1 if mm > 0 else -1, True)

    def _turn(self, now):
        self._gear.turn(self.state[vm.ARGS], self.state[vm.ARGS + 1])
        return self._start(now, 0, False)

    def _drive(self, now):
        state, gear = self.state, self._gear
        left, right, ms = state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2]
        gear.drive(left, right, ms)
        if not gear.left and not gear.right:
            state[vm.ARGS] = ms
            return self._wait(now)
        way = left + right
        return self._start(now, 1 if way > 0 else -1 if way else 0, False)

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
