"""The teacher: drives through arenas whose map it knows, and tells of each decision on the way what it costs.

What is taught (`llmos.training`) and what is measured (`llmos.evaluation`) both come from here; nobody who
drives a robot sees any of it.
"""

from .costs import NEW_GROUND_M, TIE_M, Teacher, best, regrets, to_choose, wanted
from .drives import HELD, Drive, drive
from .frames import Seen, disguised, frames, one_wrong
from .practice import Floor, Practice

__all__ = [
    "HELD",
    "NEW_GROUND_M",
    "TIE_M",
    "Drive",
    "Floor",
    "Practice",
    "Seen",
    "Teacher",
    "best",
    "disguised",
    "drive",
    "frames",
    "one_wrong",
    "regrets",
    "to_choose",
    "wanted",
]
