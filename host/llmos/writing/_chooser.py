"""Choosing instead of writing: words find the skills that fit, a model picks one and fills its numbers.

The schema that holds the model offers only the numbers that the wish names, so that a model that is too small
to copy a number cannot miss it. What the words alone have settled is no merit of the model: see `offered`.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

from llmbytecode import assemble
from llmos.inference import Answer, Inference, Request
from llmos.kernel.prompt import system_prompt
from llmos.manifest import Manifest
from llmos.skills import Parameter, Skill, call_text, load_skills

from ._likeness import Likeness, spelled
from ._prompt import clean_wish
from ._writer import Attempt, Draft, checked

MAX_TOKENS = 80  # of a call
EXAMPLES = 8  # shown to the model, the likest last

# One dimension each, with its base unit: mm, degrees, ms, mm/s, degrees/s, and a bare number.
_UNITS: dict[str, tuple[str, int]] = {
    "mm/s": ("mm/s", 1),
    "cm/s": ("mm/s", 10),
    "deg/s": ("deg/s", 1),
    "degrees per second": ("deg/s", 1),
    "millimetres": ("mm", 1),
    "mm": ("mm", 1),
    "centimetres": ("mm", 10),
    "cm": ("mm", 10),
    "metres": ("mm", 1000),
    "metre": ("mm", 1000),
    "m": ("mm", 1000),
    "kilometres": ("mm", 1_000_000),
    "km": ("mm", 1_000_000),
    "degrees": ("deg", 1),
    "deg": ("deg", 1),
    "°": ("deg", 1),
    "ms": ("ms", 1),
    "seconds": ("ms", 1000),
    "second": ("ms", 1000),
    "s": ("ms", 1000),
    "minutes": ("ms", 60000),
    "minute": ("ms", 60000),
    "": ("", 1),
}
_NUMBERS = {
    "half": Fraction(1, 2),
    "one": Fraction(1),
    "once": Fraction(1),
    "two": Fraction(2),
    "twice": Fraction(2),
    "three": Fraction(3),
    "triangle": Fraction(3),
    "four": Fraction(4),
    "five": Fraction(5),
    "pentagon": Fraction(5),
    "six": Fraction(6),
    "hexagon": Fraction(6),
    "seven": Fraction(7),
    "eight": Fraction(8),
    "octagon": Fraction(8),
    "nine": Fraction(9),
    "ten": Fraction(10),
    "twelve": Fraction(12),
    "twenty": Fraction(20),
    "thirty": Fraction(30),
}
_QUANTITY = re.compile(
    rf"(?<![\w.])(-?\d+(?:\.\d+)?|{'|'.join(_NUMBERS)})(?:\s+an?)?\s*-?"
    rf"({'|'.join(map(re.escape, filter(None, _UNITS)))})?(?![\w/])"
)
_PRIMARY = ("red", "green", "blue")
_LIGHTS = {
    "red": ("red",),
    "green": ("green",),
    "blue": ("blue",),
    "yellow": ("red", "green"),
    "white": _PRIMARY,
}


def choose_program(
    wish: str,
    kernel: Inference,
    manifest: Manifest,
    *,
    offered: int = 1,
    seed: int = 0,
    deadline_s: float = 120.0,
) -> Draft:
    """Have a kernel pick a skill for a wish and fill its numbers; the draft's text is the filled program.

    Args:
        wish: what the robot is to do, in a sentence.
        kernel: who picks and fills.
        manifest: the robot; its verifier has the last word.
        offered: how many skills the kernel may pick from, those whose words fit best.
        seed: fixes the kernel's choices.
        deadline_s: longest time for the answer.

    Raises:
        WishError: there is no wish, or it is too long.
        InferenceError: the kernel gives no answer.
    """
    wish, skills = clean_wish(wish), load_skills()
    fitting = ranked(wish, skills)[:offered]
    near = [skill for skill in fitting if not misfit(skill, wish)]
    if not near:
        return refused(wish, fitting[0])
    request = Request(
        system_prompt("chooser"),
        question(wish, near),
        schema={"anyOf": [call_schema(skill, wish) for skill in near]},
        deadline_s=deadline_s,
        seed=seed,
        max_tokens=MAX_TOKENS,
    )
    answer = kernel(request)
    call = json.loads(answer.text)
    chosen = " ".join([call["skill"], *(f"{key}={value}" for key, value in call.items() if key != "skill")])
    filled = replace(answer, text=call_text(call, skills))
    return Draft(wish, (checked(filled, manifest.limits),), chosen)


def refused(wish: str, skill: Skill) -> Draft:
    """Return the draft for a wish that names a number which its skill does not take: nobody is asked."""
    program = assemble(skill.block, skill.name)
    attempt = Attempt(skill.block, program, None, misfit(skill, wish), Answer("", 0, 0, 0, 0.0))
    return Draft(wish, (attempt,), skill.name)


def misfit(skill: Skill, wish: str) -> str:
    """Return which number of a wish a skill does not take, in words; empty where it takes all."""
    for parameter in skill.parameters:
        if not values(parameter, wish):
            bounds = f"{parameter.lo} to {parameter.hi} {parameter.unit}".rstrip()
            return f"skill {skill.name}: {parameter.name} goes from {bounds}; the wish names another number"
    return ""


def question(wish: str, skills: Sequence[Skill]) -> str:
    """Return the user's turn: the skills offered, their examples, the likest last, and the wish."""
    told = [f"{skill.name}: {skill.description}" for skill in skills]
    examples = [example for skill in skills for example in skill.examples]
    likest = sorted(examples, key=lambda example: _likeness().of(wish, example[0]))[-EXAMPLES:]
    shown = [f"Wish: {json.dumps(said)}\n{json.dumps(call, separators=(',', ':'))}" for said, call in likest]
    return "\n".join([*told, "", *shown, f"Wish: {json.dumps(wish, ensure_ascii=False)}"])


