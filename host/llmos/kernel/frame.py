"""The navigation frame: what the kernel tells the model, every cycle."""

import re
from bisect import bisect_right
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmos.text import plain

Metres = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Metres, Metres]
Cells = Annotated[int, Field(ge=1, le=4096)]
Mode = Literal["idle", "navigating", "exploring", "avoiding_obstacle", "recovering", "goal_reached"]
StepResult = Literal["success", "blocked", "timeout", "collision", "invalid", "refused"]

OLD_MS = 1000  # range readings of this age are worth a word
SAID_STEPS, SAID_OBJECTS = 3, 4
MOST = 999  # of what the instinct reads in numbers, whose digits cost a token each

# What the instinct reads in place of scores. Their steps are finer below a half, where frontiers differ from
# each other.
SCORE_WORDS, SCORES = ("bad", "poor", "fair", "good", "best"), (0.15, 0.3, 0.5, 0.75)
PROMISE = re.compile(r"(\d{1,6}) cells\b")  # how the note of a frontier begins


class Part(BaseModel):
    """A part of the frame; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FrameCandidate(Part):
    """A place that the model may choose; `onward_m` leads on to the goal if all unknown ground is free."""

    id: str
    type: Literal["subgoal", "frontier", "recovery", "waypoint"]
    pos_m: Point
    score: Annotated[float, Field(ge=0, le=1)]
    path_m: Annotated[float, Field(ge=0)]
    onward_m: Annotated[float, Field(ge=0)] | None = None
    note: str = ""


class LastStep(Part):
    """What became of the last decision."""

    action: str
    result: StepResult
    details: str = ""


class FrameState(Part):
    """The robot's own state; yaw counter-clockwise from east."""

    mode: Mode
    position_m: Point
    yaw_deg: Metres
    speed_mps: Annotated[float, Field(ge=0)]
    battery_pct: Annotated[float, Field(ge=0, le=100)]
    is_stuck: bool
    stuck_counter: Annotated[int, Field(ge=0)]
    confidence: Annotated[float, Field(ge=0, le=1)]
    sensor_age_ms: Annotated[int, Field(ge=0)]


class HistoryEntry(Part):
    """One earlier cycle."""

    cycle: int
    action: str
    result: str


class WorldModel(Part):
    """The occupancy grid, as run lengths of `llmos.world.serialize`.

    Args:
        kind: `full`, or `delta`: what differs from the map of the cycle `against`.
        cell_m: side of a cell in metres.
        shape: rows and columns.
        free_pct: share of the cells, and so for the next two.
        occupied_pct: walls and obstacles.
        unknown_pct: never seen.
        rle: the cells' states, `=` in a delta for those that have stayed.
        against: the cycle whose map a delta is laid over.
        check: CRC-32 of all cells' states, a byte each, by which a reader knows that it holds the right map.
    """

    kind: Literal["full", "delta"] = "full"
    cell_m: float
    shape: tuple[Cells, Cells]
    free_pct: float
    occupied_pct: float
    unknown_pct: float
    rle: str
    against: int | None = None
    check: int = 0


class SymbolicLayer(Part):
    """Objects and topology; `room` says in a line where the robot is among the rooms.

    An object has id, type, bbox_m and label; one of type `object` was seen by the camera, and has pos_m,
    confidence and age_ms besides.
    """

    objects: list[dict[str, Any]] = []
    topology: dict[str, list[dict[str, Any]]] = {"waypoints": [], "edges": []}
    room: str = ""


