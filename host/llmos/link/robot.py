"""The robot as the host sees it: the client over a port and a clock."""

import random
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from types import TracebackType
from typing import BinaryIO, TypeVar

from llmbytecode._isa import (
    MAJOR,
    MINOR,
    RULES,
    SPEC_HASH,
    Flag,
    FrameType,
    State,
)
from llmbytecode.container import block_hash
from llmos.link.clock import Clock
from llmos.link.errors import (
    BlockRefused,
    HashMismatch,
    LinkError,
    LinkTimeout,
    RobotRestarted,
    robot_fault,
)
from llmos.link.frames import MAX_PAYLOAD, Frame
from llmos.link.interrupts import deferred_interrupts
from llmos.link.messages import Done, Event, FaultNotice, Hello, Message, Telemetry, Verdict, pack, unpack
from llmos.link.native import MachineCode, attach
from llmos.link.port import Line
from llmos.link.stream import Stream
from llmos.link.transport import Stats, Transport

HEARTBEAT_MS = 100
IDENTIFY_MS = 200  # between two attempts
KNOCK_MS = 500  # no HELLO for this time: the port may be a REPL's
SOFT_RESET = b"\r\x02\x04"  # end the line, leave raw mode, begin anew; to a robot that listens it is noise
BOOT_MS = 4000  # within which the robot's program has begun
NEVER_MS = 2**62
SAID = 4096  # bytes kept of what comes before a HELLO
REPL = (b">>> ", b"raw REPL; CTRL-B to exit")  # what MicroPython's prompts say
ANSWER_MS = 3000  # no frame for this time: nobody is there
UPLOAD_MS = 10_000
CLOSE_MS = 300  # within which a robot acknowledges the end of the session
REST_MS = 3000  # within which a stopped robot stands still
LONG, SHORT = MAX_PAYLOAD - 2, 116  # bytes of an upload in a frame
NOISY = 0.15  # share of repeated frames from which on short ones cost less, as they survive
SLOTS = 2  # blocks that a robot holds

_Result = TypeVar("_Result")


