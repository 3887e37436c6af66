"""Who may write where.

Persons write the user's and the team's volume. What was promoted into the system's is written by `promote`
alone, and is skills and agents only. An agent writes what the globs under `writes:` in its file name, such as
`user:skills/*` or `user:projects/{project}/**`; never the kernel's rules, and never an agent that may more.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from llmos.document import FrontMatter, parse

from .errors import AccessDenied, NoEntry
from .tiers import Change, Tier

if TYPE_CHECKING:
    from .volumes import Volumes

PROMOTION = "promote"  # the author of every promotion into the system volume
_PROMOTED = ("skills/", "agents/")


class Rights(FrontMatter):
    """What an agent's file, or a guide's, says of what it may do."""

    writes: list[str] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)
    category: str = ""


def check(
    volumes: "Volumes", tier: Tier, path: str, text: str | None, change: Change, restores: bool = False
) -> None:
    """Refuse a change that its author may not make.

    Args:
        path: a checked one.
        text: what the file shall hold; None where it is removed.
        restores: it held this before; a person may restore the system's, too.

    Raises:
        AccessDenied: it may not; names who, the path and the rule.
    """
    if change.agent:
        _check_agent(volumes, tier, path, text, change)
    elif tier is Tier.SYSTEM and change.author != PROMOTION and not restores:
        raise AccessDenied(
            f"{change.author} may not write {tier}:{path}: the system volume changes by `promote` only"
        )
    elif tier is Tier.SYSTEM and not path.startswith(_PROMOTED):
        raise AccessDenied(
            f"{change.author} may not write {tier}:{path}: only skills and agents are promoted"
        )


def _check_agent(volumes: "Volumes", tier: Tier, path: str, text: str | None, change: Change) -> None:
    who = f"agent {change.agent} may not write {tier}:{path}"
    if tier is Tier.SYSTEM:
        raise AccessDenied(f"{who}: no agent writes the system volume")
    if {"kernel", "models"} & set(path.split("/")[:-1]):
        raise AccessDenied(f"{who}: no agent writes the kernel's rules or models")
    try:
        document = volumes.find("agents", change.agent, change.project).document()
    except NoEntry:
        raise AccessDenied(f"{who}: no volume has an agent of this name") from None
    writes = document.checked(Rights).writes
    if not allowed(writes, tier, path, change.project):
        raise AccessDenied(f"{who}: its `writes:` allow {', '.join(writes) or 'nothing'} ({document.path})")
    if text is not None and {"agents", "skills"} & set(path.split("/")[:-1]):
        more = _more(parse(text, document.path).checked(Rights), document.checked(Rights))
        if more:
            raise AccessDenied(f"{who}: that file would have {more}, which its author has not")


def _more(made: Rights, author: Rights) -> str:
    """Return a right that a file would have and its author has not; empty where there is none."""
    found = [f"`writes: {one}`" for one in made.writes if one not in author.writes]
    found += [f"the tool {one}" for one in made.tools if one not in author.tools]
    if made.tools and made.category != author.category:
        found.append(f"the category {made.category or 'none'}")
    return found[0] if found else ""


def allowed(writes: Sequence[str], tier: Tier, path: str, project: str = "") -> bool:
    """Return whether one of an agent's globs names a file: `*` within a folder, `**` across folders."""
    return any(_pattern(glob, project).fullmatch(f"{tier}:{path}") for glob in writes)


def _pattern(glob: str, project: str) -> re.Pattern[str]:
    if "{project}" in glob and not project:
        return re.compile(r"(?!)")  # outside of a project it names nothing
    signs = {"**": ".*", "*": "[^/]*", "{project}": re.escape(project)}
    parts = re.split(r"(\*\*|\*|\{project\})", glob)
    return re.compile("".join(signs.get(part) or re.escape(part) for part in parts))
