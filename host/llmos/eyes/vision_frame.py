"""The vision frame: what a detector says that a picture shows. What cannot be read means nothing seen."""

import json
import math
import re
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from llmos.text import plain

Region = Literal["left", "center", "right"]
DepthMethod = Literal["known_object_size", "bbox_area_ratio", "floor_position", "vlm_estimate", "unknown"]
REGIONS: tuple[Region, ...] = get_args(Region)
LABEL = 40  # characters that are kept of a label
MOST_DETECTIONS = 20
LEAST_CONFIDENCE = 0.3  # a detection with less is none
DEPTH_CM = (5.0, 1000.0)  # depths are clamped to this
MOST_TEXT = 20_000  # characters of an answer that are looked at

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Box = tuple[Share, Share, Share, Share]
_FENCE = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.S)


class Part(BaseModel):
    """A part of the vision frame; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Detection(Part):
    """One thing that is seen.

    `bbox` is left, top, right, bottom, each 0 to 1 of the picture. The depth is the way over the ground from
    the camera to the thing's near side, in cm.
    """

    label: Annotated[str, Field(min_length=1, max_length=LABEL)]
    confidence: Share
    bbox: Box
    estimated_depth_cm: Annotated[float, Field(ge=DEPTH_CM[0], le=DEPTH_CM[1], allow_inf_nan=False)]
    depth_method: DepthMethod = "unknown"
    estimated_width_cm: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    region: Region

    @field_validator("bbox")
    @classmethod
    def _has_area(cls, box: Box) -> Box:
        if not (box[0] < box[2] and box[1] < box[3]):
            raise ValueError("bbox is left, top, right, bottom, with left < right and top < bottom")
        return box


class SceneSeen(Part):
    """What the picture says about the ground ahead; the regions are the picture's thirds."""

    openings: tuple[Region, ...] = ()
    blocked: tuple[Region, ...] = ()
    floor_visible_percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.0
    environment: Annotated[str, Field(max_length=LABEL)] = "unknown"
    dominant_surface: Annotated[str, Field(max_length=LABEL)] = "unknown"


class VisionFrame(Part):
    """What one picture shows.

    `timestamp` is the robot's clock in ms when the picture was taken, `processing_ms` the detector's wall
    time, `image_size` width and height in pixels. `floor_m` is for each of equally wide columns, left to
    right, how far the ground is seen to be free, in m; empty where the detector does not say. `problem` says
    why nothing could be seen, empty where all went well.
    """

    detections: Annotated[tuple[Detection, ...], Field(max_length=MOST_DETECTIONS)] = ()
    scene: SceneSeen = SceneSeen()
    floor_m: Annotated[tuple[Annotated[float, Field(ge=0, le=100)], ...], Field(max_length=64)] = ()
    timestamp: Annotated[int, Field(ge=0)] = 0
    processing_ms: Annotated[float, Field(ge=0)] = 0.0
    image_size: tuple[int, int] = (0, 0)
    frame_id: str = ""
    problem: str = ""


def nothing_seen(
    problem: str, image_size: tuple[int, int] = (0, 0), processing_ms: float = 0.0
) -> VisionFrame:
    """Return the frame of a picture of which nothing is known: no thing, no opening, no free ground."""
    return VisionFrame(problem=" ".join(plain(problem).split())[:200], image_size=image_size,
                       processing_ms=processing_ms)  # fmt: skip


def region_of(box: Box) -> Region:
    """Return the third of the picture that holds the middle of a box."""
    middle = (box[0] + box[2]) / 2
    return "left" if middle < 0.33 else "right" if middle > 0.66 else "center"


def label_of(text: object) -> str:
    """Return a label from outside as bounded lower-case text on one line; labels are data."""
    return " ".join(plain(str(text)).lower().split())[:LABEL].strip()


def read_vision(text: str, image_size: tuple[int, int] = (0, 0), processing_ms: float = 0.0) -> VisionFrame:
    """Return what a model answered about a picture: a JSON object with `detections` and `scene`.

    A detection or a scene that does not fit its model is left out; a text that holds no such object is a
    frame in which nothing is seen. Never raises, and never takes silence for free ground.
    """
    found = _object(text[:MOST_TEXT])
    if found is None:
        return nothing_seen(f"the answer is no JSON object: {text[:60]!r}", image_size, processing_ms)
    raw = found.get("detections")
    read = [_detection(one) for one in raw[: 10 * MOST_DETECTIONS]] if isinstance(raw, list) else []
    good = [one for one in read if one is not None and one.confidence >= LEAST_CONFIDENCE]
    good.sort(key=lambda one: -one.confidence)
    return VisionFrame(
        detections=tuple(good[:MOST_DETECTIONS]),
        scene=_scene(found.get("scene")),
        image_size=image_size,
        processing_ms=processing_ms,
    )


def _object(text: str) -> dict[str, Any] | None:
    fenced = _FENCE.search(text)
    try:
        found = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _detection(raw: object) -> Detection | None:
    """Return a detection, its depth clamped and its region worked out; None where it does not fit."""
    if not isinstance(raw, dict):
        return None
    depth = raw.get("estimated_depth_cm")
    if isinstance(depth, bool) or not isinstance(depth, int | float) or math.isnan(depth):
        return None
    try:
        box = tuple(float(edge) for edge in raw.get("bbox") or ())
        if len(box) != 4:
            return None
        found = {
            "label": label_of(raw.get("label") or ""),
            "confidence": raw.get("confidence"),
            "bbox": box,
            "estimated_depth_cm": min(max(float(depth), DEPTH_CM[0]), DEPTH_CM[1]),
            "depth_method": raw.get("depth_method", "vlm_estimate"),
            "estimated_width_cm": raw.get("estimated_width_cm"),
            "region": region_of(box),
        }
        return Detection.model_validate(found)
    except (ValidationError, ValueError, TypeError, OverflowError):
        return None


def _scene(raw: object) -> SceneSeen:
    """Return the scene; one that does not fit tells nothing."""
    if not isinstance(raw, dict):
        return SceneSeen()
    known = {key: value for key, value in raw.items() if key in SceneSeen.model_fields}
    for key in ("environment", "dominant_surface"):
        if key in known:
            known[key] = label_of(known[key])
    try:
        return SceneSeen.model_validate(known)
    except ValidationError:
        return SceneSeen()
