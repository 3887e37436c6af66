"""Whether a text is one that a grammar lets a model say, by the code that holds the models to it."""

from functools import cache
from typing import Any

from ._constraint import _converted
from ._registry import require


def accepts(grammar: str, text: str) -> bool:
    """Return whether a text is a whole one of a GBNF grammar.

    Raises:
        InferenceError: llguidance is not installed, or the grammar cannot be followed.
    """
    follower, data = _matcher(grammar).deep_copy(), list(text.encode())
    return bool(follower.try_consume_tokens(data) == len(data) and follower.is_accepting())


@cache
def _matcher(grammar: str) -> Any:
    module = require("llguidance", "the check of a text")
    return module.LLMatcher(module.LLTokenizer("byte"), _converted(grammar), log_level=0)
