"""What the robot sees: pictures, what a detector finds in them, and the things that are followed."""

from .detector import Detector
from .lens import Lens
from .tracker import Tracked
from .vision_frame import Detection, SceneSeen, VisionFrame, label_of, nothing_seen, read_vision, region_of

__all__ = [
    "Detection",
    "Detector",
    "Lens",
    "SceneSeen",
    "Tracked",
    "VisionFrame",
    "label_of",
    "nothing_seen",
    "read_vision",
    "region_of",
]
