"""Files, memory, skills and agents through tools: with the caller's permissions, and with provenance."""

from pathlib import Path
from typing import Any

import pytest
from tests.own_rules import own_rules

from llmos.memory import Memory
from llmos.report import Order
from llmos.tools import Result, Session, Toolbox
from llmos.volumes import Change, Tier, Volumes

from .conftest import Caller

AGENT = """---
name: scribe
category: memory
description: Writes notes down.
tools: [write_file, read_file, list_directory, remember]
writes: ["user:projects/{project}/memory/*"]
---
You write notes.
"""
NOTE = {"tier": "user", "path": "projects/hall/memory/note.md", "text": "# Hall\n", "reason": "Begin notes."}


def call(session: Session, name: str, **arguments: Any) -> Result:
    """Call a tool."""
    return Toolbox(session).call(name, arguments)


@pytest.fixture
def scribe() -> Session:
    """The session of an agent that may write its project's memory only."""
    Volumes().write(Tier.USER, "agents/scribe.md", AGENT, Change("tester", "Hire a scribe."))
    agent = Caller(
        "scribe",
        "memory",
        ("write_file", "read_file", "list_directory", "remember", "query_memory"),
        ("user:projects/{project}/memory/*",),
    )
    return Session(agent=agent, project="hall", run="20261121-hall")


def test_a_person_writes_reads_and_lists() -> None:
    session = Session()
    written = call(session, "write_file", **NOTE)
    assert written.success, written.error
    assert call(session, "read_file", tier="user", path=NOTE["path"]).data == {"text": "# Hall\n", "lines": 2}
    assert call(session, "list_directory", tier="user", path="projects").data == {"files": [NOTE["path"]]}
    log = Volumes().log(Tier.USER, NOTE["path"])
    assert [(one.id, one.author, one.agent) for one in log] == [(written.data["commit"], "person", "")]
    assert "Begin notes" in log[0].subject


def test_lines_of_a_file(state_folder: Path) -> None:
    text = "\n".join(f"line {number}" for number in range(1, 500))
    session = Session()
    assert call(session, "write_file", **NOTE | {"text": text}).success
    part = call(session, "read_file", tier="user", path=NOTE["path"], first_line=100, lines=3)
    assert part.data == {"text": "line 100\nline 101\nline 102", "lines": 499}


def test_an_agent_s_write_says_who_why_and_from_which_run(scribe: Session) -> None:
    assert call(scribe, "write_file", **NOTE).success
    (one,) = Volumes().log(Tier.USER, NOTE["path"])
    assert (one.agent, one.run) == ("scribe", "20261121-hall")


REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"path": "projects/cellar/memory/note.md"}, "may not write"),
    ({"path": "kernel/config.md"}, "no agent writes the kernel's rules"),
    ({"path": "models/robot.md"}, "no agent writes the kernel's rules or models"),
    ({"path": "agents/scribe.md"}, "may not write"),
    ({"tier": "team"}, "may not write"),
    ({"tier": "system"}, "tier"),
    ({"path": "../escape.md"}, "path"),
    ({"path": "/etc/passwd"}, "path"),
    ({"path": "projects/hall/memory/../../../kernel/x.md"}, "path"),
    ({"path": "projects/hall/memory/.git/config"}, "path"),
    ({"text": "---\nname: [\n---\n"}, "YAML"),
    ({"text": "x\0y"}, "zero byte"),
    ({"text": "\ud800"}, "text: Input should be a valid string"),
    ({"text": "x" * 100_001}, "text: String should have at most"),
)


def test_what_an_agent_may_not_write_is_refused(scribe: Session) -> None:
    before = [Volumes().tier_entries(tier) for tier in Tier]
    for changed, why in REFUSED:
        refused = call(scribe, "write_file", **NOTE | changed)
        assert not refused.success
        assert why in refused.error
    assert [Volumes().tier_entries(tier) for tier in Tier] == before


def test_the_kernel_s_limit_of_a_file_counts(scribe: Session) -> None:
    scribe.config = scribe.config.model_copy(update={"file_bytes": 20})
    assert "writes 20 at most" in call(scribe, "write_file", **NOTE | {"text": "x" * 21}).error
    assert "reads 20 at most" in call(scribe, "read_file", tier="system", path="kernel/config.md").error


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "kernel/none.md", "kernel"])
def test_what_is_no_file_is_not_read(path: str) -> None:
    refused = call(Session(), "read_file", tier="user", path=path)
    assert not refused.success
    assert "root:" not in str(refused.data)


def test_memory_knows_who_said_what(scribe: Session) -> None:
    with Memory() as memory:
        session = Session(memory=memory, agent=scribe.agent, project="hall")
        assert call(session, "remember", fact="The corridor is 60 cm wide.", confidence=0.9).success
        found = call(session, "query_memory", question="how wide is the corridor?").data["found"]
    assert found[0]["kind"] == "fact"
    assert "60 cm" in found[0]["text"]
    assert "scribe" in found[0]["source"]


def test_skills_are_listed_run_tested_and_remembered() -> None:
    with Session(Order(goal="", arena="empty", kernel="rule")) as session:
        listed = {one["name"]: one for one in call(session, "list_skills", kind="physical").data["skills"]}
        assert listed["turn"]["values"]
        key = next(iter(listed["forward"]["values"]))
        ran = call(session, "run_skill", skill="forward", values={key: 20})
        assert ran.success, ran.error
        assert ran.data["pose"]["x_m"] == pytest.approx(0.2, abs=0.02)
        (use,) = session.memory.uses("forward")
        assert (use.status, use.version) == ("success", ran.data["version"])
        assert use.data["values"] == {key: 20}
        assert "give a whole number" in call(session, "run_skill", skill="forward", values={key: 10**6}).error
        assert "none of this name" in call(session, "run_skill", skill="levitate").error
        tested = call(session, "test_skill", skill="turn", most=1)
        assert (tested.data["passed"], tested.data["of"]) == (1, 1)
        assert call(session, "find_patterns").data == {"patterns": []}


def test_agents_are_found_by_what_they_are_for(scribe: Session) -> None:
    found = call(Session(), "discover_subagents", task="write notes down").data["agents"]
    assert found[0]["name"] == "scribe"
    checked = call(Session(), "validate_project_agents", project="hall").data
    assert not checked["valid"]
    assert "at least 3" in checked["problems"][0]
    own_rules("orchestration", least_agents=1)
    source = "---\nname: guard\ndescription: Keeps watch.\ntools: [levitate]\n---\nWatch.\n"
    scribe.volumes.write(Tier.USER, "projects/hall/agents/guard.md", source, Change("ann", "add a guard"))
    (problem,) = call(Session(), "validate_project_agents", project="hall").data["problems"]
    assert "guard.md:4: there is no tool levitate" in problem
    refused = call(Session(Order(goal="", kernel="rule")), "invoke_subagent", agent="nobody", task="x")
    assert "nobody" in refused.error
