"""The eyes: a picture taken, looked at, and turned into things with places and caution about the ground."""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmos.camera import CameraError, Picture
from llmos.eyes.detector import Detector
from llmos.eyes.layer import BLOCKED_M, DETECTED, OPENING_M, REACH_M, VisionLayer
from llmos.eyes.lens import Lens
from llmos.eyes.throttle import Throttle
from llmos.eyes.tracker import Sighting, Tracked, Tracker
from llmos.eyes.vision_frame import REGIONS, Detection, VisionFrame
from llmos.world.grid import OCCUPIED, Grid

Pose = tuple[float, float, float]
Shot = tuple[bytes | None, int, str]  # a JPEG or None, its age in ms, and why there is none

PICTURES_PER_S = 2.0  # of robot time
PATIENCE = 5  # failures to get a picture in a row, after which a robot that has to see gives up
SURE_M = 2.5  # a thing that stands nearer and is not hidden should be seen
NEAREST_M = 0.3
RIM = 0.005  # of the picture: a box that comes so near its edge may be cut off
PIXELS_OFF = 1.5  # error of a thing's lower edge
VAGUE = {"known_object_size": 0.15}  # error of a depth as a share of it, by method; 0.3 for all but the floor
STEP_M = 0.05  # between two looks along a line of sight


@dataclass(frozen=True)
class Seen:
    """What came of a look: `frame` is None where no picture was looked at; `problem` says why."""

    frame: VisionFrame | None
    objects: tuple[Tracked, ...]
    problem: str = ""
    seconds: float = 0.0  # wall time of the detector


