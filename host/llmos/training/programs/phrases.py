"""Ways to say a thing: templates of wishes, and quantities as people say and as programs write them.

The templates lie in the system volume, `training/wishes.toml`.
"""

import random
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from llmos.resources import system_volume

_GROUP = re.compile(r"\(([^()]*)\)")
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_Choice = TypeVar("_Choice")


class Said(NamedTuple):
    """A quantity: as a wish says it, as a program writes it, and in the base unit: mm, degrees, ms."""

    words: str
    text: str
    value: int


class Draw:
    """Chance with a seed: templates, and quantities that are said in one of many ways."""

    def __init__(self, seed: str) -> None:
        self.chance = random.Random(seed)

    def pick(self, some: Sequence[_Choice]) -> _Choice:
        """Choose one."""
        return self.chance.choice(some)

    def often(self, share: float) -> bool:
        """Return True in this share of cases."""
        return self.chance.random() < share

    def say(self, kind: str, **fields: object) -> str:
        """Say something of a kind of the table, such as `moves.back`, with the fields filled in."""
        return self.fill(self.pick(_templates()[kind]), **fields)

    def fill(self, template: str, **fields: object) -> str:
        """Fill a template: `(a|b)` becomes one of the alternatives, `{name}` a field."""
        while _GROUP.search(template):
            template = _GROUP.sub(lambda found: self.pick(found[1].split("|")), template, count=1)
        return tidy(template.format(**fields))

    def number(self, value: int, words: float = 0.35) -> str:
        """Say a whole number in digits, or in words where there is one."""
        return spelled(value) if value < 100 and self.often(words) else str(value)

    def length(self, *centimetres: int) -> Said:
        """Draw a length of some, in whole cm, or of 5 to 100 cm."""
        cm = self.pick(centimetres or _LENGTHS_CM)
        return self.said_length(10 * cm)

    def said_length(self, mm: int) -> Said:
        """Say a length."""
        chance = self.chance.random()
        if mm % 1000 == 0 and chance < 0.8:
            metres = mm // 1000
            number = self.pick(("a", "one", "1")) if metres == 1 else self.number(metres)
            unit = self.fill("(m|metre|meter)" if metres == 1 else "(m|metres|meters)")
            unit = "metre" if number == "a" and unit == "m" else unit
            return Said(_joined(self, number, unit), f"{metres}m", mm)
        if mm in _FRACTIONS and chance < 0.5:
            return Said(self.fill(_FRACTIONS[mm]), f"{mm // 10}cm", mm)
        if mm % 10 or chance < 0.12:
            return Said(_joined(self, str(mm), self.fill("(mm|mm|millimetres|millimeters)")), f"{mm}mm", mm)
        unit = self.fill("(cm|cm|cm|cm|centimetres|centimeters)") if mm > 10 else "cm"
        return Said(_joined(self, self.number(mm // 10, 0.2), unit), f"{mm // 10}cm", mm)

    def time(self, *seconds: float) -> Said:
        """Draw a time of some, in s, or of up to 12 s."""
        return self.said_time(round(1000 * self.pick(seconds or _TIMES_S)))

    def said_time(self, ms: int) -> Said:
        """Say a time."""
        if ms in _SPELLED_MS and self.often(0.5):
            words = self.fill(_SPELLED_MS[ms])
        elif ms % 1000:
            shown = _joined(self, str(ms), self.fill("(ms|milliseconds)"))
            words = shown if self.often(0.4) else _joined(self, f"{ms / 1000:g}", self.fill("(s|seconds)"))
        else:
            number = self.number(ms // 1000)
            short = "s|sec|seconds" if number.isdigit() else "seconds"
            words = _joined(self, number, "second" if ms == 1000 else self.fill(f"(seconds|seconds|{short})"))
        return Said(words, f"{ms}ms" if ms % 1000 else f"{ms // 1000}s", ms)

    def angle(self, *degrees: int) -> Said:
        """Draw an angle of some, in degrees, or of 10 to 180."""
        value = self.pick(degrees or _ANGLES_DEG)
        unit = self.fill("(degrees|degrees|degrees|degrees|deg|°)")
        words = f"{value}°" if unit == "°" else f"{self.number(value, 0.15)} {unit}"
        return Said(words, f"{value}deg", value)

    def times(self, value: int) -> str:
        """Say how often."""
        return self.fill(_TIMES.get(value, "({n} times|{v} times|{v}x)"), n=spelled(value), v=value)

    def speed(self) -> tuple[str, str]:
        """Draw how fast to drive: nothing is said in most cases, which means 40 mm/s."""
        chance = self.chance.random()
        if chance < 0.64:
            return "", "40mm/s"
        if chance < 0.8:
            slow = chance < 0.73
            return self.say(f"speed.{'slow' if slow else 'fast'}"), "20mm/s" if slow else "47mm/s"
        value = self.pick((10, 15, 20, 25, 30, 35, 40, 45))
        unit = "cm/s" if value % 10 == 0 and self.often(0.35) else "mm/s"
        shown = value // 10 if unit == "cm/s" else value
        return self.say(f"speed.{unit}", n=shown), f"{shown}{unit}"

    def rate(self) -> tuple[str, str]:
        """Draw how fast to turn: nothing is said in most cases, which means 30 degrees a second."""
        chance = self.chance.random()
        if chance < 0.76:
            return "", "30deg/s"
        if chance < 0.91:
            slow = chance < 0.84
            return self.say(f"speed.{'slow' if slow else 'fast'}"), "15deg/s" if slow else "50deg/s"
        value = self.pick((10, 15, 20, 25, 30, 40, 45, 50))
        return self.say("speed.deg/s", n=value), f"{value}deg/s"


def spelled(number: int) -> str:
    """Return a number below 100 in words."""
    if number < len(_SMALL):
        return _SMALL[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_SMALL[ones]}" if ones else "")


def tidy(text: str) -> str:
    """Return a text with single spaces, none before commas and the like, and `an` where it is said."""
    spaced = re.sub(r" +([,.;:?])", r"\1", " ".join(text.split()))
    return re.sub(r"\ba (?=(?!one)[aeio]|8|11|18)", "an ", spaced)


def _joined(draw: Draw, number: str, unit: str) -> str:
    """Return a number with its unit: short units may touch a number in digits."""
    touching = len(unit) <= 2 and number[-1].isdigit() and draw.often(0.4)
    return f"{number}{'' if touching else ' '}{unit}"


_LENGTHS_CM = (
    5,
    8,
    *range(10, 61, 5),
    12,
    18,
    22,
    24,
    28,
    32,
    36,
    42,
    10,
    20,
    30,
    40,
    50,
    60,
    70,
    75,
    80,
    90,
    100,
)
_FRACTIONS = {
    250: "(a quarter of a metre|a quarter of a meter|a quarter metre|0.25 m)",
    500: "(half a metre|half a meter|half a metre|0.5 m|0.5m|0.5 metres)",
    750: "(three quarters of a metre|0.75 m)",
    1500: "(one and a half metres|1.5 m|1.5 metres|a metre and a half|1.5m)",
    **{
        mm: f"({mm / 1000} m|{mm / 1000} metres|{mm / 1000}m)"
        for mm in (200, 300, 400, 600, 700, 800, 900, 1200)
    },
}
_TIMES_S = (0.5, 1, 1, 1.5, 2, 2, 2.5, 3, 3, 4, 5, 5, 6, 7, 8, 10, 12)
_SPELLED_MS = {
    500: "(half a second|0.5 s|0.5 seconds)",
    1000: "(a second|one second)",
    1500: "(one and a half seconds|a second and a half|1.5 s|1.5 seconds)",
    30000: "half a minute",
    60000: "(a minute|one minute)",
}
_ANGLES_DEG = (
    10,
    15,
    20,
    25,
    30,
    30,
    35,
    40,
    45,
    45,
    50,
    60,
    60,
    70,
    75,
    80,
    90,
    90,
    100,
    110,
    120,
    120,
    130,
    135,
    140,
    150,
    160,
    180,
)
_TIMES = {
    1: "once",
    2: "(twice|twice|twice|two times|2 times)",
    3: "(three times|three times|3 times|thrice|3x)",
}


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads((system_volume() / "training" / "wishes.toml").read_text(encoding="utf-8"))


@cache
def _templates() -> dict[str, tuple[str, ...]]:
    """Return the table's templates by kind."""
    parts = _table().items()
    return {
        f"{part}.{kind}": tuple(map(worded, some))
        for part, kinds in parts
        if part != "words"
        for kind, some in kinds.items()
    }


def worded(template: str) -> str:
    """Return a template with the table's words written out."""
    for name, word in _table()["words"].items():
        template = template.replace(f"{{{name}}}", word)
    return template
