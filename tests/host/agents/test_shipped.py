"""The agents that ship: each loads, is sound, and passes the tests in its own file with its own tools."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acting import session

from llmos.agents import Agent, AgentTest, load_agents, run_agent
from llmos.agents.agent import FINISH
from llmos.agents.trying import try_agent
from llmos.evolution.audit import audit
from llmos.inference import Kernel
from llmos.kernel.registry import load_registry
from llmos.volumes import Tier, Volumes

NAMES = (
    "system_agent", "planning_agent", "project_agent_planner", "execution_strategy_agent",
    "pattern_matcher_agent", "memory_analysis_agent", "memory_consolidation_agent", "mutation_agent",
    "lens_selector_agent", "reactive_robot_agent", "robot_ai_agent", "structured_robot_agent", "ux_designer",
    "hardware_control_agent",
)  # fmt: skip


def shipped() -> dict[str, Agent]:
    """Every agent of the system volume."""
    return load_agents(Volumes())


def rows(kernel: str) -> Iterator[tuple[str, AgentTest]]:
    """Every test of every shipped agent that asks for a kernel."""
    for name in NAMES:
        agent = shipped().get(name)
        for test in agent.tests if agent else ():
            if test.kernel == kernel:
                yield name, test


def label(value: object) -> str:
    """How a test is called."""
    return value.task[:30].replace(" ", "-") if isinstance(value, AgentTest) else str(value)


def test_all_are_there() -> None:
    """The fourteen, and no file that cannot be used."""
    files = {entry.name for entry in Volumes().entries("agents")}
    assert set(shipped()) == files
    assert set(NAMES) == files


@pytest.mark.parametrize("name", NAMES)
def test_each_is_sound(name: str) -> None:
    """Its tools exist and it may call them; each is used in its steps; it has a test; it passes the audit."""
    agent, registry = shipped()[name], load_registry().tools
    assert [tool for tool in agent.tools if not registry[tool].allows(agent.category)] == []
    used = {tool for step in agent.steps for tool in step.tools()} - {FINISH}
    assert used == set(agent.tools)
    assert agent.tests
    assert audit(agent, "system", "agent").reason == ""


@pytest.mark.parametrize(("name", "test"), [*rows("rule")], ids=label)
def test_each_passes_its_tests_by_rule(name: str, test: AgentTest) -> None:
    """As the file says."""
    assert try_agent(shipped()[name], test).problems == ()


@pytest.mark.parametrize(("name", "test"), [*rows("smollm2")], ids=label)
def test_each_passes_its_tests_with_smollm2(name: str, test: AgentTest, smollm2: Kernel) -> None:
    """As the file says."""
    assert try_agent(shipped()[name], test, smollm2).problems == ()


def test_the_consolidation_agent_consolidates(tmp_path: Path) -> None:
    """Enough ended traces become a fact, in memory and in the user volume, and the answer tells it."""
    with session(tmp_path) as one:
        for _ in range(one.memory.schema.consolidate_after):
            one.memory.end(one.memory.begin("drive a square", kind="skill", skill="square"), "success")
        run = run_agent(shipped()["memory_consolidation_agent"], "consolidate", one)
        known = one.memory.search("square", kinds=["fact"])
    assert run.answer.startswith("10 traces were consolidated\n")
    assert known
    assert known[0].item.text in run.answer
    assert any(entry.path == "memory/learnings.md" for entry in one.volumes.tier_entries(Tier.USER))


def test_memory_and_report_agents_tell_what_is_known(tmp_path: Path) -> None:
    """With its source."""
    with session(tmp_path) as one:
        one.memory.learn("the corridor of the office is 60 cm wide", "ada", confidence=0.9)
        said = run_agent(shipped()["memory_analysis_agent"], "how wide is the corridor?", one)
        run_agent(shipped()["ux_designer"], "the corridor of the office", one)
        page = one.volumes.read(Tier.USER, "reports/ux_designer.md").text
        (commit, *_) = one.volumes.log(Tier.USER, "reports/ux_designer.md")
    assert "- the corridor of the office is 60 cm wide (fact, said by ada" in said.answer
    assert "- the corridor of the office is 60 cm wide (fact, said by ada" in page
    assert commit.agent == "ux_designer"
