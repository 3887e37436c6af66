# What a block costs at worst and what it names: the certificate. Every function here runs over verified
# words.
from array import array

import micropython
from micropython import const

from llmvm import _isa

# numbers of the SPEC, written by tools/gen.py
_OP_END = const(1)
_OP_FAIL = const(2)
_OP_JMP = const(3)
_OP_BEQ = const(4)
_OP_BGE = const(7)
_OP_LOOP = const(8)
_OP_LOOPR = const(9)
_OP_ENDLOOP = const(10)
_OP_EXIT = const(11)
_OP_PROC = const(12)
_OP_CALL = const(13)
_OP_RET = const(14)
_OP_GUARD = const(32)
_OP_UNGUARD = const(33)
_OP_MOVE = const(35)
_OP_MOVER = const(36)
_OP_TURN = const(37)
_OP_TURNR = const(38)
_OP_DRIVE = const(39)
_OP_LED = const(40)
_OP_TONE = const(41)
_OP_WAIT = const(42)
_OP_WAITR = const(43)
_OP_REPORT = const(47)
_CH_FRONT = const(0)
_LIM_MAX_WORDS = const(0)
_LIM_ACCEL = const(10)
_LIM_TURN_ACCEL = const(11)
_LIM_BASE_MM = const(12)
_LIM_INSTRUCTION_US = const(13)
_LIM_TICK_MS = const(14)
_CERT_FUEL = const(0)
_CERT_MS = const(1)
_CERT_REGISTERS = const(5)
_CERT_VARIABLES = const(6)
_CERT_SENSORS = const(7)
_CERT_ACTUATORS = const(8)
_CERT_GUARDED = const(9)
_K_REG = const(1)
_K_VAR = const(2)
_K_WATCH = const(4)
_K_PAIR = const(5)
_K_CHANNEL = const(16)
_STEP_DISTANCE_MAX = const(10)
_STEP_ANGLE_MAX = const(50)
_STEP_RATE = const(10)
_STEP_TIME100 = const(100)
# end of the SPEC's numbers

_LOOPS = const(4)  # loops that may be nested in a part
_CAP = const(0x3FFFFFFF)  # costs saturate here
_ALL = const(15)  # guards
_UNREACHED = const(16)  # no way leads to this word


# Each word's own costs, five for each: fuel, ms, mm, mrad, reports.
@micropython.viper
def _own_costs(words: ptr32, n: int, limits: ptr32, costs: ptr32):
    accel = limits[_LIM_ACCEL]
    tick = limits[_LIM_TICK_MS]
    at = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        b = (w >> 16) & 0xFF
        c = (w >> 24) & 0xFF
        i = (w >> 16) & 0xFFFF
        ms = 0
        way = 0
        angle = 0
        if code == _OP_DRIVE:
            ms = c * _STEP_TIME100
            way = (b * ms + 999) // 1000 + (b * b + accel - 1) // accel
            angle = (2000 * way + limits[_LIM_BASE_MM] - 1) // limits[_LIM_BASE_MM]
            ms += (1000 * b + accel - 1) // accel + tick
        elif code >= _OP_MOVE and code < _OP_DRIVE:
            way = (i ^ 0x8000) - 0x8000
            if way < 0:
                way = 0 - way
            speed = (w >> 8) & 0xFF
            if code == _OP_MOVER or code == _OP_TURNR:
                way = b * (_STEP_DISTANCE_MAX if code == _OP_MOVER else _STEP_ANGLE_MAX)
                speed = c
            gain = accel
            if code >= _OP_TURN:
                speed *= _STEP_RATE
                gain = limits[_LIM_TURN_ACCEL]
            if way:
                ms = (1000 * way + speed - 1) // speed + (1000 * speed + gain - 1) // gain + tick
            if code >= _OP_TURN:
                angle = way
                way = 0
        elif code == _OP_WAIT or code == _OP_WAITR:
            ms = i + tick
        to = at * 5
        costs[to] = 1
        costs[to + 1] = ms
        costs[to + 2] = way
        costs[to + 3] = angle
        costs[to + 4] = 1 if code == _OP_REPORT else 0
        at += 1


# Add to each word's own costs what follows at worst, from the last word to the first: `rounds` times the
# costs from `first`, and those from `second`, or the greater of both at a branch. n stands for nothing. Those
# of the first word are the certificate's.
@micropython.viper
def _add_following(words: ptr32, n: int, ends: ptr16, costs: ptr32, certificate: ptr32):
    at = n
    while at:
        at -= 1
        w = words[at]
        code = w & 0xFF
        i = (w >> 16) & 0xFFFF
        branch = 0
        rounds = 1
        first = at + 1
        second = n
        if code >= _OP_BEQ and code <= _OP_BGE:
            branch = 1
            second = at + ((w >> 24) & 0xFF)
        elif code == _OP_LOOP or code == _OP_LOOPR:
            rounds = i if code == _OP_LOOP else (w >> 24) & 0xFF
            second = int(ends[at]) + 1
        elif code <= _OP_FAIL or code == _OP_ENDLOOP or code == _OP_EXIT or code == _OP_RET:
            first = n
        elif code == _OP_JMP:
            first = at + i
        elif code == _OP_CALL:
            second = at + i
        measure = 0
        while measure < 5:
            cost = 0
            if first < n:
                cost = costs[first * 5 + measure]
                cost = _CAP if cost > _CAP // rounds else cost * rounds
            if second < n:
                other = costs[second * 5 + measure]
                if branch:
                    cost = other if other > cost else cost
                else:
                    cost = _CAP if other > _CAP - cost else cost + other
            own = costs[at * 5 + measure]
            costs[at * 5 + measure] = _CAP if own > _CAP - cost else cost + own
            measure += 1
    while at < 5:
        certificate[at] = costs[at]
        at += 1


