"""What the kernel's markdown says of tools: who may call which, how often, and which words call for them."""

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from llmos.kernel.prompt import Rules, read_rules

ANYONE = "any"  # category of agents
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")]
Word = Annotated[str, Field(min_length=1, max_length=40)]


class ToolRule(BaseModel):
    """What holds for one tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    description: Annotated[str, Field(min_length=10, max_length=300)]
    enabled: bool = True
    calls: Annotated[int, Field(ge=1, le=10_000)]
    agents: Annotated[list[Word], Field(min_length=1, max_length=30)]

    def allows(self, category: str) -> bool:
        """Whether agents of a category may call it."""
        return ANYONE in self.agents or category in self.agents


class Registry(Rules):
    """`kernel/tool_registry.md`: a tool that it does not name is not offered to anyone."""

    tools: dict[Name, ToolRule]


class ConceptMap(Rules):
    """`kernel/concept_map.md`: words, each with the tools that it calls for, the likeliest first."""

    most: Annotated[int, Field(ge=1, le=50)]
    always: list[Name]
    concepts: dict[Word, Annotated[list[Name], Field(min_length=1, max_length=10)]]


def load_registry() -> Registry:
    """Return the registry.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("tool_registry", Registry)


def load_concepts() -> ConceptMap:
    """Return the concept map.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("concept_map", ConceptMap)


def fitting(text: str, among: Iterable[str] | None = None) -> list[str]:
    """Return the tools that the words of a text call for, those with most words for them first.

    Args:
        text: a task, or the description of an agent or a skill.
        among: the tools to choose from; all that the map names, where it is not given.
    """
    rules, said = load_concepts(), f" {' '.join(re.findall(r'[a-z0-9]+', text.lower()))} "
    votes: dict[str, float] = {}
    for concept, tools in rules.concepts.items():
        if any(f" {form} " in said for form in forms(concept)):
            for place, name in enumerate(tools):
                votes[name] = votes.get(name, 0.0) + 1 / (place + 1)
    wanted = sorted(votes, key=lambda name: -votes[name])[: rules.most]
    chosen = [*wanted, *(name for name in rules.always if name not in wanted)]
    allowed = None if among is None else set(among)
    return [name for name in chosen if allowed is None or name in allowed]


def forms(word: str) -> list[str]:
    """Return a word with its endings: plan, plans, planning, drive, driving."""
    stems = [word, word + word[-1], word.removesuffix("e")]
    return [
        word,
        *(word + ending for ending in ("s", "es", "d")),
        *(f"{stem}{ending}" for stem in stems for ending in ("ed", "ing")),
    ]
