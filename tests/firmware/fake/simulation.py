# The simulated board behind the fake modules of this folder: its clock, what happens when, and its scheduler.
# Interrupts call Python as on the ESP32: soft, from a queue of eight places, between two instructions of the
# program; here that is whenever the program lets time pass.
_QUEUE = 8


# A reset; nothing of the firmware catches it.
class Reset(BaseException):
    pass


class Simulation:
    reset = Reset

    def __init__(self):
        self.restart(0)

    # Power on, `us` microseconds after the counters began.
    def restart(self, us):
        self.us = us
        self._events = []  # (us, number, function), in their order
        self._numbers = 0
        self._queue = []
        self._hangs = self._runs = False
        self.lost = 0  # interrupts that found the queue full
        self.latency_us = None  # a function: microseconds that an interrupt's callback is late
        self.watchdog_us = None  # when the watchdog bites
        self.serial = None  # what select.poll watches

    # Call function() when the clock shows `us`.
    def at(self, us, function):
        self._numbers += 1
        event = (max(us, self.us), self._numbers, function)
        place = len(self._events)
        while place and self._events[place - 1] > event:
            place -= 1
        self._events.insert(place, event)
        return event

    def cancel(self, event):
        if event in self._events:
            self._events.remove(event)

    # An interrupt wants callback(argument) to be called.
    def schedule(self, callback, argument):
        if len(self._queue) == _QUEUE:
            self.lost += 1
            return
        self._queue.append((callback, argument))
        if self.latency_us:
            self.at(self.us + self.latency_us(), self._drain)
        else:
            self._drain()

    # A callback is not interrupted by another one.
    def _drain(self):
        if self._hangs or self._runs:
            return
        self._runs = True
        try:
            while self._queue:
                callback, argument = self._queue.pop(0)
                callback(argument)
        finally:
            self._runs = False

    # Let time pass until `us`, or until done() is true.
    def until(self, us, done=None):
        while not (done and done()):
            if not self._events or self._events[0][0] > us:
                self._pass(max(us, self.us))
                return
            at, _, function = self._events.pop(0)
            self._pass(at)
            function()

    def advance(self, us):
        self.until(self.us + us)

    # The program does not come to the next instruction for so long: interrupts wait.
    def hang(self, us):
        self._hangs = True
        self.advance(us)
        self._hangs = False
        self._drain()

    def _pass(self, us):
        if self.watchdog_us is not None and us >= self.watchdog_us:
            self.us, self.watchdog_us = self.watchdog_us, None
            raise Reset("watchdog")
        self.us = max(us, self.us)


board = Simulation()
