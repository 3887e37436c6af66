"""The loop in which agents work: what it calls, who fills what, and how each limit ends it."""

import json
from pathlib import Path

import pytest
from tests.acting import Scripted, changed_size, made, session

from llmos.agents import AgentError, Status, run_agent
from llmos.inference import Kernel
from llmos.kernel.config import load_config

SUM = {"tool": "calculate", "arguments": {"expression": "6 * 7"}}
FREE = ["calculate", "list_directory"]


def call(**arguments: object) -> str:
    """Arguments as a model writes them."""
    return json.dumps(arguments)


def test_a_large_model_chooses_its_tools(tmp_path: Path) -> None:
    """It names a tool, fills its arguments, reads the result, and ends with an answer."""
    kernel = Scripted("calculate()", call(expression="6 * 7"), "finish()", call(answer="it is 42"))
    with session(tmp_path, kernel) as one:
        run = run_agent(made(tools=FREE), "what is six times seven?", one)
    assert (run.strategy, run.status, run.answer) == ("markdown", Status.DONE, "it is 42")
    assert [(c.tool, c.by, c.result.data["value"]) for c in run.calls] == [("calculate", "model", 42)]
    assert kernel.asked[0].choices == ("calculate()", "list_directory()", "finish()")
    assert "42" in kernel.asked[2].user
    assert run.tokens == 4 * 12


def test_steps_call_what_they_name_and_the_model_fills_the_rest(tmp_path: Path) -> None:
    """A small model is asked for the open arguments alone."""
    kernel = Scripted(call(expression="1 + 1"), parameters=135_000_000)
    steps = [{"tool": "calculate"}, {"tool": "finish", "arguments": {"answer": "so {last.value}, {task}"}}]
    with session(tmp_path, kernel) as one:
        run = run_agent(made(tools=["calculate"], steps=steps), "add", one)
    assert (run.strategy, run.status, run.answer) == ("hybrid", Status.DONE, "so 2, add")
    assert [one.by for one in run.calls] == ["model"]
    assert len(kernel.asked) == 1
    assert kernel.asked[0].schema is not None
    assert list(kernel.asked[0].schema["properties"]) == ["expression"]


def test_without_steps_a_small_model_takes_one_tool(tmp_path: Path) -> None:
    """Its result is the answer."""
    kernel = Scripted("calculate()", call(expression="2 ** 5"), parameters=135_000_000)
    with session(tmp_path, kernel) as one:
        run = run_agent(made(tools=FREE), "calculate something", one)
    assert (run.strategy, run.status, json.loads(run.answer)["value"]) == ("simple", Status.DONE, 32)


def test_the_rule_needs_no_model(tmp_path: Path) -> None:
    """It takes the tool that the words call for, and fills its text with the task."""
    with session(tmp_path) as one:
        runs = [run_agent(made(tools=FREE), "calculate", one), run_agent(made(tools=FREE), "calculate", one)]
    assert [(run.strategy, run.calls[0].tool, run.calls[0].by) for run in runs] == [
        ("compiled", "calculate", "rule")
    ] * 2
    assert dict(runs[0].calls[0].arguments) == {"expression": "calculate"}


def test_conditions_and_groups(tmp_path: Path) -> None:
    """A group is gone through as often as it says; a step is skipped where its condition does not hold."""
    steps = [
        {"tool": "calculate", "arguments": {"expression": "1"}, "as": "count"},
        {
            "times": 3,
            "steps": [
                {"tool": "calculate", "arguments": {"expression": "{count.value} + 1"}, "as": "count"},
                {
                    "when": "count.value > 3",
                    "tool": "calculate",
                    "arguments": {"expression": "0"},
                    "as": "zero",
                },
            ],
        },
        {"when": "not zero", "tool": "finish", "arguments": {"answer": "never"}},
        {"tool": "finish", "arguments": {"answer": "{count.value} and {zero.value}"}},
    ]
    with session(tmp_path) as one:
        run = run_agent(made(tools=["calculate"], steps=steps), "count", one)
    assert (run.status, run.answer, len(run.calls)) == (Status.DONE, "4 and 0", 5)


