"""The ways to a program for a wish.

A kernel writes it from worked examples, chooses one that ships and fills its numbers, or translates the wish
as it was taught.
"""

from llmos.inference import Inference
from llmos.manifest import Manifest

from ._chooser import choose_program
from ._translator import translate_program
from ._writer import Draft, write_program

_OFFERED = {"choose": 1, "choose3": 3}  # skills that a kernel may choose from
WAYS = ("write", *_OFFERED, "translate")
_USUAL = {
    "smollm2": "translate",
    "smollm2:none": "choose",
    "random": "choose",
}  # what is right most often; else write


def usual_way(kernel: str) -> str:
    """Return the way for a kernel's spec where nobody asks for one: what `llmos eval --writing` favours.

    One with an adapter of one's own counts as that with the adapter that ships.
    """
    return _USUAL.get(kernel) or _USUAL.get(kernel.partition(":")[0], "write")


def make_program(
    wish: str,
    kernel: Inference,
    manifest: Manifest,
    way: str,
    *,
    attempts: int = 3,
    seed: int = 0,
    deadline_s: float = 120.0,
) -> Draft:
    """Have a kernel make a program for a wish in one of the `WAYS`; `attempts` bounds those of
    writing and translating.

    Raises:
        WishError: there is no wish, or it is too long.
        InferenceError: the kernel gives no answer.
    """
    if way == "write":
        return write_program(wish, kernel, manifest, attempts=attempts, seed=seed, deadline_s=deadline_s)
    if way == "translate":
        return translate_program(wish, kernel, manifest, attempts=attempts, seed=seed, deadline_s=deadline_s)
    return choose_program(wish, kernel, manifest, offered=_OFFERED[way], seed=seed, deadline_s=deadline_s)
