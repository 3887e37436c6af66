# Two stepper motors that make planned steps from a hardware timer.
#
# A motion is a number of steps: the timer's callback makes one, plans the next and sets the timer for it,
# until none is left. No callback, no step: where Python hangs, the wheels stand.
#
# Under a constant acceleration a, the square of the speed grows by 2a with every step, and the step from
# speed u to speed v takes 2 / (u + v). So the ramp is kept as a square, exact in integers, and its root
# gives the time. Austin (Generate stepper-motor speed profiles in real time, 2005) and Atmel's AVR446 start
# from the same motion and approximate that quotient. The step in which a ramp meets another one, or the
# level, is split at that point. The other wheel follows the one with more steps as a line is drawn
# (Bresenham).
from array import array
from time import ticks_us

import micropython
from machine import Pin, Timer
from micropython import const

# The state. A speed is in steps/s << shift; a square is that of such a number; a time is in µs.
_LEFT = const(0)  # half-steps since power-on
_RIGHT = const(1)
_GO = const(2)  # steps that the leading wheel has still to make
_TOTAL = const(3)  # of the motion, and of its other wheel
_OTHER = const(4)
_LINE = const(5)  # Bresenham's error
_LEAD = const(6)  # _LEFT or _RIGHT
_SIGN = const(7)  # directions of the leading and of the other wheel
_OTHER_SIGN = const(8)
_SQUARE = const(9)  # at the beginning of the step that comes
_SPEED = const(10)
_END_SQUARE = const(11)  # at its end
_END_SPEED = const(12)
_LEVEL = const(13)  # its speed between two ramps, and their times
_FIRST_US = const(14)
_LAST_US = const(15)
_STEP_US = const(16)  # its time
_PART = const(17)  # what there is to go of it when the plan begins, of 1024
_GAIN = const(18)  # 2a: what the square gains in a step
_CAP = const(19)  # the greatest square
_BRAKE = const(20)  # steps within which there may be need to brake
_SCALE = const(21)  # 2 s << shift
_REST = const(22)  # of the last division: what the rounded times lack
_DUE = const(23)  # ticks when the step is to be made
_ARMED = const(24)  # ticks for which the timer is set
_LAG = const(25)  # how late the callback came before
_STATE = const(26)

_WHOLE = const(1024)  # _PART of a whole step
_MOST = const(0x1FFFFFFF)  # greatest square, so that sums of two fit 31 bits
_STANDS_US = const(20000)  # so late a wheel has come to rest, and begins again from there
_SOON_US = const(20)  # least time for which a timer is set
_HOLD_US = const(100000)  # coils stay on so long after a motion
_HALF_STEPS = b"\x01\x03\x02\x06\x04\x0c\x08\x09"  # coils of a motor, one bit each


@micropython.viper
def _root(x: int) -> int:
    root = 0
    bit = 1 << 28
    while bit > x:
        bit >>= 2
    while bit:
        if x >= root + bit:
            x -= root + bit
            root = (root >> 1) + bit
        else:
            root >>= 1
        bit >>= 2
    return root


# The ticks as a number.
@micropython.viper
def _ticks() -> int:
    return int(ticks_us())  # type: ignore[call-overload]


# Later - earlier, for ticks.
@micropython.viper
def _since(later: int, earlier: int) -> int:
    return ((later - earlier + 0x20000000) & 0x3FFFFFFF) - 0x20000000


