# cython: language_level=3, cdivision=True
"""The verifier, compiled: the same rules in the same order as `_verify_py`, over arrays of C integers.

Words are copied, one by one and checked, into memory of this module's own; every index that is used behind that has
been proved by an earlier rule to be in range.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from llmbytecode._isa import INSTRUCTIONS, KINDS, Certificate, Rule
from llmbytecode.errors import ProgramError, Refusal

include "_isa.pxi"

include "_block.pxi"


# Rules 2 to 5: the words by themselves. Each rule says True when it is broken.


cdef bint constants_rule(Block *b) noexcept nogil:
    cdef int64_t limit = b.limits[LIM_MAX_CONSTANTS]
    return b.constants > limit and refuse(b, RULE_CONSTANTS, 0, b.constants, limit)


cdef bint opcode_rule(Block *b) noexcept nogil:
    cdef int32_t at
    for at in range(b.count):
        if not FORMS[code_of(b, at)].known:
            return refuse(b, RULE_OPCODE, at, code_of(b, at), OP_REPORT)
    return False


cdef bint operand_rule(Block *b) noexcept nogil:
    cdef int32_t at, number
    cdef int place
    cdef Form *form
    for at in range(b.count):
        form = &FORMS[code_of(b, at)]
        for place in range(2 if form.wide else 3):
            number = field_at(b, at, form, place)
            if number < form.low[place]:
                return refuse(b, RULE_OPERAND, at, number, form.low[place])
            if number > form.high[place] or (place == form.watch and number & 8):
                return refuse(b, RULE_OPERAND, at, number, form.high[place])
    return False


cdef inline int32_t field_at(Block *b, int32_t at, Form *form, int place) noexcept nogil:
    if place == 0:
        return a_of(b, at)
    if form.wide:
        return signed_i(b, at) if form.is_signed[place] else i_of(b, at)
    return b_of(b, at) if place == 1 else c_of(b, at)


cdef bint constant_rule(Block *b) noexcept nogil:
    cdef int32_t at
    for at in range(b.count):
        if code_of(b, at) == OP_LDK and i_of(b, at) >= b.constants:
            return refuse(b, RULE_CONSTANT, at, i_of(b, at), b.constants)
    return False


# Rules 6 to 9: parts, loops, branches, calls.


cdef bint region_rule(Block *b) noexcept nogil:
    cdef int32_t at, last = b.count - 1
    cdef int code
    cdef bint procedure = False, ends
    for at in range(b.count - 1, -1, -1):
        b.last[at] = last
        if code_of(b, at) == OP_PROC:
            last = at - 1
    for at in range(b.count):
        code = code_of(b, at)
        procedure = procedure or code == OP_PROC
        ends = code == OP_END or code == OP_FAIL or (procedure and code == OP_RET)
        if ((at == b.last[at] or code == OP_RET) and not ends) or code_of(b, 0) == OP_PROC:
            return refuse(b, RULE_REGION, at, code, OP_END)
    return False


cdef bint nesting_rule(Block *b) noexcept nogil:
    cdef int32_t at
    cdef int32_t heads[MAX_LOOPS]
    cdef int code, open_loops = 0
    for at in range(b.count):
        code = code_of(b, at)
        b.body[at] = heads[open_loops - 1] if open_loops else NO_LOOP
        if is_head(code):
            if open_loops == MAX_LOOPS:
                return refuse(b, RULE_NESTING, at, MAX_LOOPS + 1, MAX_LOOPS)
            heads[open_loops] = at
            open_loops += 1
        elif code == OP_ENDLOOP:
            if not open_loops:
                return refuse(b, RULE_NESTING, at, i_of(b, at), 0)
            open_loops -= 1
            if close_loop(b, at, heads[open_loops]):
                return True
        elif code == OP_RET and open_loops:
            return refuse(b, RULE_NESTING, at, open_loops, 0)
        if at == b.last[at] and open_loops:
            return refuse(b, RULE_NESTING, heads[open_loops - 1], open_loops, 0)
    return False


cdef bint close_loop(Block *b, int32_t at, int32_t head) noexcept nogil:
    if code_of(b, head) == OP_LOOPR and b_of(b, head) != at - head:
        return refuse(b, RULE_NESTING, head, b_of(b, head), at - head)
    if i_of(b, at) != at - head:
        return refuse(b, RULE_NESTING, at, i_of(b, at), at - head)
    b.end[head] = at
    return False


cdef bint target_rule(Block *b) noexcept nogil:
    cdef int32_t at, to, head, bound
    cdef int code
    for at in range(b.count):
        code = code_of(b, at)
        head = b.body[at]
        if code == OP_EXIT:
            to, bound = target_of(b, at), 0 if head == NO_LOOP else b.end[head] + 1
            if to != bound:
                return refuse(b, RULE_TARGET, at, to, bound)
        elif is_branch(code):
            to, bound = target_of(b, at), b.last[at] if head == NO_LOOP else b.end[head]
            if to > bound or b.body[to] != head:
                return refuse(b, RULE_TARGET, at, to, bound)
    return False


cdef bint call_rule(Block *b) noexcept nogil:
    cdef int32_t at, to, depth = 0
    cdef int code
    for at in range(b.count):
        code = code_of(b, at)
        if code == OP_PROC:
            depth = b.depth[at]
        elif code == OP_CALL:
            to = target_of(b, at)
            if to >= b.count or code_of(b, to) != OP_PROC:
                return refuse(b, RULE_CALL, at, to, b.count - 1)
            b.depth[to] = max(b.depth[to], depth + 1)
            if b.depth[to] > MAX_CALLS:
                return refuse(b, RULE_CALL, at, b.depth[to], MAX_CALLS)
    return False


# Rules 10 to 12: what the robot has.


cdef inline int channel_of(Block *b, int32_t at) noexcept nogil:
    """Return the channel that a word names, -1 for none."""
    cdef int code = code_of(b, at)
    if code == OP_SENSE:
        return b_of(b, at)
    return a_of(b, at) >> 4 if code == OP_GUARD else -1


cdef bint channel_rule(Block *b) noexcept nogil:
    cdef int32_t at
    cdef int channel
    for at in range(b.count):
        channel = channel_of(b, at)
        if channel >= 0 and not b.limits[LIM_CHANNELS] >> channel & 1:
            return refuse(b, RULE_CHANNEL, at, channel, b.limits[LIM_CHANNELS])
    return False


cdef bint actuator_rule(Block *b) noexcept nogil:
    cdef int32_t at
    cdef int needed
    for at in range(b.count):
        needed = FORMS[code_of(b, at)].actuator
        if needed & ~b.limits[LIM_ACTUATORS]:
            return refuse(b, RULE_ACTUATOR, at, needed, b.limits[LIM_ACTUATORS])
    return False


cdef inline int32_t speed_of(Block *b, int32_t at) noexcept nogil:
    """Return the speed in mm/s of a word that drives, 0 for any other."""
    cdef int code = code_of(b, at)
    if code == OP_MOVE:
        return a_of(b, at)
    if code == OP_MOVER:
        return c_of(b, at)
    return b_of(b, at) if code == OP_DRIVE else 0


cdef inline int32_t rate_of(Block *b, int32_t at) noexcept nogil:
    """Return the rate in mrad/s of a word that turns, 0 for any other."""
    cdef int code = code_of(b, at)
    if code == OP_TURN:
        return a_of(b, at) * STEP_RATE
    return c_of(b, at) * STEP_RATE if code == OP_TURNR else 0


cdef bint speed_rule(Block *b) noexcept nogil:
    cdef int32_t at
    for at in range(b.count):
        if speed_of(b, at) > b.limits[LIM_TOP_SPEED]:
            return refuse(b, RULE_SPEED, at, speed_of(b, at), b.limits[LIM_TOP_SPEED])
        if rate_of(b, at) > b.limits[LIM_TOP_RATE]:
            return refuse(b, RULE_SPEED, at, rate_of(b, at), b.limits[LIM_TOP_RATE])
    return False


# Rules 13 to 18: the worst case, computed in one pass from the last word to the first.


cdef bint fuel_rule(Block *b) noexcept nogil:
    cdef int32_t at
    cdef int measure
    for at in range(b.count - 1, -1, -1):
        add_cost(b, at)
    for measure in range(MEASURES):
        b.total[measure] = b.costs[measure]
    if b.total[FUEL] > b.limits[LIM_MAX_FUEL]:
        return refuse(b, RULE_FUEL, 0, b.total[FUEL], b.limits[LIM_MAX_FUEL])
    b.total[MS] = min(CAP, b.total[MS] + up(b.total[FUEL] * b.limits[LIM_INSTRUCTION_US], 1000))
    return False


cdef inline bint at_most(Block *b, int rule, int measure, int limit) noexcept nogil:
    return b.total[measure] > b.limits[limit] and refuse(b, rule, 0, b.total[measure], b.limits[limit])


cdef bint budget_rules(Block *b) noexcept nogil:
    return (
        at_most(b, RULE_DURATION, MS, LIM_MAX_MS)
        or at_most(b, RULE_PATH, PATH, LIM_MAX_PATH_MM)
        or at_most(b, RULE_ROTATION, ROTATION, LIM_MAX_ROTATION_MRAD)
        or at_most(b, RULE_REPORTS, REPORTED, LIM_MAX_REPORTS)
    )


cdef bint autonomy_rule(Block *b) noexcept nogil:
    cdef int64_t limit = b.limits[LIM_MAX_AUTONOMOUS_MS]
    return b.autonomous > limit and refuse(b, RULE_AUTONOMY, 0, b.autonomous, limit)


ctypedef bint (*RuleCheck)(Block *) noexcept nogil

cdef RuleCheck[14] RULES = [
    constants_rule, opcode_rule, operand_rule, constant_rule, region_rule, nesting_rule, target_rule,
    call_rule, channel_rule, actuator_rule, speed_rule, fuel_rule, budget_rules, autonomy_rule,
]


cdef inline int64_t magnitude(int64_t number) noexcept nogil:
    return -number if number < 0 else number


cdef inline int64_t up(int64_t number, int64_t divisor) noexcept nogil:
    """Return the quotient of two numbers that are not negative, rounded up."""
    return (number + divisor - 1) // divisor


cdef void add_cost(Block *b, int32_t at) noexcept nogil:
    """Compute the cost from a word: its own, and that of what can follow."""
    cdef int64_t sums[MEASURES]
    cdef int measure, code = code_of(b, at)
    memset(sums, 0, sizeof(sums))
    own_cost(b, at, code, sums)
    if is_head(code):
        add_times(b, sums, at + 1, i_of(b, at) if code == OP_LOOP else c_of(b, at))
        add_times(b, sums, b.end[at] + 1, 1)
    elif code == OP_JMP:
        add_times(b, sums, target_of(b, at), 1)
    elif is_branch(code):
        add_greatest(b, sums, at + 1, target_of(b, at))
    elif code == OP_CALL:
        add_times(b, sums, target_of(b, at), 1)
        add_times(b, sums, at + 1, 1)
    elif not is_dead_end(code) and code != OP_EXIT and code != OP_ENDLOOP:
        add_times(b, sums, at + 1, 1)
    for measure in range(MEASURES):
        b.costs[at * MEASURES + measure] = <int32_t>min(CAP, sums[measure])


cdef inline void add_times(Block *b, int64_t *sums, int32_t at, int64_t times) noexcept nogil:
    cdef int measure
    for measure in range(MEASURES):
        sums[measure] += times * b.costs[at * MEASURES + measure]


cdef inline void add_greatest(Block *b, int64_t *sums, int32_t one, int32_t other) noexcept nogil:
    cdef int measure
    for measure in range(MEASURES):
        sums[measure] += max(b.costs[one * MEASURES + measure], b.costs[other * MEASURES + measure])


cdef void own_cost(Block *b, int32_t at, int code, int64_t *sums) noexcept nogil:
    sums[FUEL] = 1
    if code == OP_MOVE:
        move_cost(b, sums, magnitude(signed_i(b, at)), speed_of(b, at))
    elif code == OP_MOVER:
        move_cost(b, sums, b_of(b, at) * STEP_DISTANCE_MAX, speed_of(b, at))
    elif code == OP_TURN:
        turn_cost(b, sums, magnitude(signed_i(b, at)), rate_of(b, at))
    elif code == OP_TURNR:
        turn_cost(b, sums, b_of(b, at) * STEP_ANGLE_MAX, rate_of(b, at))
    elif code == OP_DRIVE:
        drive_cost(b, sums, speed_of(b, at), c_of(b, at) * STEP_TIME100)
    elif code == OP_WAIT or code == OP_WAITR:
        sums[MS] = i_of(b, at) + b.limits[LIM_TICK_MS]
    elif code == OP_REPORT:
        sums[REPORTED] = 1


cdef void move_cost(Block *b, int64_t *sums, int64_t way, int64_t speed) noexcept nogil:
    if way:
        sums[MS] = up(1000 * way, speed) + up(1000 * speed, b.limits[LIM_ACCEL]) + b.limits[LIM_TICK_MS]
        sums[PATH] = way


cdef void turn_cost(Block *b, int64_t *sums, int64_t angle, int64_t rate) noexcept nogil:
    if angle:
        sums[MS] = up(1000 * angle, rate) + up(1000 * rate, b.limits[LIM_TURN_ACCEL]) + b.limits[LIM_TICK_MS]
        sums[ROTATION] = angle


cdef void drive_cost(Block *b, int64_t *sums, int64_t speed, int64_t ms) noexcept nogil:
    sums[MS] = ms + up(1000 * speed, b.limits[LIM_ACCEL]) + b.limits[LIM_TICK_MS]
    sums[PATH] = up(speed * ms, 1000) + up(speed * speed, b.limits[LIM_ACCEL])
    sums[ROTATION] = up(2000 * sums[PATH], b.limits[LIM_BASE_MM])


# What the block names, and whether its forward moves are guarded.


cdef void find_names(Block *b) noexcept nogil:
    """Find, for each loop's head and each PROC, the guards that it names."""
    cdef int32_t at
    cdef int code, level = 0
    cdef uint8_t open_sets[MAX_LOOPS + 1]
    open_sets[0] = 0
    for at in range(b.count - 1, -1, -1):
        code = code_of(b, at)
        if code == OP_ENDLOOP:
            level += 1
            open_sets[level] = 0
        elif code == OP_GUARD or code == OP_UNGUARD:
            open_sets[level] |= guard_bit(b, at)
        elif code == OP_CALL:
            open_sets[level] |= b.names[target_of(b, at)]
        elif is_head(code):
            b.names[at] = open_sets[level]
            level -= 1
            open_sets[level] |= b.names[at]
        elif code == OP_PROC:
            b.names[at] = open_sets[level]
            open_sets[level] = 0


