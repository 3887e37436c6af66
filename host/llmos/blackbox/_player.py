"""The player: gives a mind what was recorded in the place of the world, and compares what it derives."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from llmos.blackbox._box import Box
from llmos.blackbox._columns import NEVER, unpacked
from llmos.blackbox._data import Difference, data, first_difference, undata
from llmos.blackbox._file import Line, Record
from llmos.blackbox._recorder import (
    cut_step,
    ending_data,
    program_data,
    request_data,
    request_key,
    result_data,
)
from llmos.errors import LlmosError
from llmos.inference import Answer, DeadlineExpired, Estimating, InferenceError, Kernel, Request
from llmos.link import Body, Done, Event, Telemetry, errors

if TYPE_CHECKING:
    from llmos.kernel.goal import Goal
    from llmos.kernel.mind import Mind, Step
    from llmos.manifest import Manifest
    from llmos.report import Report
    from llmos.sim.arena import Arena
    from llmos.writing import Draft

TAPE = ("now", "telemetry", "block", "heard", "done", "streamed", "wait", "think", "outside", "raised")
ORDER = (  # in which a step's fields are derived
    *("cycle", "ms", "pose", "candidates", "frame", "thought", "decision", "path", "mode", "block"),
    *("note", "acted"),
)
_ANSWER = {field.name for field in fields(Answer)}
_Result = TypeVar("_Result")


class RecordEnds(BaseException):
    """The record was cut off here, by Ctrl-C or a kill; all before it is as it was."""


class Differs(BaseException):
    """Something is not as it was recorded."""

    def __init__(self, step: int | None, difference: Difference) -> None:
        self.step, self.difference = step, difference


class Interrupted(KeyboardInterrupt):
    """The recorded run was interrupted here."""


def recorded_failure(line: Line) -> BaseException:
    """Return the exception that a line tells of."""
    name, message = line["error"], line["message"]
    if name == "KeyboardInterrupt":
        return Interrupted()
    known: dict[str, type[LlmosError]] = {
        "DeadlineExpired": DeadlineExpired,
        "InferenceError": InferenceError,
    }
    kind = known.get(name) or getattr(errors, name, None)
    return kind(message) if isinstance(kind, type) and issubclass(kind, LlmosError) else LlmosError(message)


def recorded_answer(line: Line) -> Answer:
    """Return the answer that a line tells of."""
    known = {name: value for name, value in line["answer"].items() if name in _ANSWER}
    known |= {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return Answer(**known)


class Player(Box):
    """Plays one record back; `counts` says how much of it was found to be the same."""

    plays = True

    def __init__(self, record: Record, asked: Kernel | None = None) -> None:
        """Play a record; with a kernel, ask that again, and compare its answers with the recorded ones."""
        self.record = record
        self.asked = asked
        self.counts = {"steps": 0, "blocks": 0, "answers": 0}
        self.thread = threading.get_ident()
        self._session = record.one("call") is not None  # tools drove; there may be several missions, or none
        last = record.one("end" if self._session else "ending")
        self._cut = last is None or bool(last.get("interrupted"))
        self._settings, self._endings = deque(record.all("setting")), deque(record.all("ending"))
        self.result: Line | None = None  # recorded of the call under way
        self._tape = deque(record.all(*TAPE))
        self._steps = deque(line["step"] for line in record.all("step"))
        self._programs = deque(line["program"] for line in record.all("program"))
        self._kernels = deque(record.all("kernel"))
        self._asks = deque(record.all("ask"))
        self._answers: dict[str, deque[Line]] = defaultdict(deque)
        for line in record.all("answer"):
            self._answers[line["key"]].append(line)
        self._mind: Mind | None = None
        self._done: Step | None = None
        self._newest_ms = 0
        self._over = False
        self.lock = threading.Lock()

    # What the mind's run passes in

    def setting(self, arena: "Arena", manifest: "Manifest", goal: "Goal") -> None:
        """Compare the goal, which was read from the sentence."""
        if not self._settings:
            self.ends()
        self._same(self._settings.popleft().get("goal"), data(goal), "goal")

    def called(self, name: str, success: bool, said: Any) -> None:
        """Compare what came of a tool's call."""
        if self.result is not None:
            now = {"success": success, **result_data(said)}
            self._same({key: self.result[key] for key in now}, now, "result")

    def kernel(self, kernel: Kernel) -> Kernel:
        """Return the recorded kernel in its place."""
        return self.next_kernel()

    def next_kernel(self) -> Kernel:
        """Return the next recorded kernel."""
        if not self._kernels:
            self.ends()
        line = self._kernels.popleft()
        return (PlayedBatch if line["batch"] else PlayedKernel)(self, line)

    @contextmanager
    def connected(self, connection: Callable[[], AbstractContextManager[Body]]) -> Iterator[Body]:
        """Return the recorded robot, and connect to none."""
        yield self.body()

    def body(self) -> Body:
        """Return the recorded robot."""
        line = self.record.one("body")
        if line is None:
            self.ends()
        return PlayedBody(self, bool(line["simulated"]))

    def outside(self, name: str, function: Callable[[], Any]) -> Any:
        """Return what was recorded."""
        return undata(self.next("outside", name=name)["value"])

    def driven_by(self, mind: "Mind") -> None:
        """Know whose step is under way when something differs."""
        self._mind = mind

    def program(self, draft: "Draft") -> None:
        """Compare a behaviour's program."""
        if not self._programs:
            self.ends()
        self._same(self._programs.popleft(), program_data(draft), "program")

    def step(self, step: "Step") -> None:
        """Compare a step."""
        if not self._steps:
            self.ends()
        self._same_step(self._steps.popleft(), data(step))
        self.counts["steps"] += 1
        self._done = step

    def ending(self, report: "Report") -> None:
        """Compare how it ended."""
        if not self._endings:
            raise RecordEnds
        recorded = self._endings.popleft()
        if self._steps and not self._session:
            self.differs(Difference("steps", self._steps[0]["cycle"], "the run is over"))
        for name, now in ending_data(report).items():
            self._same(recorded[name], now, f"ending.{name}")
        cut = data(cut_step(self._mind, self._done)) if not report.ended else None
        if not self._cut and recorded["cut"] and cut:
            self._same_step(recorded["cut"], cut)
        self._over = not self._session

    # What robot and kernels are played from

    def next(self, kind: str, **wanted: Any) -> Line:
        """Return the next line of the tape, which must be of a kind and say what is wanted."""
        self._raise_recorded(kind)
        line = self._tape[0] if self._tape else None
        if line is None or line["kind"] != kind:
            self._compare_step()
            if self._cut and self._nothing_follows():
                self.ends()
            self.differs(Difference("course", line and _said(line), _said({"kind": kind, **wanted})))
        for name, now in wanted.items():
            if first_difference(line[name], now):
                self._compare_step()
                self.differs(Difference(f"{kind}.{name}", line[name], now))
        return self._tape.popleft()

    def _raise_recorded(self, kind: str) -> None:
        """Raise the failure that was recorded in the place of a line."""
        line = self._tape[0] if self._tape else None
        places = {"wait": "wait", "think": "think", "block": "stream"}
        if line and line["kind"] == "raised" and line["where"] == places.get(kind):
            self._tape.popleft()
            raise recorded_failure(line)

    def now(self) -> int:
        """Return the recorded time; once all is over, the last."""
        if not self._over:
            self._newest_ms = int(self.next("now")["ms"])
        return self._newest_ms

    def peek(self) -> str:
        """Return the kind of the next line; empty at the end."""
        return self._tape[0]["kind"] if self._tape else ""

    def thinking(self) -> None:
        """Raise what was recorded to have ended the thinking, which the mind need not repeat."""
        ends = (n for n, line in enumerate(self._tape) if "think" in (line["kind"], line.get("where")))
        at = next(ends, None)
        if at is not None and self._tape[at]["kind"] == "raised":
            failed = self._tape[at]
            for _ in range(at + 1):
                self._tape.popleft()
            raise recorded_failure(failed)

    def answer(self, request: Request) -> Answer | InferenceError:
        """Return what was answered to a request."""
        asked = request_data(request)
        key = request_key(asked)
        with self.lock:
            found = self._answers[key].popleft() if self._answers[key] else None
            place = next((n for n, line in enumerate(self._asks) if line["key"] == key), None)
            if found and place is not None:
                del self._asks[place]
        if found is None:
            return self._unknown(asked, place is not None)
        with self.lock:
            self.counts["answers"] += 1
        if "error" in found:
            failure = recorded_failure(found)
            return failure if isinstance(failure, InferenceError) else InferenceError(found["message"])
        answer = recorded_answer(found)
        if self.asked:
            self._ask_again(request, answer)
        return answer

    def _unknown(self, asked: dict[str, Any], unanswered: bool) -> InferenceError:
        """Tell of a request that the record has no answer to."""
        if threading.get_ident() == self.thread:
            self._compare_asked(asked, unanswered)
        return InferenceError("the record has no answer to this")  # behind the mind: a step will show it

    def _compare_asked(self, asked: dict[str, Any], unanswered: bool) -> NoReturn:
        """Tell in what the mind's question is not the recorded one."""
        self._compare_step()
        if self._cut and (unanswered or not self._asks):
            self.ends()
        recorded = self._asks[0]["request"] if self._asks else None
        found = first_difference(recorded, asked, "prompt") if recorded else None
        self.differs(found or Difference("prompt", None, asked["user"]))

    def _ask_again(self, request: Request, recorded: Answer) -> None:
        if self.asked is None:
            return
        try:
            now = self.asked(request).text
        except InferenceError as error:
            now = f"{type(error).__name__}: {error}"
        if now != recorded.text and threading.get_ident() == self.thread:
            self.differs(Difference("answer.text", recorded.text, now))

    # Comparing

    def ends(self) -> NoReturn:
        """End the replay where the record was cut off; a record that is whole must go on."""
        self._over = True
        if self._cut:
            raise RecordEnds
        self.differs(Difference("course", "the end of the run", "it goes on"))

    def differs(self, difference: Difference) -> NoReturn:
        """End the replay with a difference."""
        self._over = True
        raise Differs(self._mind.step.cycle if self._mind and self._mind.step else None, difference)

    def _same(self, recorded: Any, now: Any, field: str) -> None:
        found = first_difference(recorded, now, field)
        if found:
            self.differs(found)

    def _same_step(self, recorded: Any, now: Any) -> None:
        """Compare two steps, field by field in the order in which they are derived."""
        for name in dict.fromkeys([*ORDER, *recorded, *now]):
            self._same(recorded.get(name), now.get(name), name)

    def _compare_step(self) -> None:
        """Compare the step under way with the recorded one, as far as it has come."""
        step = self._mind.step if self._mind else None
        cut = self._endings[0]["cut"] if self._endings and not self._cut else None
        recorded = self._steps[0] if self._steps else cut
        if step is None or step is self._done or recorded is None:
            return
        now = data(step)
        derived = [name for name in ORDER if now.get(name) not in (None, [], "", "idle")]
        if derived:
            for name in ORDER[: ORDER.index(derived[-1]) + 1]:
                self._same(recorded.get(name), now.get(name), name)

    def _nothing_follows(self) -> bool:
        return not self._steps and all(line["kind"] == "now" for line in self._tape)


