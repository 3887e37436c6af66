"""Skills from the volumes: what a person saves is there with the next call."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmos.errors import LlmosError
from llmos.resources import state_dir, system_volume
from llmos.volumes import read_document

from ._skill import Skill, SkillError, skill_of

_KEPT = 512  # skills in memory
_TIERS = ("user", "team", "system")  # the first that has a name wins


@dataclass(frozen=True)
class Refused:
    """A file that is no skill, or one that may not be used; the reason is one line."""

    name: str
    tier: str
    path: Path
    reason: str


@dataclass(frozen=True)
class Shelf:
    """The skills of all volumes.

    Args:
        skills: by name, of each the one that counts.
        refused: by name; a skill of a lower tier does not step in for one, as nobody would notice.
        hidden: those that another tier's skill of the same name hides.
    """

    skills: Mapping[str, Skill]
    refused: Mapping[str, Refused]
    hidden: tuple[tuple[str, Path], ...] = ()

    def __contains__(self, name: str) -> bool:
        """Whether there is a file of this name, be it refused."""
        return name in self.skills or name in self.refused

    def find(self, name: str) -> Skill:
        """Return a skill by name.

        Raises:
            SkillError: there is none, or it is refused.
        """
        if name in self.refused:
            refused = self.refused[name]
            raise SkillError(f"skill {name} of the {refused.tier} volume is refused: {refused.reason}")
        if name not in self.skills:
            known = ", ".join(self.skills)
            raise SkillError(f"skill {name!r}: there is none of this name; name one of {known}")
        return self.skills[name]


def load_skills(volumes: Any = None, kind: str = "physical", project: str = "") -> dict[str, Skill]:
    """Return the skills of a kind, or of all, by name; those that are refused are left out."""
    skills = read_shelf(volumes, project).skills
    return {name: skill for name, skill in skills.items() if kind in ("", skill.kind)}


def find_skill(name: str, volumes: Any = None, project: str = "") -> Skill:
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
    name = str(call.get("skill"))
    if name not in skills:
        raise SkillError(f"skill {name!r}: there is none of this name; name one of {', '.join(skills)}")
    return skills[name].fill({key: value for key, value in call.items() if key != "skill"})


def read_shelf(volumes: Any = None, project: str = "") -> Shelf:
    """Return the skills of all volumes, those of a project before the others of their volume."""
    skills: dict[str, Skill] = {}
    refused: dict[str, Refused] = {}
    hidden: list[tuple[str, Path]] = []
    for tier, path in _files(project):
        name = path.stem
        if name in skills or name in refused:
            hidden.append((tier, path))
            continue
        try:
            skills[name] = _read(tier, path)
        except LlmosError as error:
            refused[name] = Refused(name, tier, path, str(error))
    return Shelf(dict(sorted(skills.items())), dict(sorted(refused.items())), tuple(hidden))


def _files(project: str) -> list[tuple[str, Path]]:
    roots = [state_dir() / "volumes" / tier for tier in _TIERS[:-1]] + [system_volume()]
    below = [f"projects/{project}/skills"] if project else []
    return [
        (tier, path)
        for tier, root in zip(_TIERS, roots, strict=True)
        for folder in (*below, "skills")
        for path in sorted((root / folder).glob("*.md"))
    ]


def _read(tier: str, path: Path) -> Skill:
    status = path.stat()
    return _skill(tier, path, status.st_mtime_ns, status.st_size)


@lru_cache(_KEPT)
def _skill(tier: str, path: Path, mtime_ns: int, size: int) -> Skill:
    return skill_of(read_document(path), tier)
