"""What the kernel carries from one cycle to the next."""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llmos.brains import Brain, Thought
from llmos.brains.escalation import Track
from llmos.eyes import Eyes, Seen, Tracked
from llmos.kernel.act import Acted, Block
from llmos.kernel.belief import Belief
from llmos.kernel.blocks import Pace
from llmos.kernel.corrections import Corrected
from llmos.kernel.decision import Decision
from llmos.kernel.frame import HistoryEntry, LastStep, Mode, NavigationFrame, Point
from llmos.kernel.goal import Goal
from llmos.kernel.maps import MapSender
from llmos.link import Body
from llmos.world.candidates import STRATEGIES, Candidate, Strategy
from llmos.world.foresight import Foresight
from llmos.world.rooms import Floor

HISTORY = 5
STUCK_M = 0.05  # less progress than this in a cycle counts towards being stuck
STUCK_CYCLES = 5  # then recovery candidates are offered
GIVE_UP_CYCLES = 15  # then the run ends as stuck
AVOID_CYCLES = 8  # how long a place that could not be reached is left alone


@dataclass(frozen=True)
class Settings:
    """What a run is told from outside."""

    tolerance_m: float = 0.3
    max_cycles: int = 200
    deadline_s: float = 10.0
    block_m: float = 1.5  # longest way in one block
    seed: int = 0
    shuffle: bool = False  # offer the candidates in random order, so that their order tells nothing
    think: bool = False  # the user wants the planner asked at the start
    show_map: bool = False  # put an ASCII map into the text that the model reads
    predict: bool = False  # weigh unseen cells by what they probably hold
    prefill_per_s: float = 500.0  # modelled speed of thinking, charged to the simulated clock
    decode_per_s: float = 100.0


@dataclass
class Step:
    """The record of one cycle."""

    cycle: int
    ms: int
    pose: tuple[float, float, float]
    mode: Mode = "idle"
    candidates: list[Candidate] = field(default_factory=list)
    frame: NavigationFrame | None = None
    thought: Thought | None = None
    note: str = ""  # what was done in place of the decision
    decision: Decision | None = None
    corrected: Corrected = field(default_factory=Corrected)  # what the model said of the map
    seen: Seen | None = None  # what the newest picture showed
    path: list[Point] = field(default_factory=list)
    block: Block | None = None
    acted: Acted | None = None


@dataclass
class Mind:
    """The kernel's state between two cycles."""

    robot: Body
    belief: Belief
    goal: Goal
    brain: Brain
    settings: Settings
    pace: Pace
    strategy: Strategy = STRATEGIES["balanced"]  # how candidates are scored
    eyes: Eyes | None = None
    sought: Tracked | None = None  # what the goal names, once it is seen
    lookouts: list[Point] = field(default_factory=list)  # where pictures were taken all around
    cost: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 0), np.float32)
    )  # of this cycle's map
    reach: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 0), np.float32)
    )  # of the way to each cell
    here: tuple[int, int] = (0, 0)  # the cell that the robot stands on
    track: Track = field(default_factory=Track)
    step: Step | None = None  # the one under way, or done last
    foresight: Foresight = field(default_factory=Foresight)  # what the unseen cells probably hold
    cycle: int = 0
    mode: Mode = "idle"
    confidence: float = 0.5
    stuck: int = 0
    last: LastStep | None = None
    trouble: LastStep | None = None  # the last step that got nowhere
    maps: MapSender = field(default_factory=MapSender)
    floor: Floor = field(default_factory=Floor)  # the rooms
    entered: bool = False  # a room, for the first time, in this cycle
    history: deque[HistoryEntry] = field(default_factory=lambda: deque(maxlen=HISTORY))
    avoid: dict[tuple[int, int], int] = field(
        default_factory=dict
    )  # cell -> last cycle in which it is left alone
    looked: Point | None = None  # where the robot last looked all around
    stood: Point | None = None  # where it stood at the start of the last cycle

    def learn(self, step: Step, acted: Acted) -> None:
        """Remember what became of a step: for the next frame, the history and the kernel's confidence."""
        step.acted = acted
        action = str(step.decision.action) if step.decision else "none"
        details = "; ".join(filter(None, (acted.details, str(step.corrected))))
        self.last = LastStep(action=action, result=acted.result, details=details)
        if acted.result != "success":
            self.trouble = self.last
        self.history.append(HistoryEntry(cycle=step.cycle, action=action, result=acted.result))
        change = {"success": 0.1, "invalid": -0.2}.get(acted.result, -0.3)
        self.confidence = round(min(1.0, max(0.0, self.confidence + change)), 2)

    def shun(self, cell: tuple[int, int]) -> None:
        """Leave a place alone for a while."""
        self.avoid[cell] = self.cycle + AVOID_CYCLES

    def looked_here(self) -> bool:
        """Tell whether the robot has looked all around from where it stands."""
        return self.looked is not None and math.dist(self.looked, self.belief.pose[:2]) < STUCK_M