def _said(line: Line) -> str:
    """Return a line of the tape in a few words."""
    return " ".join(str(line[name]) for name in ("kind", "where", "name", "ms", "message") if name in line)


class PlayedKernel(Estimating):
    """A kernel that gives the recorded answers."""

    def __init__(self, player: Player, line: Line) -> None:
        self._player = player
        self.name: str = line["name"]
        self.note: str = line.get("note", "")  # records of earlier versions have none
        self.vision: bool = line["vision"]

    def __call__(self, request: Request) -> Answer:
        """Give the answer, or raise the failure, that was recorded for this request."""
        answer = self._player.answer(request)
        if isinstance(answer, InferenceError):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing is held."""


class PlayedBatch(PlayedKernel):
    """The same of a kernel that takes several questions at once."""

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        """Give the recorded answers and failures."""
        return [self._player.answer(request) for request in requests]


class PlayedClock:
    """The recorded time."""

    def __init__(self, player: Player, simulated: bool) -> None:
        self._player, self.simulated = player, simulated

    def now(self) -> int:
        """Return the time in ms."""
        return self._player.now()


class PlayedBody:
    """The recorded robot."""

    def __init__(self, player: Player, simulated: bool) -> None:
        self._player = player
        self.clock = PlayedClock(player, simulated)
        self.events: list[Event] = []
        self.ended_ms = 0
        self._before = NEVER

    @property
    def telemetry(self) -> Telemetry:
        """The newest telemetry."""
        return unpacked(NEVER, 1, self._player.next("telemetry")["columns"])[0]

    def run(self, container: bytes, on_telemetry: Callable[[Telemetry], None] | None = None) -> Done:
        """Run a block; see `Robot.run`."""
        with closing(self.stream([container], on_telemetry)) as ended:
            return next(ended)

    def stream(
        self, containers: Iterable[bytes], on_telemetry: Callable[[Telemetry], None] | None = None
    ) -> Generator[Done]:
        """Run blocks; see `Robot.stream`."""
        more = iter(containers)
        while True:
            kind = self._player.peek()
            if kind == "heard":
                self._hear(self._player.next("heard"), on_telemetry)
            elif kind == "done":
                line = self._player.next("done")
                self.events = [Event(**event) for event in line["events"]]
                self.ended_ms = line["ended_ms"]
                self._player.counts["blocks"] += 1
                yield Done(**undata(line["done"]))
            elif kind == "streamed":
                self._player.next("streamed")
                return
            else:
                container = next(more, None)
                self._player.next("block", container=None if container is None else data(container))

    def _hear(self, line: Line, on_telemetry: Callable[[Telemetry], None] | None) -> None:
        for one in unpacked(self._before, line["count"], line["columns"]):
            self._before = one
            if on_telemetry:
                on_telemetry(one)

    def wait(self, ms: int) -> None:
        """Compare how long the wait is."""
        self._player.next("wait", ms=ms)

    def think(self, function: Callable[[], _Result]) -> _Result:
        """Return `function()`."""
        self._player.thinking()
        result = function()
        self._player.next("think")
        return result
