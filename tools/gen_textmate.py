"""The colours of the assembly in an editor: a TextMate grammar from the tables of SPEC.md.

An instruction colours its line up to a comment, by its own operands: a channel's name is one only where a
channel can stand, and so is a label's. Patterns are written for Oniguruma and stay within what Python's `re`
reads alike, so that a test can run them.
"""

import json
import re

Row = dict[str, str]
Tables = dict[str, list[Row]]
Rule = dict[str, object]

NAME = r"[A-Za-z_][A-Za-z0-9_]*"
NUMBER = r"0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?|\.[0-9]+"
START = r"(?:^|(?<=:))[ \t]*"  # of a statement: the line's start or behind a label
END = r"(?=[;#]|$)"
# the colour of a category's mnemonics, where it is not support.function
CATEGORIES = {"control": "keyword.control", "arithmetic": "keyword.operator.arithmetic"}
# the operands of which an instruction's names can be
NAMES = {"channel": "channel", "watch": "channel", "mode": "mode", "ahead": "label", "ahead8": "label"}


def textmate(tables: Tables, banner: str) -> str:
    """Return the grammar as JSON."""
    order = ("comment", "directives", "labels", "statements", "unknown")
    grammar = {
        "information_for_contributors": [banner],
        "name": "LLMBytecode assembly",
        "scopeName": "source.lasm",
        "fileTypes": ["lasm"],
        "patterns": [{"include": f"#{name}"} for name in order],
        "repository": {
            "comment": rule("[;#].*$", "comment.line"),
            "directives": directives(),
            "labels": captures(
                rf"{START}({NAME})[ \t]*(:)", {1: "entity.name.label", 2: "punctuation.separator.label"}
            ),
            "statements": statements(tables),
            "unknown": rule(rf"{START}\.?{NAME}\b(?![ \t]*:)", "invalid.illegal.instruction"),
            "registers": registers(tables),
            "channel": rule(one_of(names_of(tables["channels"])), "support.variable.channel"),
            "mode": rule(one_of(names_of(tables["modes"])), "support.constant.mode"),
            "label": rule(NAME, "entity.name.label"),
            "operands": operands(tables),
        },
    }
    return json.dumps(grammar, indent=2, ensure_ascii=False) + "\n"


def scope(name: str) -> Rule:
    """Return a scope of this language."""
    return {"name": f"{name}.lasm"}


def rule(pattern: str, name: str) -> Rule:
    """Return what gives all of a match one colour."""
    return {"match": pattern} | scope(name)


def groups(colours: dict[int, str]) -> Rule:
    """Return the colours of a match's groups."""
    return {str(group): scope(name) for group, name in colours.items()}


def captures(pattern: str, colours: dict[int, str]) -> Rule:
    """Return what gives each group of a match its colour."""
    return {"match": pattern, "captures": groups(colours)}


def line(pattern: str, colours: dict[int, str], *inside: str) -> Rule:
    """Return what colours a line's head by its groups, and what follows by other rules of the grammar."""
    patterns = [{"include": f"#{name}"} for name in ("registers", *inside, "operands")]
    return {"begin": pattern, "beginCaptures": groups(colours), "end": END, "patterns": patterns}


def several(rules: list[Rule]) -> Rule:
    """Return rules as one."""
    return {"patterns": rules}


def one_of(words: list[str]) -> str:
    """Return the pattern of some words in either case, the longer ones first."""
    return rf"(?i)\b(?:{alternatives(words)})\b"


def alternatives(words: list[str]) -> str:
    """Return the choice between some words, the longer ones first."""
    return "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))


def names_of(rows: list[Row]) -> list[str]:
    """Return the names of the rows that are not retired."""
    return [row["name"] for row in rows if row["name"] != "removed"]


def directives() -> Rule:
    """Return the rules of lines that begin with a point."""
    word, name = "keyword.control.directive", "variable.other.constant"
    return several(
        [
            line(rf"(?i){START}(\.const)[ \t]+({NAME})", {1: word, 2: name}),
            line(rf"(?i){START}(\.(?:autonomous|constants|word))\b", {1: word}),
        ]
    )


def statements(tables: Tables) -> Rule:
    """Return a rule for each category and each sort of names that its instructions take."""
    sorts: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for row in tables["instructions"]:
        kinds = [operand.split(":")[1] for operand in row["operands"].split()]
        inside = tuple(NAMES[kind] for kind in kinds if kind in NAMES)
        sorts.setdefault((row["category"], inside), []).extend(names_of([row]))
    return several(
        [
            line(
                rf"(?i){START}({alternatives(mnemonics)})\b(?![ \t]*:)",
                {1: CATEGORIES.get(category, f"support.function.{category}")},
                *inside,
            )
            for (category, inside), mnemonics in sorts.items()
            if mnemonics
        ]
    )


def registers(tables: Tables) -> Rule:
    """Return the rules of what is named by a letter and a number."""
    highest = {row["kind"]: int(row["hi"]) for row in tables["kinds"]}
    return several(
        [
            numbered("r", highest["reg"], "variable.language.register"),
            numbered("v", highest["var"], "variable.language.variable"),
            numbered("g", highest["guard"], "variable.language.guard"),
            numbered("k", highest["const"], "variable.other.constant"),
        ]
    )


def numbered(letter: str, highest: int, name: str) -> Rule:
    """Return the rule of a letter with a number up to the highest."""
    return rule(rf"(?i)\b{letter}(?:{alternatives([str(n) for n in range(highest + 1)])})\b", name)


def operands(tables: Tables) -> Rule:
    """Return the rules of what else can follow a mnemonic."""
    unit = alternatives([row["unit"] for row in tables["units"]])
    return several(
        [
            rule(r"(?i)\bmax\b", "storage.modifier"),
            captures(
                rf"(?i)({NUMBER})(?:[ \t]*({unit})(?![a-z/])|(?![0-9.]|[ \t]*[a-z/]))",
                {1: "constant.numeric", 2: "keyword.other.unit"},
            ),
            captures(rf"({NUMBER})[ \t]*([A-Za-z/]+)", {1: "constant.numeric", 2: "invalid.illegal.unit"}),
            rule("[<>]", "keyword.operator.comparison"),
            rule("[-+]", "keyword.operator.sign"),
            rule(",", "punctuation.separator"),
            rule(NAME, "variable.other.constant"),
        ]
    )