def test_a_step_for_each_item(tmp_path: Path) -> None:
    """Of a list that an earlier step found; of none it is left out."""
    steps = [
        {"tool": "list_directory", "arguments": {"tier": "system", "path": "lists"}, "as": "none"},
        {"each": "none.files", "tool": "calculate", "arguments": {"expression": "1 / 0"}},
        {"tool": "plan_task", "arguments": {"goal": "explore, then drive to 1, 1"}, "as": "plan"},
        {"each": "plan.steps", "tool": "plan_task", "arguments": {"goal": "{item.step}"}},
    ]
    with session(tmp_path) as one:
        run = run_agent(made(tools=["calculate", "list_directory", "plan_task"], steps=steps), "plan", one)
    assert run.status == Status.DONE
    goals = [call.arguments["goal"] for call in run.calls if call.tool == "plan_task"]
    assert goals == ["explore, then drive to 1, 1", "explore", "drive to 1, 1"]


def test_the_kernels_text_stands_before_the_agents(tmp_path: Path, state_folder: Path) -> None:
    """A person may change it; an agent's own text follows."""
    path = state_folder / "volumes" / "user" / "kernel" / "agent.md"
    path.parent.mkdir(parents=True)
    path.write_text("---\nname: agent\n---\nBe brief.\n", encoding="utf-8")
    kernel = Scripted("finish()", call(answer="ok"))
    with session(tmp_path, kernel) as one:
        run_agent(made(tools=FREE, text="Count."), "count", one)
    assert kernel.asked[0].system == "Be brief.\n\nCount."


def test_a_failing_step_ends_the_run_unless_it_may_fail(tmp_path: Path) -> None:
    """The failure is told, and known to the steps behind."""
    wrong = {"tool": "calculate", "arguments": {"expression": "1 / 0"}}
    told = {"when": "last_error", "tool": "finish", "arguments": {"answer": "no: {last_error}"}}
    with session(tmp_path) as one:
        strict = run_agent(made(tools=["calculate"], steps=[wrong, told]), "divide", one)
        lenient = run_agent(
            made(tools=["calculate"], steps=[{**wrong, "may_fail": True}, told]), "divide", one
        )
    assert strict.status == Status.FAILED
    assert lenient.status == Status.DONE
    assert "division" in strict.answer
    assert "division" in lenient.answer


def test_a_model_may_try_again(tmp_path: Path) -> None:
    """Told what was wrong, and no more at temperature 0; as often as the kernel's config says."""
    wrong, right = call(expression="1 / 0"), call(expression="1 / 2")
    agent = made(tools=["calculate"], steps=[{"tool": "calculate"}])
    kernel = Scripted(wrong, wrong, right, parameters=10**8)
    with session(tmp_path / "1", kernel) as one:
        run = run_agent(agent, "a half", one)
    assert (run.status, run.data) == (Status.DONE, {"value": 0.5})
    assert "refused" in kernel.asked[1].user
    assert [request.temperature > 0 for request in kernel.asked] == [False, True, True]
    assert len({request.seed for request in kernel.asked}) == 3
    with session(tmp_path / "2", Scripted(*[wrong] * 9, parameters=10**8)) as one:
        assert run_agent(agent, "a half", one).status == Status.RETRIES


@pytest.mark.parametrize("task", ["", "  ", "x" * 1001], ids=["empty", "blank", "long"])
def test_a_task_has_its_length(tmp_path: Path, task: str) -> None:
    """Neither nothing nor a book."""
    with session(tmp_path) as one, pytest.raises(AgentError, match="characters"):
        run_agent(made(tools=FREE), task, one)


def test_an_undeclared_tool_is_not_called(tmp_path: Path) -> None:
    """Whatever a model says; the schema does not even offer it."""
    kernel = Scripted("read_file()", call(tier="system", path="kernel/config.md"))
    with session(tmp_path, kernel) as one:
        run = run_agent(made(tools=["calculate"]), "read the kernel's config", one)
    assert kernel.asked[0].choices == ("calculate()", "finish()")
    assert not [one for one in run.calls if one.result.success]


