"""What a brain is asked in a cycle, and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmos.inference import Answer
from llmos.kernel.frame import NavigationFrame, Point


@dataclass(frozen=True)
class Circumstances:
    """What tells whether a cycle deserves more than an instinct.

    Args:
        still_ms: how long the robot has not moved 5 cm, by its own clock.
        visits: most often that a cell of the 3 x 3 around the robot was entered since it last saw new ground.
        known: share of the cells that can be reached whose state is known, 0 to 1.
        frontiers: frontiers that are offered.
        doubtful: labels of tracked objects whose confidence is below 0.5.
        new_room: whether the robot has entered a room for the first time in this cycle.
        needs_plan: whether the goal is to find, explore, collect, bring or build something.
        asked: whether the user has asked for thought.
    """

    still_ms: int = 0
    visits: int = 0
    known: float = 0.0
    frontiers: int = 0
    doubtful: tuple[str, ...] = ()
    new_room: bool = False
    needs_plan: bool = False
    asked: bool = False


@dataclass(frozen=True)
class Question:
    """One cycle's question.

    Args:
        frame: what the model may know.
        text: the frame as a model reads it that shall give a full decision.
        schema: JSON schema of the decisions that are legal now.
        failed: whether the last step got nowhere.
        images: pictures for a model that sees: the map, then the camera's.
        ranges_m: free way from the robot's edge by range channel, None where there is no reading.
        circumstances: what tells whether to escalate.
        doubtful: the cell near the robot of which the map is least sure, and what the map says; or None.
        now_ms: the robot's clock.
        deadline_s: wall time for the whole decision.
        seed: fixes every chance of this cycle.
    """

    frame: NavigationFrame
    text: str
    schema: dict[str, Any]
    failed: bool = False
    images: tuple[bytes, ...] = ()
    ranges_m: Mapping[str, float | None] = field(default_factory=dict)
    circumstances: Circumstances = field(default_factory=Circumstances)
    doubtful: tuple[Point, str] | None = None
    now_ms: int = 0
    deadline_s: float = 10.0
    seed: int = 0


@dataclass(frozen=True)
class Thought:
    """A decision as text, and how it came about.

    Args:
        text: the decision, JSON.
        brain: who made it: `reactive`, `instinct`, `planner`, `rule`, or the kernel that decides alone.
        why: what made this brain decide, in a few words.
        confidence: calibrated probability that this is the best of the candidates; None where nobody says.
        probabilities: of each candidate's id as the model gave them, before calibration; empty where none.
        escalation: the reason for which the planner was set to work in this cycle, empty where it was not.
        calls: the model's answers that this decision had to wait for.
        prompt: what the model read for the last of them, empty where no model was asked.
        stand_in: whether the rule answered because the model gave nothing usable.
        note: what went wrong.
    """

    text: str
    brain: str
    why: str = ""
    confidence: float | None = None
    probabilities: Mapping[str, float] = field(default_factory=dict)
    escalation: str = ""
    calls: tuple[Answer, ...] = ()
    prompt: str = ""
    stand_in: bool = False
    note: str = ""

    @property
    def seconds(self) -> float:
        """Wall time that the model took."""
        return sum(answer.seconds for answer in self.calls)


class Brain(Protocol):
    """Whoever decides, cycle by cycle; it may remember earlier cycles and run threads until it is closed."""

    @property
    def vision(self) -> bool:
        """Whether it looks at the question's images."""

    def __call__(self, question: Question) -> Thought:
        """Decide within the deadline; where a model gives nothing usable, the rule answers."""

    def close(self) -> None:
        """End what runs in the background; the kernels stay open."""