cdef inline uint8_t guard_bit(Block *b, int32_t at) noexcept nogil:
    return <uint8_t>(1 << (a_of(b, at) & 3))


cdef bint is_guarded(Block *b) noexcept nogil:
    cdef int32_t at
    cdef int code
    cdef uint8_t guards
    find_names(b)
    memset(b.sets, ALL_GUARDS | UNREACHED, b.count)
    b.sets[0] = 0
    for at in range(b.count):
        code = code_of(b, at)
        if code == OP_PROC:
            b.sets[at] = 0
        guards = b.sets[at]
        if guards & UNREACHED:
            continue
        if not guards and (code == OP_MOVER or code == OP_DRIVE or (code == OP_MOVE and signed_i(b, at) > 0)):
            return False
        pass_on(b, at, code, guards)
    return True


cdef void pass_on(Block *b, int32_t at, int code, uint8_t guards) noexcept nogil:
    """Pass a word's guards on to every word that can follow it."""
    if is_dead_end(code):
        return
    if code == OP_JMP or code == OP_EXIT:
        b.sets[target_of(b, at)] &= guards
        return
    if is_branch(code):
        b.sets[target_of(b, at)] &= guards
    elif code == OP_LOOPR:
        b.sets[b.end[at] + 1] &= guards
    if code == OP_GUARD and a_of(b, at) >> 2 == CH_FRONT << 2:
        guards |= guard_bit(b, at)
    elif code == OP_GUARD or code == OP_UNGUARD:
        guards &= ~guard_bit(b, at)
    elif is_head(code):
        guards &= ~b.names[at]
    elif code == OP_CALL:
        guards &= ~b.names[target_of(b, at)]
    b.sets[at + 1] &= guards


