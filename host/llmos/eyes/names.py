"""What things are called: the colours and shapes that the eyes know, and the words for them."""

import re

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple")
SHAPES = ("box", "ball", "cylinder")
SAME = {
    "cube": "box", "crate": "box", "block": "box", "carton": "box", "boxes": "box",
    "sphere": "ball", "balls": "ball", "globe": "ball",
    "can": "cylinder", "tin": "cylinder", "tube": "cylinder", "pillar": "cylinder", "column": "cylinder",
    "post": "cylinder", "cylinders": "cylinder", "violet": "purple", "crimson": "red", "scarlet": "red",
}  # fmt: skip
MOST_WORDS = 8  # of a label that count
_WORD = re.compile(r"[a-z]+")
_SEARCH = re.compile(r"\b(?:find|search for|look(?:ing)? for|seek|locate|spot|where is)\b", re.I)
_GO = re.compile(r"\b(?:go|drive|come|get|move|head|roll|navigate|travel)(?: over| up)? to\b", re.I)
_STOP = re.compile(
    r"[.,;:!?()]|\b(?:and|or|then|next|near|beside|behind|by|in|on|at|of|with|without|from|to|not|but)\b",
    re.I,
)
_EMPTY = {"the", "a", "an", "some", "any", "that", "my", "your", "something", "anything", "thing", "way"}
MOST_NAMED = 4  # words of a label that a sentence gives
MOST_TEXT = 500  # characters of a sentence that are looked at


def words(label: str) -> frozenset[str]:
    """Return the words of a label, each in the form that stands for all that mean the same."""
    return frozenset(SAME.get(word, word) for word in _WORD.findall(label.lower())[:MOST_WORDS])


def sought(sentence: str, any_name: bool = False) -> str:
    """Return the label of the thing that a sentence asks to find or to go to, such as `red box`.

    Empty where it names no colour and no shape that the eyes know; its other words are ignored. With
    `any_name`, for eyes that know more words, what it asks to find may have any name, such as `exit sign`.
    """
    text = sentence[:MOST_TEXT]
    match = _SEARCH.search(text) or _GO.search(text)
    if not match:
        return ""
    rest = _STOP.split(text[match.end() :], maxsplit=1)[0]
    named = [SAME.get(word, word) for word in _WORD.findall(rest.lower())]
    colour = next((word for word in named if word in COLOURS), "")
    shape = next((word for word in named if word in SHAPES), "")
    if any_name and _SEARCH.search(text):
        return " ".join([word for word in named if word not in _EMPTY][:MOST_NAMED])
    return f"{colour} {shape}".strip()


def searches(sentence: str) -> bool:
    """Tell whether a sentence asks to find something."""
    return bool(_SEARCH.search(sentence[:MOST_TEXT]))
