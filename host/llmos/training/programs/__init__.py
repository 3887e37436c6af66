"""The second tongue: wishes in English and the programs that do them, judged by what they do."""

from .outcome import differences, done, right
from .pairs import SYSTEM, Pair, examples, pairs, split_of
from .steps import STEPS

__all__ = ["STEPS", "SYSTEM", "Pair", "differences", "done", "examples", "pairs", "right", "split_of"]
