"""Questions as a cycle asks them, for tests of brains."""

from collections.abc import Mapping, Sequence

from llmos.brains import Circumstances, Question
from llmos.kernel.decision import decision_schema
from llmos.kernel.frame import (
    FrameCandidate,
    FrameState,
    LastStep,
    NavigationFrame,
    SymbolicLayer,
    WorldModel,
)

Place = tuple[float, float]


def candidate(
    name: str, kind: str = "frontier", at: Place = (1.0, 0.0), score: float = 0.5
) -> FrameCandidate:
    """Return a candidate."""
    path = (at[0] ** 2 + at[1] ** 2) ** 0.5
    note = "goal" if kind == "subgoal" else "12 cells"
    return FrameCandidate(id=name, type=kind, pos_m=at, score=score, path_m=path, note=note)  # type: ignore[arg-type]


def question(
    candidates: Sequence[FrameCandidate],
    *,
    cycle: int = 1,
    failed: bool = False,
    position_m: Place = (0.0, 0.0),
    yaw_deg: float = 0.0,
    stuck: int = 0,
    ranges_m: Mapping[str, float | None] | None = None,
    circumstances: Circumstances | None = None,
    now_ms: int = 0,
    goal: str = "drive to 2, 2",
) -> Question:
    """Return a question of a run that goes to a place."""
    state = FrameState(
        mode="navigating",
        position_m=position_m,
        yaw_deg=yaw_deg,
        speed_mps=0,
        battery_pct=90,
        is_stuck=stuck >= 5,
        stuck_counter=stuck,
        confidence=0.5,
        sensor_age_ms=20,
    )
    frame = NavigationFrame(
        cycle=cycle,
        goal=goal,
        goal_m=(2.0, 2.0),
        world_model=WorldModel(
            cell_m=0.1, shape=(1, 1), free_pct=0, occupied_pct=0, unknown_pct=100, rle="U"
        ),
        symbolic_layer=SymbolicLayer(),
        candidates=list(candidates),
        last_step=LastStep(action="MOVE_TO c1", result="blocked", details="reflex") if failed else None,
        state=state,
        history=[],
    )
    return Question(
        frame=frame,
        text=frame.text(),
        schema=decision_schema(frame.candidates, failed),
        failed=failed,
        ranges_m=ranges_m or {},
        circumstances=circumstances or Circumstances(),
        now_ms=now_ms,
        seed=cycle,
    )