@dataclass
class Eyes:
    """Camera, detector, tracker and layer.

    Args:
        take: takes a picture now.
        detector: looks at it.
        lens: the camera's geometry.
        grid: the map of range readings, which is read and never changed.
        wanted: label of the thing that is looked for, empty where none is.
        deadline_s: for the detector, wall time.
    """

    take: Callable[[], Shot]
    detector: Detector
    lens: Lens
    grid: Grid
    wanted: str = ""
    deadline_s: float = 10.0
    failures: int = 0  # to get a picture, in a row
    picture: bytes = b""  # the newest that was looked at
    count: int = 0  # of pictures looked at

    def __post_init__(self) -> None:
        self.throttle = Throttle(PICTURES_PER_S)
        self.tracker = Tracker()
        self.layer = VisionLayer(self.grid.shape, self.grid.cell_m)
        self.looked: NDArray[np.bool_] = np.zeros(self.grid.shape, bool)  # cells that a picture has shown

    def shoot(self, now_ms: int) -> str:
        """Take a picture; returns why there is none, empty where there is one.

        Raises:
            CameraError: it is looked for something, and no picture has come for too long.
        """
        jpeg, age_ms, problem = self.take()
        if jpeg is None:
            self.failures += 1
            if self.wanted and self.failures >= PATIENCE:
                raise CameraError(f"{problem or 'no picture comes'}; a {self.wanted} cannot be found so")
            return problem or "no picture"
        self.failures = 0
        self.throttle.offer(Picture(jpeg, age_ms / 1000))
        return ""

    def study(self, pose: Pose, now_ms: int, problem: str = "") -> Seen:
        """Look at the newest picture, taken from a pose, unless it is too soon or was looked at already."""
        picture = self.throttle.take(now_ms)
        if picture is None:
            return Seen(None, self.tracker.objects(now_ms), problem or "no new picture")
        frame = self.detector(picture, self.wanted, self.deadline_s)
        seconds = frame.processing_ms / 1000
        digest = f"{zlib.crc32(picture.jpeg):08x}"
        frame = frame.model_copy(update={"timestamp": now_ms, "frame_id": digest, "processing_ms": 0.0})
        self.picture, self.count = picture.jpeg, self.count + 1
        if not frame.problem:
            self._take_in(frame, pose, now_ms)
        return Seen(frame, self.tracker.objects(now_ms), frame.problem, seconds)

    def _take_in(self, frame: VisionFrame, pose: Pose, now_ms: int) -> None:
        opaque = self.grid.measured() == OCCUPIED
        sightings = [self.sighting(one, pose) for one in frame.detections]
        self.tracker.see(sightings, lambda place, width: self._visible(pose, opaque, place, width), now_ms)
        self.layer.see(pose, self._free(frame), now_ms)
        for detection, sighting in zip(frame.detections, sightings, strict=True):
            if detection.estimated_depth_cm < 100 * REACH_M:
                self.layer.put(sighting.pos_m, DETECTED * detection.confidence, now_ms)
        self._note_looked(pose, opaque)

    def sighting(self, detection: Detection, pose: Pose) -> Sighting:
        """Return where a detection is in the map."""
        left, top, right, bottom = detection.bbox
        width, height = self.lens.size
        bearing = self.lens.direction((left + right) / 2 * width, (top + bottom) / 2 * height)[0] + pose[2]
        near = detection.estimated_depth_cm / 100
        cut = left <= RIM or right >= 1 - RIM or bottom >= 1 - RIM or top <= RIM
        wide = 0.0 if cut else (detection.estimated_width_cm or 0.0) / 100
        if detection.depth_method == "floor_position":
            error = max(0.03, PIXELS_OFF * near * near / (self.lens.height_m * self.lens.focal_px))
        else:
            error = max(0.05, VAGUE.get(detection.depth_method, 0.3) * near)
        away = near + wide / 2
        return Sighting(
            label=detection.label,
            pos_m=(pose[0] + away * math.cos(bearing), pose[1] + away * math.sin(bearing)),
            confidence=detection.confidence,
            error_m=(3 * error + 0.1 if cut else error) / detection.confidence,
            width_m=wide,
            bearing=bearing,
        )

    def _free(self, frame: VisionFrame) -> list[tuple[float, float, bool]]:
        """Return bearings, how far the ground is free there, and whether it ends."""
        width, height = self.lens.size

        def bearing(share: float) -> float:
            return self.lens.direction(share * width, 0.6 * height)[0]

        count = len(frame.floor_m)
        if count:
            return [(bearing((n + 0.5) / count), away, True) for n, away in enumerate(frame.floor_m)]
        thirds = {name: bearing((n + 0.5) / len(REGIONS)) for n, name in enumerate(REGIONS)}
        free = [(thirds[name], OPENING_M, False) for name in frame.scene.openings]
        return free + [(thirds[name], BLOCKED_M, True) for name in frame.scene.blocked]

    def _visible(
        self, pose: Pose, opaque: NDArray[np.bool_], place: tuple[float, float], wide: float
    ) -> bool:
        """Tell whether a thing at a place would have to be in a picture from a pose."""
        east, north = place[0] - pose[0], place[1] - pose[1]
        away, bearing = math.hypot(east, north), math.atan2(north, east) - pose[2]
        half = math.atan2(wide / 2 + 0.05, max(away, 0.01))
        if not NEAREST_M <= away - wide / 2 <= SURE_M or abs(_wrap(bearing)) + half > self.lens.fov / 2:
            return False
        steps = np.arange(STEP_M, away - wide / 2 - 0.2, STEP_M)
        cells = [self.grid.cell(pose[0] + s * east / away, pose[1] + s * north / away) for s in steps]
        return not any(cell is not None and opaque[cell] for cell in cells)

    def _note_looked(self, pose: Pose, opaque: NDArray[np.bool_]) -> None:
        """Note the cells that the picture has shown: up to the first occupied one, and the next behind."""
        bearings = pose[2] + np.linspace(-self.lens.fov / 2, self.lens.fov / 2, 61)[:, None]
        steps = np.arange(0.0, SURE_M, STEP_M)[None, :]
        rows, cols = opaque.shape
        cell_m = self.grid.cell_m
        row = np.floor((pose[1] + steps * np.sin(bearings)) / cell_m + rows / 2).astype(int)
        col = np.floor((pose[0] + steps * np.cos(bearings)) / cell_m + cols / 2).astype(int)
        inside = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
        row, col = row.clip(0, rows - 1), col.clip(0, cols - 1)
        hits = np.cumsum(opaque[row, col] & inside, axis=1)
        shown = inside & (hits <= 2)
        self.looked[row[shown], col[shown]] = True

    def close(self) -> None:
        """Give the detector's things back."""
        self.detector.close()


def _wrap(angle: float) -> float:
    return math.pi - (math.pi - angle) % (2 * math.pi)
