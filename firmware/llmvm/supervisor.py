# The supervisor: it owns time, the lease, the e-stop, the slots and the link, and lets a block run. One loop
# asks what happens next and when, lets time pass until then, and does it.
import sys
from binascii import crc32
from struct import calcsize, pack, pack_into, unpack_from

from micropython import const

from llmvm import _isa, vm
from llmvm.blocks import Blocks
from llmvm.link import HEADER, Link
from llmvm.motion import Odometry
from llmvm.runner import Runner
from llmvm.senses import Senses
from llmvm.verify import Verifier

_TELEMETRY_MS = const(100)
_IDLE_MS = const(1000)
_SPARE = const(8)  # places of the queue that reports leave free
_FAILURES = const(3)  # rounds that may fail one after the other

_HELLO_SIZE = calcsize(_isa.HELLO_FORMAT)
_TELEMETRY_SIZE = calcsize(_isa.TELEMETRY_FORMAT)
_VERDICT_SIZE = calcsize(_isa.VERDICT_FORMAT)
_DONE_SIZE = calcsize(_isa.DONE_FORMAT)
_EVENT_SIZE = calcsize(_isa.EVENT_FORMAT)
_FAULT_SIZE = calcsize(_isa.FAULT_FORMAT)


class Supervisor:
    def __init__(self, hal, limits, angles_mrad):
        self._hal = hal
        self._manifest = crc32(pack("<%di" % len(limits), *limits))
        self._lease_ms = limits[_isa.LIM_LEASE_MS]
        self._latch_ms = limits[_isa.LIM_LATCH_MS]
        self._blocks = Blocks(limits, Verifier(limits, self._manifest))
        # the reports of the block that runs, and of the one before it
        self._link = Link(hal.serial, self._handlers(), 2 * limits[_isa.LIM_MAX_REPORTS] + 2 * _SPARE)
        self._odometry = Odometry(hal, limits)
        self._senses = Senses(hal, limits, self._odometry)
        tell = self._report, self._done, self._follow
        self._runner = Runner(hal, limits, angles_mrad, self._senses, self._odometry, *tell)
        self._payload = bytearray(32)
        self._nonce = 0  # of the session
        self._completed = None  # the block that NEXT may follow when none runs
        self._latched = False
        self._clear = hal.nonce()  # what releases the latch
        self._closing = False  # the session ends with this round
        self._late = False  # the lease has run out
        self._lease_at = 0  # ms when the lease runs out, or the e-stop latches
        self._telemetry_at = 0
        self._until = 0

    # For the REPL.

    def show(self):
        block = self._runner.slot
        print("manifest 0x%08x" % (self._manifest & 0xFFFFFFFF))
        print("e-stop latched" if self._latched else "a block runs" if block else "no block runs")
        link = self._link
        print("session %d, %d frames broken, %d strange" % (link.session, link.bad, link.strange))
        self.show_senses()

    def show_senses(self):
        clock = self._hal.clock
        clock.advance(clock.ms)
        self._senses.refresh(clock.ms, self._runner.began)
        values = self._senses.values
        pose = values[_isa.CH_X], values[_isa.CH_Y], values[_isa.CH_HEADING]
        print("at (%d, %d) mm, %d mrad since the session began" % pose)
        print("battery", values[_isa.CH_BATTERY], "mV")
        print("ranges front, front left, front right, left, right, rear:", *values[:6])

    # What the host may ask for.
    def _handlers(self):
        handlers = [None] * _isa.FRAMES
        handlers[_isa.F_IDENTIFY] = self._on_identify
        handlers[_isa.F_HEARTBEAT] = self._on_status  # so that both ends wake at the same moments
        handlers[_isa.F_STATUS] = self._on_status
        handlers[_isa.F_BEGIN] = self._on_begin
        handlers[_isa.F_DATA] = self._on_data
        handlers[_isa.F_COMMIT] = self._on_commit
        handlers[_isa.F_RUN] = self._on_run
        handlers[_isa.F_NEXT] = self._on_next
        handlers[_isa.F_NATIVE] = self._on_native
        handlers[_isa.F_STOP] = self._on_stop
        handlers[_isa.F_ESTOP] = self._on_estop
        handlers[_isa.F_CLEAR] = self._on_clear
        handlers[_isa.F_CLOSE] = self._on_close
        return handlers

    # Work until the power goes. Whatever goes wrong in here stops the robot first.
    def run(self):
        failures = 0
        while True:
            try:
                self.step()
                failures = 0
            except Exception as error:
                failures += 1
                self._fail(error)
                if failures == _FAILURES:
                    raise
            except BaseException:
                self._hal.drive.halt(1)
                raise

    def _fail(self, error):
        sys.print_exception(error, sys.stderr)
        self._latch(_isa.OUT_FAULT)
        self._fault(_isa.FAULT_INTERNAL, (error.errno or 0) if isinstance(error, OSError) else 0)

    # One round: let time pass, then do what is due.
    def step(self):
        clock, link, runner = self._hal.clock, self._link, self._runner
        clock.advance(self._until)
        now = clock.ms
        self._senses.refresh(now, runner.began)
        link.receive(now)
        until = now + _IDLE_MS
        break_at = self._watch_break(now)
        if break_at is not None:
            until = min(until, break_at)
        if link.session >= 0:
            self._watch_lease(now)
            if runner.slot:
                runner.go_on(now)
            if now >= self._telemetry_at:
                self._send_telemetry(now)
            link.flush(now)
            until = min(until, self._telemetry_at)
            if link.deadline is not None:
                until = min(until, link.deadline)
            if runner.slot:
                until = min(until, runner.next(now))
            if not self._latched:
                until = min(until, self._lease_at)
            if self._closing:
                until = self._end_session(now)
        clock.feed()
        self._until = until

    # A Ctrl-C where no host is alive is one: stop, and leave the port to the REPL, with what was typed behind
    # it. Returns when to look again, or None.
    def _watch_break(self, now):
        link = self._link
        break_at = link.break_at()
        if break_at is None:
            return None
        if link.session >= 0:
            break_at = max(break_at, link.heard + self._lease_ms)
        if now < break_at:
            return break_at
        self._hal.drive.halt(1)
        self._hal.leave(link.behind_break())
        raise KeyboardInterrupt

    # The lease and the latch: how long the link has been silent. A block that asked for autonomy has that
    # much time.
    def _watch_lease(self, now):
        slot, heard = self._runner.slot, self._link.heard
        lease = max(self._lease_ms, slot.autonomous_ms) if slot else self._lease_ms
        latch = lease - self._lease_ms + self._latch_ms
        self._late = now - heard >= lease
        self._lease_at = heard + (latch if self._late else lease)
        if self._late and slot:
            self._runner.stop(_isa.OUT_LEASE)
        if now - heard >= latch and not self._latched:
            self._latch(_isa.OUT_ESTOP)

    # Stop at once and stay stopped until the host names the new nonce.
    def _latch(self, outcome):
        self._hal.drive.halt(1)
        self._completed = None
        if not self._latched:
            self._latched = True
            self._clear = self._hal.nonce()
        if self._runner.slot:
            self._runner.abort(outcome)
        self._telemetry_at = 0

    # What a block has to say.

    def _report(self, tag, value):
        pack_into(_isa.EVENT_FORMAT, self._payload, 0, tag, value)
        self._link.keep(_isa.F_EVENT, self._payload, _EVENT_SIZE, _SPARE)

    def _done(self, slot, outcome, code, ms):
        state, odometry = self._runner.state, self._odometry
        pack_into(
            _isa.DONE_FORMAT, self._payload, 0, slot.hash, outcome, code, self._pc(), state[vm.FUEL], ms,
            int(odometry.path), int(odometry.rotation), state[vm.TRIP],
        )  # fmt: skip
        self._link.keep(_isa.F_DONE, self._payload, _DONE_SIZE)
        self._telemetry_at = 0
        self._completed = slot.hash if outcome == _isa.OUT_COMPLETED else None

    # The block that was queued behind the one that has just ended begins, or is dropped. Where its first move
    # has begun already, it must account for that, however the other one has ended.
    def _follow(self, queued, begun):
        if begun:
            self._runner.begin(queued, self._hal.clock.ms)
        elif self._completed:
            self._begin(queued)
        else:
            self._fault(_isa.FAULT_NOT_COMPLETED, 0)

    def _begin(self, slot):
        if self._senses.flags & _isa.FLAG_BATTERY:
            self._fault(_isa.FAULT_BATTERY, self._senses.values[_isa.CH_BATTERY])
        else:
            self._runner.begin(slot, self._hal.clock.ms)

    # The word that was executed last.
    def _pc(self):
        return max(self._runner.state[vm.PC] - 1, 0)

    def _fault(self, code, value):
        pack_into(_isa.FAULT_FORMAT, self._payload, 0, code, value)
        self._link.keep(_isa.F_FAULT, self._payload, _FAULT_SIZE)

    def _send_telemetry(self, now):
        link, values, state, runner = self._link, self._senses.values, self._runner.state, self._runner
        status = _isa.STATE_READY if runner.slot is None else _isa.STATE_RUNNING
        if self._latched:
            status = _isa.STATE_LATCHED
        flags = self._senses.flags
        if runner.reflex:
            flags |= _isa.FLAG_REFLEX
        if self._late:
            flags |= _isa.FLAG_LEASE
        pack_into(
            _isa.TELEMETRY_FORMAT, link.out, HEADER, now, values[_isa.CH_X], values[_isa.CH_Y],
            values[_isa.CH_HEADING], values[0], values[1], values[2], values[3], values[4], values[5],
            values[_isa.CH_AGE], values[_isa.CH_BATTERY], status, state[vm.MODE], state[vm.TRIP], flags,
            self._pc(), state[vm.FUEL], self._clear,
        )  # fmt: skip
        link.send(_isa.F_TELEMETRY, _TELEMETRY_SIZE)
        self._telemetry_at = now + _TELEMETRY_MS

    # The host's frames. The payload begins at HEADER of the link's frame.

    # A host that repeats itself gets the same answer; another one begins a session.
    def _on_identify(self, _size):
        link = self._link
        nonce = unpack_from(_isa.IDENTIFY_FORMAT, link.frame, HEADER)[0]
        if link.asked != link.session or nonce != self._nonce:
            self._nonce = nonce
            self._begin_session()
        version = _isa.MAJOR, _isa.MINOR
        hashes, kind = (_isa.SPEC_HASH, self._manifest), self._blocks.native.kind
        pack_into(_isa.HELLO_FORMAT, link.out, HEADER, nonce, *hashes, *version, self._clear, kind)
        link.send(_isa.F_HELLO, _HELLO_SIZE)

    def _begin_session(self):
        if self._hal.drive.moving:
            self._hal.drive.halt(0)
        self._runner.reset()
        self._completed = None
        self._blocks.forget()
        self._odometry.begin()
        self._link.begin(self._link.asked)
        self._telemetry_at = self._hal.clock.ms + _TELEMETRY_MS

    def _on_close(self, _size):
        if self._refuse_latched():
            return
        if self._busy():
            self._fault(_isa.FAULT_BUSY, 0)
        else:
            self._closing = True

    # The host has gone, and said so; its frame is acknowledged.
    def _end_session(self, now):
        self._closing = self._late = False
        self._completed = None
        self._link.begin(-1)
        return now + _IDLE_MS

    def _on_status(self, _size):
        self._telemetry_at = 0

    # While the latch is set nothing else is done for the host.
    def _refuse_latched(self):
        if self._latched:
            self._fault(_isa.FAULT_LATCHED, 0)
        return self._latched

    def _on_begin(self, _size):
        block, size = unpack_from(_isa.BEGIN_FORMAT, self._link.frame, HEADER)
        if self._refuse_latched():
            return
        fault = self._blocks.begin(block, size, self._runner.slot, self._runner.queued)
        if fault:
            self._fault(fault, size)

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
        if self._blocks.takes_native:
            self._commit_native(block)
            return
        verdict = self._blocks.commit(block)
        if verdict is None:
            self._fault(_isa.FAULT_UPLOAD, 0)
            return
        self._verdict(block, verdict.rule, verdict.word, verdict.value, verdict.limit)

    def _verdict(self, block, *found):
        pack_into(_isa.VERDICT_FORMAT, self._payload, 0, block, *found)
        self._link.keep(_isa.F_VERDICT, self._payload, _VERDICT_SIZE)

    # Machine code is taken in only while nothing runs and the wheels stand: nobody has proved how long it
    # takes to load.
    def _busy(self):
        return self._runner.slot or self._hal.drive.moving

    def _on_native(self, _size):
        block, size = unpack_from(_isa.NATIVE_FORMAT, self._link.frame, HEADER)
        if self._refuse_latched():
            return
        fault = self._blocks.begin_native(block, size)
        if fault:
            self._fault(fault, size)

    def _commit_native(self, code):
        if self._busy():
            self._fault(_isa.FAULT_BUSY, 0)
            return
        block = self._blocks.commit_native(code)
        if block:
            self._verdict(block, _isa.RULE_OK, 0, 0, 0)
        else:
            self._fault(_isa.FAULT_NATIVE, 0)

    def _on_run(self, _size):
        if self._refuse_latched():
            return
        if self._busy():  # a new session may find the wheels still turning
            self._fault(_isa.FAULT_BUSY, 0)
            return
        slot = self._held(unpack_from(_isa.RUN_FORMAT, self._link.frame, HEADER)[0])
        if slot:
            self._begin(slot)

    # The slot that holds a block, or None and a fault.
    def _held(self, block):
        slot = self._blocks.find(block)
        if slot is None:
            self._fault(_isa.FAULT_UNKNOWN_BLOCK, 0)
        return slot

    def _on_next(self, _size):
        if self._refuse_latched():
            return
        after, block = unpack_from(_isa.NEXT_FORMAT, self._link.frame, HEADER)
        runner = self._runner
        slot = self._held(block)
        if slot is None:
            return
        if runner.queued:
            self._fault(_isa.FAULT_BUSY, 0)
        elif runner.slot is None and self._completed == after:
            self._begin(slot)
        elif runner.slot is None or runner.slot.hash != after or not runner.queue(slot):
            self._fault(_isa.FAULT_NOT_COMPLETED, 0)

    def _on_stop(self, _size):
        self._completed = None
        if self._runner.slot:
            self._runner.stop(_isa.OUT_STOPPED)

    def _on_estop(self, _size):
        self._latch(_isa.OUT_ESTOP)

    def _on_clear(self, _size):
        if self._latched and unpack_from(_isa.CLEAR_FORMAT, self._link.frame, HEADER)[0] == self._clear:
            self._latched = False
            self._telemetry_at = 0
