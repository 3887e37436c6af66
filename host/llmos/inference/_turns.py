"""Who may use the cores, and until when."""

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ._types import DeadlineExpired


class Turns:
    """One evaluation at a time, the urgent ones first.

    Two at once would want each core twice, and llama.cpp's threads wait for each other busily: both would
    take many times as long. So a batch takes a turn for each of its short steps, and a single call
    one for all.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._urgent = 0  # how many wait that go first

    @contextmanager
    def urgent(self, deadline: float) -> Iterator[None]:
        """Take the next turn, or raise `DeadlineExpired` at a moment of the monotonic clock."""
        with self._changed:
            self._urgent += 1
            try:
                free = self._changed.wait_for(lambda: not self._taken, deadline - time.monotonic())
            finally:
                self._urgent -= 1
                self._changed.notify_all()
            if not free:
                raise DeadlineExpired("the model was busy until the deadline; allow more or ask the rule")
            self._taken = True
        with self._left():
            yield

    @contextmanager
    def patient(self) -> Iterator[None]:
        """Take a turn when nobody urgent wants one."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken and not self._urgent)
            self._taken = True
        with self._left():
            yield

    @contextmanager
    def _left(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()


class Alarm:
    """Tells llama.cpp to give an evaluation up.

    It asks about a thousand times per evaluation: strlen() of the flag is "expired?" without the interpreter,
    where an answer in Python would cost time and could swallow a Ctrl-C.
    """

    def __init__(self) -> None:
        self._flag = ctypes.create_string_buffer(2)  # as a C string: empty until the deadline has passed

    def attach(self, lib: Any, params: Any) -> None:
        """Have the context that is made of these parameters obey."""
        params.abort_callback = ctypes.cast(ctypes.CDLL(None).strlen, lib.ggml_abort_callback)
        params.abort_callback_data = ctypes.addressof(self._flag)

    @property
    def rings(self) -> bool:
        """Whether the deadline has passed."""
        return bool(self._flag.value)

    @contextmanager
    def at(self, deadline: float) -> Iterator[None]:
        """Ring at a moment of the monotonic clock, unless this is left before."""
        timer = threading.Timer(deadline - time.monotonic(), self.ring)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            self._flag.value = b""

    def ring(self) -> None:
        """Give up what is under way at once."""
        self._flag.value = b"!"
