"""Ctrl-C where it can be obeyed: between two exchanges, never inside one."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that this gives is called: that raises KeyboardInterrupt.

    A second Ctrl-C is obeyed at once. Outside the main thread, which gets the signals, this does nothing.
    """
    pending = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal pending
        if pending:
            raise KeyboardInterrupt
        pending = True

    def check() -> None:
        if pending:
            raise KeyboardInterrupt

    ours = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if ours else None
    if previous is not signal.default_int_handler:  # somebody else decides about Ctrl-C
        yield check
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, previous)
    check()
