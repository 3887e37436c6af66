# The interpreter: one viper function over preallocated arrays of 32-bit words.
#
# It must run verified blocks only: nothing in it checks an index or a bound that the verifier has proved.
import micropython
from micropython import const

# numbers of the SPEC, written by tools/gen.py
_OP_JMP = const(3)
_OP_BEQ = const(4)
_OP_BLT = const(6)
_OP_LOOP = const(8)
_OP_LOOPR = const(9)
_OP_ENDLOOP = const(10)
_OP_EXIT = const(11)
_OP_CALL = const(13)
_OP_RET = const(14)
_OP_LDI = const(15)
_OP_MOV = const(17)
_OP_ADDI = const(18)
_OP_ADD = const(19)
_OP_MUL = const(21)
_OP_DIV = const(22)
_OP_MIN = const(24)
_OP_AND = const(26)
_OP_OR = const(27)
_OP_SHL = const(29)
_OP_SHR = const(30)
_OP_SENSE = const(31)
_OP_GUARD = const(32)
_OP_UNGUARD = const(33)
_OP_MOVE = const(35)
_OP_MOVER = const(36)
_OP_TURN = const(37)
_OP_TURNR = const(38)
_OP_DRIVE = const(39)
_OP_LED = const(40)
_OP_TONE = const(41)
_OP_WAITR = const(43)
_OP_MODE = const(44)
_OP_GETV = const(45)
_OP_SETV = const(46)
_CH_REAR = const(5)
_STEP_DISTANCE_MAX = const(10)
_STEP_ANGLE_MAX = const(50)
_STEP_RATE = const(10)
_STEP_TIME100 = const(100)
_STEP_TIME10 = const(10)
# end of the SPEC's numbers

# The state, an array('i', STATE): the registers, the variables, then
VARIABLES = const(16)
PC = const(32)  # word to execute next
FUEL = const(33)  # instructions executed since the block began
BUDGET = const(34)  # instructions that may still be executed in this call
DEPTH = const(35)  # entries on the stack
TRIP = const(36)  # what ended the last move or wait early
MODE = const(37)
ARGS = const(38)  # three arguments of the instruction that `run` returns
WATCH = const(41)  # four armed guards: 1 + the GUARD's field a, or 0
THRESHOLD = const(45)  # and their thresholds
STACK = const(49)  # 24 entries: a loop's rounds left, or a call's return address
STATE = const(73)


