"""Things that keep their identity from picture to picture, with their places in the map.

A sighting belongs to the nearest thing within MATCH_M whose label it fits, a believed one first; along the
line of sight, where a camera measures worst, it may be off by as much as its own error. A label fits where
all its words are in the other: `red` fits `red box`. Within SAME_M one word in common beside the shape is
enough, as no two things stand in one place. A thing has the label that it was most often given.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from llmos.eyes.names import SHAPES, words

Point = tuple[float, float]

MATCH_M = 0.5
SAME_M = 0.2
CONFIRM = 3  # sightings by its label, after which a thing is believed
LOSE, FORGET = 10, 30  # pictures in a row that should have shown it
MOST_WEIGHT = 4000.0  # 1/m², of all sightings together: what is seen now always counts for something
FRESH = 0.3  # share of the newest sighting in the confidence
MISSED = 0.9  # what a picture without it leaves of the confidence
MOST = 64  # things; beyond it those that were missed most, and then the least sure, are forgotten


@dataclass(frozen=True)
class Tracked:
    """A thing that was seen; `pos_m` is its middle in the map's frame, in m."""

    id: str
    label: str
    pos_m: Point
    confidence: float  # 0 to 1
    age_ms: int  # since it was seen last
    width_m: float = 0.0  # 0: unknown
    confirmed: bool = False  # seen often enough to be believed
    lost: bool = False  # looked for in vain too often


@dataclass(frozen=True)
class Sighting:
    """One thing in one picture: its middle, and the error of its distance along the line of sight."""

    label: str
    pos_m: Point
    confidence: float
    error_m: float
    width_m: float = 0.0
    bearing: float = 0.0  # of the line of sight in the map's frame, rad


@dataclass
class _Track:
    id: str
    pos_m: Point
    width_m: float
    confidence: float
    seen_ms: int
    weight: float = 0.0
    missed: int = 0
    votes: dict[str, int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The label given most often, among those of most words; the first of equals."""
        most = max(len(words(label)) for label in self.votes)
        named = [label for label in self.votes if len(words(label)) == most]
        return max(named, key=lambda label: self.votes[label])

    @property
    def believed(self) -> bool:
        """Whether it was seen often enough by its label, and not looked for in vain too often."""
        return self.votes.get(self.label, 0) >= CONFIRM and self.missed < LOSE


def fits(one: str, other: str) -> bool:
    """Tell whether two labels may mean the same: the words of one are among those of the other."""
    return words(one) <= words(other) or words(other) <= words(one)


class Tracker:
    """Follows things; ids are never used again."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._count = 0

    def see(
        self,
        sightings: Sequence[Sighting],
        visible: Callable[[Point, float], bool],
        now_ms: int,
    ) -> None:
        """Take in one picture.

        Args:
            sightings: all that it shows.
            visible: whether a thing at a place (its middle, its width) would have to be in the picture.
            now_ms: when it was taken.
        """
        left = list(self._tracks)
        for sighting in sorted(sightings, key=lambda one: -one.confidence):
            near = [track for track in left if _belongs(sighting, track)]
            if near:
                match = min(near, key=lambda track: (not track.believed, _apart(track, sighting)))
                left.remove(match)
            else:
                match = self._begin(sighting, now_ms)
            _update(match, sighting, now_ms)
        for track in left:
            if visible(track.pos_m, track.width_m):
                _miss(track)
        self._tracks = [track for track in self._tracks if track.missed < FORGET]
        self._tracks.sort(key=lambda track: (track.missed, -track.confidence))
        del self._tracks[MOST:]

    def miss(self, id_: str) -> None:
        """Count one more picture that should have shown a thing."""
        for track in self._tracks:
            if track.id == id_:
                _miss(track)

    def _begin(self, sighting: Sighting, now_ms: int) -> _Track:
        self._count += 1
        track = _Track(f"t{self._count}", sighting.pos_m, sighting.width_m, sighting.confidence, now_ms)
        self._tracks.append(track)
        return track

    def objects(self, now_ms: int) -> tuple[Tracked, ...]:
        """Return all things, the surest first."""
        found = [
            Tracked(
                id=track.id,
                label=track.label,
                pos_m=(round(track.pos_m[0], 3), round(track.pos_m[1], 3)),
                confidence=round(track.confidence, 3),
                age_ms=now_ms - track.seen_ms,
                width_m=round(track.width_m, 3),
                confirmed=track.believed,
                lost=track.missed >= LOSE,
            )
            for track in self._tracks
        ]
        return tuple(sorted(found, key=lambda one: (-one.confidence, int(one.id[1:]))))


def _miss(track: _Track) -> None:
    track.missed += 1
    track.confidence *= MISSED


def _belongs(sighting: Sighting, track: _Track) -> bool:
    apart = _apart(track, sighting)
    same = apart <= SAME_M and bool((words(sighting.label) & words(track.label)) - set(SHAPES))
    return same or (apart <= MATCH_M and fits(sighting.label, track.label))


def _apart(track: _Track, sighting: Sighting) -> float:
    """Return how far a sighting is from a thing, in m; its own error is forgiven along the line of sight."""
    east, north = sighting.pos_m[0] - track.pos_m[0], sighting.pos_m[1] - track.pos_m[1]
    cosine, sine = math.cos(sighting.bearing), math.sin(sighting.bearing)
    along, across = east * cosine + north * sine, north * cosine - east * sine
    return math.hypot(along * min(1.0, MATCH_M / max(2 * sighting.error_m, 1e-6)), across)


def _update(track: _Track, sighting: Sighting, now_ms: int) -> None:
    weight = 1 / max(sighting.error_m, 0.01) ** 2
    share = weight / (track.weight + weight)
    track.pos_m = (
        track.pos_m[0] + (sighting.pos_m[0] - track.pos_m[0]) * share,
        track.pos_m[1] + (sighting.pos_m[1] - track.pos_m[1]) * share,
    )
    if sighting.width_m:
        track.width_m += (sighting.width_m - track.width_m) * (share if track.width_m else 1.0)
    track.weight = min(track.weight + weight, MOST_WEIGHT)
    track.confidence += (sighting.confidence - track.confidence) * FRESH
    track.seen_ms, track.missed = now_ms, 0
    track.votes[sighting.label] = track.votes.get(sighting.label, 0) + 1
