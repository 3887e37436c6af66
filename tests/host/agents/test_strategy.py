"""How an agent is run: by its model's size, as `model_size.md` says; each of its rules is read."""

from pathlib import Path

import pytest
from tests.acting import Scripted, changed_size, made, session

from llmos.agents import run_agent
from llmos.agents.strategy import ModelSize, load_model_size
from llmos.inference import Kernel

STEPS = [{"tool": "calculate", "arguments": {"expression": "1"}}]
SIZES = [(0, "compiled"), (49_999_999, "compiled"), (50_000_000, "hybrid"), (134_515_008, "hybrid"),
         (2_999_999_999, "hybrid"), (3_000_000_000, "markdown")]  # fmt: skip


@pytest.mark.parametrize(("parameters", "strategy"), SIZES)
def test_the_size_decides(parameters: int, strategy: str) -> None:
    """Below the bound one way, from it on another."""
    assert load_model_size().strategy(made(tools=["calculate"], steps=STEPS), parameters) == strategy


@pytest.mark.parametrize("mode", ["markdown", "hybrid", "simple", "compiled"])
@pytest.mark.parametrize("parameters", [0, 10**8, 10**11])
def test_an_agent_may_ask_less_of_a_model_not_more(mode: str, parameters: int) -> None:
    """Its mode counts where the model is large enough."""
    order = ["markdown", "hybrid", "simple", "compiled"]
    rules = load_model_size()
    able = rules.strategy(made(tools=["calculate"], steps=STEPS), parameters)
    got = rules.strategy(made(tools=["calculate"], steps=STEPS, mode=mode), parameters)
    assert got == order[max(order.index(able), order.index(mode))]


def test_the_bounds_are_read() -> None:
    """Moved, they decide otherwise."""
    agent = made(tools=["calculate"], steps=STEPS)
    assert changed_size(markdown_from=100).strategy(agent, 100) == "markdown"
    assert changed_size(hybrid_from=10).strategy(agent, 10) == "hybrid"


def test_sizes_of_servers_are_read() -> None:
    """Of those whose name fits; others count as the file says; a model that knows its size is believed."""
    unknown, known = Scripted(parameters=None), Scripted(parameters=7)
    assert load_model_size().parameters(unknown) == 7_000_000_000
    assert changed_size(unknown=5).parameters(unknown) == 5
    assert changed_size(sizes={"*ript*": 6, "*": 8}).parameters(unknown) == 6
    assert load_model_size().parameters(known) == 7


def test_a_model_in_a_file_tells_its_size(smollm2: Kernel) -> None:
    """SmolLM2-135M has 134.5 million parameters, its embeddings counted once."""
    assert load_model_size().parameters(smollm2) == 134_515_008


def test_a_small_model_is_offered_few_tools(tmp_path: Path) -> None:
    """As many as the file says, those that the task calls for first."""
    changed_size(small_tools=2)
    kernel = Scripted("calculate()", '{"expression":"1"}', parameters=10**8)
    tools = ["hal_stop", "list_directory", "read_file", "calculate"]
    with session(tmp_path, kernel) as one:
        run_agent(made(tools=tools), "calculate a sum", one)
    assert len(kernel.asked[0].choices) == 2
    assert kernel.asked[0].choices[0] == "calculate()"


@pytest.mark.parametrize(("key", "parameters"), [("small_chars", 10**8), ("large_chars", 10**12)])
def test_texts_have_their_length(tmp_path: Path, key: str, parameters: int) -> None:
    """As long as a small model, or a large one, may write."""
    changed_size(**{key: 33})
    choice = ["calculate()"] if parameters == 10**12 else []
    kernel = Scripted(*choice, '{"expression":"1"}', parameters=parameters)
    with session(tmp_path, kernel) as one:
        run_agent(made(tools=["calculate"], steps=[{"tool": "calculate"}]), "sum", one)
    schema = kernel.asked[len(choice)].schema
    assert schema is not None
    assert schema["properties"]["expression"]["maxLength"] == 33


def test_each_rule_is_tested_here() -> None:
    """A rule that is added shows here."""
    keys = {"markdown_from", "hybrid_from", "unknown", "sizes", "small_tools", "small_chars", "large_chars"}
    assert set(ModelSize.model_fields) - {"name", "type", "description"} == keys
