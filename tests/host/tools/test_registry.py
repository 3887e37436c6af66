"""The registry and the concept map are read: each entry changed changes what is offered and allowed."""

from collections.abc import Callable

import pytest
from tests.own_rules import own_rules

from llmos.kernel.registry import fitting, load_concepts, load_registry
from llmos.tools import Session, Toolbox, all_tools
from llmos.volumes import DocumentError

from .conftest import Caller

TOOLS = tuple(all_tools())
HALVES = (TOOLS[::2], TOOLS[1::2])


def entries() -> dict[str, dict[str, object]]:
    """The registry's entries as they ship."""
    return {name: entry.model_dump() for name, entry in load_registry().tools.items()}


def register(**values: Callable[[str], object]) -> None:
    """Have a registry in which each entry has values of its own."""
    tools = {
        name: one | {key: value(name) for key, value in values.items()} for name, one in entries().items()
    }
    own_rules("tool_registry", tools=tools)


def caller(category: str = "robot") -> Session:
    """The session of an agent that declares all tools."""
    return Session(agent=Caller(category=category, tools=TOOLS))


def refusal(session: Session, name: str) -> str:
    """Return why a tool is refused that is called by its own example."""
    result = Toolbox(session).call(name, next(iter(all_tools()[name].examples), {}))
    assert not result.success
    return result.error


def test_each_description_is_what_models_read() -> None:
    wanted = {name: f"Words of its own for {name}." for name in TOOLS}
    own_rules(
        "tool_registry", tools={name: one | {"description": wanted[name]} for name, one in entries().items()}
    )
    toolbox = Toolbox(Session())
    assert {row["function"]["name"]: row["function"]["description"] for row in toolbox.openai()} == wanted
    assert {row["name"]: row["description"] for row in toolbox.mcp()} == wanted


@pytest.mark.parametrize("off", HALVES)
def test_each_tool_can_be_switched_off(off: tuple[str, ...]) -> None:
    own_rules(
        "tool_registry", tools={name: one | {"enabled": name not in off} for name, one in entries().items()}
    )
    assert set(Toolbox(Session()).tools) == set(TOOLS) - set(off)  # a person's
    assert set(Toolbox(caller()).tools) <= set(TOOLS) - set(off)
    for name in off:
        assert "switched off" in refusal(Session(), name)


@pytest.mark.parametrize("out", HALVES)
def test_a_tool_that_is_not_named_is_not_offered(out: tuple[str, ...]) -> None:
    own_rules("tool_registry", tools={name: one for name, one in entries().items() if name not in out})
    assert set(Toolbox(Session()).tools) == set(TOOLS) - set(out)


def test_each_tool_has_its_own_categories() -> None:
    categories = {name: [f"for {name}"] for name in TOOLS}
    own_rules(
        "tool_registry", tools={name: one | {"agents": categories[name]} for name, one in entries().items()}
    )
    for name in TOOLS:
        assert list(Toolbox(caller(f"for {name}")).tools) == [name]
        assert "agents of category robot may not call it" in refusal(caller(), name)


def test_each_tool_has_its_own_number_of_calls() -> None:
    most = {name: number for number, name in enumerate(TOOLS, 1)}
    register(calls=most.get, agents=lambda name: ["any"])
    for name, one in all_tools().items():
        session = caller()
        session.calls.of[name] = most[name]
        if one.effect != "stop" and set(one.requires) <= set(session.parts):
            assert f"it was called {most[name]} times" in refusal(session, name)


def test_what_stops_the_robot_is_never_used_up() -> None:
    register(calls=lambda name: 1)
    session = caller()
    session.calls.made = session.calls.most
    for name in ("hal_stop", "hal_emergency_stop"):
        session.calls.of[name] = 99
        assert Toolbox(session)._checked(name, {})[0].name == name


def test_a_registry_that_is_wrong_names_its_line() -> None:
    wrong = {"calculate": {"description": "Too often.", "calls": 0, "agents": ["any"]}}
    own_rules("tool_registry", tools=wrong)
    with pytest.raises(DocumentError, match=r"tool_registry\.md:\d+: key tools\.calculate\.calls"):
        load_registry()


def test_each_concept_calls_for_its_tools() -> None:
    concepts = load_concepts().concepts
    for concept, tools in concepts.items():
        assert set(tools) <= set(fitting(f"please {concept} now"))
        assert set(tools) <= set(TOOLS)
    turned = dict(zip(concepts, reversed(concepts.values()), strict=True))
    own_rules("concept_map", concepts=turned)
    for concept, tools in turned.items():
        assert set(tools) <= set(fitting(f"please {concept} now"))
    own_rules("concept_map", concepts={"another": ["query_memory"]})
    assert not any(fitting(f"please {concept} now") for concept in concepts)


def test_how_many_tools_fit() -> None:
    task = "look around, plan, calculate the distance, write a report, and remember it"
    assert len(fitting(task)) == load_concepts().most
    own_rules("concept_map", most=2, always=["hal_stop"])
    assert len(fitting(task)) == 3
    assert fitting(task)[-1] == "hal_stop"
    assert fitting(task, among=["hal_stop", "calculate"])[-1] == "hal_stop"
    assert fitting("whatever") == ["hal_stop"]


@pytest.mark.parametrize("form", ["calculate", "Calculating", "CALCULATED!", "calculates,"])
def test_a_word_counts_with_its_endings(form: str) -> None:
    assert fitting(f"{form} it") == ["calculate"]


def test_every_tool_is_called_for_by_a_word() -> None:
    named = {name for tools in load_concepts().concepts.values() for name in tools}
    assert set(TOOLS) - named == set()