# Execute words until one needs the supervisor, and return that word's code; 0 when the budget is used up. A
# code that is returned has been executed as far as the machine goes: its arguments are in ARGS, PC is behind
# it.
#
# A word loaded through ptr32 is zero-extended on a 64-bit build, so a number is made signed by (x ^ sign) -
# sign, which changes nothing on a 32-bit build. No step computes an intermediate result outside 32 bits.
@micropython.viper
def run(state: ptr32, words: ptr32, constants: ptr32, senses: ptr32) -> int:
    pc = state[PC]
    budget = state[BUDGET]
    state[FUEL] += budget
    code = 0
    one = 1
    sign = one << 31
    hi = sign - 1
    lo = 0 - sign
    while budget:
        budget -= 1
        w = words[pc]
        pc += 1
        op = w & 0xFF
        a = (w >> 8) & 0xFF
        if op >= _OP_LDI:
            if op < _OP_SENSE:
                if op >= _OP_ADD:
                    x = (state[(w >> 16) & 15] ^ sign) - sign
                    y = (state[(w >> 24) & 15] ^ sign) - sign
                    if op < _OP_MIN:
                        if op < _OP_MUL:
                            if op == _OP_ADD:
                                if y > 0:
                                    x = hi if x > hi - y else x + y
                                else:
                                    x = lo if x < lo - y else x + y
                            elif y < 0:
                                x = hi if x > hi + y else x - y
                            else:
                                x = lo if x < lo + y else x - y
                        elif op == _OP_MUL:
                            if x == 0 or y == 0:
                                x = 0
                            elif x == lo or y == lo:
                                x = lo if (x ^ y) < 0 else hi
                            else:
                                n = x if x > 0 else 0 - x
                                d = y if y > 0 else 0 - y
                                if (n | d) > 0x7FFF and n > hi // d:
                                    x = lo if (x ^ y) < 0 else hi
                                else:
                                    x = x * y
                        else:
                            # on magnitudes; that of lo is hi + 1, so its last unit is divided by itself
                            n = x if x > 0 else 0 - x
                            d = y if y > 0 else 0 - y
                            q = 0
                            if y == 0:
                                n = 0
                            elif y == lo:
                                if x == lo:
                                    q = 1
                                    n = 0
                            elif x == lo:
                                q = hi // d
                                n = hi - q * d + 1
                                if n == d:
                                    n = 0
                                    q = hi if y == -1 else q + 1
                            else:
                                q = n // d
                                n -= q * d
                            if op == _OP_DIV:
                                x = 0 - q if (x ^ y) < 0 else q
                            else:
                                x = 0 - n if x < 0 else n
                    elif op < _OP_AND:
                        if op == _OP_MIN:
                            if y < x:
                                x = y
                        elif y > x:
                            x = y
                    elif op < _OP_SHL:
                        if op == _OP_AND:
                            x &= y
                        elif op == _OP_OR:
                            x |= y
                        else:
                            x ^= y
                    else:
                        y &= 31
                        if op == _OP_SHR:
                            x >>= y
                        elif x > (hi >> y):
                            x = hi
                        elif x < (lo >> y):
                            x = lo
                        else:
                            x <<= y
                    state[a] = x
                elif op == _OP_ADDI:
                    x = (state[a] ^ sign) - sign
                    y = (((w >> 16) & 0xFFFF) ^ 0x8000) - 0x8000
                    if y > 0:
                        state[a] = hi if x > hi - y else x + y
                    else:
                        state[a] = lo if x < lo - y else x + y
                elif op == _OP_LDI:
                    state[a] = (((w >> 16) & 0xFFFF) ^ 0x8000) - 0x8000
                elif op == _OP_MOV:
                    state[a] = state[(w >> 16) & 15]
                else:
                    state[a] = constants[(w >> 16) & 0xFF]
            elif op < _OP_MOVE:
                if op == _OP_SENSE:
                    state[a] = senses[(w >> 16) & 15]
                elif op == _OP_GUARD:
                    state[WATCH + (a & 3)] = a + 1
                    state[THRESHOLD + (a & 3)] = (((w >> 16) & 0xFFFF) ^ 0x8000) - 0x8000
                elif op == _OP_UNGUARD:
                    state[WATCH + a] = 0
                else:
                    state[a] = state[TRIP]
            elif op < _OP_LED:
                if op < _OP_DRIVE:
                    x = (((w >> 16) & 0xFFFF) ^ 0x8000) - 0x8000
                    y = a
                    if op == _OP_MOVER or op == _OP_TURNR:
                        x = (state[a] ^ sign) - sign
                        y = (w >> 16) & 0xFF
                        y *= _STEP_DISTANCE_MAX if op == _OP_MOVER else _STEP_ANGLE_MAX
                        if x > y:
                            x = y
                        elif x < 0 - y:
                            x = 0 - y
                        y = (w >> 24) & 0xFF
                    if x:
                        state[ARGS] = x
                        state[ARGS + 1] = y if op < _OP_TURN else y * _STEP_RATE
                        code = op
                        break
                    state[TRIP] = 0
                else:
                    d = (w >> 16) & 0xFF
                    x = (state[a >> 4] ^ sign) - sign
                    y = (state[a & 15] ^ sign) - sign
                    state[ARGS] = d if x > d else (0 - d if x < 0 - d else x)
                    state[ARGS + 1] = d if y > d else (0 - d if y < 0 - d else y)
                    state[ARGS + 2] = ((w >> 24) & 0xFF) * _STEP_TIME100
                    code = op
                    break
            elif op < _OP_MODE:
                if op == _OP_LED:
                    state[ARGS] = a
                    state[ARGS + 1] = (w >> 16) & 0xFF
                    state[ARGS + 2] = (w >> 24) & 0xFF
                elif op == _OP_TONE:
                    state[ARGS] = (w >> 16) & 0xFFFF
                    state[ARGS + 1] = a * _STEP_TIME10
                else:
                    y = (w >> 16) & 0xFFFF
                    if op == _OP_WAITR:
                        x = (state[a] ^ sign) - sign
                        y = y if x > y else (0 if x < 0 else x)
                    state[ARGS] = y
                code = op
                break
            elif op == _OP_GETV:
                state[a] = state[VARIABLES + ((w >> 16) & 15)]
            elif op == _OP_SETV:
                state[VARIABLES + a] = state[(w >> 16) & 15]
            elif op == _OP_MODE:
                state[MODE] = a
            else:
                state[ARGS] = a
                state[ARGS + 1] = state[(w >> 16) & 15]
                code = op
                break
        elif op < _OP_LOOP:
            if op >= _OP_BEQ:
                x = (state[a] ^ sign) - sign
                y = (state[(w >> 16) & 15] ^ sign) - sign
                if op >= _OP_BLT:
                    taken = x < y if op == _OP_BLT else x >= y
                else:
                    taken = x == y if op == _OP_BEQ else x != y
                if taken:
                    pc += ((w >> 24) & 0xFF) - 1
            elif op == _OP_JMP:
                pc += ((w >> 16) & 0xFFFF) - 1
            else:
                state[ARGS] = a
                code = op
                break
        elif op == _OP_ENDLOOP:
            x = state[STACK - 1 + state[DEPTH]] - 1
            if x:
                state[STACK - 1 + state[DEPTH]] = x
                pc -= (w >> 16) & 0xFFFF
            else:
                state[DEPTH] -= 1
        elif op < _OP_ENDLOOP:
            x = (w >> 16) & 0xFFFF
            if op == _OP_LOOPR:
                x = (w >> 24) & 0xFF
                y = (state[a] ^ sign) - sign
                if y < x:
                    x = y
            if x > 0:
                state[STACK + state[DEPTH]] = x
                state[DEPTH] += 1
            else:
                pc += (w >> 16) & 0xFF
        elif op == _OP_EXIT:
            state[DEPTH] -= 1
            pc += ((w >> 16) & 0xFFFF) - 1
        elif op == _OP_CALL:
            state[STACK + state[DEPTH]] = pc
            state[DEPTH] += 1
            pc += ((w >> 16) & 0xFFFF) - 1
        elif op == _OP_RET:
            state[DEPTH] -= 1
            pc = state[STACK + state[DEPTH]]
    state[PC] = pc
    state[FUEL] -= budget
    state[BUDGET] = budget
    return code


# Make the state that of a block that starts: its variables and the mode stay, all else is zero.
@micropython.viper
def restart(state: ptr32):
    i = 0
    while i < STATE:
        if (i < VARIABLES or i >= PC) and i != MODE:
            state[i] = 0
        i += 1


@micropython.viper
def copy(state: ptr32, target: ptr32):
    i = 0
    while i < STATE:
        target[i] = state[i]
        i += 1


# The number of the lowest armed guard whose condition holds, plus 1; 0 where none does. A range channel
# without a valid reading counts as tripped.
@micropython.viper
def tripped(state: ptr32, senses: ptr32) -> int:
    one = 1
    sign = one << 31
    guard = 0
    while guard < 4:
        watch = state[WATCH + guard] - 1
        guard += 1
        if watch >= 0:
            value = (senses[watch >> 4] ^ sign) - sign
            threshold = (state[THRESHOLD - 1 + guard] ^ sign) - sign
            if watch & 4:
                if value > threshold:
                    return guard
            elif value < threshold:
                return guard
            if (watch >> 4) <= _CH_REAR and value == 0xFFFF:
                return guard
    return 0