class NavigationFrame(Part):
    """Everything that the model may know about this cycle."""

    cycle: Annotated[int, Field(ge=1)]
    goal: str
    goal_m: Point | None
    world_model: WorldModel
    symbolic_layer: SymbolicLayer
    candidates: list[FrameCandidate]
    last_step: LastStep | None
    state: FrameState
    history: list[HistoryEntry]
    foresight: str = ""  # what probably lies beyond the candidates

    def text(self, maps: str = "", scores: bool = True) -> str:
        """Return the frame as the model reads it: what changes least comes first.

        With maps, for a model that can use them, it also gets the rooms and the last cycles. The text's size
        has a bound, in bytes and so in tokens, that depends on the maps and the number of candidates alone.
        Without scores the model judges the places by itself.
        """
        state, last = self.state, self.last_step
        lines = [f"goal: {one_line(self.goal)}" + (f" at {place(self.goal_m)}" if self.goal_m else "")]
        if maps:
            lines += [one_line(self.symbolic_layer.room, 80), maps, said_before(self.history)]
        lines.append(said_objects(self.symbolic_layer.objects))
        stuck = f" stuck {state.stuck_counter}" if state.is_stuck else ""
        aged = f" ranges {state.sensor_age_ms / 1000:.0f}s old" if state.sensor_age_ms >= OLD_MS else ""
        lines.append(f"robot {place(state.position_m)} facing {state.yaw_deg:.0f} {state.mode}{stuck}{aged}")
        if last:
            lines.append(
                f"last: {one_line(last.action, 40)} {last.result} {one_line(last.details, 100)}".rstrip()
            )
        lines.append(one_line(self.foresight, 100))
        lines += [candidate_line(candidate, scores) for candidate in self.candidates]
        return "\n".join(line for line in lines if line)

    @property
    def failed(self) -> bool:
        """Whether the last step got nowhere."""
        return self.last_step is not None and self.last_step.result != "success"

    def short(self, scores: bool = True) -> str:
        """Return the candidates in a few words each, for one pass of a model that answers with an id.

        The goal comes first, because it stays; then what failed, if anything did; then a line a candidate:
        two numbers, kind, score, id. The id stands last, where a small model looks for what to repeat.
        """
        lines = [f"goal: {one_line(self.goal)}"]
        if self.last_step and self.failed:
            lines.append(f"last {self.last_step.result}")
        lines += [candidate_words(candidate, scores) for candidate in self.candidates]
        return "\n".join([*lines, SCORE_WORDS[-1]])


def one_line(text: str, limit: int = 120) -> str:
    """Return text from outside as one line of at most `limit` bytes.

    So it cannot pose as another part of the frame, and takes no more tokens than that in any writing.
    """
    return " ".join(plain(text).split()).encode()[:limit].decode(errors="ignore").rstrip()


def said_before(history: list[HistoryEntry]) -> str:
    """Return what became of the last cycles, the newest last; the very last one has a line of its own."""
    steps = [
        f"{one_line(one.action, 24)} {one_line(one.result, 12)}" for one in history[-SAID_STEPS - 1 : -1]
    ]
    return f"before: {', '.join(steps)}" if steps else ""


def said_objects(objects: list[dict[str, Any]]) -> str:
    """Return what the camera has seen, with places and ages."""
    seen = [one for one in objects if one["type"] == "object"][:SAID_OBJECTS]
    # A comma parts two things, so a thing's own name has none.
    names = [one_line(one["label"].replace(",", " "), 24) for one in seen]
    said = [
        f"{name} {place(one['pos_m'])} {one['age_ms'] // 1000}s"
        for name, one in zip(names, seen, strict=True)
    ]
    return f"seen: {', '.join(said)}" if said else ""


def candidate_words(candidate: FrameCandidate, scores: bool = True) -> str:
    """Return one candidate as the instinct reads it: `23 44 frontier good c2`.

    The numbers are the way to it and the way on to the goal in dm; without a way on, tens of unknown cells
    that a look from there shows.
    """
    good = f" {SCORE_WORDS[bisect_right(SCORES, candidate.score)]}" if scores else ""
    return f"{decimetres(candidate.path_m)} {prospect(candidate)} {kind_word(candidate)}{good} {candidate.id}"


def prospect(candidate: FrameCandidate) -> int:
    """Return the way on to the goal in dm, or without one the promised unknown cells, in tens."""
    if candidate.onward_m is not None:
        return decimetres(candidate.onward_m)
    promised = PROMISE.match(candidate.note)
    return min(round(int(promised[1]) / 10), MOST) if promised else 0


def decimetres(length_m: float) -> int:
    """Return a length in whole decimetres."""
    return min(round(10 * length_m), MOST)


def kind_word(candidate: FrameCandidate) -> str:
    """Return in a word what a candidate is; of subgoals, whether it is the goal or on the way to it."""
    if candidate.type != "subgoal":
        return candidate.type
    return "goal" if candidate.note == "goal" else "towards"


def place(point: Point) -> str:
    """Return a point in metres as `x,y`."""
    return f"{point[0]:.1f},{point[1]:.1f}".replace("-0.0", "0.0")


def candidate_line(candidate: FrameCandidate, scores: bool = True) -> str:
    """Return one candidate as the model reads it."""
    where = f"{candidate.id} {candidate.type} {place(candidate.pos_m)}"
    score = f" score {candidate.score:.2f}" if scores else ""
    onward = "" if candidate.onward_m is None else f" onward {candidate.onward_m:.1f}m"
    note = one_line(candidate.note, 24)
    return f"{where}{score} path {candidate.path_m:.1f}m{onward} {note}".rstrip()
