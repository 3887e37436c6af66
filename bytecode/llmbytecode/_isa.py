"""The tables of the SPEC.

Generated from bytecode/llmbytecode/SPEC.md by tools/gen.py; do not edit.
"""

from enum import IntEnum
from typing import NamedTuple

MAJOR = 1
MINOR = 0
SPEC_HASH = 0x90BC9A18


class Kind(NamedTuple):
    """What an operand's field may hold: one unit of it is `step` of `unit`; `form` is how it is written."""

    name: str
    form: str
    lo: int
    hi: int
    step: int
    unit: str
    example: str


class Instruction(NamedTuple):
    """One row of the instruction table.

    Operands are (field, kind) in the order of writing; `meaning` is for people, `effect` is its formal twin.
    """

    code: int
    name: str
    operands: tuple[tuple[str, str], ...]
    category: str
    meaning: str
    effect: str


class Channel(NamedTuple):
    """One row of the channel table."""

    number: int
    name: str
    unit: str
    meaning: str


class RuleText(NamedTuple):
    """One row of the verifier's rule table; `value` and `limit` name a refusal's two numbers.

    `example` is a program that breaks this rule first, where what `given` says is changed.
    """

    number: int
    name: str
    holds: str
    value: str
    limit: str
    hint: str
    reason: str
    given: str
    example: str


class Unit(NamedTuple):
    """One row of the unit table: one `name` is `factor` (a decimal number) of `base`."""

    name: str
    base: str
    factor: str


class Measure(NamedTuple):
    """One row of the certificate's table."""

    name: str
    unit: str
    meaning: str


class Frame(NamedTuple):
    """One row of the frame table; `fields` follow `format`, a last `bytes` takes the rest."""

    code: int
    name: str
    reliable: bool
    format: str
    fields: tuple[str, ...]


class Op(IntEnum):
    """The instructions' codes."""

    # 0 is retired
    END = 1
    FAIL = 2
    JMP = 3
    BEQ = 4
    BNE = 5
    BLT = 6
    BGE = 7
    LOOP = 8
    LOOPR = 9
    ENDLOOP = 10
    EXIT = 11
    PROC = 12
    CALL = 13
    RET = 14
    LDI = 15
    LDK = 16
    MOV = 17
    ADDI = 18
    ADD = 19
    SUB = 20
    MUL = 21
    DIV = 22
    MOD = 23
    MIN = 24
    MAX = 25
    AND = 26
    OR = 27
    XOR = 28
    SHL = 29
    SHR = 30
    SENSE = 31
    GUARD = 32
    UNGUARD = 33
    TRIP = 34
    MOVE = 35
    MOVER = 36
    TURN = 37
    TURNR = 38
    DRIVE = 39
    LED = 40
    TONE = 41
    WAIT = 42
    WAITR = 43
    MODE = 44
    GETV = 45
    SETV = 46
    REPORT = 47


class Mode(IntEnum):
    """The robot's modes."""

    IDLE = 0
    NAVIGATING = 1
    EXPLORING = 2
    AVOIDING_OBSTACLE = 3
    RECOVERING = 4
    GOAL_REACHED = 5


class Chan(IntEnum):
    """The channels' numbers."""

    FRONT = 0
    FRONT_LEFT = 1
    FRONT_RIGHT = 2
    LEFT = 3
    RIGHT = 4
    REAR = 5
    BATTERY = 6
    X = 7
    Y = 8
    HEADING = 9
    CLOCK = 10
    TRAVELLED = 11
    AGE = 12


class Outcome(IntEnum):
    """How a block ended."""

    RUNNING = 0
    COMPLETED = 1
    FAILED = 2
    STOPPED = 3
    LEASE = 4
    ESTOP = 5
    FAULT = 6


class Rule(IntEnum):
    """The verifier's rules."""

    OK = 0
    LENGTH = 1
    CONSTANTS = 2
    OPCODE = 3
    OPERAND = 4
    CONSTANT = 5
    REGION = 6
    NESTING = 7
    TARGET = 8
    CALL = 9
    CHANNEL = 10
    ACTUATOR = 11
    SPEED = 12
    FUEL = 13
    DURATION = 14
    PATH = 15
    ROTATION = 16
    REPORTS = 17
    AUTONOMY = 18
    CERTIFICATE = 19
    CONTAINER = 20
    SPEC = 21
    MANIFEST = 22


