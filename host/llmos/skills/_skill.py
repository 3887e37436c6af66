"""One skill: a markdown document whose `lasm` block is a program with parameters, or text to follow.

A `.const` line whose comment gives a range, such as `.const side 30cm  ; 5cm..100cm: the length of a side`,
is a parameter; one without a comment is a constant.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from llmbytecode import AssemblyError, Program, Refusal, assemble, verify
from llmos.errors import LlmosError
from llmos.manifest import Manifest, load_manifest
from llmos.volumes import Document, parse

from ._front import Front, Guide, Physical

_FENCE = "```"
_LANGUAGE = "lasm"
_CONST = re.compile(r"^\.const\s+(?P<name>\w+)\s+(?P<value>[^;#]*?)\s*[;#]\s*\S.*$")
_PARAMETER = re.compile(
    r"^(?P<head>\.const\s+(?P<name>\w+)\s+)(?P<value>-?\d+)(?P<unit>[a-zA-Z/]*)"
    r"(?P<tail>\s*;\s*(?P<lo>-?\d+)(?P=unit)\.\.(?P<hi>-?\d+)(?P=unit): (?P<meaning>.+))$",
    re.MULTILINE,
)


class SkillError(LlmosError):
    """A skill that is not there, is wrong or refused, or a value that it does not take."""


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
    """A skill as its file says it.

    Args:
        document: the file.
        front: what its front matter says.
        tier: where it lies: system, team or user.
    """

    document: Document
    front: Front
    tier: str

    @property
    def version(self) -> str:
        """Its file's, as volumes tell it; that in the front matter is its author's word."""
        return self.document.version

    @property
    def name(self) -> str:
        """What a call names."""
        return self.front.name

    @property
    def kind(self) -> str:
        """`physical`, which has a program, or `guide`, which is text."""
        return self.front.type

    @property
    def category(self) -> str:
        """What kind of thing it does, in a word."""
        return self.front.category

    @property
    def description(self) -> str:
        """What it does, in a sentence or two that a person and a model can choose by."""
        return self.front.description

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that an agent may call who follows it; none of a physical skill."""
        return self.front.tools if isinstance(self.front, Guide) else ()

    @property
    def examples(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Wishes that it fulfils, each with its call; what a wish leaves open has its default."""
        defaults = {parameter.key: parameter.default for parameter in self.parameters}
        rows = self.front.examples if isinstance(self.front, Physical) else ()
        return tuple((row.wish, {"skill": self.name, **defaults, **row.values}) for row in rows)

    @cached_property
    def text(self) -> str:
        """The program, with an empty line for each line of the file around it: its lines are the file's."""
        return program_lines(self.document)

    @property
    def block(self) -> str:
        """The program alone."""
        return self.text.strip("\n") + "\n"

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """What it takes, in the file's order."""
        if self.kind != "physical":
            return ()
        return tuple(
            Parameter(m["name"], m["unit"], int(m["lo"]), int(m["hi"]), int(m["value"]), m["meaning"])
            for m in _PARAMETER.finditer(self.text)
        )

    def fill(self, values: Mapping[str, int]) -> str:
        """Return the program for these values by key; what is left out keeps its default.

        Raises:
            SkillError: a key that the skill does not have, or a value outside its range.
        """
        return self.filled(values).strip("\n") + "\n"

    def filled(self, values: Mapping[str, int]) -> str:
        """Return `text` for these values by key, in the lines of the file.

        Raises:
            SkillError: a key that the skill does not have, or a value outside its range.
        """
        chosen = self._chosen(values)

        def filled(match: re.Match[str]) -> str:
            comment = match["tail"].lstrip()
            column = len(match[0]) - len(comment)
            return f"{match['head']}{chosen[match['name']]}{match['unit']} ".ljust(column) + comment

        return _PARAMETER.sub(filled, self.text)

    def program(self, values: Mapping[str, int]) -> Program:
        """Return the program for these values; its lines are those of the file.

        Raises:
            SkillError: a key that the skill does not have, or a value outside its range.
            AssemblyError: it is no program.
        """
        return assemble(self.filled(values), str(self.document.path))

    def with_block(self, block: str) -> "Skill":
        """Return the skill with another program in the place of its own.

        Raises:
            SkillError: it is no program, or one that breaks what the front matter says.
        """
        first, last = _span(self.document)
        rows = self.document.source.split("\n")
        source = "\n".join([*rows[: first - 1], *block.strip("\n").split("\n"), *rows[last:]])
        return skill_of(parse(source, self.document.path), self.tier)

    def _chosen(self, values: Mapping[str, int]) -> dict[str, int]:
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
        return chosen

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


def skill_of(document: Document, tier: str = "system", manifest: Manifest | None = None) -> Skill:
    """Return the skill that a document is, its program verified with its defaults, examples and tests.

    Args:
        document: as read.
        tier: where it lies.
        manifest: the robot whose verifier judges the program; by default the reference robot.

    Raises:
        DocumentError: the front matter is wrong; the message names file, line and key.
        SkillError: the program is; the message names file and line.
        AgentError: a guide's steps or tests are.
    """
    kind = document.values.get("type")
    front: Front = document.checked(Guide if kind == "guide" else Physical)
    if front.name != document.path.stem:
        raise SkillError(
            f"{document.at('name')}: the skill is called {front.name}, the file {document.path.name}: "
            f"call the file {front.name}.md"
        )
    skill = Skill(document, front, tier)
    if not isinstance(front, Physical):
        _check_guide(document)
        return skill
    _check_ranges(skill)
    _verify(skill, {}, manifest or load_manifest())
    values = {("examples", n): row.values for n, row in enumerate(front.examples)}
    values |= {("tests", n): row.values for n, row in enumerate(front.tests)}
    for place, row in values.items():
        try:
            _verify(skill, row, manifest or load_manifest())
        except SkillError as error:
            raise SkillError(f"{document.at(*place, 'values')}: {error}") from None
    return skill


def program_lines(document: Document) -> str:
    """Return a document's program, with an empty line for each line of the file around it.

    Raises:
        SkillError: there is no `lasm` block, more than one, or one without end.
    """
    first, last = _span(document)
    rows = document.source.split("\n")
    return "\n".join(row if first <= line <= last else "" for line, row in enumerate(rows, 1)) + "\n"


def _span(document: Document) -> tuple[int, int]:
    """Return the first and the last line inside the `lasm` block."""
    spans: list[tuple[int, int]] = []
    opened, language = 0, ""
    for line, row in enumerate(document.body.split("\n"), document.body_line):
        mark = row.strip()
        if opened and mark == _FENCE:
            if language == _LANGUAGE:
                spans.append((opened + 1, line - 1))
            opened = 0
        elif not opened and mark.startswith(_FENCE):
            opened, language = line, mark.removeprefix(_FENCE).strip()
    if opened:
        raise SkillError(f"{document.path}:{opened}: the block has no end: put a line {_FENCE} behind it")
    if not spans:
        raise SkillError(
            f"{document.path}:{document.body_line}: there is no program: "
            f"put one between a line {_FENCE}{_LANGUAGE} and a line {_FENCE}"
        )
    if len(spans) > 1:
        raise SkillError(
            f"{document.path}:{spans[1][0] - 1}: there is a program on line {spans[0][0]} already: keep one"
        )
    return spans[0]


def _check_ranges(skill: Skill) -> None:
    """Refuse a parameter without a range, or whose default is outside."""
    for line, row in enumerate(skill.text.split("\n"), 1):
        where, match = f"{skill.document.path}:{line}", _PARAMETER.match(row)
        other = _CONST.match(row)
        if other and not match:
            raise SkillError(
                f"{where}: {other['name']} has no range: write one behind it, such as "
                "`; 5cm..80cm: what it means`, or no comment where it is a constant"
            )
        if match and not int(match["lo"]) <= int(match["value"]) <= int(match["hi"]):
            raise SkillError(
                f"{where}: {match['name']} is {match['value']}, outside of {match['lo']} to {match['hi']}"
            )


def _check_guide(document: Document) -> None:
    """Refuse a guide that no agent could follow."""
    from llmos.agents import agent_of  # whose tools need the skills

    agent_of(document)
    if not document.text:
        raise SkillError(f"{document.path}:{document.body_line}: the guide has no text: write what to do")


def _verify(skill: Skill, values: Mapping[str, int], manifest: Manifest) -> None:
    """Refuse a program that the robot would refuse."""
    try:
        verify(skill.program(values), manifest.limits)
    except AssemblyError as error:
        raise SkillError(str(error)) from None
    except Refusal as error:
        line = error.line or _span(skill.document)[0]  # the whole program's fault
        raise SkillError(f"{skill.document.path}:{line}: {error}") from None
