"""Planning: from an occupancy grid to a path that a robot of some size can drive."""

from llmos.planning.astar import (
    Cell,
    Path,
    PlanningError,
    astar,
    compiled,
    nearest_passable,
    reachable_costs,
)
from llmos.planning.clearance import clearance, costmap
from llmos.planning.geodesics import geodesics

__all__ = [
    "Cell",
    "Path",
    "PlanningError",
    "astar",
    "clearance",
    "compiled",
    "costmap",
    "geodesics",
    "nearest_passable",
    "reachable_costs",
]
