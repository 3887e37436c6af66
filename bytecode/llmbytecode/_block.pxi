# The compiled verifier's data: the forms of words, the block under examination, and the fields of its words.

cdef enum:
    MAX_LOOPS = 4
    MAX_CALLS = 4
    NO_LOOP = -1
    ALL_GUARDS = 15
    UNREACHED = 16  # no way leads to this word
    CODES = 256
    MEASURES = 5  # fuel, ms, mm, mrad, reports
    FUEL = 0
    MS = 1
    PATH = 2
    ROTATION = 3
    REPORTED = 4
    REGISTER = 1  # roles of a field
    PAIR = 2
    VARIABLE = 3

cdef int64_t CAP = (1 << 30) - 1  # costs saturate here


cdef struct Form:
    bint known
    bint wide  # it has a field i
    int32_t low[3]  # of a, b, c or of a, i
    int32_t high[3]
    bint is_signed[3]
    int role[3]  # REGISTER, PAIR, VARIABLE or 0
    int watch  # the place of a watch among the fields, -1 for none
    uint8_t actuator


cdef struct Block:
    int32_t count
    int32_t constants
    int64_t autonomous
    int64_t limits[LIMITS]
    uint32_t *words
    int32_t *last  # the last word of each word's part
    int32_t *body  # head of the loop body that a word is in
    int32_t *end  # of a loop's head: its ENDLOOP
    int32_t *depth  # of a PROC: how deep it is called
    int32_t *costs  # MEASURES for each word, and once more behind the last
    uint8_t *names  # of a loop's head and a PROC: the guards that it names
    uint8_t *sets  # the guards that count at each word
    int64_t total[MEASURES]
    int rule
    int32_t word
    int64_t value
    int64_t limit


cdef Form FORMS[CODES]
ROLES = {"reg": REGISTER, "pair": PAIR, "var": VARIABLE}


cdef void load_forms():
    """Fill the table of operand forms from the SPEC's tables."""
    memset(FORMS, 0, sizeof(FORMS))
    for code, row in INSTRUCTIONS.items():
        fields = dict(row.operands)
        FORMS[code].known = True
        FORMS[code].wide = "i" in fields
        FORMS[code].watch = -1
        FORMS[code].actuator = 1 if row.category == "move" else {OP_LED: 2, OP_TONE: 4}.get(code, 0)
        for place, name in enumerate("ai" if "i" in fields else "abc"):
            if name in fields:
                kind = KINDS[fields[name]]
                FORMS[code].low[place], FORMS[code].high[place] = kind.lo, kind.hi
                FORMS[code].is_signed[place] = kind.lo < 0
                FORMS[code].role[place] = ROLES.get(kind.name, 0)
                if kind.name == "watch":
                    FORMS[code].watch = place


load_forms()


cdef inline int code_of(Block *b, int32_t at) noexcept nogil:
    return b.words[at] & 0xFF


cdef inline int32_t a_of(Block *b, int32_t at) noexcept nogil:
    return b.words[at] >> 8 & 0xFF


cdef inline int32_t b_of(Block *b, int32_t at) noexcept nogil:
    return b.words[at] >> 16 & 0xFF


cdef inline int32_t c_of(Block *b, int32_t at) noexcept nogil:
    return b.words[at] >> 24 & 0xFF


cdef inline int32_t i_of(Block *b, int32_t at) noexcept nogil:
    return b.words[at] >> 16 & 0xFFFF


cdef inline int32_t signed_i(Block *b, int32_t at) noexcept nogil:
    cdef int32_t number = i_of(b, at)
    return number - 0x10000 if number > 0x7FFF else number


cdef inline bint is_branch(int code) noexcept nogil:
    return OP_JMP <= code <= OP_BGE


cdef inline bint is_head(int code) noexcept nogil:
    return code == OP_LOOP or code == OP_LOOPR


cdef inline bint is_dead_end(int code) noexcept nogil:
    return code == OP_END or code == OP_FAIL or code == OP_RET


cdef inline int32_t target_of(Block *b, int32_t at) noexcept nogil:
    return at + (i_of(b, at) if FORMS[code_of(b, at)].wide else c_of(b, at))


cdef bint refuse(Block *b, int rule, int32_t word, int64_t value, int64_t limit) noexcept nogil:
    b.rule, b.word, b.value, b.limit = rule, word, value, limit
    return True
