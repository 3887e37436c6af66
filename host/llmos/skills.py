"""Skills: LLMBytecode programs with parameters, one `.lasm` file each in the system volume.

The comment at its head says what a skill does, then gives wishes that it fulfils, each with the numbers to
fill in: `; "Drive a square of 50 cm." side_cm=50`. A `.const` line whose comment gives a range, such as
`.const side 30cm  ; 5cm..100cm: the length of a side`, is a parameter.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any

from llmos.errors import LlmosError
from llmos.resources import system_volume

_PARAMETER = re.compile(
    r"^(?P<head>\.const\s+(?P<name>\w+)\s+)(?P<value>-?\d+)(?P<unit>[a-zA-Z/]*)"
    r"(?P<tail>\s*;\s*(?P<lo>-?\d+)(?P=unit)\.\.(?P<hi>-?\d+)(?P=unit): (?P<meaning>.+))$",
    re.MULTILINE,
)


_EXAMPLE = re.compile(r'^; "(?P<wish>[^"]+)"(?P<numbers>(?: \w+=-?\d+)*)$', re.MULTILINE)


class SkillError(LlmosError):
    """A skill that is not there or cannot be read, or a value that it does not take."""


@dataclass(frozen=True)
class Parameter:
    """A whole number of `unit` that a skill takes, from `lo` to `hi`."""

    name: str
    unit: str
    lo: int
    hi: int
    default: int
    meaning: str

    @property
    def key(self) -> str:
        """The name with its unit, as a call writes it: `side_cm`."""
        return f"{self.name}_{self.unit.replace('/', '_')}" if self.unit else self.name


@dataclass(frozen=True)
class Skill:
    """One program with parameters; `text` is its file as it stands."""

    name: str
    text: str

    @cached_property
    def summary(self) -> str:
        """What it does: the comment at the file's head, on one line."""
        head = takewhile(lambda line: line.startswith("; ") and line[2] != '"', self.text.splitlines())
        return " ".join(line[2:].strip() for line in head)

    @cached_property
    def examples(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Wishes that it fulfils, each with its call; what a wish leaves open has its default."""
        defaults = {parameter.key: parameter.default for parameter in self.parameters}
        return tuple(
            (m["wish"], {"skill": self.name, **defaults, **_numbers(m["numbers"])})
            for m in _EXAMPLE.finditer(self.text)
        )

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it takes, in the file's order."""
        return tuple(
            Parameter(m["name"], m["unit"], int(m["lo"]), int(m["hi"]), int(m["value"]), m["meaning"])
            for m in _PARAMETER.finditer(self.text)
        )

    def fill(self, values: Mapping[str, int]) -> str:
        """Return the program for these values by key; what is left out keeps its default.

        Raises:
            SkillError: a key that the skill does not have, or a value outside its range.
        """
        left = dict(values)
        chosen: dict[str, int] = {}
        for parameter in self.parameters:
            value = left.pop(parameter.key, parameter.default)
            if not isinstance(value, int) or not parameter.lo <= value <= parameter.hi:
                raise SkillError(
                    f"skill {self.name}: {parameter.key} is {value!r}; "
                    f"give a whole number from {parameter.lo} to {parameter.hi}"
                )
            chosen[parameter.name] = value
        if left:
            known = ", ".join(parameter.key for parameter in self.parameters) or "none"
            raise SkillError(f"skill {self.name}: it has no {next(iter(left))!r}; its parameters: {known}")

        def filled(match: re.Match[str]) -> str:
            comment = match["tail"].lstrip()
            column = len(match[0]) - len(comment)
            return f"{match['head']}{chosen[match['name']]}{match['unit']} ".ljust(column) + comment

        return _PARAMETER.sub(filled, self.text)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of a call of this skill: its name, and a number for each parameter."""
        numbers = {
            parameter.key: {"type": "integer", "minimum": parameter.lo, "maximum": parameter.hi}
            for parameter in self.parameters
        }
        return {
            "type": "object",
            "properties": {"skill": {"const": self.name}, **numbers},
            "required": ["skill", *numbers],
            "additionalProperties": False,
        }


def _numbers(text: str) -> dict[str, int]:
    return {key: int(value) for key, _, value in (pair.partition("=") for pair in text.split())}


def load_skills(folder: Path | None = None) -> dict[str, Skill]:
    """Return the skills of a folder by name; without one, those that ship.

    Raises:
        SkillError: a file cannot be read.
    """
    skills = {}
    for path in sorted((folder or system_volume() / "skills").glob("*.lasm")):
        try:
            skills[path.stem] = Skill(path.stem, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SkillError(f"skill {path} cannot be read ({error}): mend or remove the file") from None
    return skills


def call_text(call: Mapping[str, Any], skills: Mapping[str, Skill]) -> str:
    """Return the program that a call such as `{"skill": "square", "side_cm": 40}` stands for.

    Raises:
        SkillError: no such skill, or a value that it does not take.
    """
    name = str(call.get("skill"))
    if name not in skills:
        raise SkillError(f"skill {name!r}: there is none of this name; name one of {', '.join(skills)}")
    return skills[name].fill({key: value for key, value in call.items() if key != "skill"})
