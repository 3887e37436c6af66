"""One session of the link as a state machine without a port or a clock: SPEC section 7."""

from collections import deque
from dataclasses import dataclass

from llmbytecode._isa import FrameType
from llmos.link.frames import OVERHEAD, RELIABLE, Frame, Splitter, build

WINDOW = 8  # frames
FIRST_RTO_MS = 200.0  # before a round trip has been measured
MIN_RTO_MS, MAX_RTO_MS = 25.0, 1000.0
BYTES_PER_MS = 92.16  # ten bits each at 921,600 baud; on a faster line frames are only waited for longer
RECEIVE_BUFFER = 0xFFFF  # the host reads at once, so its credit never runs out


@dataclass(slots=True)
class Stats:
    """What has passed over the link since the port was opened."""

    frames_sent: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    retransmits: int = 0
    refused: int = 0  # pieces of the stream that were no frame: stuffing, checksum or layout wrong
    foreign: int = 0  # frames of another session
    dropped: int = 0  # repeated, early or stale frames


@dataclass(slots=True)
class _Flight:
    """A reliable frame that is sent and not yet acknowledged."""

    seq: int
    type: int
    payload: bytes
    sent_ms: float = 0.0  # when its last bit leaves: an answer cannot come sooner, whatever queues before it
    resent: bool = False


class Transport:
    """Go-back-N both ways with cumulative acks and credit, and datagrams between."""

    def __init__(self, session: int, stats: Stats | None = None) -> None:
        """Begin a session; its number is 16 bits."""
        self.session = session
        self.stats = stats if stats is not None else Stats()
        self._splitter = Splitter()
        self._queue: deque[tuple[int, bytes]] = deque()
        self._datagrams: deque[tuple[int, bytes]] = deque()
        self._flight: deque[_Flight] = deque()
        self._in_flight = 0  # bytes
        self._next = 0  # number of the next reliable frame to send
        self._expected = 0  # number of the next reliable frame to receive
        self._credit = RECEIVE_BUFFER
        self._ack_due = False  # a frame that is sent anyway may carry it
        self._ack_now = False  # an ACK of its own tells the peer what is missing
        self._go_back = False
        self._free_ms = 0.0  # when all that was written has left
        self._srtt = 0.0
        self._rttvar = 0.0
        self._estimate = self._rto = FIRST_RTO_MS

    @property
    def idle(self) -> bool:
        """Whether every reliable frame has been acknowledged."""
        return not self._queue and not self._flight

    def send(self, type_: int, payload: bytes = b"") -> None:
        """Queue a frame: reliable or a datagram, as the SPEC says of its type."""
        (self._queue if type_ in RELIABLE else self._datagrams).append((type_, payload))

    def misses_before(self, frame: Frame) -> bool:
        """Whether reliable frames that the peer sent before this one have not come yet."""
        return 0 < (frame.seq - self._expected) & 0xFF < 128

    def receive(self, data: bytes, now_ms: int) -> list[Frame]:
        """Return the frames that the bytes complete: reliable ones once and in order, no stale datagram."""
        stats = self.stats
        stats.bytes_received += len(data)
        refused = self._splitter.refused
        accepted = []
        for frame in self._splitter.feed(data):
            if frame.session != self.session:
                stats.foreign += 1
            elif self._accept(frame, now_ms):
                accepted.append(frame)
            else:
                stats.dropped += 1
        stats.refused += self._splitter.refused - refused
        return accepted

    def poll(self, now_ms: int) -> tuple[bytes, int | None]:
        """Return the bytes to write now, and when to poll again (ms; None: when bytes arrive)."""
        out: list[bytes] = []
        self._free_ms = max(self._free_ms, now_ms)
        while self._datagrams:
            out.append(self._build(self._next, *self._datagrams.popleft()))
        self._resend(out, now_ms)
        self._send_queued(out)
        if self._ack_now or self._ack_due:
            out.append(self._build(self._next, FrameType.ACK, b""))
        self._ack_now = False
        data = b"".join(out)
        self.stats.frames_sent += len(out)
        self.stats.bytes_sent += len(data)
        return data, self._deadline if self._flight else None

    @property
    def _deadline(self) -> int:
        return int(self._flight[0].sent_ms + self._rto) + 1

    def _build(self, seq: int, type_: int, payload: bytes) -> bytes:
        self._ack_due = False
        data = build(Frame(type_, self.session, seq, self._expected, RECEIVE_BUFFER, payload))
        self._free_ms += len(data) / BYTES_PER_MS
        return data

    def _launch(self, flight: _Flight, out: list[bytes]) -> None:
        out.append(self._build(flight.seq, flight.type, flight.payload))
        flight.sent_ms = self._free_ms

    def _resend(self, out: list[bytes], now_ms: int) -> None:
        if not self._flight:
            return
        if now_ms >= self._deadline:
            self._rto = min(2 * self._rto, MAX_RTO_MS)
        elif not self._go_back:
            return
        self._go_back = False
        for flight in self._flight:
            flight.resent = True
            self._launch(flight, out)
        self.stats.retransmits += len(self._flight)

    def _send_queued(self, out: list[bytes]) -> None:
        while self._queue and len(self._flight) < WINDOW:
            type_, payload = self._queue[0]
            size = len(payload) + OVERHEAD
            if self._flight and self._in_flight + size > self._credit:
                return  # a lone frame goes without credit: its ack brings the news of more
            self._queue.popleft()
            self._flight.append(_Flight(self._next, type_, payload))
            self._in_flight += size
            self._next = (self._next + 1) & 0xFF
            self._launch(self._flight[-1], out)

    def _accept(self, frame: Frame, now_ms: int) -> bool:
        self._acknowledge(frame, now_ms)
        ahead = (frame.seq - self._expected) & 0xFF
        if frame.type not in RELIABLE:
            return ahead < 128
        if ahead:
            self._ack_now = True
            return False
        self._expected = (self._expected + 1) & 0xFF
        self._ack_due = True
        return True

    def _acknowledge(self, frame: Frame, now_ms: int) -> None:
        count = (frame.ack - (self._flight[0].seq if self._flight else self._next)) & 0xFF
        if count > len(self._flight):
            return  # an old ack
        self._credit = frame.credit
        self._rto = self._estimate  # doubling is for a line that is silent
        if count:
            for _ in range(count):
                done = self._flight.popleft()
                self._in_flight -= len(done.payload) + OVERHEAD
            self._measure(done, now_ms)
        elif frame.type == FrameType.ACK and self._flight:
            # A frame came that was not expected; within a round trip that says nothing of the last attempt.
            self._go_back = now_ms - self._flight[0].sent_ms >= max(self._srtt, 1)

    def _measure(self, done: _Flight, now_ms: int) -> None:
        if done.resent:
            return  # Karn: the ack of a repeated frame has no certain beginning
        rtt = max(now_ms - done.sent_ms, 0.0)
        if self._srtt:
            self._rttvar += (abs(self._srtt - rtt) - self._rttvar) / 4
            self._srtt += (rtt - self._srtt) / 8
        else:
            self._srtt, self._rttvar = max(rtt, 1.0), rtt / 2
        self._estimate = min(max(self._srtt + 4 * self._rttvar, MIN_RTO_MS), MAX_RTO_MS)  # Jacobson
