# The time functions that the firmware uses, on the simulated clock.
from simulation import board

_PERIOD = 1 << 30


def ticks_ms():
    return board.us // 1000 % _PERIOD


def ticks_us():
    return board.us % _PERIOD


def ticks_diff(later, earlier):
    return (later - earlier + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def ticks_add(ticks, delta):
    return (ticks + delta) % _PERIOD


def sleep_us(us):
    board.advance(us)


def sleep_ms(ms):
    board.advance(ms * 1000)


def sleep(seconds):
    board.advance(int(seconds * 1000000))


def time():
    return board.us // 1000000
