"""Variants of skills: a view is chosen, and one change is made as it favours; nothing is run or replaced."""

from random import Random
from typing import Annotated, Any, Literal

from pydantic import Field

from llmos.evolution.lenses import load_lenses
from llmos.evolution.variants import Refusals, Variant, by_weight, mutated
from llmos.skills import find_skill
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Name, ToolError, tool

MOST_OPERATORS = 4  # that are told of a view
Lens = Literal["circuits", "economics", "evolutionary_biology", "signal", "thermodynamics"]


class View(Arguments):
    """A domain through which a skill is looked at."""

    lens: Lens


class Mutation(Arguments):
    """Which skill, through which view; the seed fixes what is changed."""

    skill: Name
    lens: Lens
    seed: Annotated[int, Field(ge=0, le=1_000_000)] = 0


@tool("skills", "read", {"lens": "thermodynamics"})
def choose_lens(session: Session, arguments: View) -> dict[str, Any]:
    """Take a view, and say what it makes one think of and what it tries first."""
    rules = load_lenses()
    if arguments.lens not in rules.lenses:
        raise ToolError(f"choose_lens: kernel/lenses.md has no lens {arguments.lens}")
    lens = rules.lenses[arguments.lens]
    tries = sorted(lens.operators, key=lambda name: -lens.operators[name])[:MOST_OPERATORS]
    return {"lens": arguments.lens, "perspective": lens.perspective, "tries": tries}


@tool("skills", "read", {"skill": "square", "lens": "thermodynamics"})
def mutate_skill(session: Session, arguments: Mutation) -> dict[str, Any]:
    """Make one verified variant of a skill's program, and show how it differs."""
    rules, skill = load_lenses(), find_skill(arguments.skill, session.volumes, session.project)
    if skill.kind != "physical":
        raise ToolError(f"mutate_skill: {skill.name} is a guide; only programs have variants")
    if arguments.lens not in rules.lenses:
        raise ToolError(f"mutate_skill: kernel/lenses.md has no lens {arguments.lens}")
    picker, refused = by_weight(rules.weights(arguments.lens, {})), Refusals()
    made = mutated(Variant(skill), Random(arguments.seed), picker, refused, arguments.lens)
    if made is None:
        raise ToolError(f"mutate_skill: no variant of {skill.name} passed the verifier and the audit")
    return {
        "skill": skill.name,
        "lens": arguments.lens,
        "operator": made.operator,
        "line": made.line,
        "diff": made.diff(skill),
        "text": made.skill.document.source,
    }
