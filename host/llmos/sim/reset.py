"""How DTR and RTS reset an ESP32 development kit, and choose between its flash and its ROM loader.

Two transistors pull EN low while RTS is on and DTR is off, and GPIO0 low while DTR is on and RTS is off
(Espressif, ESP32-S3-DevKitC-1 schematic, "auto program"). The capacitor at EN makes EN rise late; GPIO0 low
by then means the loader. A serial port's driver changes the lines one after the other, and over RFC 2217 each
change waits for its answer; the delay here covers that, as a larger capacitor does on a real board.
"""

from typing import Literal

EN_RISE_S = 0.25

Event = Literal["hold", "run", "download"]


class ResetCircuit:
    """From the lines' changes to what the chip does; times in s of one clock of the caller's choice."""

    def __init__(self) -> None:
        self.due_s: float | None = None  # when EN will have risen; None where it is not rising
        self._low = False  # EN
        self._events: list[Event] = []

    def lines(self, now_s: float, dtr: bool, rts: bool) -> None:
        """The lines have changed."""
        self._rise(now_s)
        if rts and not dtr:
            if not self._low:
                self._events.append("hold")
            self._low, self.due_s = True, None
        elif self._low:
            self._low, self.due_s = False, now_s + EN_RISE_S
        if dtr and not rts and self.due_s is not None:
            self._leave("download")

    def due(self, now_s: float) -> Event | None:
        """What the chip does next, each once, or None: stop, run its flash, or enter the ROM loader."""
        self._rise(now_s)
        return self._events.pop(0) if self._events else None

    def _rise(self, now_s: float) -> None:
        if self.due_s is not None and now_s >= self.due_s:
            self._leave("run")

    def _leave(self, event: Event) -> None:
        self.due_s = None
        self._events.append(event)
