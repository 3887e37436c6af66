# The robot's verifier: it repeats the SPEC's rules in their order and compares the certificate with the one
# it computes.
from array import array

import micropython
from micropython import const

from llmvm import _isa
from llmvm.certify import ROOM, Certifier
from llmvm.header import AUTONOMOUS_MS, CERTIFICATE, CONSTANTS, SIZE, WORDS, Header

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
_OP_LDK = const(16)
_OP_SENSE = const(31)
_OP_GUARD = const(32)
_OP_MOVE = const(35)
_OP_MOVER = const(36)
_OP_TURN = const(37)
_OP_TURNR = const(38)
_OP_DRIVE = const(39)
_OP_LED = const(40)
_OP_TONE = const(41)
_RULE_LENGTH = const(1)
_RULE_CONSTANTS = const(2)
_RULE_OPCODE = const(3)
_RULE_OPERAND = const(4)
_RULE_CONSTANT = const(5)
_RULE_REGION = const(6)
_RULE_NESTING = const(7)
_RULE_TARGET = const(8)
_RULE_CALL = const(9)
_RULE_CHANNEL = const(10)
_RULE_ACTUATOR = const(11)
_RULE_SPEED = const(12)
_RULE_FUEL = const(13)
_RULE_AUTONOMY = const(18)
_RULE_CERTIFICATE = const(19)
_LIM_MAX_WORDS = const(0)
_LIM_MAX_CONSTANTS = const(1)
_LIM_MAX_FUEL = const(2)
_LIM_MAX_AUTONOMOUS_MS = const(7)
_LIM_TOP_SPEED = const(8)
_LIM_TOP_RATE = const(9)
_LIM_CHANNELS = const(15)
_LIM_ACTUATORS = const(16)
_CERT_FUEL = const(0)
_CERT_REPORTS = const(4)
_CERT_GUARDED = const(9)
_K_WATCH = const(4)
_STEP_RATE = const(10)
# end of the SPEC's numbers

_CALLS = const(4)  # calls that may be nested
_LOOPS = const(4)  # loops that may be nested in a part


# Each rule below answers 1 where it is broken, with the word, the value and the limit in `out`.


@micropython.viper
def _bad_code(words: ptr32, n: int, forms: ptr8, codes: int, out: ptr32) -> int:
    at = 0
    while at < n:
        code = words[at] & 0xFF
        if code >= codes or forms[code * 4] == 0xFF:
            out[0] = at
            out[1] = code
            out[2] = codes - 1
            return 1
        at += 1
    return 0


# lows and highs: each kind's bounds, by its number; kind 0 is that of an unused field.
@micropython.viper
def _bad_operand(words: ptr32, n: int, forms: ptr8, lows: ptr32, highs: ptr32, out: ptr32) -> int:
    one = 1
    sign = one << 31
    at = 0
    while at < n:
        w = words[at]
        form = (w & 0xFF) * 4
        field = 0
        fields = 2 if forms[form + 3] else 3
        while field < fields:
            kind = forms[form + field]
            value = (w >> (8 + 8 * field)) & 0xFF
            if field and fields == 2:
                kind = forms[form + 3]
                value = (w >> 16) & 0xFFFF
            low = (lows[kind] ^ sign) - sign
            high = highs[kind]
            if low < 0:
                value = (value ^ 0x8000) - 0x8000
            if value < low or value > high or (kind == _K_WATCH and (value >> 2) & 2):
                out[0] = at
                out[1] = value
                out[2] = low if value < low else high
                return 1
            field += 1
        at += 1
    return 0


@micropython.viper
def _bad_constant(words: ptr32, n: int, constants: int, out: ptr32) -> int:
    at = 0
    while at < n:
        w = words[at]
        index = (w >> 16) & 0xFFFF
        if w & 0xFF == _OP_LDK and index >= constants:
            out[0] = at
            out[1] = index
            out[2] = constants
            return 1
        at += 1
    return 0


# Notes each word's part by its last word.
@micropython.viper
def _bad_region(words: ptr32, n: int, last: ptr16, out: ptr32) -> int:
    at = n
    end = n - 1
    while at:
        at -= 1
        last[at] = end
        if words[at] & 0xFF == _OP_PROC:
            end = at - 1
    procedure = 0
    while at < n:
        code = words[at] & 0xFF
        if code == _OP_PROC:
            procedure = 1
        if code == _OP_RET:
            good = procedure
        elif code == _OP_PROC and at == 0:
            good = 0
        else:
            good = 1 if code == _OP_END or code == _OP_FAIL or at != int(last[at]) else 0
        if good == 0:
            out[0] = at
            out[1] = code
            out[2] = _OP_END
            return 1
        at += 1
    return 0