cdef void count_names(Block *b, uint32_t *bits) noexcept nogil:
    """Set the bits of the registers, variables, channels and actuators that are named, in this order."""
    cdef int32_t at, number
    cdef int place
    cdef Form *form
    for at in range(b.count):
        form = &FORMS[code_of(b, at)]
        for place in range(2 if form.wide else 3):
            number = field_at(b, at, form, place)
            if form.role[place] == REGISTER:
                bits[0] |= 1 << number
            elif form.role[place] == PAIR:
                bits[0] |= 1 << (number >> 4) | 1 << (number & 15)
            elif form.role[place] == VARIABLE:
                bits[1] |= 1 << number
        if channel_of(b, at) >= 0:
            bits[2] |= 1 << channel_of(b, at)
        bits[3] |= form.actuator


# The entry: Python's objects are checked and copied here, and nowhere else.


cdef int32_t *carve(int32_t **free_memory, size_t count) noexcept:
    """Return memory for so many numbers, and go on behind it."""
    cdef int32_t *start = free_memory[0]
    free_memory[0] += count
    return start


cdef void lay_out(Block *b, int32_t *memory, size_t count) noexcept:
    b.words = <uint32_t *>carve(&memory, count)
    b.last = carve(&memory, count)
    b.body = carve(&memory, count)
    b.end = carve(&memory, count)
    b.depth = carve(&memory, count)
    b.names = <uint8_t *>carve(&memory, count)
    b.sets = <uint8_t *>carve(&memory, count)
    b.costs = carve(&memory, MEASURES * count)