def call_schema(skill: Skill, wish: str) -> dict[str, Any]:
    """Return the schema of a skill's call in which each number is one that the wish names, or the default."""
    schema = skill.schema
    for parameter in skill.parameters:
        schema["properties"][parameter.key] = {"enum": values(parameter, wish)}
    return schema


def values(parameter: Parameter, wish: str) -> list[int]:
    """Return what a parameter can be: the numbers of the wish in its unit that it takes, or its default.

    Where the wish names numbers in its unit, but none that it takes, nothing is left.
    """
    if parameter.name in _PRIMARY:
        return _light(parameter, spelled(wish))
    dimension, factor = _UNITS[parameter.unit]
    named = [amount / factor for amount, found in quantities(wish) if found == dimension]
    signed = [sign * amount for amount in named for sign in _signs(parameter, wish)]
    whole = [int(amount) for amount in signed if amount.denominator == 1]
    fitting = [amount for amount in whole if parameter.lo <= amount <= parameter.hi]
    return list(dict.fromkeys(fitting)) if named else [parameter.default]


def _light(parameter: Parameter, words: list[str]) -> list[int]:
    """Return what a part of a colour can be: full or dark by the colours that are named."""
    colours = [parts for word, parts in _LIGHTS.items() if word in words]
    shown = {int(parameter.name in parts) * parameter.hi for parts in colours}
    dark = [0] if "off" in words else [parameter.default]
    return sorted(shown) or dark


def _signs(parameter: Parameter, wish: str) -> tuple[int, ...]:
    """Return which way an angle may go: a wish that names one side alone has settled it."""
    sides = {"left", "right"} & set(spelled(wish))
    if parameter.unit != "deg" or parameter.lo >= 0 or sides == {"left"}:
        return (1,)
    return (-1,) if sides == {"right"} else (1, -1)


def quantities(wish: str) -> list[tuple[Fraction, str]]:
    """Return the numbers that a wish names, each with its dimension: mm, deg, ms, mm/s, deg/s or nothing."""
    found = []
    for number, unit in _QUANTITY.findall(wish.lower()):
        dimension, factor = _UNITS[unit]
        amount = _NUMBERS[number] if number in _NUMBERS else Fraction(number)
        found.append((amount * factor, dimension))
    return found


def slotted(wish: str) -> str:
    """Return a wish with a slot for each number, named by its dimension: `{mm}`, `{}` where it has none."""
    return _QUANTITY.sub(lambda match: f"{{{_UNITS[match[2] or ''][0]}}}", wish.lower())


# Which skills fit.


def ranked(wish: str, skills: Mapping[str, Skill]) -> list[Skill]:
    """Return the skills, the one whose name, description or example is likest to the wish first."""
    return sorted(skills.values(), key=lambda skill: (-_fit(wish, skill), skill.name))


def likest(wish: str) -> tuple[str, float]:
    """Return the skill likest to a wish, and how like it is, from 0 to 1."""
    skill = ranked(wish, load_skills())[0]
    return skill.name, _fit(wish, skill)


def _fit(wish: str, skill: Skill) -> float:
    return max(_likeness().of(wish, said) for said in _said(skill))


@cache
def _likeness() -> Likeness:
    return Likeness(map(_said, load_skills().values()))


def _said(skill: Skill) -> list[str]:
    return [skill.name.replace("_", " "), skill.description, *(wish for wish, _ in skill.examples)]