# How long `part` of a step takes at the mean of two speeds, whose sum is given.
@micropython.viper
def _time(numbers, speeds: int, part: int) -> int:
    state = ptr32(numbers)
    if part <= 0:
        return 0
    least = state[_SCALE] // 2000000
    if speeds < least:
        speeds = least
    if part < _WHOLE:
        return (state[_SCALE] // speeds * part) >> 10
    all = state[_SCALE] + state[_REST]
    state[_REST] = all % speeds
    return all // speeds


# Plan the step that comes: as fast as the ramps up and down and the greatest speed allow.
@micropython.viper
def _plan(numbers):
    state = ptr32(numbers)
    gain = state[_GAIN]
    cap = state[_CAP]
    part = state[_PART]
    begin = state[_SQUARE]
    way = gain if part == _WHOLE else ((gain >> 5) * part) >> 5
    steps = state[_GO] - 1
    limit = gain * (steps if steps < state[_BRAKE] else state[_BRAKE])
    end = begin + way
    if begin > cap:
        end = begin - way
        if end < cap:
            end = cap
    elif end > cap:
        end = cap
    if end > limit:
        end = limit
    peak = (begin + end + way) >> 1
    if peak > cap:
        peak = cap
    if peak < begin and begin <= cap:
        peak = begin
    if peak < end:
        peak = end
    shift = 0
    while gain >> shift >= 1 << 20:
        shift += 1
    change = peak - begin if peak > begin else begin - peak
    first = ((change >> shift) << 10) // (gain >> shift) if change < gain else _WHOLE
    if first > part:
        first = part
    then = (((peak - end) >> shift) << 10) // (gain >> shift) if peak - end < gain else _WHOLE
    if then > part - first:
        then = part - first
    speed = state[_SPEED]
    last = int(_root(end))
    level = speed if peak == begin else (last if peak == end else int(_root(peak)))
    first_us = int(_time(numbers, speed + level, first))
    last_us = int(_time(numbers, level + last, then))
    state[_FIRST_US] = first_us
    state[_LAST_US] = last_us
    state[_STEP_US] = first_us + last_us + int(_time(numbers, 2 * level, part - first - then))
    state[_LEVEL] = level
    state[_END_SQUARE] = end
    state[_END_SPEED] = last


# Count the step, and plan the next one. Returns the time for which the timer is to be set. A callback that
# came late delays no later step but the next ones, which then are made in 15/16 of their time; how late a
# callback comes every time is taken off that, so that only its jitter is added.
@micropython.viper
def _make(numbers, now: int) -> int:
    state = ptr32(numbers)
    state[state[_LEAD]] += state[_SIGN]
    line = state[_LINE] + state[_OTHER]
    if line >= state[_TOTAL]:
        line -= state[_TOTAL]
        state[1 - state[_LEAD]] += state[_OTHER_SIGN]
    state[_LINE] = line
    go = state[_GO] - 1
    state[_GO] = go
    state[_SQUARE] = state[_END_SQUARE]
    state[_SPEED] = state[_END_SPEED]
    state[_PART] = _WHOLE
    due = state[_DUE]
    if go == 0:
        state[_DUE] = (now + _HOLD_US) & 0x3FFFFFFF
        state[_ARMED] = state[_DUE]
        return _HOLD_US
    if int(_since(now, due)) > _STANDS_US:
        state[_SQUARE] = 0
        state[_SPEED] = 0
        due = now
    _plan(numbers)
    us = state[_STEP_US]
    due = (due + us) & 0x3FFFFFFF
    lag = int(_since(now, state[_ARMED]))
    usual = lag if lag < state[_LAG] else state[_LAG]
    if usual > us >> 2:
        usual = us >> 2
    wait = int(_since(due, now))
    least = us - (us >> 4) - usual
    if wait < least:
        wait = least
    state[_DUE] = due
    state[_LAG] = lag
    state[_ARMED] = (now + wait) & 0x3FFFFFFF
    return wait


# The coils for the wheels' places.
@micropython.viper
def _coils(numbers, half_steps) -> int:
    state = ptr32(numbers)
    bits = ptr8(half_steps)
    return int(bits[state[_LEFT] & 7]) | int(bits[state[_RIGHT] & 7]) << 4


class Stepper:
    # `parts` is the manifest's table [drive]. A wheel counts up while its coils go on in the order of their
    # pins.
    def __init__(self, parts):
        self._pins = [Pin(pin, Pin.OUT, value=0) for pin in parts["pins_left"] + parts["pins_right"]]
        self._coils = 0  # bits of the pins that are on
        self._top = parts["max_steps_s"]
        self._shift = 9
        while self._shift and self._top * self._top << 2 * self._shift > _MOST:
            self._shift -= 1
        if self._top * self._top > _MOST:
            raise ValueError("robot.json: parts.drive.max_steps_s is " + str(self._top) + ", more than 23170")
        self._state = array("i", [0] * _STATE)
        self._state[_SCALE] = 2000000 << self._shift
        self._timer = Timer(0)
        self._callback = self._fire
        self._locked = False  # the plan is being changed
        self._gain = 1
        self.left = self.right = self.moving = 0

    # Begin a motion, or replace the one that runs: see hal/__init__.py.
    def move(self, left, right, rate, accel):
        now = _ticks()
        self._locked = True
        rate = min(max(rate, 1), self._top) << self._shift
        self._gain = min(2 * max(accel, 1) << 2 * self._shift, _MOST)
        speed, done = self._look(now)
        state = self._state
        leads = _LEFT if abs(left) >= abs(right) else _RIGHT
        if leads != state[_LEAD]:
            speed = speed * state[_OTHER] * state[_OTHER_SIGN] // max(state[_TOTAL], 1)
        else:
            speed *= state[_SIGN]
        if (left if leads == _LEFT else right) < 0:
            speed = -speed
        if speed <= 0:
            speed = done = 0
        self._begin(left, right, rate, speed, done, now)

    def halt(self, at_once):
        now = _ticks()
        self._locked = True
        speed, _ = self._look(now)
        state = self._state
        way = min(speed * speed // self._gain, state[_GO])
        if at_once or not way:
            self._stop(now, at_once)
            return
        total = state[_TOTAL]
        other = (2 * way * state[_OTHER] + total) // (2 * total) * state[_OTHER_SIGN]
        way *= state[_SIGN]
        if state[_LEAD] == _LEFT:
            self._begin(way, other, speed, speed, 0, now)
        else:
            self._begin(other, way, speed, speed, 0, now)

    # The leading wheel's speed now, and the part of its step that it has done, of 1024.
    def _look(self, now):
        state = self._state
        if not state[_GO]:
            return 0, 0
        us = state[_STEP_US]
        gone = min(max(us - _since(state[_DUE], now), 0), us)
        first_us, last_us, unit = state[_FIRST_US], state[_LAST_US], state[_SCALE]
        begin, level, end = state[_SPEED], state[_LEVEL], state[_END_SPEED]
        done = _WHOLE - state[_PART]
        if gone < first_us:
            speed = begin + (level - begin) * gone // first_us
            return speed, done + (begin + speed) * gone * _WHOLE // unit
        left = us - gone
        if left < last_us:
            speed = end + (level - end) * left // last_us
            return speed, _WHOLE - 1 - (end + speed) * left * _WHOLE // unit
        return level, done + ((begin + level) * first_us + 2 * level * (gone - first_us)) * _WHOLE // unit

    # Plan a motion from a speed of its leading wheel, which has done a part of its first step. Where that
    # is too fast to end in time, it brakes harder.
    def _begin(self, left, right, rate, speed, done, now):
        state = self._state
        total = max(abs(left), abs(right))
        if not total:
            self._stop(now, 0)
            return
        leads = _LEFT if abs(left) >= abs(right) else _RIGHT
        first, second = (left, right) if leads == _LEFT else (right, left)
        state[_GO] = state[_TOTAL] = total
        state[_OTHER] = abs(second)
        state[_LINE] = state[_LAG] = 0
        state[_LEAD] = leads
        state[_SIGN] = 1 if first > 0 else -1
        state[_OTHER_SIGN] = 1 if second > 0 else -1
        state[_PART] = part = _WHOLE - min(done, _WHOLE - 1)
        square, gain, cap = speed * speed, self._gain, rate * rate
        way = (total - 1) * _WHOLE + part
        if square * _WHOLE >= gain * way:
            gain = min(square * _WHOLE // way + 1, _MOST)
            cap = square
        state[_SQUARE], state[_SPEED], state[_GAIN], state[_CAP] = square, speed, gain, cap
        state[_BRAKE] = max(cap, square) // gain + 1
        _plan(state)
        us = state[_STEP_US]
        state[_DUE] = state[_ARMED] = now + us & 0x3FFFFFFF
        self._show(_coils(state, _HALF_STEPS))
        self.moving = 1
        self._arm(us)
        self._locked = False

    # No more steps, and no current: now, or after a moment.
    def _stop(self, now, at_once):
        state = self._state
        state[_GO] = 0
        if at_once:
            self._show(0)
        else:
            state[_DUE] = state[_ARMED] = now + _HOLD_US & 0x3FFFFFFF
            self._arm(_HOLD_US)
        self.poll()
        self._locked = False

    def _arm(self, us):
        # the stubs know a period or ticks, the board both
        self._timer.init(  # type: ignore[call-overload]
            mode=Timer.ONE_SHOT, period=max(us, _SOON_US), tick_hz=1000000, callback=self._callback
        )

    # The timer's callback. One that was under way when the plan changed comes too early.
    def _fire(self, _timer):
        if self._locked:
            return
        now = _ticks()
        state = self._state
        early = _since(state[_ARMED], now)
        if early > 0:
            self._arm(early)
        elif state[_GO]:
            wait = _make(state, now)
            self._show(_coils(state, _HALF_STEPS))
            self._arm(wait)
        else:
            self._show(0)

    @micropython.native
    def _show(self, coils):
        changed = self._coils ^ coils
        self._coils = coils
        at = 0
        while changed:
            if changed & 1:
                self._pins[at](coils & 1)
            changed >>= 1
            coils >>= 1
            at += 1

    # Bring the numbers up to date, and make up for an interrupt that was lost.
    def poll(self):
        state = self._state
        if state[_GO] and _since(_ticks(), state[_ARMED]) > _STANDS_US:
            self._fire(None)
        self.left, self.right = state[_LEFT], state[_RIGHT]
        self.moving = 1 if state[_GO] else 0
