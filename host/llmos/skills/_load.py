"""Skills from the volumes: what a person saves is there with the next call."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from llmos.errors import LlmosError
from llmos.evolution.audit import unfit
from llmos.evolution.ledger import offered, quarantined
from llmos.volumes import Entry, Volumes

from ._skill import Skill, SkillError, skill_of

_KEPT = 512  # skills in memory
_NEAR = 3  # names that are offered for one that is unknown


@dataclass(frozen=True)
class Aside:
    """A file that is not used, and why, in one line."""

    entry: Entry
    reason: str


@dataclass(frozen=True)
class Shelf:
    """The skills of all volumes.

    Args:
        skills: by name, of each the one that counts.
        refused: files that are no skill or may not be one, by name. A skill of the same name in another
            volume does not step in for it: nobody would notice.
        hidden: files that others of the same name come before, and those in quarantine.
    """

    skills: Mapping[str, Skill]
    refused: Mapping[str, Aside]
    hidden: tuple[Aside, ...] = ()

    def __contains__(self, name: str) -> bool:
        """Whether there is a file of this name, be it refused."""
        return name in self.skills or name in self.refused

    def find(self, name: str) -> Skill:
        """Return a skill by name.

        Raises:
            SkillError: there is none, or it is refused.
        """
        if name in self.refused:
            aside = self.refused[name]
            raise SkillError(f"skill {name} of the {aside.entry.tier} volume is refused: {aside.reason}")
        return _named(name, self.skills)


def load_skills(
    volumes: Volumes | None = None, kind: str = "physical", project: str = ""
) -> dict[str, Skill]:
    """Return the skills of a kind, or of all, by name; those that are refused are left out."""
    return dict(read_shelf(volumes, project, kind).skills)


def find_skill(name: str, volumes: Volumes | None = None, project: str = "") -> Skill:
    """Return a skill by name.

    Raises:
        SkillError: there is none, or it is refused.
    """
    return read_shelf(volumes, project).find(name)


def call_text(call: Mapping[str, Any], skills: Mapping[str, Skill]) -> str:
    """Return the program that a call such as `{"skill": "square", "side_cm": 40}` stands for.

    Raises:
        SkillError: no such skill, or a value that it does not take.
    """
    skill = _named(str(call.get("skill")), skills)
    return skill.fill({key: value for key, value in call.items() if key != "skill"})


def read_shelf(volumes: Volumes | None = None, project: str = "", kind: str = "") -> Shelf:
    """Return the skills of all volumes: a project's own first, then the user's, the team's, the system's.

    Args:
        volumes: where to look.
        project: whose skills come before all others.
        kind: read only those of this kind.
    """
    entries = (volumes or Volumes()).entries("skills", project, shadowed=True)
    skills: dict[str, Skill] = {}
    refused: dict[str, Aside] = {}
    hidden: list[Aside] = []
    held, first = quarantined(), offered(entries)
    for entry in entries:
        if entry.version in held:
            hidden.append(Aside(entry, f"quarantined: {held[entry.version].reason}"))
        elif entry is not first[entry.name]:
            hidden.append(Aside(entry, f"{first[entry.name].file} comes before it"))
        elif entry.problem or kind in ("", entry.type):
            try:
                skills[entry.name] = skill_at(entry)
            except LlmosError as error:
                refused[entry.name] = Aside(entry, str(error))
    return Shelf(dict(sorted(skills.items())), dict(sorted(refused.items())), tuple(hidden))


def skill_at(entry: Entry) -> Skill:
    """Return the skill of a volume's file, audited where it did not ship.

    Raises:
        LlmosError: it is no skill, gives orders to who reads it, or wants what it may not have.
    """
    skill = _read(entry)
    refused = unfit(skill.document, entry, "skill")
    if refused:
        raise SkillError(refused)
    return skill


@lru_cache(_KEPT)
def _read(entry: Entry) -> Skill:
    return skill_of(entry.document(), str(entry.tier))


def _named(name: str, skills: Mapping[str, Skill]) -> Skill:
    if name not in skills:
        near = difflib.get_close_matches(name, skills, _NEAR) or list(skills)
        raise SkillError(f"skill {name[:40]!r}: there is none of this name; name one of {', '.join(near)}")
    return skills[name]
