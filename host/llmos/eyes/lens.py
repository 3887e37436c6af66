"""A camera's geometry: a pinhole at the robot's middle, looking ahead and a little down."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Lens:
    """A pinhole camera with square pixels.

    Args:
        fov: horizontal field of view in rad.
        height_m: of the pinhole above the ground.
        pitch: upwards in rad; negative looks down.
        size: width and height in pixels.
    """

    fov: float = math.radians(60)
    height_m: float = 0.12
    pitch: float = math.radians(-10)
    size: tuple[int, int] = (320, 240)

    @property
    def focal_px(self) -> float:
        """Focal length in pixels."""
        return self.size[0] / 2 / math.tan(self.fov / 2)

    def direction(self, column: float, row: float) -> tuple[float, float]:
        """Return where a point of the picture lies.

        Args:
            column: pixels from the left edge.
            row: pixels from the upper edge.

        Returns:
            bearing in rad, counter-clockwise from straight ahead, and elevation in rad above the horizon.
        """
        right, down = column - self.size[0] / 2, row - self.size[1] / 2
        ahead = self.focal_px * math.cos(self.pitch) + down * math.sin(self.pitch)
        up = self.focal_px * math.sin(self.pitch) - down * math.cos(self.pitch)
        return math.atan2(-right, ahead), math.atan2(up, math.hypot(ahead, right))

    def ground_m(self, column: float, row: float) -> float:
        """Return the way over the ground to what stands on it at a point of the picture; infinite above."""
        elevation = self.direction(column, row)[1]
        return self.height_m / math.tan(-elevation) if elevation < 0 else math.inf

    def point(self, bearing: float, away_m: float, up_m: float) -> tuple[float, float] | None:
        """Return column and row at which a point in space is seen; None where it lies behind.

        Args:
            bearing: rad, counter-clockwise from straight ahead.
            away_m: over the ground.
            up_m: above the ground.
        """
        ahead, right = away_m * math.cos(bearing), -away_m * math.sin(bearing)
        up = up_m - self.height_m
        depth = ahead * math.cos(self.pitch) + up * math.sin(self.pitch)
        if depth <= 0:
            return None
        down = ahead * math.sin(self.pitch) - up * math.cos(self.pitch)
        scale = self.focal_px / depth
        return self.size[0] / 2 + right * scale, self.size[1] / 2 + down * scale
