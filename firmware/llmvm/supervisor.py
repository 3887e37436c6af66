# The supervisor: it owns time, the lease, the e-stop, the reflex, the guards, the slots and the link. One loop asks what
# happens next and when, lets time pass until then, and does it.
from array import array
from binascii import crc32
from struct import calcsize, pack, pack_into, unpack_from

from micropython import const

from llmvm import _isa, vm
from llmvm.blocks import Blocks
from llmvm.link import HEADER, Link
from llmvm.motion import Gear, Odometry, Reflex
from llmvm.verify import Verifier

_SLICE = const(256)  # instructions between two looks at everything else
_TELEMETRY_MS = const(100)
_IDLE_MS = const(1000)
_NONE = const(65535)  # a range channel without a valid reading
_REFLEX = const(5)  # TRIP's answer
_SPARE = const(8)  # places of the queue that reports leave free
_HELLO_SIZE = calcsize(_isa.HELLO_FORMAT)
_TELEMETRY_SIZE = calcsize(_isa.TELEMETRY_FORMAT)
_VERDICT_SIZE = calcsize(_isa.VERDICT_FORMAT)
_DONE_SIZE = calcsize(_isa.DONE_FORMAT)
_EVENT_SIZE = calcsize(_isa.EVENT_FORMAT)
_FAULT_SIZE = calcsize(_isa.FAULT_FORMAT)

# What a running block does
_COMPUTES = const(0)
_MOVES = const(1)
_WAITS = const(2)
_BRAKES = const(3)  # to standstill, which ends a move early
_ENDS = const(4)  # to standstill, which ends the block


