"""The colours for editors: every token of an assembly line gets one, and what is no instruction is marked."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import llmbytecode
from llmbytecode._isa import CHANNELS, INSTRUCTIONS, KINDS, Mode
from llmbytecode.assembler import DIRECTIVES
from llmos.resources import system_volume
from llmos.skills import program_lines
from llmos.volumes import read_document

GRAMMAR = json.loads(Path(llmbytecode.__file__).with_name("lasm.tmLanguage.json").read_text(encoding="utf-8"))
FILES = sorted((system_volume() / "skills").glob("*.md"))
SKILLS = [path for path in FILES if "```lasm" in path.read_text(encoding="utf-8")]
Rule = dict[str, Any]
Token = tuple[str, str]  # text, scope; "" where it has none


def rules(patterns: list[Rule]) -> Iterator[Rule]:
    """Yield the rules that patterns stand for."""
    for pattern in patterns:
        if "include" in pattern:
            yield from rules([GRAMMAR["repository"][pattern["include"].removeprefix("#")]])
        elif "match" in pattern or "begin" in pattern:
            yield pattern
        else:
            yield from rules(pattern["patterns"])


def first(patterns: list[Rule], line: str, at: int) -> tuple[Rule, re.Match[str]] | None:
    """Return the rule that matches first in the line, the earlier one of two at the same place."""
    found = [
        (rule, re.compile(rule.get("match") or rule["begin"]).search(line, at)) for rule in rules(patterns)
    ]
    matches = [(rule, match) for rule, match in found if match]
    return min(matches, key=lambda pair: pair[1].start(), default=None)


def parts(line: str, rule: Rule, match: re.Match[str]) -> list[Token]:
    """Return a match's pieces with their scopes."""
    colours = rule.get("captures") or rule.get("beginCaptures") or {}
    spans = [(*match.span(int(group)), scope["name"]) for group, scope in colours.items()]
    tokens, at = [], match.start()
    for start, end, scope in sorted(span for span in spans if span[0] >= 0):
        tokens += [(line[at:start], rule.get("name", "")), (line[start:end], scope)]
        at = end
    return [*tokens, (line[at : match.end()], rule.get("name", ""))]


def coloured(line: str) -> list[Token]:
    """Return a line's pieces with their scopes, as an editor colours them; blank ones are left out."""
    tokens: list[Token] = []
    at, patterns, end = 0, GRAMMAR["patterns"], len(line)
    while at < len(line):
        found = first(patterns, line, at)
        if found is None or found[1].start() >= end > at:
            tokens.append((line[at:end], ""))
            at, patterns, end = end, GRAMMAR["patterns"], len(line)
            continue
        rule, match = found
        assert match.end() > at, rule
        tokens += [(line[at : match.start()], ""), *parts(line, rule, match)]
        at = match.end()
        if "begin" in rule:
            closing = re.compile(rule["end"]).search(line, at)
            patterns, end = rule["patterns"], closing.start() if closing else len(line)
        if at == end:
            patterns, end = GRAMMAR["patterns"], len(line)
    return [(text.strip(), scope.removesuffix(".lasm")) for text, scope in tokens if text.strip()]


@pytest.mark.parametrize("skill", SKILLS, ids=lambda path: path.stem)
def test_every_token_of_a_skill_is_coloured(skill: Path) -> None:
    """No token is left plain, none is marked as wrong, and each line's instruction is a known one."""
    names = {row.name for row in INSTRUCTIONS.values()}
    for line in program_lines(read_document(skill)).splitlines():
        tokens = coloured(line)
        assert all(scope and not scope.startswith("invalid") for _, scope in tokens), (line, tokens)
        mnemonics = [t for t, scope in tokens if scope.startswith(("support.function", "keyword.control"))]
        assert {name.upper() for name in mnemonics} <= names | {d.upper() for d in DIRECTIVES}, line


def test_every_instruction_is_known_by_its_category() -> None:
    """So is it in small letters and behind a label."""
    scopes = {}
    for row in INSTRUCTIONS.values():
        (_, label), _, (text, scope) = coloured(f"x: {row.name.lower()}")
        assert (label, text) == ("entity.name.label", row.name.lower())
        scopes.setdefault(row.category, set()).add(scope)
    assert all(len(scope) == 1 for scope in scopes.values())
    assert len({min(scope) for scope in scopes.values()}) == len(scopes)


@pytest.mark.parametrize("directive", DIRECTIVES)
def test_every_directive_is_known(directive: str) -> None:
    """A line that begins with a point."""
    assert coloured(f"{directive} speed 5")[0] == (directive, "keyword.control.directive")


@pytest.mark.parametrize(
    ("line", "token", "scope"),
    [
        *((f"SENSE r1, {row.name}", row.name, "support.variable.channel") for row in CHANNELS.values()),
        *((f"MODE {mode.name.lower()}", mode.name.lower(), "support.constant.mode") for mode in Mode),
        ("LDI r1, left", "left", "variable.other.constant"),
        ("JMP front", "front", "entity.name.label"),
        ("turn: TURN turn, 30deg/s", "turn", "entity.name.label"),
        (f"SETV v{KINDS['var'].hi}, r15", "r15", "variable.language.register"),
        (f"SETV v{KINDS['var'].hi}, r15", "v15", "variable.language.variable"),
        ("LDI r16, 1", "r16", "variable.other.constant"),
        ("UNGUARD g3", "g3", "variable.language.guard"),
        ("LDK r1, k12", "k12", "variable.other.constant"),
        ("MOVE 1.5 m, 40mm/s ; slowly", "1.5", "constant.numeric"),
        ("MOVE 1.5 m, 40mm/s ; slowly", "m", "keyword.other.unit"),
        ("MOVE 1.5 m, 40mm/s ; slowly", "mm/s", "keyword.other.unit"),
        ("MOVE 1.5 m, 40mm/s ; slowly", "; slowly", "comment.line"),
        ("MOVE 15mmm, 40mm/s", "mmm", "invalid.illegal.unit"),
        ("MOEV 15mm, 40mm/s", "MOEV", "invalid.illegal.instruction"),
        (".cosnt speed 40mm/s", ".cosnt", "invalid.illegal.instruction"),
        ("LOOPR r1, max 10", "max", "storage.modifier"),
        ("GUARD g0, front < 15cm", "<", "keyword.operator.comparison"),
    ],
)
def test_a_token_has_its_colour(line: str, token: str, scope: str) -> None:
    """Names by what can stand there, numbers with their units, and what is wrong."""
    assert dict(reversed(coloured(line)))[token] == scope
