"""Programs from wishes: a model writes under the robot's grammar, the verifier answers, the model mends.

Errors: `LlmosError` <- `WishError`.
"""

from ._chooser import choose_program, likest, quantities, slotted
from ._prompt import LONGEST_WISH, WishError, clean_wish, writer_prompt
from ._translator import question, translate_program
from ._ways import WAYS, make_program, usual_way
from ._writer import Attempt, Draft, write_program

__all__ = [
    "LONGEST_WISH",
    "WAYS",
    "Attempt",
    "Draft",
    "WishError",
    "choose_program",
    "clean_wish",
    "likest",
    "make_program",
    "quantities",
    "question",
    "slotted",
    "translate_program",
    "usual_way",
    "write_program",
    "writer_prompt",
]
