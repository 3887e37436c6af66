"""Who may call what, and how often: an agent, those below it, and a person."""

import pytest
from tests.own_rules import own_rules

from llmos.kernel.config import load_config
from llmos.report import Order
from llmos.tools import Session, Toolbox, ToolError
from llmos.tools.session import Calls

from .conftest import Caller

SUM = {"expression": "1 + 1"}


def test_an_agent_has_what_it_declares_and_nothing_else() -> None:
    toolbox = Toolbox(Session(agent=Caller(tools=("calculate",))))
    assert list(toolbox.tools) == ["calculate"]
    assert toolbox.call("calculate", SUM).data == {"value": 2}
    assert "does not declare it" in toolbox.call("hal_rotate", {"angle_deg": 90}).error


def test_a_task_offers_fewer_tools_than_the_agent_has() -> None:
    agent = Caller(tools=("calculate", "plan_task"))
    toolbox = Toolbox(Session(agent=agent), ["calculate"])
    assert "not among the tools of this task" in toolbox.call("plan_task", {"goal": "explore"}).error


def test_a_misspelt_name_is_refused_with_the_right_one() -> None:
    assert "name one of: calculate" in Toolbox(Session(), ["calculate"]).call("calculator", SUM).error


@pytest.mark.parametrize(
    "arguments", ["{", "[1]", "7", '{"expression": 1}', "[" * 100_000, '{"expression": "\\ud800"}']
)
def test_arguments_that_are_none_are_told_not_raised(arguments: str) -> None:
    result = Toolbox(Session()).call("calculate", arguments)
    assert not result.success
    assert result.error.startswith(("calculate: ", "'\\ud800'"))
    assert len(result.error) < 400


def test_calls_are_counted_down_the_chain() -> None:
    own_rules("config", tool_calls=3)
    above = Session(agent=Caller("above", tools=("calculate",)))
    below = above.below(Caller("below", tools=("calculate",)))
    for session in (above, below, below):
        assert Toolbox(session).call("calculate", SUM).success
    assert "all 3 calls of tools are used up" in Toolbox(above).call("calculate", SUM).error


def test_a_person_is_not_counted() -> None:
    own_rules("config", tool_calls=1)
    toolbox = Toolbox(Session())
    assert all(toolbox.call("calculate", SUM).success for _ in range(3))


def test_a_server_s_client_is_counted_but_can_always_stop_the_robot() -> None:
    with Session(Order("", arena="empty", kernel="rule"), calls=Calls(2, "served_calls")) as session:
        toolbox = Toolbox(session)
        assert all(toolbox.call("calculate", SUM).success for _ in range(2))
        assert "all 2 calls of tools are used up" in (told := toolbox.call("calculate", SUM).error)
        assert "served_calls" in told
        assert toolbox.call("hal_emergency_stop").success


def test_a_tool_that_fails_again_and_again_is_refused() -> None:
    own_rules("config", retries=2)
    toolbox = Toolbox(Session(agent=Caller(tools=("calculate",))))
    for _ in range(3):
        assert "no arithmetic" in toolbox.call("calculate", {"expression": "[]"}).error
    assert "failed 3 times in a row, at most 2 retries" in toolbox.call("calculate", SUM).error


def test_a_success_forgives_failures() -> None:
    own_rules("config", retries=1)
    toolbox = Toolbox(Session(agent=Caller(tools=("calculate",))))
    for _ in range(3):
        assert not toolbox.call("calculate", {"expression": "[]"}).success
        assert toolbox.call("calculate", SUM).success


def test_agents_in_a_circle_are_refused_by_name() -> None:
    session = Session(agent=Caller("a")).below(Caller("b")).below(Caller("c"))
    with pytest.raises(ToolError, match=r"a > b > c > b: agents call each other in a circle"):
        session.below(Caller("b"))


def test_agents_too_deep_are_refused_by_name() -> None:
    own_rules("config", agent_depth=2)
    session = Session(agent=Caller("a")).below(Caller("b"))
    with pytest.raises(ToolError, match="a > b > c: that is deeper than 2 agents"):
        session.below(Caller("c"))
    assert load_config().agent_depth == 2


def test_what_comes_back_is_bounded_and_printable() -> None:
    session = Session(Order(goal=""))
    text = (
        Toolbox(session).call("read_file", {"tier": "system", "path": "kernel/tool_registry.md"}).data["text"]
    )
    assert text.count("\n") > 50
    assert len(text) < 8100
    assert all(sign.isprintable() or sign == "\n" for sign in text)


@pytest.mark.parametrize(
    ("order", "why"), [({"robot": "nobody"}, "nobody"), ({"arena": "nowhere"}, "nowhere")]
)
def test_a_robot_that_cannot_be_had_is_told_not_raised(order: dict[str, str], why: str) -> None:
    result = Toolbox(Session(Order(goal="", **order))).call("hal_rotate", {"angle_deg": 90})
    assert not result.success
    assert why in result.error
