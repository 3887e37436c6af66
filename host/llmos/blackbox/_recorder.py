"""The recorder: everything that comes from outside, and every step that was derived from it, on file."""

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import MISSING, fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from llmos.blackbox._box import Box
from llmos.blackbox._columns import NEVER, packed
from llmos.blackbox._data import data, timeless
from llmos.blackbox._file import VERSION, Writer, digest
from llmos.blackbox._identity import model_files, our_files, version
from llmos.blackbox.index import CLOSED, is_run, note
from llmos.errors import LlmosError
from llmos.inference import Answer, Around, InferenceError, Kernel, Request, ask_all, note_of
from llmos.link import AroundBody, Body, Done, Telemetry
from llmos.link.body import Timepiece
from llmos.state import StateError

if TYPE_CHECKING:
    from llmos.kernel.goal import Goal
    from llmos.kernel.mind import Mind, Step
    from llmos.manifest import Manifest
    from llmos.report import Order, Report
    from llmos.sim.arena import Arena
    from llmos.writing import Draft

TOGETHER = 10  # frames of telemetry in a line: what a killed run can lose, a second
_Result = TypeVar("_Result")


def request_data(request: Request) -> dict[str, Any]:
    """Return a request as it is recorded: what is not as usual; pictures by their digests."""
    found = {
        field.name: getattr(request, field.name)
        for field in fields(Request)
        if field.default is MISSING or getattr(request, field.name) != field.default
    }
    if request.schema is not None:
        found["schema"] = json.dumps(request.schema, separators=(",", ":"))
    if request.images:
        found["images"] = [hashlib.sha256(image).hexdigest() for image in request.images]
    asked: dict[str, Any] = data(found)
    return asked


def request_key(request: dict[str, Any]) -> str:
    """Return by what a recorded request is known: all of it but its deadline, which may be wall time."""
    return digest(json.dumps({name: value for name, value in request.items() if name != "deadline_s"}))


class Recorder(Box):
    """Writes the record of one run."""

    def __init__(self, order: "Order") -> None:
        """Begin the record that the order names; a file that cannot be written is told as `trouble`."""
        if order.record is None:
            raise ValueError("an order without a record has no recorder")
        self._path, self._ended = order.record, ""  # the outcome, once there is one
        self._writer = Writer(order.record)
        if is_run(order.record):
            try:
                tidy()
            except BaseException:
                self._writer.close()
                order.record.unlink(missing_ok=True)  # nothing is in it
                raise
        self._began = time.monotonic()
        self._mind: Mind | None = None
        self._written: Step | None = None  # the newest
        self._writer.write(
            "run",
            version=VERSION,
            **version(),
            files=our_files(),
            order=data(order),
            began=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        )

    @property
    def trouble(self) -> str:  # type: ignore[override]
        """Why the record is not whole; empty where it is."""
        return "" if self._writer.trouble == "closed" else self._writer.trouble

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Note what ended the run where it did not end by itself, and close the file."""
        if error is not None:
            self._end("failed", said(error))
        elif not self._ended:
            self._end(CLOSED, "")
        self._writer.close()
        if not self.trouble and is_run(self._path):
            self._seal()

    def _end(self, outcome: str, reason: str, **fields: Any) -> None:
        self._ended = outcome
        self._writer.write("end", outcome=outcome, reason=reason, **fields)

    def _seal(self) -> None:
        """Tell the index what the record is now."""
        written, name = self._writer, self._path.parent.name
        try:
            note(
                "run",
                name,
                outcome=self._ended,
                lines=written.lines,
                bytes=written.bytes,
                sha256=written.sha256.hexdigest(),
            )
        except (OSError, StateError) as error:
            written.trouble = f"the index of the runs cannot be written ({error})"

    def setting(self, arena: "Arena", manifest: "Manifest", goal: "Goal") -> None:
        """Write where, with which robot, and what for."""
        self._writer.write("setting", arena=data(arena), manifest=data(manifest), goal=data(goal))

    def kernel(self, kernel: Kernel) -> Kernel:
        """Return the kernel with its questions and answers written down."""
        batch = hasattr(kernel, "batch")
        self._writer.write(
            "kernel",
            name=kernel.name,
            note=note_of(kernel),
            vision=kernel.vision,
            batch=batch,
            files=model_files(kernel.name),
        )
        return (RecordedBatch if batch else RecordedKernel)(kernel, self._writer)

    @contextmanager
    def connected(self, connection: Callable[[], AbstractContextManager[Body]]) -> Iterator[Body]:
        """Connect to a robot, and write down what it says."""
        with connection() as body:
            self._writer.write("body", simulated=body.clock.simulated)
            yield RecordedBody(body, self._writer)

    def outside(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what the function says, written down."""
        said = function()
        self._writer.write("outside", name=name, value=data(said))
        return said

    def driven_by(self, mind: "Mind") -> None:
        """Know whose step is under way when the run is cut off."""
        self._mind = mind

    def program(self, draft: "Draft") -> None:
        """Write a behaviour's program down."""
        self._writer.write("program", program=program_data(draft))

    def step(self, step: "Step") -> None:
        """Write a step down."""
        self._written = step
        self._writer.write("step", step=data(step), wall_s=round(time.monotonic() - self._began, 3))

    def calling(self, name: str, arguments: Mapping[str, Any], by: str) -> None:
        """Write down that a tool is called."""
        self._writer.write("call", name=name, arguments=data(arguments), by=by)

    def called(self, name: str, success: bool, said: Any) -> None:
        """Write down what came of it, by its digest: the tape tells the rest."""
        self._writer.write("called", name=name, success=success, **result_data(said))

    def ending(self, report: "Report") -> None:
        """Write down the step that was under way, and how it ended."""
        cut = cut_step(self._mind, self._written) if not report.ended else None
        self._writer.write("ending", **ending_data(report), cut=data(cut), interrupted=report.interrupted)

    def end(self, report: "Report") -> None:
        """Write down what the judge says, and the sums."""
        self._end(report.outcome, report.reason, summary=data(report.summary()))


