"""The planner: thinks in the background about one frame while the instinct acts, and hands a plan over."""

import json
import math
import threading
from dataclasses import dataclass, field

from llmos.brains import rsa
from llmos.brains.question import Question
from llmos.errors import LlmosError
from llmos.inference import Kernel, Request
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import NavigationFrame, Point, one_line
from llmos.kernel.prompt import system_prompt

DEADLINE_S = 120.0  # wall time for a plan; long, as a plan that is cut short cannot be repeated
NEAR_M = 0.5  # a candidate so near to a plan's place stands for it: candidates lie at least so far apart
REACHED_M = 0.2
LAST_CYCLES = 12  # a plan older than this is about another world
CLOSE_S = 5.0  # longest wait for a model that does not hear that it is cancelled

# What a plan is charged on a simulated clock. Tokens are SmolLM2's, of decisions in real frames.
CHARACTERS = 2.7  # of a prompt, a token; frames hold many numbers
SAMPLED, FORCED = 16, 32  # tokens of a decision: chosen, and left no choice about
SHOWN = 28  # tokens of a decision as an aggregation reads it
PARALLEL = 2.0  # times as many tokens a second in parallel sequences as in one


@dataclass(frozen=True)
class Rates:
    """Modelled speed of thinking, in tokens a second; see `kernel.mind.Settings`."""

    prefill_per_s: float = 500.0
    decode_per_s: float = 100.0


@dataclass(frozen=True)
class Plan:
    """Where to go, and why, as the planner saw it in the frame that it was asked about.

    Args:
        decision: the decision's JSON in that frame.
        place_m: the chosen candidate's place.
        votes: share of the last population for each candidate's id in that frame, largest first.
        share: of the chosen candidate; with a random vote it need not be the largest.
        reason: why the planner was set to work.
        cycle: that frame's number.
        started_ms: when it was set to work, by the robot's clock.
        ready_ms: when it was ready: on a simulated clock by the modelled speed.
        generations: answers that the model was asked for.
        seconds: wall time that it took.
        stopped: why the thinking ended: rounds, consensus, budget, cancelled, deadline, failure.
        trace: every answer, with its parents.
        prompt: what the model read first.
    """

    decision: str
    place_m: Point
    votes: dict[str, float]
    share: float
    reason: str
    cycle: int
    started_ms: int
    ready_ms: int
    generations: int
    seconds: float
    stopped: str
    trace: tuple[rsa.Candidate, ...] = ()
    prompt: str = ""


@dataclass
class _Work:
    """One plan in the making."""

    question: Question
    reason: str
    started_ms: int
    due_ms: int
    cancelled: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    outcome: rsa.Outcome | None = None
    failure: str = ""

    @property
    def alive(self) -> bool:
        return self.thread is not None and self.thread.is_alive()


