"""What kind of failure a run was, by what was measured of it."""

import re
from collections import Counter
from collections.abc import Iterable

from llmos.skills import Tried

KINDS = (
    "collision",
    "imminent_collision",
    "lateral_collision_risk",
    "motor_deadband",
    "excessive_speed",
    "timeout",
    "low_confidence",
    "safety_stop",
    "skill_error",
    "wrong_place",
    "unknown",
)
_DEADBAND_MM = 10.0  # who moves less, and should move more, has not moved
# measurement -> the kind of a value below its bounds, and of one above them
_SIDES = {
    "front_mm": ("imminent_collision", "wrong_place"),
    "rear_mm": ("imminent_collision", "wrong_place"),
    "left_mm": ("lateral_collision_risk", "wrong_place"),
    "right_mm": ("lateral_collision_risk", "wrong_place"),
    "clearance_mm": ("imminent_collision", "wrong_place"),
    "seconds": ("excessive_speed", "timeout"),
}
_WAYS = ("path_mm", "ahead_mm", "closed_mm", "farthest_mm", "longest_leg_mm", "shortest_leg_mm")
_SPEED = re.compile(r"\brule (?:speed|acceleration|rate)\b")
_LATE = re.compile(r"\brule duration\b|\bms is\b")
_ENDED = re.compile(r"^it ended as (\w+)")
_ENDS = {"lease": "timeout", "estop": "safety_stop", "stopped": "safety_stop", "failed": "safety_stop"}


def kinds_of(tried: Tried) -> set[str]:
    """Return the kinds of failure of a run; none of one that succeeded."""
    if tried.success:
        return set()
    if tried.refused:
        speed, late = _SPEED.search(tried.refused), _LATE.search(tried.refused)
        return {"excessive_speed" if speed else "timeout" if late else "skill_error"}
    found = {"collision"} if tried.collisions else set()
    for name, (value, low, _high) in tried.misses.items():
        below, above = _SIDES.get(name.replace("_mean", ""), ("wrong_place", "wrong_place"))
        still = name in _WAYS and abs(value) < _DEADBAND_MM < low
        found.add("motor_deadband" if still else below if value < low else above)
    for fault in tried.faults:
        if match := _ENDED.match(fault):
            found.add(_ENDS.get(match[1], "skill_error"))
    return found or {"unknown"}


def counted(tried: Iterable[Tried]) -> Counter[str]:
    """Count the kinds of failure over runs."""
    return Counter(kind for one in tried for kind in sorted(kinds_of(one)))