def tidy() -> None:
    """Let old runs leave; what cannot be removed now is tried again next time.

    Raises:
        DocumentError: the file of the rules is wrong.
    """
    from llmos.blackbox.rotation import rotate  # it reads rules, and they the kernel

    with suppress(OSError):
        rotate()


def cut_step(mind: "Mind | None", written: "Step | None") -> "Step | None":
    """Return the step that was under way when the run ended, None where the newest one was done."""
    return mind.step if mind and mind.step is not written else None


def said(error: BaseException) -> str:
    """Return in words what ended a run; of what is no error of ours, its kind, too."""
    return str(error) if isinstance(error, LlmosError) else f"{type(error).__name__}: {error}"


def result_data(said: Any) -> dict[str, Any]:
    """Return by what a tool's result is known: the digest and length of its JSON, but for wall times."""
    text = json.dumps(timeless(data(said)), separators=(",", ":"))
    return {"digest": digest(text), "length": len(text)}


def ending_data(report: "Report") -> dict[str, Any]:
    """Return how a run ended, as the mind has it."""
    return {"outcome": report.outcome, "reason": report.reason, "sim_s": report.sim_s}


def program_data(draft: "Draft") -> dict[str, Any]:
    """Return a behaviour's program as it is recorded."""
    attempts = [
        {"text": one.text, "refusal": one.refusal, "certificate": data(one.certificate)}
        for one in draft.attempts
    ]
    return {"wish": draft.wish, "chosen": draft.chosen, "text": draft.text, "attempts": attempts}


class RecordedKernel(Around):
    """A kernel whose questions and answers are written down."""

    def __init__(self, kernel: Kernel, writer: Writer) -> None:
        super().__init__(kernel)
        self._writer = writer

    def __call__(self, request: Request) -> Answer:
        """Answer as the kernel does."""
        key = self._asked(request)
        try:
            answer = self._kernel(request)
        except InferenceError as error:
            self._told(key, error)
            raise
        self._told(key, answer)
        return answer

    def _asked(self, request: Request) -> str:
        asked = request_data(request)
        key = request_key(asked)
        self._writer.write("ask", key=key, request=asked)
        return key

    def _told(self, key: str, answer: Answer | InferenceError) -> None:
        if isinstance(answer, Answer):
            self._writer.write("answer", key=key, answer=data(answer))
        else:
            self._writer.write("answer", key=key, error=type(answer).__name__, message=str(answer))

    def close(self) -> None:
        """Close the kernel."""
        self._kernel.close()


class RecordedBatch(RecordedKernel):
    """The same of a kernel that takes several questions at once."""

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        """Answer as the kernel does."""
        keys = [self._asked(request) for request in requests]
        answers = ask_all(self._kernel, requests, cancelled)
        for key, answer in zip(keys, answers, strict=True):
            self._told(key, answer)
        return answers


class RecordedClock:
    """A clock whose every word is written down."""

    def __init__(self, clock: Timepiece, writer: Writer) -> None:
        self._clock, self._writer = clock, writer
        self.simulated = clock.simulated

    def now(self) -> int:
        """Return the time in ms."""
        now = self._clock.now()
        self._writer.write("now", ms=now)
        return now


class RecordedBody(AroundBody):
    """A robot whose telemetry, reports and ends of blocks are written down."""

    def __init__(self, body: Body, writer: Writer) -> None:
        super().__init__(body)
        self._writer = writer
        self.clock = RecordedClock(body.clock, writer)
        self._heard: list[Telemetry] = []  # not yet written
        self._before = NEVER

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""
        newest = self._body.telemetry
        self._writer.write("telemetry", columns=packed(NEVER, [newest]))
        return newest

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks; see `Robot.stream`."""

        def hear(one: Telemetry) -> None:
            self._heard.append(one)
            if len(self._heard) == TOGETHER:
                self._flush()
            if on_telemetry:
                on_telemetry(one)

        with self._failing("stream"), closing(self._body.stream(self._sent(containers), hear)) as ended:
            for done in ended:
                self._flush()
                events = data(self._body.events)
                self._writer.write("done", done=data(done), events=events, ended_ms=self._body.ended_ms)
                yield done
            self._writer.write("streamed")

    def _sent(self, containers: Iterable[bytes]) -> Iterator[bytes]:
        for container in containers:
            self._flush()
            self._writer.write("block", container=data(container))
            yield container

    def wait(self, ms: int) -> None:
        """Let time pass; see `Robot.wait`."""
        with self._failing("wait"):
            self._body.wait(ms)
        self._writer.write("wait", ms=ms)

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`; see `Robot.think`."""
        with self._failing("think"):
            result = self._body.think(function)
        self._writer.write("think")
        return result

    @contextmanager
    def _failing(self, where: str) -> Iterator[None]:
        """Write down what fails, and how."""
        try:
            yield
        except InferenceError:  # a brain's own, which the answers tell
            raise
        except (LlmosError, KeyboardInterrupt) as error:
            self._flush()
            self._writer.write("raised", where=where, error=type(error).__name__, message=str(error))
            raise
        finally:
            self._flush()

    def _flush(self) -> None:
        """Write the telemetry that has been heard."""
        if self._heard:
            columns = packed(self._before, self._heard)
            self._writer.write("heard", count=len(self._heard), columns=columns)
            self._before, self._heard = self._heard[-1], []
