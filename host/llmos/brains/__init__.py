"""Who decides: one model alone, or two brains, an instinct that answers at once and a planner behind it."""

from .question import Brain, Circumstances, Question, Thought
from .solo import Solo

__all__ = ["Brain", "Circumstances", "Question", "Solo", "Thought"]