# The bits of the registers, variables, channels and actuators that are named, from
# certificate[_CERT_REGISTERS] on.
@micropython.viper
def _add_names(words: ptr32, n: int, forms: ptr8, certificate: ptr32):
    registers = 0
    variables = 0
    channels = 0
    actuators = 0
    at = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        field = 0
        while field < 3:
            kind = int(forms[code * 4 + field])
            value = (w >> (8 + 8 * field)) & 0xFF
            if kind == _K_REG:
                registers |= 1 << value
            elif kind == _K_PAIR:
                registers |= (1 << (value >> 4)) | (1 << (value & 15))
            elif kind == _K_VAR:
                variables |= 1 << value
            elif kind == _K_CHANNEL:
                channels |= 1 << value
            elif kind == _K_WATCH:
                channels |= 1 << (value >> 4)
            field += 1
        if code >= _OP_MOVE and code <= _OP_TONE:
            actuators |= 4 if code == _OP_TONE else (2 if code == _OP_LED else 1)
        at += 1
    certificate[_CERT_REGISTERS] = registers
    certificate[_CERT_VARIABLES] = variables
    certificate[_CERT_SENSORS] = channels
    certificate[_CERT_ACTUATORS] = actuators


# The guards that each loop's head and each PROC names. open: a set for the part and for each loop that is
# open.
@micropython.viper
def _add_guard_names(words: ptr32, n: int, names: ptr8, opened: ptr8):
    depth = 0
    opened[0] = 0
    at = n
    while at:
        at -= 1
        w = words[at]
        code = w & 0xFF
        bits = int(opened[depth])
        if code == _OP_GUARD or code == _OP_UNGUARD:
            opened[depth] = bits | (1 << ((w >> 8) & 3))
        elif code == _OP_CALL:
            opened[depth] = bits | int(names[at + ((w >> 16) & 0xFFFF)])
        elif code == _OP_ENDLOOP:
            depth += 1
            opened[depth] = 0
        elif code == _OP_LOOP or code == _OP_LOOPR:
            names[at] = bits
            depth -= 1
            opened[depth] = int(opened[depth]) | bits
        elif code == _OP_PROC:
            names[at] = bits
            opened[0] = 0


# 1 when a guard on front with < counts at every forward move. sets: the guards that count at each word.
@micropython.viper
def _guarded(words: ptr32, n: int, ends: ptr16, names: ptr8, sets: ptr8) -> int:
    at = 0
    while at < n:
        sets[at] = _ALL | _UNREACHED
        at += 1
    at = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        a = (w >> 8) & 0xFF
        i = (w >> 16) & 0xFFFF
        if at == 0 or code == _OP_PROC:
            sets[at] = 0
        guards = int(sets[at])
        passed = guards
        first = at + 1
        second = 0  # word 0 never follows
        if guards & _UNREACHED:
            first = n
        elif code == _OP_MOVER or code == _OP_DRIVE or (code == _OP_MOVE and i and i < 0x8000):
            if guards == 0:
                return 0
        elif code == _OP_GUARD:
            passed |= 1 << (a & 3)
            if a >> 2 != _CH_FRONT << 2:
                passed ^= 1 << (a & 3)
        elif code == _OP_UNGUARD:
            passed = (passed | (1 << a)) ^ (1 << a)
        elif code == _OP_LOOP or code == _OP_LOOPR:
            passed = (passed | int(names[at])) ^ int(names[at])
            if code == _OP_LOOPR:
                second = int(ends[at]) + 1
        elif code == _OP_CALL:
            bits = int(names[at + i])
            passed = (passed | bits) ^ bits
        elif code == _OP_JMP or code == _OP_EXIT:
            first = at + i
        elif code >= _OP_BEQ and code <= _OP_BGE:
            second = at + ((w >> 24) & 0xFF)
        elif code == _OP_END or code == _OP_FAIL or code == _OP_RET:
            first = n
        if first < n:
            sets[first] = int(sets[first]) & passed
        if second:
            sets[second] = int(sets[second]) & guards
        at += 1
    return 1


ROOM = const(20)  # bytes for each word


# Computes certificates for a robot with these limits. `certificate` holds the last one. `room` is memory that
# others may use between two calls; what is no longer needed in it makes room for what comes next.
class Certifier:
    def __init__(self, limits, room):
        self._limits = limits
        most = limits[_LIM_MAX_WORDS]
        self._room = room
        self._names = room[:most]
        self._sets = room[most : 2 * most]
        self._opened = bytearray(_LOOPS + 1)
        self.certificate = array("i", bytes(4 * (_CERT_GUARDED + 1)))

    # Certify n words, whose loops end where `ends` says.
    def certify(self, words, n, ends):
        certificate = self.certificate
        _own_costs(words, n, self._limits, self._room)
        _add_following(words, n, ends, self._room, certificate)
        us = certificate[_CERT_FUEL] * self._limits[_LIM_INSTRUCTION_US]
        certificate[_CERT_MS] = min(certificate[_CERT_MS] + (us + 999) // 1000, _CAP)
        _add_names(words, n, _isa.FORMS, certificate)
        _add_guard_names(words, n, self._names, self._opened)
        certificate[_CERT_GUARDED] = _guarded(words, n, ends, self._names, self._sets)
