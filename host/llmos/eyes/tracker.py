"""Things that keep their identity from picture to picture, with their places in the map."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tracked:
    """A thing that was seen; `pos_m` is its middle in the map's frame, in m."""

    id: str
    label: str
    pos_m: tuple[float, float]
    confidence: float  # 0 to 1
    age_ms: int  # since it was seen last
    width_m: float = 0.0  # 0: unknown
    confirmed: bool = False  # seen often enough to be believed
    lost: bool = False  # looked for in vain too often
