# What a board's tools ask of `machine`; the process ends, and the board begins it anew.
import repl
from umachine import *

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)
_RESET = 64  # exit status
_DOWNLOAD = 65
mac = bytes(6)  # said at the start


def reset():
    repl.end(_RESET)


def soft_reset():
    raise SystemExit


def bootloader(timeout=0):
    repl.end(_DOWNLOAD)


def reset_cause():
    return PWRON_RESET


def freq():
    return 240000000


def unique_id():
    return mac
