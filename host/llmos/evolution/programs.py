"""A physical skill's program, as an audit sees it: what it costs at its ranges' ends, and how it moves."""

import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from llmbytecode import Certificate, Chan, Limits, Op, Program, Refusal, verify
from llmbytecode.program import decode
from llmbytecode.verify import refused_by

if TYPE_CHECKING:
    from llmos.skills import Skill

FEW_PARAMETERS = 3  # up to which every corner of the ranges is verified


class Corners:
    """Verifies a skill's program at its defaults and at the ends of its parameters' ranges.

    All corners of few parameters. Of more, each end by itself, and the corner that has of each parameter the
    end that costs more: the dearest, as cost grows or falls with each one whatever the others are.
    """

    def __init__(self, skill: "Skill", limits: Limits) -> None:
        self.skill, self.limits = skill, limits
        self.results: dict[tuple[tuple[str, int], ...], tuple[Program, Certificate | Refusal]] = {}

    def all(self) -> None:
        """Try them all."""
        self.cost({})
        ends = [({one.key: one.lo}, {one.key: one.hi}) for one in self.skill.parameters]
        if len(ends) <= FEW_PARAMETERS:
            for chosen in itertools.product(*ends):
                self.cost({key: value for end in chosen for key, value in end.items()})
            return
        dearest: dict[str, int] = {}
        for low, high in ends:
            dearest |= high if self.cost(high) > self.cost(low) else low
        self.cost(dearest)

    def cost(self, values: Mapping[str, int]) -> tuple[int, ...]:
        """Return what the program costs with these values; one that is refused costs more than any other."""
        key = tuple(values.items())
        if key not in self.results:
            program = self.skill.program(values)
            self.results[key] = program, refused_by(program, self.limits) or verify(program, self.limits)
        result = self.results[key][1]
        return (1 << 30,) if isinstance(result, Refusal) else result[:5]


def steps(program: Program) -> Iterator[tuple[int, str, dict[str, int]]]:
    for at, word in enumerate(program.words):
        step = decode(word)
        if step:
            yield at, step[0].name, step[1]


def moves(program: Program) -> list[tuple[int, int]]:
    """Return the line and the speed, mm/s, of each forward move."""
    found = []
    for at, name, values in steps(program):
        if name == "MOVE" and values["i"] > 0:
            found.append((program.line(at), values["a"]))
        elif name == "MOVER":
            found.append((program.line(at), values["c"]))
        elif name == "DRIVE":
            found.append((program.line(at), values["b"]))
    return found


def guards(program: Program) -> list[tuple[int, int]]:
    """Return the line and the threshold, mm, of each guard on what is near ahead."""
    return [
        (program.line(at), values["i"])
        for at, name, values in steps(program)
        if name == Op.GUARD.name and values["a"] >> 4 == Chan.FRONT and not values["a"] >> 2 & 1
    ]