class FrameType(IntEnum):
    """The frames' codes."""

    IDENTIFY = 1
    HELLO = 2
    HEARTBEAT = 3
    STATUS = 4
    TELEMETRY = 5
    BEGIN = 6
    DATA = 7
    COMMIT = 8
    VERDICT = 9
    RUN = 10
    DONE = 11
    EVENT = 12
    FAULT = 13
    STOP = 14
    ESTOP = 15
    CLEAR = 16
    ACK = 17
    NEXT = 18
    NATIVE = 19
    CLOSE = 20


class State(IntEnum):
    """The robot's state in TELEMETRY."""

    READY = 0
    RUNNING = 1
    LATCHED = 2


class Flag(IntEnum):
    """The bits of TELEMETRY's flags."""

    MOVING = 1
    REFLEX = 2
    LEASE = 4
    STALE = 8
    BATTERY = 16


class Fault(IntEnum):
    """The codes of FAULT."""

    UNKNOWN_BLOCK = 1
    BUSY = 2
    BATTERY = 3
    UPLOAD = 4
    LATCHED = 5
    INTERNAL = 6
    NOT_COMPLETED = 7
    NATIVE = 8


class Limits(NamedTuple):
    """What a robot's manifest allows, in the SPEC's order."""

    max_words: int
    max_constants: int
    max_fuel: int
    max_ms: int
    max_path_mm: int
    max_rotation_mrad: int
    max_reports: int
    max_autonomous_ms: int
    top_speed: int
    top_rate: int
    accel: int
    turn_accel: int
    base_mm: int
    instruction_us: int
    tick_ms: int
    channels: int
    actuators: int
    steps_per_m: int
    steps_per_10rad: int
    max_steps_s: int
    accel_steps_s2: int
    radius_mm: int
    stop_mm: int
    range_max_mm: int
    stale_ms: int
    battery_min_mv: int
    lease_ms: int
    latch_ms: int
    max_native: int


class Certificate(NamedTuple):
    """What a block can cost at worst."""

    fuel: int
    ms: int
    path_mm: int
    rotation_mrad: int
    reports: int
    registers: int
    variables: int
    sensors: int
    actuators: int
    guarded: int


class Header(NamedTuple):
    """The container's header."""

    magic: bytes
    major: int
    minor: int
    autonomous_ms: int
    spec_hash: int
    manifest_hash: int
    words: int
    constants: int
    fuel: int
    ms: int
    path_mm: int
    rotation_mrad: int
    reports: int
    registers: int
    variables: int
    sensors: int
    actuators: int
    guarded: int
    reserved: int
    crc: int


KINDS = {
    'reg': Kind('reg', 'r', 0, 15, 1, '', 'r3'),
    'var': Kind('var', 'v', 0, 15, 1, '', 'v3'),
    'guard': Kind('guard', 'g', 0, 3, 1, '', 'g1'),
    'watch': Kind('watch', 'watch', 0, 199, 1, '', 'g1, front <'),
    'pair': Kind('pair', 'pair', 0, 255, 1, '', 'r1, r2'),
    'int16': Kind('int16', 'any', -32768, 32767, 1, '', '5'),
    'byte': Kind('byte', 'number', 0, 255, 1, '', '7'),
    'count': Kind('count', 'number', 1, 65535, 1, '', '4'),
    'count8': Kind('count8', 'max', 1, 255, 1, '', 'max 10'),
    'const': Kind('const', 'const', 0, 255, 1, '', '100000'),
    'ahead': Kind('ahead', 'label', 1, 65535, 1, '', 'label'),
    'ahead8': Kind('ahead8', 'label', 1, 255, 1, '', 'label'),
    'back': Kind('back', 'implied', 1, 65535, 1, '', ''),
    'body': Kind('body', 'implied', 1, 255, 1, '', ''),
    'out': Kind('out', 'implied', 1, 65535, 1, '', ''),
    'channel': Kind('channel', 'channel', 0, 12, 1, '', 'front'),
    'distance': Kind('distance', 'number', -32768, 32767, 1, 'mm', '300mm'),
    'distance_max': Kind('distance_max', 'max', 1, 255, 10, 'mm', 'max 300mm'),
    'angle': Kind('angle', 'number', -32768, 32767, 1, 'mrad', '1571mrad'),
    'angle_max': Kind('angle_max', 'max', 1, 255, 50, 'mrad', 'max 90deg'),
    'speed': Kind('speed', 'number', 1, 255, 1, 'mm/s', '40mm/s'),
    'rate': Kind('rate', 'number', 1, 255, 10, 'mrad/s', '500mrad/s'),
    'time': Kind('time', 'number', 0, 65535, 1, 'ms', '500ms'),
    'time_max': Kind('time_max', 'max', 1, 65535, 1, 'ms', 'max 2s'),
    'time100': Kind('time100', 'number', 1, 255, 100, 'ms', '1500ms'),
    'time10': Kind('time10', 'number', 1, 255, 10, 'ms', '200ms'),
    'frequency': Kind('frequency', 'number', 20, 20000, 1, 'Hz', '440Hz'),
    'threshold': Kind('threshold', 'threshold', -32768, 32767, 1, '', '150mm'),
    'mode': Kind('mode', 'mode', 0, 5, 1, '', 'exploring'),
}

