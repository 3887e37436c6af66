"""Who looks at a picture: the classical detector, or a model that sees."""

from typing import Protocol

from llmos.camera import Picture
from llmos.eyes.vision_frame import VisionFrame


class Detector(Protocol):
    """Says what a picture shows. It never raises for what a picture holds, nor for a model that fails."""

    @property
    def name(self) -> str:
        """Who it is, in a word, for the report."""

    def __call__(self, picture: Picture, wanted: str, deadline_s: float) -> VisionFrame:
        """Look at a picture within the deadline (wall time).

        Args:
            picture: a JPEG.
            wanted: label of the thing that is looked for, such as `red box`; empty where all counts alike.
            deadline_s: where it cannot be kept, nothing is seen, and `problem` says so.

        `timestamp` and `frame_id` are filled in by the caller.
        """

    def close(self) -> None:
        """Give back what it holds."""