cdef enum:
    ARRAYS = 7 + MEASURES


cdef examine(Block *b):
    cdef uint32_t bits[4]
    for rule in RULES:
        if rule(b):
            raise Refusal(Rule(b.rule), b.word, b.value, b.limit)
    memset(bits, 0, sizeof(bits))
    count_names(b, bits)
    total = b.total
    return Certificate(
        total[FUEL], total[MS], total[PATH], total[ROTATION], total[REPORTED],
        bits[0], bits[1], bits[2], bits[3], int(is_guarded(b)),
    )


def check(words, constants, autonomous_ms, limits):
    """Return the certificate of a block, or raise Refusal with the first rule broken, at its first word."""
    cdef Block b
    cdef Py_ssize_t count = len(words), at
    cdef int32_t *memory
    for at in range(LIMITS):
        b.limits[at] = limits[at]
    if min(b.limits[LIM_ACCEL], b.limits[LIM_TURN_ACCEL], b.limits[LIM_BASE_MM]) < 1:  # these divide
        raise ZeroDivisionError("limits: accel, turn_accel and base_mm must be at least 1")
    if not 0 <= autonomous_ms < 1 << 32:
        raise ProgramError("autonomous_ms", autonomous_ms, 32)
    if not 1 <= count <= b.limits[LIM_MAX_WORDS]:
        raise Refusal(Rule.LENGTH, 0, count, limits.max_words)
    b.count, b.constants, b.autonomous = count, constants, autonomous_ms
    memory = <int32_t *>calloc(count, ARRAYS * sizeof(int32_t))
    if memory == NULL:
        raise MemoryError(f"verify: no memory for {count} words")
    try:
        lay_out(&b, memory, count)
        for at in range(count):
            b.words[at] = words[at]
        return examine(&b)
    except OverflowError:
        raise ProgramError(f"word {at}", words[at], 32) from None
    finally:
        free(memory)
