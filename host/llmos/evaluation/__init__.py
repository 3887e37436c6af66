"""Evaluations: missions by arenas, kernels and seeds; programs by behaviours, kernels, ways and seeds.

Errors: `LlmosError` <- `EvaluationError`.
"""

from ._jobs import EvaluationError, Row, evaluate
from ._missions import Missions, arenas_of, mission_table, one_mission
from ._table import as_text
from ._writing import Programs, Wanted, one_program, program_table, right_table

__all__ = [
    "EvaluationError",
    "Missions",
    "Programs",
    "Row",
    "Wanted",
    "arenas_of",
    "as_text",
    "evaluate",
    "mission_table",
    "one_mission",
    "one_program",
    "program_table",
    "right_table",
]
