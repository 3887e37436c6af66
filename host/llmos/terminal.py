"""A terminal as a page that is redrawn in place and as a keyboard; it is as before when that ends."""

import os
import select
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TextIO

from llmos.link.interrupts import deferred_interrupts

_ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l"  # alternate screen, no cursor, no line wrap (xterm)
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_PAGE = "\x1b[H", "\x1b[K", "\x1b[J"
_OFF = b"\0"  # _POSIX_VDISABLE
_LEAVE_S = 1.0  # how long a terminal may take no bytes in the end


class Line(NamedTuple):
    """A line of the page; `style` are the numbers of an SGR sequence, such as `1;31`, or nothing."""

    text: str
    style: str = ""


def redraws(out: TextIO) -> bool:
    """Tell whether an output is a terminal that can redraw what it shows."""
    return out.isatty() and os.environ.get("TERM", "dumb") != "dumb"


@contextmanager
def keyboard(stream: TextIO | None = None) -> Iterator[Callable[[], str]]:
    """Give a function that returns the keys typed since it was asked last, at once and without an echo.

    Ctrl-C stays what it is. Ctrl-Z, Ctrl-\\ and Ctrl-S are off, since a program that they hold could not
    stop the robot. Where the stream (by default standard input) is no terminal of ours, no key comes.
    """
    stream = stream or sys.stdin
    descriptor = _own_terminal(stream)
    if descriptor is None:
        yield lambda: ""
        return
    before = termios.tcgetattr(descriptor)
    try:
        termios.tcsetattr(descriptor, termios.TCSANOW, _key_by_key(descriptor))
        yield lambda: _typed(descriptor)
    finally:
        with deferred_interrupts(), suppress(termios.error):  # the terminal may be gone
            termios.tcflush(descriptor, termios.TCIFLUSH)
            termios.tcsetattr(descriptor, termios.TCSANOW, before)  # without waiting for a page to be shown


def _own_terminal(stream: TextIO | None) -> int | None:
    """Return the descriptor of a terminal that listens to this process; None where there is none."""
    try:
        if stream is None or not stream.isatty():
            return None
        descriptor = stream.fileno()
        return descriptor if os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (OSError, ValueError):
        return None


def _key_by_key(descriptor: int) -> list[Any]:
    attributes = termios.tcgetattr(descriptor)
    attributes[0] &= ~termios.IXON
    attributes[3] &= ~(termios.ICANON | termios.ECHO)
    controls = attributes[6]
    controls[termios.VMIN], controls[termios.VTIME] = 1, 0
    controls[termios.VSUSP] = controls[termios.VQUIT] = _OFF
    return attributes


def _typed(descriptor: int) -> str:
    try:
        ready = select.select([descriptor], [], [], 0)[0]
        return os.read(descriptor, 64).decode("ascii", "replace") if ready else ""
    except OSError:  # the terminal is gone; SIGHUP says what that means
        return ""


class Page:
    """A context in which `draw` shows lines, cut to the terminal's size of that moment."""

    def __init__(self, out: TextIO) -> None:
        """Draw on a terminal."""
        self._out = out
        self._coloured = not os.environ.get("NO_COLOR")  # no-color.org

    def __enter__(self) -> "Page":
        """Leave what the terminal shows for a fresh page."""
        self._out.write(_ENTER)
        self._out.flush()
        return self

    def __exit__(self, *_: object) -> None:
        """Show what the terminal has shown before."""
        with deferred_interrupts(), suppress(OSError):
            if self._takes(_LEAVE_S):
                self._out.write(_LEAVE)
                self._out.flush()

    def draw(self, lines: Sequence[Line]) -> None:
        """Show lines; where they are too many, the last one is kept. A terminal that is held is not awaited.

        Raises:
            OSError: the terminal is gone.
        """
        if not self._takes(0):
            return
        columns, rows = os.get_terminal_size(self._out.fileno())
        columns, rows = columns or 80, rows or 24  # a terminal that does not tell
        shown = list(lines) if len(lines) <= rows else [*lines[: rows - 1], lines[-1]]
        text = "\n".join(self._line(line, columns) for line in shown)
        self._out.write(_HOME + text + _REST_OF_PAGE)
        self._out.flush()

    def _takes(self, seconds: float) -> bool:
        return bool(select.select([], [self._out.fileno()], [], seconds)[1])

    def _line(self, line: Line, columns: int) -> str:
        text = line.text[:columns]
        if line.style and self._coloured:
            text = f"\x1b[{line.style}m{text}\x1b[0m"
        return text + _REST_OF_LINE
