"""The decision: what the model may answer in this frame, and what it answered."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llmos.errors import LlmosError
from llmos.kernel.frame import FrameCandidate, Part, Point

ActionType = Literal["MOVE_TO", "EXPLORE", "ROTATE_TO", "FOLLOW_WALL", "STOP"]
HEADINGS_DEG = (0, 45, 90, 135, 180, 225, 270, 315)
CORRECTIONS = 3  # cells that the model may correct in one decision
EXPLANATION = 40  # characters that the model may spend on its reason


class InvalidDecision(LlmosError):
    """An answer that is no legal decision in its frame."""


class Action(Part):
    """What to do next."""

    type: ActionType
    target_id: str | None = None
    target_m: Point | None = None
    yaw_deg: Annotated[float, Field(ge=-360, le=360, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def complete(self) -> "Action":
        """A MOVE_TO needs a target, a ROTATE_TO an angle."""
        if self.type == "MOVE_TO" and self.target_id is None and self.target_m is None:
            raise ValueError("MOVE_TO needs target_id or target_m")
        if self.type == "ROTATE_TO" and self.yaw_deg is None:
            raise ValueError("ROTATE_TO needs yaw_deg")
        return self

    def __str__(self) -> str:
        target = self.target_id or (f"{self.target_m[0]:.2f},{self.target_m[1]:.2f}" if self.target_m else "")
        yaw = f"{self.yaw_deg:g} deg" if self.yaw_deg is not None else ""
        return " ".join(part for part in (self.type, target, yaw) if part)


class Fallback(Part):
    """What to do, without asking again, when the action cannot be done."""

    if_failed: Literal["EXPLORE", "ROTATE_TO", "STOP"]
    target_id: str | None = None


class Correction(Part):
    """A cell that the model believes the map has wrong."""

    pos_m: Point
    state: Literal["free", "obstacle", "unknown"]
    confidence: Annotated[float, Field(ge=0, le=1)]


class WorldModelUpdate(Part):
    """The model's corrections of the map."""

    corrections: tuple[Correction, ...] = ()


class Decision(BaseModel):
    """One decision of the model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Action
    fallback: Fallback
    world_model_update: WorldModelUpdate | None = None
    explanation: Annotated[str, Field(min_length=1, max_length=400)]


def may_rotate(candidates: list[FrameCandidate], failed: bool) -> bool:
    """Turning to look is legal when there is nowhere to go, or the last step failed."""
    return failed or not candidates


def legal_actions(candidates: list[FrameCandidate], failed: bool) -> list[dict[str, Any]]:
    """Return the JSON schema of each kind of action that is legal now."""
    frontiers = [c.id for c in candidates if c.type == "frontier"]
    places = [c.id for c in candidates if c.type != "frontier"]
    actions = []
    if places:
        actions.append(record(type={"const": "MOVE_TO"}, target_id={"enum": places}))
    if frontiers:
        actions.append(record(type={"const": "EXPLORE"}, target_id={"enum": frontiers}))
    if may_rotate(candidates, failed):
        actions.append(record(type={"const": "ROTATE_TO"}, yaw_deg={"enum": list(HEADINGS_DEG)}))
    if not candidates:
        actions.append(record(type={"const": "STOP"}))
    return actions


def record(**properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with exactly these properties, in this order."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def decision_schema(
    candidates: list[FrameCandidate], failed: bool, room_m: Point | None = None
) -> dict[str, Any]:
    """Return the JSON schema of the decisions that are legal in a frame.

    Args:
        candidates: the places offered.
        failed: whether the last step got nowhere.
        room_m: the room's size where the model sees a map and may correct it; None where it may not.
    """
    reactions = ["EXPLORE", "ROTATE_TO", "STOP"] if candidates else ["ROTATE_TO", "STOP"]
    schema = record(
        action={"anyOf": legal_actions(candidates, failed)},
        fallback=record(if_failed={"enum": reactions}),
        world_model_update=record(corrections=corrections_schema(room_m or (0.0, 0.0))),
        explanation={"type": "string", "minLength": 1, "maxLength": EXPLANATION},
    )
    if room_m is None:
        del schema["properties"]["world_model_update"]
    schema["required"].remove("world_model_update")
    return schema


def corrections_schema(room_m: Point) -> dict[str, Any]:
    """Return the JSON schema of corrections of the map within a room centred on the origin."""
    reach = max(room_m) / 2
    metre = {"type": "number", "minimum": -reach, "maximum": reach}
    correction = record(
        pos_m={"type": "array", "items": metre, "minItems": 2, "maxItems": 2},
        state={"enum": ["free", "obstacle", "unknown"]},
        confidence={"type": "number", "minimum": 0, "maximum": 1},
    )
    return {"type": "array", "items": correction, "maxItems": CORRECTIONS}


def read_decision(text: str, candidates: list[FrameCandidate], failed: bool) -> Decision:
    """Return the decision in an answer.

    Raises:
        InvalidDecision: the answer is no JSON, no decision, or not legal in this frame.
    """
    try:
        decision = Decision.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise InvalidDecision(f"{where}: {first['msg']}") from None
    action = decision.action
    kinds = {c.id: c.type for c in candidates}
    for target in (action.target_id, decision.fallback.target_id):
        if target is not None and target not in kinds:
            raise InvalidDecision(f"target_id {target!r} is none of {', '.join(kinds) or 'no candidates'}")
    if action.type == "EXPLORE" and kinds.get(action.target_id or "") != "frontier":
        raise InvalidDecision(f"EXPLORE needs a frontier, {action.target_id!r} is none")
    if action.type == "FOLLOW_WALL":
        raise InvalidDecision("FOLLOW_WALL is not legal in this frame")
    if action.type == "ROTATE_TO" and not may_rotate(candidates, failed):
        raise InvalidDecision("ROTATE_TO is legal only after a failed step or without candidates")
    if action.type == "STOP" and candidates:
        raise InvalidDecision("STOP is legal only without candidates")
    return decision