# Notes for each word 1 + the head of the loop body it is in, or 0, and for each head its ENDLOOP.
@micropython.viper
def _bad_nesting(words: ptr32, n: int, last: ptr16, body: ptr16, ends: ptr16, out: ptr32) -> int:
    at = 0
    depth = 0
    inner = 0  # 1 + the innermost open loop's head
    while at < n:
        w = words[at]
        code = w & 0xFF
        body[at] = inner
        bad = 0
        if code == _OP_LOOP or code == _OP_LOOPR:
            depth += 1
            inner = at + 1
            if depth > _LOOPS:
                bad = 1
                out[0] = at
                out[1] = depth
                out[2] = _LOOPS
        elif code == _OP_ENDLOOP:
            distance = (w >> 16) & 0xFFFF
            head = inner - 1
            right = at - head if inner else 0
            if inner and words[head] & 0xFF == _OP_LOOPR and (words[head] >> 16) & 0xFF != right:
                bad = 1
                out[0] = head
                out[1] = (words[head] >> 16) & 0xFF
                out[2] = right
            elif distance != right:
                bad = 1
                out[0] = at
                out[1] = distance
                out[2] = right
            else:
                ends[head] = at
                inner = int(body[head])
                depth -= 1
        elif depth and (code == _OP_RET or at == int(last[at])):
            bad = 1
            out[0] = at if code == _OP_RET else inner - 1
            out[1] = depth
            out[2] = 0
        if bad:
            return 1
        at += 1
    return 0


@micropython.viper
def _bad_target(words: ptr32, n: int, last: ptr16, body: ptr16, ends: ptr16, out: ptr32) -> int:
    at = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        inner = int(body[at])
        bound = int(ends[inner - 1]) if inner else 0
        bad = 0
        to = at
        if code == _OP_EXIT:
            to += (w >> 16) & 0xFFFF
            if inner:
                bound += 1
            bad = 1 if to != bound else 0
        elif code == _OP_JMP or (code >= _OP_BEQ and code <= _OP_BGE):
            to += (w >> 16) & 0xFFFF if code == _OP_JMP else (w >> 24) & 0xFF
            if inner == 0:
                bound = int(last[at])
            if to > bound or int(body[to]) != inner:
                bad = 1
        if bad:
            out[0] = at
            out[1] = to
            out[2] = bound
            return 1
        at += 1
    return 0


# depths: for each PROC how deep it is called; cleared here.
@micropython.viper
def _bad_call(words: ptr32, n: int, depths: ptr8, out: ptr32) -> int:
    at = 0
    while at < n:
        depths[at] = 0
        at += 1
    at = 0
    depth = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        if code == _OP_PROC:
            depth = int(depths[at])
        elif code == _OP_CALL:
            to = at + ((w >> 16) & 0xFFFF)
            bad = 1
            out[0] = at
            out[1] = to
            out[2] = n - 1
            if to < n and words[to] & 0xFF == _OP_PROC:
                if int(depths[to]) <= depth:
                    depths[to] = depth + 1
                out[1] = int(depths[to])
                out[2] = _CALLS
                bad = 1 if int(depths[to]) > _CALLS else 0
            if bad:
                return 1
        at += 1
    return 0


# Channels, actuators and speeds: what the robot has. `rule` says which of the three is looked at.
@micropython.viper
def _bad_robot(words: ptr32, n: int, rule: int, limits: ptr32, out: ptr32) -> int:
    at = 0
    while at < n:
        w = words[at]
        code = w & 0xFF
        a = (w >> 8) & 0xFF
        value = 0
        limit = 0
        bad = 0
        if rule == _RULE_CHANNEL:
            if code == _OP_SENSE or code == _OP_GUARD:
                value = (w >> 16) & 0xFF if code == _OP_SENSE else a >> 4
                limit = limits[_LIM_CHANNELS]
                bad = 1 ^ ((limit >> value) & 1)
        elif rule == _RULE_ACTUATOR:
            if code >= _OP_MOVE and code <= _OP_TONE:
                value = 4 if code == _OP_TONE else (2 if code == _OP_LED else 1)
                limit = limits[_LIM_ACTUATORS]
                bad = 1 if limit & value == 0 else 0
        elif code >= _OP_MOVE and code <= _OP_DRIVE:
            value = a
            if code == _OP_DRIVE:
                value = (w >> 16) & 0xFF
            elif code == _OP_MOVER or code == _OP_TURNR:
                value = (w >> 24) & 0xFF
            limit = limits[_LIM_TOP_SPEED]
            if code == _OP_TURN or code == _OP_TURNR:
                value *= _STEP_RATE
                limit = limits[_LIM_TOP_RATE]
            bad = 1 if value > limit else 0
        if bad:
            out[0] = at
            out[1] = value
            out[2] = limit
            return 1
        at += 1
    return 0


