# The port's own `os`, and the ESP32's terminal: what it gives to the REPL is in `terminal`.
from uos import *  # noqa: F403

terminal = bytearray()
_stream = None


def dupterm(stream):
    global _stream
    before, _stream = _stream, stream
    return before


def dupterm_notify(_):
    byte = bytearray(1)
    while _stream.readinto(byte):
        terminal.extend(byte)
