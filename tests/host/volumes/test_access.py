"""Who may write where: persons, promotion, and agents by the globs in their files."""

import pytest

from llmos.volumes import AccessDenied, Change, Tier, Volumes
from llmos.volumes.access import allowed

USER, TEAM, SYSTEM = Tier.USER, Tier.TEAM, Tier.SYSTEM
AGENT = """---
name: gardener
category: garden
tools: [read_file, calculate]
writes: ["user:skills/*", "user:projects/{project}/**", "user:kernel/*", "system:skills/*", "user:agents/*"]
---
Text.
"""
WRITER = Change("ann", "for a run", agent="gardener", project="roses")
MAY = [(USER, "skills/a.md"), (USER, "projects/roses/skills/a.md"), (USER, "projects/roses/memory/deep/x.md")]
MAY_NOT = [
    (USER, "skills/deep/a.md"),  # * stays in its folder
    (USER, "projects/tulips/skills/a.md"),
    (USER, "projects/roses2/x.md"),
    (USER, "memory/a.md"),
    (TEAM, "skills/a.md"),
    (SYSTEM, "skills/a.md"),  # whatever its file says
    (USER, "kernel/config.md"),
    (USER, "projects/roses/kernel/config.md"),
]


@pytest.fixture
def volumes() -> Volumes:
    """Volumes in which a person put an agent."""
    found = Volumes()
    found.write(USER, "agents/gardener.md", AGENT, Change("ann", "make an agent"))
    return found


@pytest.mark.parametrize(("tier", "path"), MAY)
def test_an_agent_writes_where_its_file_allows(volumes: Volumes, tier: Tier, path: str) -> None:
    """The globs of `writes:` hold, with the project's name put in."""
    volumes.write(tier, path, "text\n", WRITER)
    assert volumes.log(tier)[0].agent == "gardener"


@pytest.mark.parametrize(("tier", "path"), MAY_NOT)
def test_an_agent_writes_nowhere_else(volumes: Volumes, tier: Tier, path: str) -> None:
    """Neither by a write, nor within several, nor by a proposal; the message names who and where."""
    before = volumes.log(USER)
    with pytest.raises(AccessDenied, match=f"agent gardener may not write {tier}:{path}: "):
        volumes.write(tier, path, "text\n", WRITER)
    with pytest.raises(AccessDenied):
        volumes.write_all(tier, {"skills/good.md": "text\n", path: None}, WRITER)
    with pytest.raises(AccessDenied):
        volumes.branch(tier, "p/x", {path: "text\n"}, WRITER)
    assert volumes.log(USER) == before


def test_no_agent_without_a_file(volumes: Volumes) -> None:
    """A name that no volume knows may write nothing; nor an agent without `writes:`, or out of project."""
    volumes.write(USER, "agents/reader.md", "---\nname: reader\n---\n", Change("ann", "make an agent"))
    for change in (WRITER._replace(agent="nobody"), WRITER._replace(agent="reader")):
        with pytest.raises(AccessDenied):
            volumes.write(USER, "skills/a.md", "text\n", change)
    with pytest.raises(AccessDenied):
        volumes.write(USER, "projects/roses/x.md", "text\n", WRITER._replace(project=""))


@pytest.mark.parametrize("path", ["agents/gardener.md", "agents/other.md", "skills/guide.md"])
@pytest.mark.parametrize(
    ("front", "what"),
    [
        ("tools: [read_file, hal_drive]\ncategory: garden", "the tool hal_drive"),
        ("tools: [read_file]\ncategory: robot", "the category robot"),
        ("tools: [read_file]", "the category none"),
    ],
)
def test_no_agent_gives_a_tool_or_a_category_that_it_has_not(
    volumes: Volumes, path: str, front: str, what: str
) -> None:
    """Neither to itself, nor to another, nor to a guide; what is as its own it may give."""
    with pytest.raises(AccessDenied, match=f"would have {what}, which its author has not"):
        volumes.write(USER, path, f"---\nname: x\n{front}\n---\n", WRITER)
    volumes.write(USER, path, "---\nname: x\ntools: [calculate]\ncategory: garden\n---\n", WRITER)


def test_no_agent_makes_one_that_may_more(volumes: Volumes) -> None:
    """An agent may write agents that have no more rights than it has, itself included."""
    volumes.write(USER, "agents/small.md", "---\nname: small\nwrites: ['user:skills/*']\n---\n", WRITER)
    for name in ("gardener", "large"):
        with pytest.raises(AccessDenied, match=r"would have `writes: user:\*\*`"):
            volumes.write(USER, f"agents/{name}.md", "---\nname: x\nwrites: ['user:**']\n---\n", WRITER)


def test_merging_and_rolling_back_are_writes(volumes: Volumes) -> None:
    """An agent merges, restores and syncs no more than it may write; a person restores the system's, too."""
    ann = Change("ann", "by a person")
    first = volumes.write(USER, "memory/a.md", "one\n", ann)
    volumes.write(USER, "memory/a.md", "two\n", ann)
    volumes.branch(USER, "p/x", {"memory/a.md": "three\n"}, ann)
    for refused in (
        lambda: volumes.rollback(USER, first, WRITER),
        lambda: volumes.merge(USER, "p/x", WRITER),
        lambda: volumes.sync(USER, None, WRITER),
        lambda: volumes.sync(SYSTEM, None, ann),
    ):
        with pytest.raises(AccessDenied):
            refused()
    assert volumes.read(USER, "memory/a.md").text == "two"
    good = volumes.write(SYSTEM, "skills/own.md", "good\n", Change("promote", "proved"))
    volumes.write(SYSTEM, "skills/own.md", "worse\n", Change("promote", "proved"))
    volumes.rollback(SYSTEM, good, ann)
    assert volumes.read(SYSTEM, "skills/own.md").text == "good"


def test_globs() -> None:
    """A project's name is a name, not a pattern; nothing but * is special."""
    assert allowed(["user:projects/{project}/**"], USER, "projects/a/b/c.md", "a")
    assert not allowed(["user:projects/{project}/**"], USER, "projects/b/c.md", "*")
    assert not allowed(["user:skills/."], USER, "skills/a", "")
    assert not allowed([], USER, "skills/a.md")