# Checks containers for a robot with these limits. After `check`, `rule`, `word`, `value` and `limit` hold the
# verdict; for an accepted block also `certificate`, `words`, `constants` and `autonomous_ms`. Checking a good
# block takes nothing from the heap.
class Verifier:
    def __init__(self, limits, manifest):
        self._limits = array("i", limits)
        self._lows = array("i", _isa.KIND_LO)
        self._highs = array("i", _isa.KIND_HI)
        most = limits[_LIM_MAX_WORDS]
        room = memoryview(bytearray(ROOM * most))
        self._last = room[: 2 * most]
        self._body = room[2 * most : 4 * most]
        self._depths = room[4 * most : 5 * most]
        self._ends = array("H", bytes(2 * most))
        self._out = array("i", (0, 0, 0))
        self._header = Header(manifest, self._out)
        self._certifier = Certifier(self._limits, room)
        self.certificate = self._certifier.certificate
        self.rule = self.word = self.value = self.limit = 0
        self.words = self.constants = self.autonomous_ms = 0

    # Check a whole container and return the rule that it breaks, or 0. `words` is a view of what follows its
    # header; where it is left out, one is made.
    def check(self, data, words=None):
        out = self._out
        out[0] = out[1] = out[2] = 0
        self.rule = self._broken(data, words)
        if self.rule:
            self.word, self.value, self.limit = out
        else:
            self.word = self.value = self.limit = 0
        return self.rule

    def _refuse(self, rule, word, value, limit):
        out = self._out
        out[0], out[1], out[2] = word, value, limit
        return rule

    def _broken(self, data, words):
        header, certificate = self._header, self.certificate
        rule = header.broken(data)
        if rule:
            return rule
        self.words, self.constants = header.fields[WORDS], header.fields[CONSTANTS]
        rule = self._broken_block(memoryview(data)[SIZE:] if words is None else words)
        if rule:
            return rule
        self.autonomous_ms = header.fields[AUTONOMOUS_MS]
        if self.autonomous_ms > self._limits[_LIM_MAX_AUTONOMOUS_MS]:
            return self._refuse(_RULE_AUTONOMY, 0, self.autonomous_ms, self._limits[_LIM_MAX_AUTONOMOUS_MS])
        for row in range(_CERT_GUARDED + 1):
            claim = header.fields[CERTIFICATE + row]
            if claim != certificate[row]:
                return self._refuse(_RULE_CERTIFICATE, row, claim, certificate[row])
        return 0

    # The rules in their order; each relies on what those before it have proved and noted.
    def _broken_block(self, words):
        n, limits, out = self.words, self._limits, self._out
        forms = _isa.FORMS
        if not 1 <= n <= limits[_LIM_MAX_WORDS]:
            return self._refuse(_RULE_LENGTH, 0, n, limits[_LIM_MAX_WORDS])
        if self.constants > limits[_LIM_MAX_CONSTANTS]:
            return self._refuse(_RULE_CONSTANTS, 0, self.constants, limits[_LIM_MAX_CONSTANTS])
        if _bad_code(words, n, forms, len(forms) // 4, out):
            return _RULE_OPCODE
        if _bad_operand(words, n, forms, self._lows, self._highs, out):
            return _RULE_OPERAND
        if _bad_constant(words, n, self.constants, out):
            return _RULE_CONSTANT
        if _bad_region(words, n, self._last, out):
            return _RULE_REGION
        if _bad_nesting(words, n, self._last, self._body, self._ends, out):
            return _RULE_NESTING
        if _bad_target(words, n, self._last, self._body, self._ends, out):
            return _RULE_TARGET
        if _bad_call(words, n, self._depths, out):
            return _RULE_CALL
        for rule in (_RULE_CHANNEL, _RULE_ACTUATOR, _RULE_SPEED):
            if _bad_robot(words, n, rule, limits, out):
                return rule
        self._certifier.certify(words, n, self._ends)
        for row in range(_CERT_FUEL, _CERT_REPORTS + 1):
            if self.certificate[row] > limits[_LIM_MAX_FUEL + row]:
                return self._refuse(_RULE_FUEL + row, 0, self.certificate[row], limits[_LIM_MAX_FUEL + row])
        return 0
