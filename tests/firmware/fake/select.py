# poll() on the simulated clock: an object is ready when its ioctl(3, events) says so.
from simulation import board

POLLIN = 1
POLLOUT = 4
_MP_STREAM_POLL = 3


class poll:
    def __init__(self):
        self._watched = []

    def register(self, stream, events=POLLIN | POLLOUT):
        self._watched.append((stream, events))

    def unregister(self, stream):
        self._watched = [watch for watch in self._watched if watch[0] is not stream]

    def _ready(self):
        return [(s, e) for s, events in self._watched if (e := s.ioctl(_MP_STREAM_POLL, events))]

    # Wait `ms` at most, for ever where it is negative.
    def poll(self, ms=-1):
        if ms < 0:
            raise ValueError("the simulated board would wait for ever")
        board.until(board.us + ms * 1000, self._ready)
        return self._ready()

    def ipoll(self, ms=-1, _flags=0):
        return iter(self.poll(ms))