class Robot:
    """A robot at the other end of a port: sessions, uploads, runs, heartbeats, stop and e-stop.

    Every method lets the clock pass as it waits, with heartbeats, and can raise LinkError. Ctrl-C in `run`,
    `wait` and `think` stops the robot before it goes on.
    """

    def __init__(
        self,
        port: Line,
        clock: Clock,
        manifest_hash: int,
        *,
        seed: int | None = None,
        transcript: BinaryIO | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
    ) -> None:
        """Use an open port.

        Args:
            port: open; closed with the robot.
            clock: the port's.
            manifest_hash: of the robot that is expected.
            seed: makes the session repeatable.
            transcript: takes all bytes, with their time.
            heartbeat_ms: time between two heartbeats, each of which the robot answers with telemetry.
        """
        self.telemetry = Telemetry(*[0] * len(Telemetry._fields))
        self.events: list[Event] = []  # of the block that has ended last
        self.ended_ms = 0  # when it did, by the robot's clock
        self.stats = Stats()
        self.hello: Hello | None = None  # None while no session is open
        self.machine_code = MachineCode()  # its `choice` says when a block gets some
        self._port, self.clock = port, clock
        self._manifest_hash = manifest_hash
        self._random = random.SystemRandom() if seed is None else random.Random(seed)
        self._transcript = transcript
        self._transport = Transport(0, self.stats)
        self._held: deque[bytes] = deque(maxlen=SLOTS)  # the one used last is last
        self._verdict: Verdict | None = None
        self._reported: list[Event] = []  # by the block that runs
        self._ended: deque[tuple[Done, list[Event], int]] = deque(maxlen=SLOTS)  # with events and ended_ms
        self._fault: FaultNotice | None = None
        self._on_telemetry: Callable[[Telemetry], None] | None = None
        self._told = False  # a TELEMETRY has come since the last request was acknowledged, and all before it
        self._beat_every_ms, self._beat_ms = heartbeat_ms, 0
        self._silent_ms = 0
        self._round_trip_ms = 0
        self._unanswered_ms: int | None = None  # when the newest heartbeat was sent, until telemetry comes

    def __enter__(self) -> "Robot":
        """Return the robot."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the robot."""
        self.close()

    @property
    def latched(self) -> bool:
        """Whether the robot's e-stop is latched."""
        return self.telemetry.state == State.LATCHED

    @property
    def at_rest(self) -> bool:
        """Whether no block runs and no wheel turns."""
        return self.telemetry.state != State.RUNNING and not self.telemetry.flags & Flag.MOVING

    @property
    def round_trip_ms(self) -> int:
        """How long the newest answered heartbeat took, there and back; 0 before the first."""
        return self._round_trip_ms

    @property
    def silent_ms(self) -> int:
        """For how long no frame has come."""
        return self._silent_ms

    def connect(self) -> Hello:
        """Begin a session: the robot stops and forgets its blocks.

        Raises:
            LinkTimeout: nobody answers.
            HashMismatch: the robot was made for another SPEC or manifest.
        """
        self.hello = None
        self._held.clear()
        self._reported, self._fault = [], None  # of a block that is forgotten
        self._ended.clear()
        self.machine_code.begin()
        nonce = self._begin()
        noise, self._said = self.stats.refused, b""
        knock = self.clock.now() + KNOCK_MS
        end = self.clock.now() + ANSWER_MS
        while self.hello is None and self.clock.now() < end:
            self._identify(nonce)
            if self.hello is None and self.clock.now() >= knock:
                self._write(SOFT_RESET)
                knock, end = NEVER_MS, self.clock.now() + BOOT_MS
        if self.hello is None:
            raise LinkTimeout(self._nobody(self.stats.refused - noise))
        self._check(self.hello)
        if not self.ask(ANSWER_MS):
            raise self._timeout("TELEMETRY", ANSWER_MS)
        return self.hello

    def ask(self, ms: int) -> bool:
        """Ask for a TELEMETRY frame, and return whether it has come within `ms`."""
        self._request(FrameType.STATUS)
        return self._pump(ms, lambda: self._told)

    def upload(self, container: bytes) -> Verdict:
        """Send a block and return what the robot's verifier says of it.

        Raises:
            RobotFault: the robot cannot take it now.
            LinkTimeout: no verdict came.
        """
        if len(container) > 0xFFFF:
            raise LinkError(f"a block of {len(container)} bytes is too long for the link; split it")
        block = block_hash(container)
        if len(self._held) == SLOTS:
            self._held.popleft()  # its slot takes the new block, even if that is refused
        self._request(FrameType.BEGIN, block, len(container))
        self._send_data(container)
        self._request(FrameType.COMMIT, block)
        self._verdict = None
        self._pump(UPLOAD_MS, lambda: self._fault or (self._verdict and self._verdict.block == block))
        if self._fault:
            raise robot_fault(self._fault.code, self._fault.value)
        if self._verdict is None:
            raise self._timeout("VERDICT", UPLOAD_MS)
        if self._verdict.rule == 0:
            self._used(block)
        return self._verdict

    def attach_native(self, container: bytes, mpy: bytes) -> bool:
        """Send machine code for a block that the robot holds, and return whether the robot took it.

        Raises:
            LinkTimeout: no answer came.
        """
        return attach(self, block_hash(container), mpy)

    def run(self, container: bytes, on_telemetry: Callable[[Telemetry], None] | None = None) -> Done:
        """Run a block, uploaded first where the robot does not hold it, and return how it ended.

        A block that goes on after its certified time is stopped.

        Raises:
            BlockRefused: the robot's verifier refuses it.
            RobotFault: the robot cannot run it now.
            LinkTimeout: the robot does not answer.
        """
        with closing(self.stream([container], on_telemetry)) as ended:
            return next(ended)

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks without a stop between them, and yield how each ended, in order; `events` are its own.

        Each block is uploaded and queued while the one before it runs, and taken from `containers` no sooner.
        The stream ends with a block that does not complete: those behind it do not run. Where the robot was
        on its way into the next one already, that one is yielded too, with the same outcome. Whoever ends
        the stream early, by an error or by closing the generator, stops the robot.

        Between two results the robot has the lease's time: what takes longer belongs into `containers`.

        Raises:
            BlockRefused: the robot's verifier refuses a block.
            RobotFault: the robot cannot run a block now.
            LinkTimeout: the robot does not answer.
        """
        return Stream(self).run(containers, on_telemetry)

    def wait(self, ms: int) -> None:
        """Let `ms` pass with heartbeats, as while the host thinks."""
        try:
            self._pump(ms, lambda: False)
        except KeyboardInterrupt:
            self._halt()
            raise

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`; simulated time stands still meanwhile, real time passes with heartbeats."""
        if self.clock.simulated:
            return function()
        results: list[_Result] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                results.append(function())
            except BaseException as error:  # it belongs to the thread that asked
                errors.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        while worker.is_alive():
            self.wait(20)
        if errors:
            raise errors[0]
        return results[0]

    def stop(self) -> None:
        """Ramp the robot down, end its block and wait until it stands still."""
        self._request(FrameType.STOP)
        if not self._pump(REST_MS, lambda: self._told and self.at_rest):
            raise LinkTimeout(f"the robot moves {REST_MS / 1000:g} s after STOP; switch its motors off")
        self._settle()

    def estop(self) -> None:
        """Stop the robot at once and latch it."""
        if not self._insist(FrameType.ESTOP, lambda: self.latched):
            raise LinkTimeout("the robot does not latch its e-stop; switch its motors off")
        self._settle()

    def shout_estop(self) -> None:
        """Send ESTOP with the next bytes that go out, without waiting; whoever shouts looks at `latched`."""
        self._transport.send(FrameType.ESTOP)

    def clear(self) -> None:
        """Release the e-stop."""
        if not self._insist(FrameType.CLEAR, lambda: not self.latched):
            raise LinkTimeout("the robot does not release its e-stop; connect again")

    def close(self) -> None:
        """Stop the robot, end the session and close the port; one that is out of reach stops by its lease."""
        try:
            if self.hello is not None:
                self._halt()
                self._take_leave()
        finally:
            self.hello = None
            self._port.close()

    def _used(self, block: bytes) -> None:
        """Note that the other slot is the one that the next upload takes."""
        if block in self._held:
            self._held.remove(block)
        self._held.append(block)

    def _accepted(self, verdict: Verdict) -> None:
        if verdict.rule == 0:
            return
        rule = RULES.get(verdict.rule)
        name, hint = (rule.name, rule.hint) if rule else (str(verdict.rule), "use one version of LLMos")
        raise BlockRefused(
            f"the robot refuses block {verdict.block.hex()}: rule {name} at word {verdict.word}: "
            f"{verdict.value}, limit {verdict.limit}; {hint}"
        )

    def _check(self, hello: Hello) -> None:
        ours = (("SPEC", SPEC_HASH, hello.spec_hash), ("manifest", self._manifest_hash, hello.manifest_hash))
        for name, expected, found in ours:
            if expected != found:
                self.hello = None
                version = (hello.major, hello.minor) if name == "SPEC" else (MAJOR, MINOR)
                raise HashMismatch(
                    f"the robot's {name} is 0x{found:08x}, the host's 0x{expected:08x}; "
                    + _remedy(name, version, self._port.url),
                    hello,
                )

    def _begin(self) -> int:
        """Draw a session, and return the nonce by which the robot's answer is known."""
        self._transport = Transport(new_session(self._random), self.stats)
        return self._random.getrandbits(32)

    def _identify(self, nonce: int) -> bool:
        """Ask once who is there, and return whether the robot has answered this."""
        self._transport.send(FrameType.IDENTIFY, pack(FrameType.IDENTIFY, nonce))
        return self._pump(IDENTIFY_MS, lambda: self.hello is not None and self.hello.nonce == nonce)

    def _nobody(self, noise: int) -> str:
        if any(prompt in self._said for prompt in REPL):
            return (
                f"port {self._port.url}: MicroPython's REPL answers, and no robot begins after a soft reset; "
                f"`llmos flash --port {self._port.url}` puts LLMos on it"
            )
        what = f"; {noise} pieces of noise came: wrong baud rate, or another program's port?" if noise else ""
        return (
            f"port {self._port.url}: no robot answers in {(KNOCK_MS + BOOT_MS) / 1000:g} s; check that it is "
            f"the right port, that the robot has power and that LLMos is flashed on it{what}"
        )

    def _timeout(self, what: str, ms: int) -> LinkTimeout:
        return LinkTimeout(
            f"port {self._port.url}: no {what} from the robot within {ms / 1000:g} s; check the cable and "
            "the robot's power, then connect again"
        )

    def _request(self, type_: FrameType, *values: int | bytes, tail: bytes = b"") -> None:
        if self.hello is None:
            raise LinkError(f"{type_.name} needs a session; connect first")
        self._fault = None
        self._told = False
        self._transport.send(type_, pack(type_, *values, tail=tail))

    def _send_data(self, data: bytes) -> None:
        noisy = self.stats.retransmits > NOISY * self.stats.frames_sent
        step = SHORT if noisy else LONG
        for offset in range(0, len(data), step):
            self._request(FrameType.DATA, offset, tail=data[offset : offset + step])

    def _insist(self, type_: FrameType, done: Callable[[], bool]) -> bool:
        """Repeat a datagram until `done` or until it is hopeless."""
        for _ in range(ANSWER_MS // HEARTBEAT_MS):
            values = (self.telemetry.clear,) if type_ is FrameType.CLEAR else ()
            self._request(type_, *values)
            self._request(FrameType.STATUS)
            if self._pump(HEARTBEAT_MS, lambda: self._told and done()):
                return True
        return False

    def _settle(self) -> None:
        """Ask for the state once more: the DONE of what was stopped, sent behind the last, comes first."""
        self._told = False
        self._transport.send(FrameType.STATUS)
        if not self._pump(ANSWER_MS, lambda: self._told):
            raise self._timeout("TELEMETRY", ANSWER_MS)

    def _halt(self) -> None:
        """Stop if that is still possible; the lease does where it is not."""
        with suppress(LinkError):
            self.stop()

    def _take_leave(self) -> None:
        """End the session, so that the robot does not take us for lost; one that is latched stays so."""
        with suppress(LinkError):
            self._request(FrameType.CLOSE)
            self._pump(CLOSE_MS, lambda: self._transport.idle)

    def _pump(self, ms: int, done: Callable[[], object]) -> bool:
        """Exchange bytes until `done`, for at most `ms`; return whether it is. The only loop that waits."""
        until = self.clock.now() + ms
        with deferred_interrupts() as check:
            while not done():
                check()
                if self.clock.now() >= until:
                    return False
                self._exchange(until)
        return True

    def _exchange(self, until: int) -> None:
        now = self.clock.now()
        if self.hello is not None:
            if now >= self._beat_ms:
                self._transport.send(FrameType.HEARTBEAT, pack(FrameType.HEARTBEAT, now & 0xFFFFFFFF))
                self._beat_ms = now + self._beat_every_ms
                self._unanswered_ms = now
            until = min(until, self._beat_ms)
        data, wake = self._transport.poll(now)
        self._write(data)
        self.clock.wait(until if wake is None else min(until, wake))
        self._take(now)

    def _write(self, data: bytes) -> None:
        if data:
            self._port.write(data)
            self._record(b">", self.clock.now(), data)

    def _take(self, before: int) -> None:
        now = self.clock.now()
        data = self._port.read()
        frames = []
        if data:
            self._record(b"<", now, data)
            if self.hello is None:
                self._said = (self._said + data)[-SAID:]
            frames = self._transport.receive(data, now)
        self._silent_ms = 0 if frames else self._silent_ms + now - before
        messages = [self._handle(frame) for frame in frames]
        for message in messages:  # when all has been handled: a callback may itself wait for frames
            if self._on_telemetry is not None and isinstance(message, Telemetry):
                self._on_telemetry(message)
        if self.hello is not None and self._silent_ms > ANSWER_MS:
            raise self._lost()

    def _lost(self) -> LinkTimeout:
        """Say why no frame comes: a robot that has restarted knows no session, but answers to a new one."""
        self.hello = None
        if self._identify(self._begin()):
            return RobotRestarted(
                f"port {self._port.url}: the robot has restarted, stands and has forgotten its block; "
                "look after its supply, then run again"
            )
        return self._timeout("frame", ANSWER_MS)

    def _handle(self, frame: Frame) -> Message | None:
        message = unpack(frame)
        if isinstance(message, Telemetry):
            self.telemetry = message
            self._told = self._transport.idle and not self._transport.misses_before(frame)
            if self._unanswered_ms is not None:
                self._round_trip_ms = self.clock.now() - self._unanswered_ms
                self._unanswered_ms = None
        elif isinstance(message, Hello):
            self.hello = message
        elif isinstance(message, Verdict):
            self._verdict = message
        elif isinstance(message, Done):
            self.events, self._reported = self._reported, []
            self._ended.append((message, self.events, self.telemetry.ms))  # which is sent just before a DONE
        elif isinstance(message, Event):
            self._reported.append(message)
        elif isinstance(message, FaultNotice):
            self._fault = message
        return message

    def _record(self, direction: bytes, now: int, data: bytes) -> None:
        if self._transcript is not None:
            self._transcript.write(b"%d %s %s\n" % (now, direction, data.hex().encode()))


def new_session(chance: random.Random) -> int:
    """Draw a session's number; neither byte is zero, or its frames would begin with 03, as Ctrl-C does."""
    return chance.getrandbits(16) | 0x0101


def _remedy(name: str, version: tuple[int, int], url: str) -> str:
    """What to do about a robot that was made for another SPEC, of this version, or for another manifest."""
    flash = f"`llmos flash --port {url}`"
    if name == "manifest":
        return f"name the right robot with --robot, or write this one's manifest with {flash}"
    ours, theirs = (f"{major}.{minor}" for major, minor in ((MAJOR, MINOR), version))
    if version < (MAJOR, MINOR):
        return f"its LLMBytecode {theirs} is older than {ours} here: bring it up to date with {flash}"
    if version > (MAJOR, MINOR):
        return f"its LLMBytecode {theirs} is newer than {ours} here: bring LLMos on this computer up to date"
    return f"both say {ours}, so one is no release: make them the same with {flash}"
