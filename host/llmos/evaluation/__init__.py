"""Evaluations: missions by arenas, kernels and seeds; programs by behaviours and ways; choices by frames;
episodes of BabyAI by players and ways; and what a taught kernel has to show of all these.

A kind of evaluation is one entry of `KINDS`; the first one is what `llmos eval` does without a flag.

Errors: `LlmosError` <- `EvaluationError`.
"""

from ._babyai import BABYAI
from ._choices import CHOICES, Choices, one_choice
from ._figures import mission_table, pair_table
from ._jobs import EvaluationError, Row, evaluate
from ._journal import Journal
from ._kind import Kind
from ._missions import MISSIONS, Mission, Missions, arenas_of, one_mission, variants_of
from ._page import page
from ._results import run, usual_folder, write
from ._table import as_csv, as_text
from ._taught import TAUGHT
from ._writing import WRITING, Programs, Wanted, one_program, program_table, right_table

KINDS = {kind.name: kind for kind in (MISSIONS, WRITING, CHOICES, BABYAI, TAUGHT)}

__all__ = [
    "KINDS",
    "Choices",
    "EvaluationError",
    "Journal",
    "Kind",
    "Mission",
    "Missions",
    "Programs",
    "Row",
    "Wanted",
    "arenas_of",
    "as_csv",
    "as_text",
    "evaluate",
    "mission_table",
    "one_choice",
    "one_mission",
    "one_program",
    "page",
    "pair_table",
    "program_table",
    "right_table",
    "run",
    "usual_folder",
    "variants_of",
    "write",
]
