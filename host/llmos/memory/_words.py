"""Text as memory reads it: its telling words, without accents and endings."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_WORD = re.compile(r"[^\W_]+")
_IDLE = frozenset(  # words that nearly every sentence has
    "a an and are as at be been but by do does for from has have he her his how i in into is it its".split()  # noqa: SIM905
    + "me my of on or our she so than that the their them then there these they this to was we were".split()  # noqa: SIM905
    + "what when where which who why will with you your".split()  # noqa: SIM905
)
_ENDINGS = ("ings", "ing", "ies", "es", "ed", "s", "e", "y")  # longest first
_STEM = 3  # letters that stay
_LONGEST = 40  # letters of a word that are read


def terms(text: str) -> list[str]:
    """Return the telling words of a text, in its order, each as it is searched."""
    return [_stem(word) for word in telling(text)]


def clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with text that any database takes: without halves of characters and zero bytes."""
    return {
        name: value.encode("utf-8", "replace").decode().replace("\0", " ")
        if isinstance(value, str)
        else value
        for name, value in values.items()
    }


def mark(project: str) -> str:
    """Return the word by which a project's memories are found; no text has it."""
    return "project" + hashlib.sha256(project.encode("utf-8", "replace")).hexdigest()[:16]


def telling(text: str) -> list[str]:
    """Return the telling words of a text, in small letters and without accents."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    bare = folded if folded.isascii() else "".join(filter(_bare, folded))
    return [word[:_LONGEST] for word in _WORD.findall(bare) if word not in _IDLE]


def _stem(word: str) -> str:
    ending = next((end for end in _ENDINGS if word.endswith(end) and len(word) - len(end) >= _STEM), "")
    return word.removesuffix(ending)


def _bare(sign: str) -> bool:
    return not unicodedata.combining(sign)