UNITS = {
    'mm': Unit('mm', 'mm', '1'),
    'cm': Unit('cm', 'mm', '10'),
    'm': Unit('m', 'mm', '1000'),
    'mrad': Unit('mrad', 'mrad', '1'),
    'rad': Unit('rad', 'mrad', '1000'),
    'deg': Unit('deg', 'mrad', '17.453292519943295769'),
    'mm/s': Unit('mm/s', 'mm/s', '1'),
    'cm/s': Unit('cm/s', 'mm/s', '10'),
    'm/s': Unit('m/s', 'mm/s', '1000'),
    'mrad/s': Unit('mrad/s', 'mrad/s', '1'),
    'rad/s': Unit('rad/s', 'mrad/s', '1000'),
    'deg/s': Unit('deg/s', 'mrad/s', '17.453292519943295769'),
    'ms': Unit('ms', 'ms', '1'),
    's': Unit('s', 'ms', '1000'),
    'Hz': Unit('Hz', 'Hz', '1'),
    'kHz': Unit('kHz', 'Hz', '1000'),
    'mV': Unit('mV', 'mV', '1'),
    'V': Unit('V', 'mV', '1000'),
}

INSTRUCTIONS = {
    1: Instruction(1, 'END', (), 'control', 'end the block: completed', 'outcome ← completed; pc ← pc'),
    2: Instruction(2, 'FAIL', (('a', 'byte'),), 'control', 'end the block: failed, with the code {a}', 'outcome ← failed; code ← a; pc ← pc'),
    3: Instruction(3, 'JMP', (('i', 'ahead'),), 'control', 'go on at {i}', 'pc ← pc + i'),
    4: Instruction(4, 'BEQ', (('a', 'reg'), ('b', 'reg'), ('c', 'ahead8')), 'control', 'if {a} equals {b}, go on at {c}', 'pc ← pc + c if r[a] = r[b]'),
    5: Instruction(5, 'BNE', (('a', 'reg'), ('b', 'reg'), ('c', 'ahead8')), 'control', 'if {a} differs from {b}, go on at {c}', 'pc ← pc + c if r[a] ≠ r[b]'),
    6: Instruction(6, 'BLT', (('a', 'reg'), ('b', 'reg'), ('c', 'ahead8')), 'control', 'if {a} is less than {b}, go on at {c}', 'pc ← pc + c if r[a] < r[b]'),
    7: Instruction(7, 'BGE', (('a', 'reg'), ('b', 'reg'), ('c', 'ahead8')), 'control', 'if {a} is at least {b}, go on at {c}', 'pc ← pc + c if r[a] ≥ r[b]'),
    8: Instruction(8, 'LOOP', (('i', 'count'),), 'control', 'repeat {i} times what follows, down to its ENDLOOP', 'push i'),
    9: Instruction(9, 'LOOPR', (('a', 'reg'), ('b', 'body'), ('c', 'count8')), 'control', 'repeat {a} times, at most {c}, what follows, down to its ENDLOOP', 'n ← max(0, min(r[a], c)); push n if n > 0; pc ← pc + b + 1 if n = 0'),
    10: Instruction(10, 'ENDLOOP', (('i', 'back'),), 'control', 'end one round of the loop', 'top ← top − 1; pc ← pc − i + 1 if top > 0; pop if top = 0'),
    11: Instruction(11, 'EXIT', (('i', 'out'),), 'control', 'leave the innermost loop', 'pop; pc ← pc + i'),
    12: Instruction(12, 'PROC', (), 'control', 'start a procedure', 'nothing'),
    13: Instruction(13, 'CALL', (('i', 'ahead'),), 'control', 'run the procedure {i}, then go on', 'push pc + 1; pc ← pc + i'),
    14: Instruction(14, 'RET', (), 'control', 'go back behind the call', 'pc ← top; pop'),
    15: Instruction(15, 'LDI', (('a', 'reg'), ('i', 'int16')), 'arithmetic', 'set {a} to {i}', 'r[a] ← i'),
    16: Instruction(16, 'LDK', (('a', 'reg'), ('i', 'const')), 'arithmetic', 'set {a} to the constant {i}', 'r[a] ← k[i]'),
    17: Instruction(17, 'MOV', (('a', 'reg'), ('b', 'reg')), 'arithmetic', 'set {a} to {b}', 'r[a] ← r[b]'),
    18: Instruction(18, 'ADDI', (('a', 'reg'), ('i', 'int16')), 'arithmetic', 'add {i} to {a}', 'r[a] ← sat(r[a] + i)'),
    19: Instruction(19, 'ADD', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} plus {c}', 'r[a] ← sat(r[b] + r[c])'),
    20: Instruction(20, 'SUB', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} minus {c}', 'r[a] ← sat(r[b] − r[c])'),
    21: Instruction(21, 'MUL', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} times {c}', 'r[a] ← sat(r[b] · r[c])'),
    22: Instruction(22, 'DIV', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} divided by {c}', 'r[a] ← sat(quot(r[b], r[c]))'),
    23: Instruction(23, 'MOD', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the remainder of {b} divided by {c}', 'r[a] ← rem(r[b], r[c])'),
    24: Instruction(24, 'MIN', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the lesser of {b} and {c}', 'r[a] ← min(r[b], r[c])'),
    25: Instruction(25, 'MAX', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the greater of {b} and {c}', 'r[a] ← max(r[b], r[c])'),
    26: Instruction(26, 'AND', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the bits that {b} and {c} share', 'r[a] ← r[b] ∧ r[c]'),
    27: Instruction(27, 'OR', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the bits of {b} or {c}', 'r[a] ← r[b] ∨ r[c]'),
    28: Instruction(28, 'XOR', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to the bits in which {b} and {c} differ', 'r[a] ← r[b] ⊕ r[c]'),
    29: Instruction(29, 'SHL', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} shifted left by {c}', 'r[a] ← sat(r[b] · 2^(r[c] ∧ 31))'),
    30: Instruction(30, 'SHR', (('a', 'reg'), ('b', 'reg'), ('c', 'reg')), 'arithmetic', 'set {a} to {b} shifted right by {c}', 'r[a] ← ⌊r[b] / 2^(r[c] ∧ 31)⌋'),
    31: Instruction(31, 'SENSE', (('a', 'reg'), ('b', 'channel')), 'sense', 'read {b} into {a}', 'r[a] ← sense(b)'),
    32: Instruction(32, 'GUARD', (('a', 'watch'), ('i', 'threshold')), 'sense', 'from now on end a move or wait when {a} {i}', 'g[a ∧ 3] ← (⌊a / 16⌋, ⌊a / 4⌋ ∧ 1, i)'),
    33: Instruction(33, 'UNGUARD', (('a', 'guard'),), 'sense', 'disarm {a}', 'g[a] ← none'),
    34: Instruction(34, 'TRIP', (('a', 'reg'),), 'sense', 'set {a} to what ended the last move or wait early: 0 nothing, 1…4 the guard g0…g3, 5 the reflex', 'r[a] ← trip'),
    35: Instruction(35, 'MOVE', (('i', 'distance'), ('a', 'speed')), 'move', 'drive {i} at {a}', 'trip ← move(i, a)'),
    36: Instruction(36, 'MOVER', (('a', 'reg'), ('b', 'distance_max'), ('c', 'speed')), 'move', 'drive {a} millimetres, at most {b} either way, at {c}', 'trip ← move(clamp(r[a], 10·b), c)'),
    37: Instruction(37, 'TURN', (('i', 'angle'), ('a', 'rate')), 'move', 'turn {i} on the spot at {a}', 'trip ← turn(i, 10·a)'),
    38: Instruction(38, 'TURNR', (('a', 'reg'), ('b', 'angle_max'), ('c', 'rate')), 'move', 'turn {a} milliradians, at most {b} either way, at {c}', 'trip ← turn(clamp(r[a], 50·b), 10·c)'),
    39: Instruction(39, 'DRIVE', (('a', 'pair'), ('b', 'speed'), ('c', 'time100')), 'move', 'drive the wheels for {c} at the speeds in {a}, at most {b} either way', 'trip ← drive(clamp(r[⌊a / 16⌋], b), clamp(r[a ∧ 15], b), 100·c)'),
    40: Instruction(40, 'LED', (('a', 'byte'), ('b', 'byte'), ('c', 'byte')), 'signal', 'light the LED with red {a}, green {b}, blue {c}', 'led(a, b, c)'),
    41: Instruction(41, 'TONE', (('i', 'frequency'), ('a', 'time10')), 'signal', 'sound {i} for {a}, without waiting', 'tone(i, 10·a)'),
    42: Instruction(42, 'WAIT', (('i', 'time'),), 'time', 'wait {i}', 'trip ← wait(i)'),
    43: Instruction(43, 'WAITR', (('a', 'reg'), ('i', 'time_max')), 'time', 'wait {a} milliseconds, at most {i}', 'trip ← wait(max(0, min(r[a], i)))'),
    44: Instruction(44, 'MODE', (('a', 'mode'),), 'state', 'say that the mode is {a}', 'mode ← a'),
    45: Instruction(45, 'GETV', (('a', 'reg'), ('b', 'var')), 'state', 'read the variable {b} into {a}', 'r[a] ← v[b]'),
    46: Instruction(46, 'SETV', (('a', 'var'), ('b', 'reg')), 'state', 'set the variable {a} to {b}', 'v[a] ← r[b]'),
    47: Instruction(47, 'REPORT', (('a', 'byte'), ('b', 'reg')), 'report', 'report the value of {b} under the tag {a}', 'report(a, r[b])'),
}

CHANNELS = {
    0: Channel(0, 'front', 'mm', "free distance straight ahead of the robot's centre"),
    1: Channel(1, 'front_left', 'mm', 'free distance 30° to the left of straight ahead'),
    2: Channel(2, 'front_right', 'mm', 'free distance 30° to the right of straight ahead'),
    3: Channel(3, 'left', 'mm', 'free distance to the left'),
    4: Channel(4, 'right', 'mm', 'free distance to the right'),
    5: Channel(5, 'rear', 'mm', 'free distance straight behind'),
    6: Channel(6, 'battery', 'mV', 'battery voltage'),
    7: Channel(7, 'x', 'mm', 'position east of where the session began'),
    8: Channel(8, 'y', 'mm', 'position north of where the session began'),
    9: Channel(9, 'heading', 'mrad', 'heading since the session began, counter-clockwise, not wrapped'),
    10: Channel(10, 'clock', 'ms', 'time since the block began'),
    11: Channel(11, 'travelled', 'mm', 'path driven since the block began'),
    12: Channel(12, 'age', 'ms', 'age of the oldest range reading'),
}

RULES = {
    0: RuleText(0, 'ok', 'the block is accepted', '', '', '', '', '', ''),
    1: RuleText(1, 'length', 'there is at least one word and at most max_words', 'words', 'max_words', 'write at least END; split a long program into several blocks', "the robot's memory for a block is fixed, and without a word there is nothing to execute", 'max_words 2', 'LDI r1, 1\nLDI r2, 2\nEND'),
    2: RuleText(2, 'constants', 'there are at most max_constants constants', 'constants', 'max_constants', 'reuse constants, or compute them', 'they are kept in memory that is fixed too', 'max_constants 1', '.constants 5, 100000\nEND'),
    3: RuleText(3, 'opcode', "the word's code is an instruction", 'code', 'greatest code', 'assemble the program again with this version', 'a word without a meaning cannot be bounded; code 0 is none, so that erased memory is no program', '', '.word 0x00000000 ; erased memory\nEND'),
    4: RuleText(4, 'operand', 'each field holds a number that its kind allows, and unused fields are zero', 'field', 'nearest number allowed', 'assemble the program again; the word is damaged', 'each bound stands in a field: a field out of range has no meaning, and a set bit where none belongs would be a second spelling of the same program', '', '.word 0x00000008 ; LOOP 0\nEND'),
    5: RuleText(5, 'constant', 'LDK names a constant that is there', "constant's number", 'number of constants', 'assemble the program again; the word is damaged', 'a read beyond the constants would be a read of foreign memory', '', '.word 0x00050110 ; LDK r1, k5\nEND'),
    6: RuleText(6, 'region', 'the main program and each procedure end with END, FAIL or, in a procedure, RET; RET stands in a procedure', 'code', 'code of END', 'end the part with END or RET', 'the program counter never runs out of a part: not into a procedure, and not past the last word', '', 'WAIT 1s'),
    7: RuleText(7, 'nesting', 'each loop has its ENDLOOP in the same part, at most 4 loops are nested, distances are right, RET stands outside loops', 'depth or distance', 'depth or distance', 'close the loop, or nest fewer', "loops that are closed in their own part and nested at most 4 deep make a program a tree, and the stack's depth a number", '', 'CALL p\nEND\np: PROC\nLOOP 2\nRET\nENDLOOP\nRET'),
    8: RuleText(8, 'target', 'a branch goes forward to a word of the same part and the same loop body; EXIT stands in a loop and goes exactly behind it', 'target word', 'last word allowed', 'put the label further down, in the same loop', 'a branch that only goes forward, and never into or out of a loop, repeats nothing and leaves the stack as it is', '', 'LOOP 2\nJMP out\nENDLOOP\nout: END'),
    9: RuleText(9, 'call', 'CALL names a PROC further down, and calls are nested at most 4 deep', 'target word or depth', 'last word or 4', 'put the procedure below its caller', "a call that only goes down cannot recur; its depth bounds the stack, and one pass upward knows each procedure's cost before its callers'", '', 'CALL p\np: END'),
    10: RuleText(10, 'channel', 'SENSE and GUARD name a channel that the robot has', 'channel', "robot's channels", 'use a channel that the manifest lists', 'a sensor that is not there reads nothing; a program that waits for it would drive blind', 'channels 0', 'SENSE r1, front\nEND'),
    11: RuleText(11, 'actuator', 'the robot has the actuator', 'actuator', "robot's actuators", 'leave the instruction out for this robot', 'a program for another robot is noticed before it runs, not by what it leaves out', 'actuators 1', 'LED 0, 0, 255\nEND'),
    12: RuleText(12, 'speed', 'no speed exceeds top_speed, no rate top_rate', 'speed', 'top speed or rate', 'drive slower', 'the price of a move is computed from its speed: a robot that is slower takes longer than was certified', '', 'MOVE 10cm, 25cm/s\nEND'),
    13: RuleText(13, 'fuel', 'worst-case fuel is at most max_fuel', 'fuel', 'max_fuel', 'fewer rounds or shorter loop bodies', 'the number of words bounds everything that has no price of its own', '', 'LOOP 1000\nLOOP 1000\nENDLOOP\nENDLOOP\nEND'),
    14: RuleText(14, 'duration', 'worst-case duration is at most max_ms', 'ms', 'max_ms', 'shorter waits, moves or loops', 'whoever runs a block must know by when it has ended', '', 'LOOP 3\nWAIT 60s\nENDLOOP\nEND'),
    15: RuleText(15, 'path', 'worst-case path is at most max_path_mm', 'mm', 'max_path_mm', 'shorter moves, or fewer of them', 'a robot that went wrong has gone no further than this', '', 'MOVE 510cm, 47mm/s\nEND'),
    16: RuleText(16, 'rotation', 'worst-case rotation is at most max_rotation_mrad', 'mrad', 'max_rotation_mrad', 'smaller turns, or fewer of them', 'cables wind up, and odometry errs with each turn', '', 'LOOP 9\nTURN 330deg, 50deg/s\nENDLOOP\nEND'),
    17: RuleText(17, 'reports', 'the worst-case number of reports is at most max_reports', 'reports', 'max_reports', 'report less often', 'each report waits in a queue of fixed length until the link has room', '', 'LOOP 65\nREPORT 1, r1\nENDLOOP\nEND'),
    18: RuleText(18, 'autonomy', 'the header asks for at most max_autonomous_ms', 'ms', 'max_autonomous_ms', 'ask for less, or run tethered', 'while the link is silent nobody can stop the robot from afar', '', '.autonomous 60s\nEND'),
    19: RuleText(19, 'certificate', "the header's certificate equals the one computed here", "header's number", 'computed number', 'certify the block again with this version', 'the host plans with these numbers, and the robot stops a block that exceeds them: both must mean the same', 'header.fuel 2', 'END'),
    20: RuleText(20, 'container', "the container's magic, version, sizes and CRC-32 are right", 'found', 'expected', 'assemble the block again; the file is damaged', 'what the wire or the disk has damaged is not read as a program', 'header.reserved 1', 'END'),
    21: RuleText(21, 'spec', 'the block was made for this SPEC', "header's hash", 'hash here', 'update the host or the robot, so that both speak the same version', 'the same words may mean something else in another version of this document', 'header.spec_hash 0', 'END'),
    22: RuleText(22, 'manifest', "the block was made for this robot's manifest", "header's hash", 'hash here', "certify the block again with this robot's manifest", 'the bounds hold for one body: the same words drive another one further, or into the wall', 'header.manifest_hash 0', 'END'),
}

MEASURES = {
    'fuel': Measure('fuel', 'instructions', 'worst-case number of executed words'),
    'ms': Measure('ms', 'ms', 'worst-case duration'),
    'path_mm': Measure('path_mm', 'mm', 'worst-case length of the driven path'),
    'rotation_mrad': Measure('rotation_mrad', 'mrad', 'worst-case sum of the absolute turns'),
    'reports': Measure('reports', '', 'worst-case number of reports'),
    'registers': Measure('registers', 'bits', 'registers that are named'),
    'variables': Measure('variables', 'bits', 'variables that are named'),
    'sensors': Measure('sensors', 'bits', 'channels that are named'),
    'actuators': Measure('actuators', 'bits', '1 drive, 2 led, 4 tone'),
    'guarded': Measure('guarded', '', '1 when every forward move is guarded, else 0'),
}

FRAMES = {
    1: Frame(1, 'IDENTIFY', False, '<I', ('nonce',)),
    2: Frame(2, 'HELLO', False, '<IIIBBIH', ('nonce', 'spec_hash', 'manifest_hash', 'major', 'minor', 'clear', 'native')),
    3: Frame(3, 'HEARTBEAT', False, '<I', ('ms',)),
    4: Frame(4, 'STATUS', False, '<', ()),
    5: Frame(5, 'TELEMETRY', False, '<IiiiHHHHHHHHBBBBHII', ('ms', 'x_mm', 'y_mm', 'heading_mrad', 'front', 'front_left', 'front_right', 'left', 'right', 'rear', 'age', 'battery', 'state', 'mode', 'trip', 'flags', 'pc', 'fuel', 'clear')),
    6: Frame(6, 'BEGIN', True, '<8sH', ('block', 'size')),
    7: Frame(7, 'DATA', True, '<H', ('offset', 'bytes')),
    8: Frame(8, 'COMMIT', True, '<8s', ('block',)),
    9: Frame(9, 'VERDICT', True, '<8sBHii', ('block', 'rule', 'word', 'value', 'limit')),
    10: Frame(10, 'RUN', True, '<8s', ('block',)),
    11: Frame(11, 'DONE', True, '<8sBBHIIIIB', ('block', 'outcome', 'code', 'pc', 'fuel', 'ms', 'path_mm', 'rotation_mrad', 'trip')),
    12: Frame(12, 'EVENT', True, '<Bi', ('tag', 'value')),
    13: Frame(13, 'FAULT', True, '<Bi', ('code', 'value')),
    14: Frame(14, 'STOP', True, '<', ()),
    15: Frame(15, 'ESTOP', False, '<', ()),
    16: Frame(16, 'CLEAR', False, '<I', ('clear',)),
    17: Frame(17, 'ACK', False, '<', ()),
    18: Frame(18, 'NEXT', True, '<8s8s', ('after', 'block')),
    19: Frame(19, 'NATIVE', True, '<8sH', ('block', 'size')),
    20: Frame(20, 'CLOSE', True, '<', ()),
}

HEADER_FORMAT = '<4sBBHIIHHIIIIHHHHBBHI'
FRAME_FORMAT = '<BHBBH'
