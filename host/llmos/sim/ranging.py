"""The range sensors: true distances by ray casting, noise, refresh, and sensors that fail."""

import math

import numpy as np
from numpy.typing import NDArray

from llmos.manifest import RANGE_CHANNELS, Manifest
from llmos.sim.arena import Arena
from llmos.sim.faults import NEVER, Faults

NO_READING = 65535  # mm
_NOISE_ROWS = 4096  # noise repeats after so many readings of all sensors, 205 s at 50 ms

Floats = NDArray[np.float64]


class Rays:
    """Distances along rays from a point to segments and discs, all at once."""

    def __init__(self, arena: Arena) -> None:
        walls = np.array(arena.segments, float)
        self.x, self.y = walls[:, 0].copy(), walls[:, 1].copy()
        self.ex, self.ey = walls[:, 2] - self.x, walls[:, 3] - self.y
        discs = np.array(arena.rounds, float).reshape(-1, 3)
        self.cx, self.cy, self.r2 = discs[:, 0].copy(), discs[:, 1].copy(), discs[:, 2] ** 2

    def cast(self, x: float, y: float, directions: Floats) -> Floats:
        """Distance in metres from (x, y) to the first obstacle in each direction (rad)."""
        dx, dy = np.cos(directions)[:, None], np.sin(directions)[:, None]
        qx, qy = self.x - x, self.y - y
        across = dx * self.ey - dy * self.ex
        across[np.abs(across) < 1e-12] = np.nan  # parallel: no hit, whatever it is compared with
        along = (qx * dy - qy * dx) / across
        away = (qx * self.ey - qy * self.ex) / across
        hit = (along >= -1e-9) & (along <= 1 + 1e-9) & (away >= 0)
        nearest: Floats = np.where(hit, away, np.inf).min(axis=1)
        if len(self.r2):
            qx, qy = self.cx - x, self.cy - y
            ahead = dx * qx + dy * qy
            square = ahead * ahead - (qx * qx + qy * qy - self.r2)
            away = ahead - np.sqrt(np.maximum(square, 0))
            nearest = np.minimum(nearest, np.where((square >= 0) & (away >= 0), away, np.inf).min(axis=1))
        return nearest


class Ranging:
    """All range sensors of a robot; they look together, once a period."""

    def __init__(self, arena: Arena, manifest: Manifest, seed: int, faults: Faults) -> None:
        self.period_ms = manifest.range.period_ms
        self._most = int(manifest.range.max_m * 1000)
        self._angles = np.array(manifest.range_angles)
        self._rays = Rays(arena)
        random = np.random.default_rng([seed, 1])
        self._noise = random.normal(0.0, arena.noise_mm, (_NOISE_ROWS, len(self._angles)))
        self._blind, self._stuck = faults.channel.get("blind", {}), faults.channel.get("stuck", {})
        self._absent = [n for n, name in enumerate(RANGE_CHANNELS) if name not in manifest.range.angles_deg]
        self._moment, self._from = 0, (0.0, 0.0, 0.0)  # when and where they looked last
        self._read_at = -1  # the moment that `_readings` belong to
        self._readings = [NO_READING] * len(self._angles)
        self._cast_from = (math.nan, 0.0, 0.0)

    def see(self, arena: Arena) -> None:
        """From the next look on, see an arena that has changed."""
        self.ranges()  # what has been looked at already was the old one
        self._rays = Rays(arena)
        self._cast_from = (math.nan, 0.0, 0.0)

    def look(self, now_ms: int, x: float, y: float, heading: float) -> None:
        """Look if a period has begun since the last look; the rays are cast when somebody asks."""
        moment = now_ms - now_ms % self.period_ms
        if moment > self._moment or self._read_at < 0:
            self._moment, self._from = moment, (x, y, heading)

    def ranges(self) -> list[int]:
        """The newest readings in mm, in channel order."""
        if self._read_at != self._moment:
            self._readings = self._read()
            self._read_at = self._moment
        return self._readings

    def ages(self, now_ms: int) -> list[int]:
        """How long ago each reading was taken, in ms."""
        if not self._blind:
            return [now_ms - self._moment] * len(self._angles)
        last = (min(self._moment, self._blind.get(channel, NEVER)) for channel in range(len(self._angles)))
        return [min(now_ms - moment, NO_READING) for moment in last]

    def _read(self) -> list[int]:
        if self._cast_from != self._from:  # a robot at rest sees the same, but for the noise
            self._cast_from = self._from
            x, y, heading = self._from
            self._true = self._rays.cast(x, y, self._angles + heading) * 1000
        noise = self._noise[self._moment // self.period_ms % _NOISE_ROWS]
        blurred = np.clip(np.rint(self._true + noise), 0, self._most)
        readings: list[int] = np.where(self._true < self._most, blurred, self._most).astype(int).tolist()
        for channel, since in self._stuck.items():
            if self._moment >= since and self._read_at >= 0:
                readings[channel] = self._readings[channel]
        for channel, since in self._blind.items():
            if self._moment >= since:
                readings[channel] = NO_READING
        for channel in self._absent:
            readings[channel] = NO_READING
        return readings