class Planner:
    """Makes one plan at a time, in a thread of its own.

    Args:
        kernel: who is asked; it must bear to be asked from another thread.
        preset: how much thought goes into a plan, by its name or as such.
        rates: the modelled speed, which tells when a plan arrives on a simulated clock.
        deadline_s: wall time for a plan.
    """

    def __init__(
        self,
        kernel: Kernel,
        preset: str | rsa.Preset = "quick",
        rates: Rates | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.preset = rsa.PRESETS[preset] if isinstance(preset, str) else preset
        self.failure = ""  # why the last plan did not come, empty where it did
        self._kernel = kernel
        self._rates = rates or Rates()
        self._deadline_s = deadline_s
        self._work: _Work | None = None
        self._left: threading.Thread | None = None  # a cancelled thread that has perhaps not ended yet

    @property
    def busy(self) -> bool:
        """Whether a plan is in the making, or ready and not fetched."""
        return self._work is not None

    def start(self, question: Question, reason: str, now_ms: int) -> bool:
        """Begin to think about a question; False where a plan is in the making or there is nothing to choose.

        Args:
            question: the cycle's; only its frame, text, images and seed are used.
            reason: why; it goes with the plan.
            now_ms: the robot's clock.
        """
        if self.busy or len(question.frame.candidates) < 2:
            return False
        if self._left is not None:
            self._left.join()  # never two at a time
            self._left = None
        request = self._request(question)
        took_ms = nominal_ms(self.preset, request, self._rates)
        work = _Work(question, reason, now_ms, now_ms + took_ms)
        work.thread = threading.Thread(target=self._think, args=(work, request), name="planner", daemon=True)
        self._work, self.failure = work, ""
        work.thread.start()
        return True

    def _request(self, question: Question) -> Request:
        """Return what the first population is asked: for a place to go, as a turn would be out of date."""
        return Request(
            system=system_prompt(),
            user=question.text,
            images=question.images if self._kernel.vision else (),
            schema=decision_schema(question.frame.candidates, failed=False),
            deadline_s=self._deadline_s,
            seed=question.seed,
        )

    def _think(self, work: _Work, request: Request) -> None:
        try:
            work.outcome = rsa.run(
                self._kernel, request, self.preset, rsa.PLACES, cancelled=work.cancelled.is_set
            )
        except LlmosError as error:
            work.failure = str(error)

    def ready(self) -> bool:
        """Tell whether the plan in the making is made, or has failed."""
        return self._work is not None and not self._work.alive

    def poll(self, now_ms: int, arrived: bool | None = None) -> Plan | None:
        """Return the plan that has arrived, once; None where none has, and `failure` says whether none will.

        What should be there is waited for: on a simulated clock, and where a run is replayed, the thread may
        be later than it is said to be.

        Args:
            now_ms: the robot's clock.
            arrived: on a wall clock, what `ready` said; None on a simulated one, where a plan comes when its
                modelled duration has passed, neither before nor after.
        """
        work = self._work
        if work is None or not (now_ms >= work.due_ms if arrived is None else arrived):
            return None
        if work.thread is not None:
            work.thread.join()
        self._work = None
        self.failure = work.failure
        return self._plan(work, work.due_ms if arrived is None else now_ms)

    def _plan(self, work: _Work, ready_ms: int) -> Plan | None:
        outcome, frame = work.outcome, work.question.frame
        if outcome is None:
            return None
        places = {one.id: one.pos_m for one in frame.candidates}
        if outcome.answer not in places:
            self.failure = f"the plan {one_line(outcome.text)!r} names no candidate of its frame"
            return None
        return Plan(
            decision=outcome.text,
            place_m=places[outcome.answer],
            votes={name: share for name, share in outcome.shares.items() if name in places},
            share=outcome.shares[outcome.answer],
            reason=work.reason,
            cycle=frame.cycle,
            started_ms=work.started_ms,
            ready_ms=ready_ms,
            generations=outcome.generations,
            seconds=outcome.seconds,
            stopped=outcome.ended,
            trace=outcome.candidates,
            prompt=work.question.text,
        )

    def cancel(self) -> None:
        """Give up the plan in the making; the model hears of it before its next evaluation."""
        if self._work is not None:
            self._work.cancelled.set()
            self._left, self._work = self._work.thread, None
            self.failure = "cancelled"

    def close(self) -> None:
        """Cancel, and wait until the model has stopped; the kernel stays open."""
        self.cancel()
        if self._left is not None:
            self._left.join(CLOSE_S)


def nominal_ms(preset: rsa.Preset, request: Request, rates: Rates) -> int:
    """Return how long a plan takes on a simulated clock: never a matter of wall time, so that runs repeat.

    The prompt and the aggregation's text are read once, what differs is read by each sequence; forced tokens
    are read, the others written, `PARALLEL` times as fast as in one sequence. No early end is counted on.
    """
    prompt = (len(request.system) + len(request.user)) / CHARACTERS
    shown = len(system_prompt("aggregate")) / CHARACTERS + preset.n * preset.k * SHOWN
    read = prompt + preset.t * shown + preset.calls * FORCED
    written = preset.calls * SAMPLED / PARALLEL
    return math.ceil(1000 * (read / rates.prefill_per_s + written / rates.decode_per_s))


def in_hand(plan: Plan, frame: NavigationFrame) -> str | None:
    """Return the id of the frame's candidate that stands for the plan's place; None where none is near."""
    nearest = min(frame.candidates, key=lambda one: math.dist(one.pos_m, plan.place_m), default=None)
    near = nearest is not None and math.dist(nearest.pos_m, plan.place_m) <= NEAR_M
    return nearest.id if nearest and near else None


def over(plan: Plan, frame: NavigationFrame, followed: bool = False) -> str:
    """Return why a plan has ended: `reached`, `old`, `failed` or `gone`; empty while it stands.

    Args:
        plan: the plan.
        frame: this cycle's.
        followed: whether the last step followed the plan.
    """
    if math.dist(frame.state.position_m, plan.place_m) <= REACHED_M:
        return "reached"
    if frame.cycle - plan.cycle > LAST_CYCLES:
        return "old"
    if followed and frame.failed:
        return "failed"
    return "" if in_hand(plan, frame) else "gone"


def follow(plan: Plan, frame: NavigationFrame) -> str | None:
    """Return the plan's decision in the words of this frame; None where no candidate stands for its place."""
    name = in_hand(plan, frame)
    chosen = next((one for one in frame.candidates if one.id == name), None)
    if chosen is None:
        return None
    decision = json.loads(plan.decision)
    kind = "EXPLORE" if chosen.type == "frontier" else "MOVE_TO"
    decision["action"] = {"type": kind, "target_id": chosen.id}
    decision["fallback"].pop("target_id", None)
    return json.dumps(decision, separators=(",", ":"), ensure_ascii=False)
