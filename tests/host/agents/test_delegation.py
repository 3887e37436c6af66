"""Agents that call agents: by messages, never in a circle, never too deep."""

import json
from pathlib import Path

import pytest
from tests.acting import made, session

from llmos.agents import AgentRun, Messages, Status, delegate, find_agent, load_agents, run_agent
from llmos.kernel.config import load_config
from llmos.tools import Toolbox
from llmos.volumes import Change, NoEntry, Tier, Volumes


def calling(name: str, other: str) -> str:
    """An agent whose only step is to call another."""
    step = {"tool": "invoke_subagent", "arguments": {"agent": other, "task": "{task}"}}
    return (
        f"---\nname: {name}\ndescription: Hands its task on.\ntools: [invoke_subagent]\n"
        f"steps: {json.dumps([step])}\n---\nHand the task on.\n"
    )


SUM = """---
name: adder
description: Adds.
tools: [calculate]
steps:
  - tool: calculate
    arguments: {expression: "{task}"}
  - tool: finish
    arguments: {answer: "{last.value}"}
---
Add.
"""


def write(folder: Path, *sources: str) -> None:
    """Put agents into the user volume."""
    files: dict[str, str | None] = {f"agents/{source.split()[2]}.md": source for source in sources}
    Volumes(folder / "volumes").write_all(Tier.USER, files, Change("ada", "add agents"))


def test_a_task_is_handed_on_and_its_answer_comes_back(tmp_path: Path) -> None:
    """As a delegation and its result, read by both; the traces hang below each other."""
    write(tmp_path, calling("asker", "adder"), SUM)
    with session(tmp_path, project="sums") as one:
        run = delegate(one, "asker", "2 + 3")
        names = [(trace.agent, trace.parent) for trace in one.memory.traces(kind="agent")]
    assert run.data == {"agent": "adder", "answer": "5", "tools": ["calculate"]}
    with Messages() as kept:
        thread = kept.latest()
        assert [(m.sender, m.receiver, m.type, kept.state(m)) for m in thread] == [
            ("controller", "asker", "delegation", "read by asker"),
            ("asker", "adder", "delegation", "read by adder"),
            ("adder", "asker", "delegation_result", "read by asker"),
            ("asker", "controller", "delegation_result", "read by controller"),
        ]
        assert thread[2].correlation == thread[1].id
        assert {message.project for message in thread} == {"sums"}
    assert dict(names) == {"asker": "", "adder": run.trace}


def test_a_circle_is_refused_by_name(tmp_path: Path) -> None:
    """Whoever closes it is told; each run above fails with the reason."""
    write(tmp_path, calling("anna", "bob"), calling("bob", "carl"), calling("carl", "anna"))
    with session(tmp_path) as one:
        run = delegate(one, "anna", "go")
    assert run.status != Status.DONE
    assert "anna > bob > carl > anna" in run.answer
    assert "in a circle" in run.answer
    with Messages() as kept:
        assert kept.latest()[-1].type == "error"


def test_a_chain_that_is_too_deep_is_refused_by_name(tmp_path: Path) -> None:
    """As deep as the kernel's config allows it works; one deeper is refused."""
    names = ["anna", "bob", "carl"]
    write(tmp_path, *(calling(*pair) for pair in zip(names, [*names[1:], "adder"], strict=True)), SUM)
    with session(tmp_path) as one:
        assert delegate(one, "anna", "1 + 1").status == Status.DONE
    shallow = load_config().model_copy(update={"agent_depth": 3})
    with session(tmp_path, config=shallow) as one:
        assert "deeper than 3 agents" in delegate(one, "anna", "1 + 1").answer


def test_calls_are_counted_for_the_whole_chain(tmp_path: Path) -> None:
    """An agent cannot have more by asking others."""
    write(tmp_path, calling("asker", "adder"), SUM)
    few = load_config().model_copy(update={"tool_calls": 1})
    with session(tmp_path, config=few) as one:
        assert "tool_calls" in delegate(one, "asker", "2 + 3").answer


def test_nobody_is_told_as_such(tmp_path: Path) -> None:
    """With the names that there are."""
    with session(tmp_path) as one, pytest.raises(NoEntry, match=r"'planing_agent'.*planning_agent"):
        delegate(one, "planing_agent", "go")


def test_an_agent_writes_in_its_own_name_and_reads_its_own_messages(tmp_path: Path) -> None:
    """Whatever it says of itself."""
    tools = ["send_message", "read_messages"]
    with session(tmp_path) as top:
        ada, bob = (Toolbox(top.below(made(name, tools=tools)), tools) for name in ("ada", "bob"))
        ada.call("send_message", {"to": "bob", "text": "from eve: hello", "priority": "low"})
        ada.call("send_message", {"to": "broadcast", "text": "stop", "priority": "critical"})
        read = bob.call("read_messages", {}).data["messages"]
        again = bob.call("read_messages", {}).data["messages"]
        own = ada.call("read_messages", {}).data["messages"]
    assert [(row["from"], row["text"]) for row in read] == [("ada", "stop"), ("ada", "from eve: hello")]
    assert again == own == []


def test_a_sub_agent_has_no_more_time_than_its_caller(tmp_path: Path) -> None:
    """Its limit begins with the first of them."""
    write(tmp_path, SUM)
    with session(tmp_path) as one:
        one.deadline = 0.0
        run = run_agent(made("late", tools=["calculate"]), "1 + 1", one)
    assert run.status == Status.AGENT_S


def test_a_shared_agent_that_gets_worse_is_taken_back(tmp_path: Path) -> None:
    """By itself, within a few uses; the run that shows it says so, and the agent is offered no more."""
    Volumes(tmp_path / "volumes").write(Tier.TEAM, "agents/adder.md", SUM, Change("ada", "share it"))
    with session(tmp_path) as one:

        def use(task: str) -> AgentRun:
            return run_agent(find_agent(one.volumes, "adder"), task, one)

        assert {(run.status, run.verdict) for run in [use(f"{n} + {n}") for n in range(12)]} == {("done", "")}
        verdicts = (use(f"{n} / 0").verdict for n in range(20))
        assert "adder" in next(filter(None, verdicts))
        assert "adder" not in load_agents(one.volumes)
