"""Translating: a model that was taught the language answers a wish with its program, without examples."""

from collections.abc import Sequence

from llmbytecode.grammar import grammar
from llmos.inference import Inference, Request
from llmos.kernel.prompt import system_prompt
from llmos.manifest import Manifest

from ._prompt import clean_wish
from ._writer import MAX_TOKENS, WARMTH, Attempt, Draft, drafted


def translate_program(
    wish: str,
    kernel: Inference,
    manifest: Manifest,
    *,
    attempts: int = 3,
    seed: int = 0,
    deadline_s: float = 120.0,
) -> Draft:
    """Have a taught kernel say a wish as a program; where it is refused, it tries again with some chance.

    Args:
        wish: what the robot is to do, in a sentence.
        kernel: who translates.
        manifest: the robot; its parts and ranges are in the grammar, its budgets in the verifier.
        attempts: how many programs may be written.
        seed: fixes the kernel's choices; each attempt has its own.
        deadline_s: longest time for each attempt.

    Raises:
        WishError: there is no wish, or it is too long.
        InferenceError: the kernel gives no answer.
    """
    wish, limits = clean_wish(wish), manifest.limits

    def asked(made: Sequence[Attempt]) -> Request:
        return Request(
            system_prompt("programmer"),
            question(wish),
            grammar=grammar(limits),
            deadline_s=deadline_s,
            seed=seed + len(made),
            max_tokens=MAX_TOKENS,
            temperature=WARMTH if made else 0.0,
        )

    return drafted(wish, kernel, limits, attempts, asked)


def question(wish: str) -> str:
    """Return the user's turn for a wish, in training as in use: in small letters, without its full stop."""
    return clean_wish(wish).lower().rstrip(".!? ")