class Supervisor:
    def __init__(self, hal, limits, angles_mrad):
        self._hal = hal
        self._limits = limits
        self._manifest = crc32(pack("<%di" % len(limits), *limits))
        self._blocks = Blocks(limits, Verifier(limits, self._manifest))
        self._link = Link(hal.serial, self._handlers(), limits[_isa.LIM_MAX_REPORTS] + 2 * _SPARE)
        self._gear = Gear(limits)
        self._odometry = Odometry(hal.drive, limits)
        self._reflex = Reflex(limits, angles_mrad)
        self._state = array("i", [0] * vm.STATE)
        self._senses = array("i", [0] * 16)
        self._payload = bytearray(32)
        self._executors = self._instructions()
        self._tick = limits[_isa.LIM_TICK_MS]
        self._slot = None  # of the running block
        self._phase = _COMPUTES
        self._latched = False
        self._clear = hal.nonce()
        self._nonce = 0  # of the session
        self._flags = 0
        self._began = self._ends = self._moved = 0  # ms
        self._forward = 0  # the move's direction: 1, -1, or 0 for a turn
        self._outcome = 0
        self._telemetry_at = 0
        self._until = 0

    # What the host may ask for.
    def _handlers(self):
        handlers = [None] * (_isa.F_ACK + 1)
        handlers[_isa.F_IDENTIFY] = self._on_identify
        handlers[_isa.F_STATUS] = self._on_status
        handlers[_isa.F_BEGIN] = self._on_begin
        handlers[_isa.F_DATA] = self._on_data
        handlers[_isa.F_COMMIT] = self._on_commit
        handlers[_isa.F_RUN] = self._on_run
        handlers[_isa.F_STOP] = self._on_stop
        handlers[_isa.F_ESTOP] = self._on_estop
        handlers[_isa.F_CLEAR] = self._on_clear
        return handlers

    # What the interpreter leaves to the supervisor; each returns whether the block can go on computing at once.
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

    # Work until the power goes. Whatever goes wrong in here stops the robot first.
    def run(self):
        while True:
            try:
                self.step()
            except Exception as error:
                self._hal.drive.halt(1)
                self._latch(_isa.OUT_FAULT)
                self._fault(_isa.FAULT_INTERNAL, getattr(error, "errno", None) or 0)
                import sys

                sys.print_exception(error, sys.stderr)
            except BaseException:
                self._hal.drive.halt(1)
                raise

    # One round: let time pass, then do what is due.
    def step(self):
        clock = self._hal.clock
        clock.advance(self._until)
        now = clock.ms
        self._refresh(now)
        link = self._link
        link.receive(now)
        if link.session >= 0:
            self._watch_lease(now)
        if self._slot is not None:
            self._go_on(now)
        if now >= self._telemetry_at and link.session >= 0:
            self._send_telemetry(now)
        link.flush(now)
        clock.feed()
        self._until = self._next(now)

    # When the next round is due at the latest.
    def _next(self, now):
        link = self._link
        if link.session < 0:
            return now + _IDLE_MS
        until = self._telemetry_at
        if link.deadline is not None:
            until = min(until, link.deadline)
        if self._slot is None:
            return min(until, link.heard + self._limits[_isa.LIM_LATCH_MS]) if not self._latched else until
        until = min(until, link.heard + self._silence())
        if self._phase == _COMPUTES:
            return now
        if self._phase == _WAITS:
            until = min(until, self._ends)
        return min(until, now + self._tick)

    # Read every channel, so that the interpreter finds its senses in an array.
    def _refresh(self, now):
        hal, senses, odometry = self._hal, self._senses, self._odometry
        odometry.update()
        ages = hal.range.ages
        stale = self._limits[_isa.LIM_STALE_MS]
        oldest = flags = 0
        channel = 0
        for mm in hal.range.mm:
            age = ages[channel]
            if age > oldest:
                oldest = age
            if age > stale or mm == _NONE:
                mm = _NONE
                flags = _isa.FLAG_STALE
            senses[channel] = mm
            channel += 1
        senses[_isa.CH_BATTERY] = hal.battery.mv
        senses[_isa.CH_X] = round(odometry.x)
        senses[_isa.CH_Y] = round(odometry.y)
        senses[_isa.CH_HEADING] = round(odometry.heading)
        senses[_isa.CH_CLOCK] = now - self._began if self._slot else 0
        senses[_isa.CH_TRAVELLED] = int(odometry.path)
        senses[_isa.CH_AGE] = oldest
        if hal.drive.moving:
            flags |= _isa.FLAG_MOVING
        if hal.battery.mv < self._limits[_isa.LIM_BATTERY_MIN_MV]:
            flags |= _isa.FLAG_BATTERY
        self._flags = (self._flags & (_isa.FLAG_REFLEX | _isa.FLAG_LEASE)) | flags

    # The lease and the latch: how long the link has been silent. A block that asked for autonomy has that much more time.
    def _watch_lease(self, now):
        silent = now - self._link.heard
        lease = self._silence()
        if silent < lease:
            self._flags &= ~_isa.FLAG_LEASE
            return
        self._flags |= _isa.FLAG_LEASE
        if self._slot is not None and self._phase != _ENDS:
            self._brake_and_end(_isa.OUT_LEASE)
        if not self._latched and silent >= lease - self._limits[_isa.LIM_LEASE_MS] + self._limits[_isa.LIM_LATCH_MS]:
            self._latch(_isa.OUT_ESTOP)

    def _silence(self):
        lease = self._limits[_isa.LIM_LEASE_MS]
        return max(lease, self._slot.autonomous_ms) if self._slot else lease

    # Stop at once and stay stopped until the host names the new nonce.
    def _latch(self, outcome):
        self._hal.drive.halt(1)
        if not self._latched:
            self._latched = True
            self._clear = self._hal.nonce()
        if self._slot is not None:
            self._finish(outcome, 0)

    # The running block.

    def _go_on(self, now):
        if self._phase != _COMPUTES:
            self._poll(now)
        if self._phase == _COMPUTES:
            self._compute(now)
        if self._slot is not None and self._phase != _ENDS and now - self._began > self._slot.certificate[_isa.CERT_MS]:
            self._brake_and_end(_isa.OUT_FAULT)

    # Execute instructions until the block moves, waits or ends, or its slice is over.
    def _compute(self, now):
        state, slot = self._state, self._slot
        fuel = slot.certificate[_isa.CERT_FUEL]
        state[vm.BUDGET] = min(_SLICE, fuel - state[vm.FUEL])
        while True:
            code = vm.run(state, slot.words, slot.constants, self._senses)
            if code == 0:
                if state[vm.FUEL] >= fuel:
                    self._brake_and_end(_isa.OUT_FAULT)
                return
            if not self._executors[code](now):
                return

    # Look after a move or a wait that goes on.
    def _poll(self, now):
        drive = self._hal.drive
        phase = self._phase
        if phase == _WAITS:
            if now >= self._ends:
                self._resume(0)
            else:
                trip = vm.tripped(self._state, self._senses)
                if trip:
                    self._resume(trip)
        elif not drive.moving:
            if phase == _ENDS:
                self._finish(self._outcome, 0)
            else:
                self._resume(0 if phase == _MOVES else self._state[vm.TRIP])
        elif phase == _MOVES:
            trip = self._obstructed(now)
            if trip:
                self._state[vm.TRIP] = trip
                self._phase = _BRAKES
                drive.halt(0)

    def _resume(self, trip):
        self._state[vm.TRIP] = trip
        self._phase = _COMPUTES

    # What must end the move now: a guard's number plus 1, the reflex, or 0.
    def _obstructed(self, now):
        trip = vm.tripped(self._state, self._senses)
        if trip or not self._forward:
            return trip
        gear, drive = self._gear, self._hal.drive
        # no faster than the acceleration since the move began allows
        rate = min(gear.rate, gear.accel * (now - self._moved) // 1000) if drive.moving else 0
        left = max(abs(self._goal_left - drive.left), abs(self._goal_right - drive.right))
        if self._reflex.blocked(self._forward, rate, gear.accel, left, self._senses, self._hal.range.ages):
            self._flags |= _isa.FLAG_REFLEX
            return _REFLEX
        return 0

    # Begin the motion that the gear holds, unless a guard or the reflex forbids it.
    def _start(self, now, forward):
        gear, drive = self._gear, self._hal.drive
        self._flags &= ~_isa.FLAG_REFLEX
        self._forward = forward
        self._moved = now
        self._goal_left = drive.left + gear.left
        self._goal_right = drive.right + gear.right
        trip = self._obstructed(now)
        self._state[vm.TRIP] = trip
        if trip or not (gear.left or gear.right):
            return True
        drive.move(gear.left, gear.right, gear.rate, gear.accel)
        self._phase = _MOVES
        return False

    def _move(self, now):
        mm = self._state[vm.ARGS]
        self._gear.move(mm, self._state[vm.ARGS + 1])
        return self._start(now, 1 if mm > 0 else -1)

    def _turn(self, now):
        self._gear.turn(self._state[vm.ARGS], self._state[vm.ARGS + 1])
        return self._start(now, 0)

    def _drive(self, now):
        state, gear = self._state, self._gear
        left, right, ms = state[vm.ARGS], state[vm.ARGS + 1], state[vm.ARGS + 2]
        gear.drive(left, right, ms)
        if not gear.left and not gear.right:
            state[vm.ARGS] = ms
            return self._wait(now)
        way = left + right
        return self._start(now, 1 if way > 0 else -1 if way else 0)

    def _wait(self, now):
        state = self._state
        trip = vm.tripped(state, self._senses)
        state[vm.TRIP] = trip
        if trip or not state[vm.ARGS]:
            return True
        self._ends = now + state[vm.ARGS]
        self._phase = _WAITS
        return False

    def _led(self, _now):
        args = self._state
        self._hal.led.set(args[vm.ARGS], args[vm.ARGS + 1], args[vm.ARGS + 2])
        return True

    def _tone(self, _now):
        self._hal.led.tone(self._state[vm.ARGS], self._state[vm.ARGS + 1])
        return True

    def _report(self, _now):
        pack_into(_isa.EVENT_FORMAT, self._payload, 0, self._state[vm.ARGS], self._state[vm.ARGS + 1])
        self._link.keep(_isa.F_EVENT, self._payload, _EVENT_SIZE, _SPARE)
        return True

    def _end(self, _now):
        self._finish(_isa.OUT_COMPLETED, 0)
        return False

    def _fail(self, _now):
        self._finish(_isa.OUT_FAILED, self._state[vm.ARGS])
        return False

    # End the block with this outcome as soon as the robot stands.
    def _brake_and_end(self, outcome):
        self._outcome = outcome
        if self._hal.drive.moving:
            self._hal.drive.halt(0)
            self._phase = _ENDS
        else:
            self._finish(outcome, 0)

    def _finish(self, outcome, code):
        state, odometry = self._state, self._odometry
        pack_into(
            _isa.DONE_FORMAT, self._payload, 0, self._slot.hash, outcome, code, max(state[vm.PC] - 1, 0), state[vm.FUEL],
            self._hal.clock.ms - self._began, int(odometry.path), int(odometry.rotation), state[vm.TRIP],
        )  # fmt: skip
        self._slot = self._blocks.running = None
        self._phase = _COMPUTES
        self._link.keep(_isa.F_DONE, self._payload, _DONE_SIZE)
        self._telemetry_at = 0

    # The host's frames. The payload begins at HEADER of the link's frame.

    def _on_identify(self, _size):
        link = self._link
        nonce = unpack_from(_isa.IDENTIFY_FORMAT, link.frame, HEADER)[0]
        if link.asked != link.session or nonce != self._nonce:
            self._begin_session(nonce)
        pack_into(
            _isa.HELLO_FORMAT, link.out, HEADER, nonce, _isa.SPEC_HASH, self._manifest, _isa.MAJOR, _isa.MINOR, self._clear
        )
        link.send(_isa.F_HELLO, _HELLO_SIZE)

    def _begin_session(self, nonce):
        if self._hal.drive.moving:
            self._hal.drive.halt(0)
        self._nonce = nonce
        self._slot = self._blocks.running = None
        self._phase = _COMPUTES
        self._blocks.forget()
        self._odometry.begin()
        self._flags = 0
        for i in range(vm.STATE):
            self._state[i] = 0
        self._link.begin(self._link.asked)
        self._telemetry_at = self._hal.clock.ms + _TELEMETRY_MS

    def _on_status(self, _size):
        self._telemetry_at = 0

    def _send_telemetry(self, now):
        link, senses, state = self._link, self._senses, self._state
        status = _isa.STATE_LATCHED if self._latched else _isa.STATE_RUNNING if self._slot else _isa.STATE_READY
        pack_into(
            _isa.TELEMETRY_FORMAT, link.out, HEADER, now, senses[_isa.CH_X], senses[_isa.CH_Y], senses[_isa.CH_HEADING],
            senses[0], senses[1], senses[2], senses[3], senses[4], senses[5], senses[_isa.CH_AGE], senses[_isa.CH_BATTERY],
            status, state[vm.MODE], state[vm.TRIP], self._flags, max(state[vm.PC] - 1, 0), state[vm.FUEL], self._clear,
        )  # fmt: skip
        link.send(_isa.F_TELEMETRY, _TELEMETRY_SIZE)
        self._telemetry_at = now + _TELEMETRY_MS

    def _fault(self, code, value):
        pack_into(_isa.FAULT_FORMAT, self._payload, 0, code, value)
        self._link.keep(_isa.F_FAULT, self._payload, _FAULT_SIZE)

    # Whether the latch is set, which refuses what the host asks for.
    def _refuse_latched(self):
        if self._latched:
            self._fault(_isa.FAULT_LATCHED, 0)
        return self._latched

    def _on_begin(self, _size):
        block, size = unpack_from(_isa.BEGIN_FORMAT, self._link.frame, HEADER)
        if not self._refuse_latched() and not self._blocks.begin(block, size):
            self._fault(_isa.FAULT_UPLOAD, size)

    def _on_data(self, size):
        frame = self._link.frame
        offset = unpack_from(_isa.DATA_FORMAT, frame, HEADER)[0]
        if self._latched or self._blocks.broken:
            return
        if not self._blocks.data(offset, frame[HEADER + 2 : HEADER + size], size - 2):
            self._fault(_isa.FAULT_UPLOAD, offset)

    def _on_commit(self, _size):
        block = unpack_from(_isa.COMMIT_FORMAT, self._link.frame, HEADER)[0]
        if self._latched or self._blocks.broken:
            return
        verdict = self._blocks.commit(block)
        if verdict is None:
            self._fault(_isa.FAULT_UPLOAD, 0)
            return
        pack_into(
            _isa.VERDICT_FORMAT, self._payload, 0, block, verdict.rule, verdict.word, verdict.value, verdict.limit
        )
        self._link.keep(_isa.F_VERDICT, self._payload, _VERDICT_SIZE)

    def _on_run(self, _size):
        if self._refuse_latched():
            return
        if self._slot is not None:
            self._fault(_isa.FAULT_BUSY, 0)
        elif self._flags & _isa.FLAG_BATTERY:
            self._fault(_isa.FAULT_BATTERY, self._senses[_isa.CH_BATTERY])
        else:
            slot = self._blocks.find(unpack_from(_isa.RUN_FORMAT, self._link.frame, HEADER)[0])
            if slot is None:
                self._fault(_isa.FAULT_UNKNOWN_BLOCK, 0)
            else:
                self._begin_block(slot)

    def _begin_block(self, slot):
        state = self._state
        for i in range(vm.VARIABLES):
            state[i] = 0
        state[vm.PC] = state[vm.FUEL] = state[vm.DEPTH] = state[vm.TRIP] = 0
        for i in range(vm.WATCH, vm.THRESHOLD):
            state[i] = 0
        self._slot = self._blocks.running = slot
        self._phase = _COMPUTES
        self._began = self._hal.clock.ms
        self._odometry.begin_block()
        self._senses[_isa.CH_CLOCK] = self._senses[_isa.CH_TRAVELLED] = 0

    def _on_stop(self, _size):
        if self._slot is not None and self._phase != _ENDS:
            self._brake_and_end(_isa.OUT_STOPPED)

    def _on_estop(self, _size):
        self._latch(_isa.OUT_ESTOP)

    def _on_clear(self, _size):
        if self._latched and unpack_from(_isa.CLEAR_FORMAT, self._link.frame, HEADER)[0] == self._clear:
            self._latched = False
            self._telemetry_at = 0
