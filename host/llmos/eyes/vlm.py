"""The detector that asks a model. Where that is late or fails, nothing is seen: never free ground."""

import io
import json
import time
from typing import Any

from PIL import Image

from llmos.camera import Picture
from llmos.eyes.colours import ColourDetector
from llmos.eyes.detector import Detector
from llmos.eyes.lens import Lens
from llmos.eyes.vision_frame import (
    DEPTH_CM,
    LABEL,
    MOST_DETECTIONS,
    REGIONS,
    VisionFrame,
    label_of,
    nothing_seen,
    read_vision,
)
from llmos.inference import InferenceError, Kernel, Request, open_kernel
from llmos.kernel.prompt import system_prompt

COLOUR = "colour"  # the classical detector's name where a detector is chosen
TEMPERATURE = 0.2
MOST_TOKENS = 1536  # 20 detections of some 60 tokens, and the scene
THOUSAND = 1000  # a box's edges are told in thousandths of the picture, as Qwen's models were taught


def open_kernel_that_sees(spec: str) -> Kernel:
    """Open a model for the eyes, or raise `InferenceError`."""
    kernel = open_kernel(spec)
    if not kernel.vision:
        kernel.close()
        raise InferenceError(
            f"kernel {spec!r} cannot see; eyes are {COLOUR}, gguf:MODEL.gguf+PROJECTOR.gguf or openai:URL"
        )
    return kernel


def make_detector(lens: Lens, kernel: Kernel | None) -> Detector:
    """Return the detector that asks a kernel, or the classical one where there is none."""
    return ColourDetector(lens) if kernel is None else ModelDetector(kernel)


class ModelDetector:
    """Asks a kernel what a picture shows; the answer is held to a schema token by token where it can be.

    The kernel stays open; who opened it closes it.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def name(self) -> str:
        """The kernel's name."""
        return self._kernel.name

    def __call__(self, picture: Picture, wanted: str, deadline_s: float) -> VisionFrame:
        """Look at a picture; see `Detector`."""
        began = time.perf_counter()
        size = size_of(picture.jpeg)
        if size is None:
            return nothing_seen("the picture cannot be read")
        request = Request(
            system=system_prompt("eyes"),
            user=f"The robot looks for: {label_of(wanted)}" if wanted else "What is there?",
            images=(picture.jpeg,),
            schema=schema(),
            deadline_s=deadline_s,
            max_tokens=MOST_TOKENS,
            temperature=TEMPERATURE,
        )
        try:
            text = self._kernel(request).text
        except InferenceError as error:
            return nothing_seen(str(error), size, _ms_since(began))
        return read_vision(in_our_units(text), size, _ms_since(began))

    def close(self) -> None:
        """Nothing is held but the kernel."""


def size_of(jpeg: bytes) -> tuple[int, int] | None:
    """Return a picture's width and height in pixels; None for what is no picture."""
    try:
        with Image.open(io.BytesIO(jpeg)) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def schema() -> dict[str, Any]:
    """Return the JSON schema of an answer: whole numbers, so that it is short and each digit counts."""
    regions = {"type": "array", "items": {"enum": list(REGIONS)}, "maxItems": len(REGIONS)}
    text = {"type": "string", "maxLength": LABEL}
    edges = {"type": "array", "items": _whole(0, THOUSAND), "minItems": 4, "maxItems": 4}
    thing = _record(
        label={"type": "string", "minLength": 1, "maxLength": LABEL},
        bbox=edges,
        confidence=_whole(0, 100),
        depth_cm=_whole(int(DEPTH_CM[0]), int(DEPTH_CM[1])),
    )
    scene = _record(
        openings=regions, blocked=regions, floor_percent=_whole(0, 100), environment=text, surface=text
    )
    return _record(detections={"type": "array", "items": thing, "maxItems": MOST_DETECTIONS}, scene=scene)


def _record(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _whole(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


def in_our_units(text: str) -> str:
    """Return an answer in the words and units of a vision frame; what is not as asked for stays as it is."""
    try:
        answer = json.loads(text)
        things, scene = answer["detections"], answer["scene"]
        detections = [
            {
                "label": thing["label"],
                "confidence": thing["confidence"] / 100,
                "bbox": [edge / THOUSAND for edge in thing["bbox"]],
                "estimated_depth_cm": thing["depth_cm"],
                "depth_method": "vlm_estimate",
            }
            for thing in things
        ]
        seen = {
            "openings": [third for third in scene["openings"] if third not in scene["blocked"]],
            "blocked": scene["blocked"],
            "floor_visible_percent": scene["floor_percent"],
            "environment": scene["environment"],
            "dominant_surface": scene["surface"],
        }
        return json.dumps({"detections": detections, "scene": seen})
    except (ValueError, KeyError, TypeError, RecursionError):
        return text


def _ms_since(began: float) -> float:
    return round(1000 * (time.perf_counter() - began), 1)
