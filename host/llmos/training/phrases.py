"""Ways to say a thing: templates with alternatives, and quantities as people say them and as programs write them."""

import random
import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

_GROUP = re.compile(r"\(([^()]*)\)")
_WORDS = dict(
    enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
        "sixteen seventeen eighteen nineteen twenty".split()
    )
) | {10 * tens: word for tens, word in enumerate("thirty forty fifty sixty seventy eighty ninety".split(), 3)}
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

    def say(self, *templates: str, **fields: object) -> str:
        """Fill one of some templates: `(a|b)` is one of the alternatives, `{name}` a field."""
        text = self.pick(templates)
        while _GROUP.search(text):
            text = _GROUP.sub(lambda found: self.pick(found[1].split("|")), text, count=1)
        return tidy(text.format(**fields))

    def number(self, value: int, words: float = 0.35) -> str:
        """Say a whole number in digits, or in words where there is one."""
        return _WORDS[value] if value in _WORDS and self.often(words) else str(value)

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
            unit = self.say("(m|metre|meter)" if metres == 1 else "(m|metres|meters)")
            unit = "metre" if number == "a" and unit == "m" else unit
            return Said(_joined(self, number, unit), f"{metres}m", mm)
        if mm in _FRACTIONS and chance < 0.5:
            return Said(self.say(_FRACTIONS[mm]), f"{mm // 10}cm", mm)
        if mm % 10 or chance < 0.12:
            return Said(_joined(self, str(mm), self.say("(mm|mm|millimetres|millimeters)")), f"{mm}mm", mm)
        unit = self.say("(cm|cm|cm|cm|centimetres|centimeters)") if mm > 10 else "cm"
        return Said(_joined(self, self.number(mm // 10, 0.2), unit), f"{mm // 10}cm", mm)

    def time(self, *seconds: float) -> Said:
        """Draw a time of some, in s, or of up to 12 s."""
        return self.said_time(round(1000 * self.pick(seconds or _TIMES_S)))

    def said_time(self, ms: int) -> Said:
        """Say a time."""
        if ms in _SPELLED_MS and self.often(0.5):
            words = self.say(_SPELLED_MS[ms])
        elif ms % 1000:
            shown = _joined(self, str(ms), self.say("(ms|milliseconds)"))
            words = shown if self.often(0.4) else _joined(self, f"{ms / 1000:g}", self.say("(s|seconds)"))
        else:
            number = self.number(ms // 1000)
            short = "s|sec|seconds" if number.isdigit() else "seconds"
            words = _joined(self, number, "second" if ms == 1000 else self.say(f"(seconds|seconds|{short})"))
        return Said(words, f"{ms}ms" if ms % 1000 else f"{ms // 1000}s", ms)

    def angle(self, *degrees: int) -> Said:
        """Draw an angle of some, in degrees, or of 10 to 180."""
        value = self.pick(degrees or _ANGLES_DEG)
        unit = self.say("(degrees|degrees|degrees|degrees|deg|°)")
        words = f"{value}°" if unit == "°" else f"{self.number(value, 0.15)} {unit}"
        return Said(words, f"{value}deg", value)

    def times(self, value: int) -> str:
        """Say how often."""
        return self.say(
            _TIMES.get(value, "({number} times|{value} times|{value}x)"),
            number=_WORDS.get(value),
            value=value,
        )

    def speed(self) -> tuple[str, str]:
        """Draw how fast to drive: nothing is said in most cases, which means 40 mm/s."""
        chance = self.chance.random()
        if chance < 0.62:
            return "", "40mm/s"
        if chance < 0.72:
            return self.say(*_SLOWLY), "20mm/s"
        if chance < 0.8:
            return self.say(*_FAST), "47mm/s"
        value = self.pick((10, 15, 20, 25, 30, 35, 40, 45))
        if value % 10 == 0 and self.often(0.35):
            return self.say(
                "(at|with|at a speed of) {n}( |)(cm/s|centimetres per second)", n=value // 10
            ), f"{value // 10}cm/s"
        return self.say(
            "(at|at|with|at a speed of) {n}( |)(mm/s|mm/s|millimetres per second)", n=value
        ), f"{value}mm/s"

    def rate(self) -> tuple[str, str]:
        """Draw how fast to turn: nothing is said in most cases, which means 30 degrees a second."""
        chance = self.chance.random()
        if chance < 0.74:
            return "", "30deg/s"
        if chance < 0.83:
            return self.say(*_SLOWLY), "15deg/s"
        if chance < 0.9:
            return self.say(*_FAST), "50deg/s"
        value = self.pick((10, 15, 20, 25, 30, 40, 45, 50))
        return self.say(
            "(at|with) {n} (degrees per second|deg/s|degrees a second|°/s)", n=value
        ), f"{value}deg/s"


def tidy(text: str) -> str:
    """Return a text with single spaces, and none before commas and the like."""
    return re.sub(r" +([,.;:?])", r"\1", " ".join(text.split()))


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
_SLOWLY = ("slowly", "slowly", "very slowly", "gently", "at low speed", "carefully", "at a slow pace")
_FAST = ("fast", "quickly", "at full speed", "at top speed", "as fast as you can", "swiftly")