LIMITED = {
    "iterations": (Status.ITERATIONS, 2),
    "tool_calls": (Status.TOOL_CALLS, 2),
    "retries": (Status.RETRIES, 1),
    "agent_s": (Status.AGENT_S, 1e-9),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_each_limit_ends_the_run_by_its_name(tmp_path: Path, limit: str) -> None:
    """With the limit as it ships the same run ends well; with it lowered, by its name."""
    status, value = LIMITED[limit]
    wrong = {"tool": "calculate", "arguments": {"expression": "1 / 0"}, "may_fail": True}
    agent = made(tools=["calculate"], steps=[wrong, wrong, SUM, SUM] if limit == "retries" else [SUM] * 4)
    with session(tmp_path / "shipped") as one:
        assert run_agent(agent, "calculate", one).status == Status.DONE
    with session(tmp_path / "lowered", config=load_config().model_copy(update={limit: value})) as one:
        run = run_agent(agent, "calculate", one)
    assert run.status == status
    assert limit in run.answer


def test_an_agent_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """The lower one holds."""
    with session(tmp_path) as one:
        run = run_agent(made(tools=["calculate"], steps=[SUM] * 4, max_iterations=3), "calculate", one)
    assert (run.status, len(run.calls)) == (Status.ITERATIONS, 3)


def test_a_model_that_fails_ends_the_run(tmp_path: Path) -> None:
    """By a status of its own."""
    with session(tmp_path, Scripted()) as one:
        run = run_agent(made(tools=FREE), "calculate", one)
    assert (run.status, run.answer) == (Status.MODEL, "the script has ended")


def test_an_answer_that_cannot_be_used_is_asked_for_again(tmp_path: Path) -> None:
    """As servers give that know no constraints."""
    kernel = Scripted("", "finish()", call(answer="done"))
    with session(tmp_path, kernel) as one:
        run = run_agent(made(tools=FREE), "calculate", one)
    assert (run.status, run.answer) == (Status.DONE, "done")


def test_what_left_the_context_can_be_recalled(tmp_path: Path) -> None:
    """The tool for it is offered once something had to leave."""
    first = ("calculate()", call(expression="12345 + 1"))
    rest = ("list_directory()", call(tier="system", path="skills")) * 6
    kernel = Scripted(*first, *rest, "recall()", call(words="12346"), "finish()", call(answer="seen"))
    limits = load_config().model_copy(update={"context_tokens": 700})
    with session(tmp_path, kernel, config=limits) as one:
        run = run_agent(made(tools=FREE), "add it up", one)
    assert (run.status, run.answer) == (Status.DONE, "seen")
    assert "recall()" not in kernel.asked[0].choices
    assert "12346" not in kernel.asked[-4].user
    assert "12346" in kernel.asked[-2].user


def test_runs_are_remembered(tmp_path: Path) -> None:
    """With agent, version, tools and how it ended."""
    agent = made(tools=["calculate"], steps=[SUM])
    with session(tmp_path) as one:
        run = run_agent(agent, "six times seven", one)
        (trace,) = one.memory.traces(agent="worker")
    assert (trace.id, trace.goal, trace.status, trace.version) == (
        run.trace, "six times seven", "success", agent.digest,
    )  # fmt: skip
    assert trace.tools == ("calculate",)


def test_smollm2_chooses_within_a_step(tmp_path: Path, smollm2: Kernel) -> None:
    """Whatever it chooses, it is one of the step's tools, with legal arguments."""
    agent = made(tools=FREE, steps=[{"tool": FREE}])
    with session(tmp_path, smollm2) as one:
        run = run_agent(agent, "list the skills of the system volume", one)
    assert run.strategy == "hybrid"
    assert [one.by for one in run.calls] == ["model"]
    assert set(run.calls[0].arguments) <= {"expression", "tier", "path"}
    assert "argument" not in run.calls[0].result.error


def test_smollm2_left_free_ends_by_name(tmp_path: Path, smollm2: Kernel) -> None:
    """It is too small for that; if a person lets it, the limits hold and nothing undeclared is called."""
    changed_size(markdown_from=1)
    limits = load_config().model_copy(update={"iterations": 2})
    with session(tmp_path, smollm2, config=limits) as one:
        run = run_agent(made(tools=FREE), "what is 3 times 5?", one)
    assert run.strategy == "markdown"
    assert run.status in (Status.DONE, Status.ITERATIONS)
    assert [one.tool for one in run.calls if one.tool not in FREE] == []
