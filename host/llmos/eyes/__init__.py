"""What the robot sees: pictures, what a detector finds in them, and the things that are followed."""

from .colours import ColourDetector
from .detector import Detector
from .eyes import Eyes, Seen, Shot
from .lens import Lens
from .names import words
from .tracker import Sighting, Tracked, Tracker
from .vision_frame import Detection, SceneSeen, VisionFrame, label_of, nothing_seen, read_vision, region_of

__all__ = [
    "ColourDetector",
    "Detection",
    "Detector",
    "Eyes",
    "Lens",
    "SceneSeen",
    "Seen",
    "Shot",
    "Sighting",
    "Tracked",
    "Tracker",
    "VisionFrame",
    "label_of",
    "nothing_seen",
    "read_vision",
    "region_of",
    "words",
]
