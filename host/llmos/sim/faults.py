"""Faults that can be switched on for the virtual robot: `NAME@MS`, `NAME=NUMBER`, `NAME=CHANNEL@MS` …"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from llmos.errors import LlmosError
from llmos.manifest import RANGE_CHANNELS

NEVER = 2**62  # ms

# name -> (how it is written, what it does)
FAULTS = {
    "cut": ("@MS[+MS]", "the cable is cut: no byte passes, for ever or for so many ms"),
    "brownout": ("@MS", "the robot loses its power for a moment and starts again"),
    "drop": ("=P", "each frame is lost with this probability"),
    "lose": ("=P", "each byte is lost with this probability"),
    "flip": ("=P", "one bit of each byte is flipped with this probability"),
    "double": ("=P", "each byte arrives twice with this probability"),
    "swap": ("=P", "each byte changes places with the next one with this probability"),
    "delay": ("=MS", "what is sent together is delayed by up to so many ms"),
    "slip": ("=P", "the wheels slip: each step moves the body less, by up to this share"),
    "wheel": ("=MM", "the wheels' true diameter, of which the robot knows its manifest's"),
    "base": ("=MM", "the wheels' true distance, of which the robot knows its manifest's"),
    "stall": ("=WHEEL@MS", "a wheel, left or right, stands still although it is stepped"),
    "battery": ("=MV", "the battery begins at so many mV"),
    "blind": ("=CHANNEL@MS", "a range sensor gives no reading any more"),
    "stuck": ("=CHANNEL@MS", "a range sensor repeats its last reading for ever"),
    "push": ("=MM:DEG@MS", "a box is pushed so near to the body, so far to the left of straight ahead"),
}

ENDS = ("robot", "host")
WHEELS = ("left", "right")
LINE = frozenset(("cut", "drop", "lose", "flip", "double", "swap", "delay"))  # each may name an end
ONE_WAY = f"Those of the line ({', '.join(sorted(LINE))}) may name one end, as in flip/robot=0.01."


class FaultError(LlmosError, ValueError):
    """A fault that is not known or wrongly written."""


class Push(NamedTuple):
    """A box that somebody pushes in the robot's way; `mm` is from the body to its near side."""

    ms: int
    mm: float
    deg: float


@dataclass
class Faults:
    """What goes wrong, and when: ms of the arena's clock, probabilities, and ms by range channel."""

    at: dict[str, int] = field(default_factory=dict)
    number: dict[str, float] = field(default_factory=dict)
    channel: dict[str, dict[int, int]] = field(default_factory=dict)  # or by wheel: 0 left, 1 right
    pushes: list[Push] = field(default_factory=list)
    lasting: dict[str, int] = field(default_factory=dict)  # ms, where a fault has an end

    def when(self, name: str) -> int:
        """The moment of a fault in ms, `NEVER` where it is not switched on."""
        return self.at.get(name, NEVER)

    def much(self, name: str) -> float:
        """The number of a fault, 0 where it is not switched on."""
        return self.number.get(name, 0.0)

    def over(self, name: str) -> int:
        """The moment from which a fault is over in ms, `NEVER` where it lasts."""
        return self.when(name) + self.lasting[name] if name in self.lasting else NEVER

    def toward(self, end: str) -> "Faults":
        """The line's faults for bytes on their way to this end; those that name it go first."""
        way = Faults()
        for name in (*LINE, *(f"{name}/{end}" for name in LINE)):
            plain = name.partition("/")[0]
            if name in self.at:
                way.at[plain] = self.at[name]
                way.lasting.pop(plain, None)
            if name in self.lasting:
                way.lasting[plain] = self.lasting[name]
            if name in self.number:
                way.number[plain] = self.number[name]
        return way


def parse_faults(texts: Iterable[str]) -> Faults:
    """Read faults as the command line gives them.

    Raises:
        FaultError: one is unknown or wrongly written.
    """
    faults = Faults()
    for text in texts:
        full = text.replace("@", "=").partition("=")[0]
        name, slash, end = full.partition("/")
        if name not in FAULTS:
            known = ", ".join(known + how for known, (how, _) in FAULTS.items())
            raise FaultError(f"fault {text!r}: unknown; known are {known}")
        if slash and (name not in LINE or end not in ENDS):
            raise FaultError(
                f"fault {text!r}: only {', '.join(sorted(LINE))} have a direction, /{' or /'.join(ENDS)}"
            )
        try:
            _read(faults, full, FAULTS[name][0], text[len(full) :])
        except ValueError as error:
            raise FaultError(f"fault {text!r}: {error}; write {name}{FAULTS[name][0]}") from None
    return faults


def line_faults(texts: Iterable[str]) -> Faults:
    """Read faults of a real robot's line.

    Raises:
        FaultError: one is unknown, wrongly written, or of the virtual robot alone.
    """
    texts = list(texts)
    faults = parse_faults(texts)
    for text in texts:
        if re.split("[/@=]", text)[0] not in LINE:
            raise FaultError(
                f"fault {text!r}: a real robot cannot have it; its line can have {', '.join(sorted(LINE))}"
            )
    return faults


def _read(faults: Faults, name: str, how: str, rest: str) -> None:
    sign, value = rest[:1], rest[1:]
    if sign != how[0]:
        raise ValueError("no value" if not rest else f"{sign!r} is not how its value is given")
    if sign == "@":
        moment, plus, length = value.partition("+") if how.endswith("[+MS]") else (value, "", "")
        faults.at[name] = _bounded(moment, NEVER, int)
        faults.lasting.pop(name, None)
        if plus:
            faults.lasting[name] = _bounded(length, NEVER, int)
    elif how in ("=CHANNEL@MS", "=WHEEL@MS"):
        names: tuple[str, ...] = RANGE_CHANNELS if how == "=CHANNEL@MS" else WHEELS
        which, _, moment = value.partition("@")
        if which not in names:
            raise ValueError(f"{which!r} is none of {', '.join(names)}")
        faults.channel.setdefault(name, {})[names.index(which)] = _bounded(moment, NEVER, int)
    elif how == "=MM:DEG@MS":
        place, _, moment = value.partition("@")
        mm, _, deg = place.partition(":")
        far, left = _bounded(mm, 10_000, float), _bounded(deg, 180, float, -180)
        faults.pushes.append(Push(_bounded(moment, NEVER, int), far, left))
    else:
        most, least = {"=P": (1, 0), "=MS": (1000, 0), "=MV": (100_000, 0), "=MM": (1000, 1)}[how]
        faults.number[name] = _bounded(value, most, float, least)


def _bounded(text: str, most: int, kind: type[int] | type[float], least: int = 0) -> int:
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {'whole ' if kind is int else ''}number") from None
    if not least <= value <= most:
        raise ValueError(f"{text} is not from {least} to {most}")
    return value  # type: ignore[return-value]
