"""The loop in which an agent works: a tool is chosen, its arguments are filled, it is called, until the end.

There is one machine for all strategies: it goes through steps. A model that chooses freely goes through one
step again and again, which offers all the agent's tools.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from llmos.agents.agent import FINISH, Agent, AgentError, Step, Strategy
from llmos.agents.asking import Asker, Offered, as_data
from llmos.agents.context import Context, ContextError
from llmos.agents.strategy import ModelSize, load_model_size
from llmos.agents.templates import as_text, filled, holds, look_up
from llmos.evolution.watch import watched
from llmos.inference import DeadlineExpired, InferenceError
from llmos.kernel.prompt import system_prompt
from llmos.kernel.registry import fitting
from llmos.tools import Result, Session, Toolbox
from llmos.tools.session import Calls, ChainError

ANSWER_CHARS = 4000  # longest answer that anybody is given
TASK_CHARS = 1000  # of a task at most
RECALL = "recall"  # offered once the context had to leave something out


def _own(name: str, description: str, argument: str, most: int) -> Offered:
    text = {"type": "string", "maxLength": most}
    whole = {"required": [argument], "additionalProperties": False}
    return Offered(name, description, {"type": "object", "properties": {argument: text}, **whole})


OWN = {
    FINISH: _own(FINISH, "End, with the answer to the task.", "answer", ANSWER_CHARS),
    RECALL: _own(RECALL, "Show again what was left out, by its number or words of it.", "words", 100),
}


class Status(StrEnum):
    """How an agent's run ended; all but DONE are named after what ended it."""

    DONE = "done"
    FAILED = "failed"  # a step failed that must not
    MODEL = "model"  # the model gave no answer
    ITERATIONS = "iterations"
    TOOL_CALLS = "tool_calls"
    RETRIES = "retries"
    AGENT_S = "agent_s"
    AGENT_DEPTH = "agent_depth"
    CYCLE = "cycle"


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Args:
        tool: its name.
        arguments: what it was called with.
        result: what came back.
        by: who filled the arguments: `steps`, `model` or `rule`.
        seconds: wall time, with the time to fill them.
    """

    tool: str
    arguments: Mapping[str, Any]
    result: Result
    by: str
    seconds: float


Watch = Callable[[Call], None]


@dataclass(frozen=True)
class AgentRun:
    """What came of an agent's run.

    Args:
        agent: its name.
        task: what it was asked.
        strategy: how it was run.
        status: how it ended.
        answer: its answer, or why there is none.
        calls: of tools, in order.
        iterations: of its loop.
        tokens: that its model read anew and wrote.
        seconds: wall time.
        trace: id of its trace in memory; empty where none was written.
        verdict: what the watch says of an agent that others share; empty where it says nothing.
        kernel: the name of the model that it was run with.
    """

    agent: str
    task: str
    strategy: Strategy
    status: Status
    answer: str
    calls: tuple[Call, ...] = ()
    iterations: int = 0
    tokens: int = 0
    seconds: float = 0.0
    trace: str = ""
    verdict: str = ""
    kernel: str = ""

    @property
    def given(self) -> dict[str, str]:
        """What the run depends on besides the agent and its surroundings, as memory keeps it."""
        return {"task": self.task, "kernel": self.kernel}

    @property
    def data(self) -> Any:
        """The data of the last call that succeeded; None where there is none."""
        return next((call.result.data for call in reversed(self.calls) if call.result.success), None)


class _End(Exception):  # the run's regular end
    def __init__(self, status: Status, answer: str) -> None:
        super().__init__(answer)
        self.status, self.answer = status, answer[:ANSWER_CHARS]


def run_agent(agent: Agent, task: str, session: Session, watch: Watch | None = None) -> AgentRun:
    """Have an agent do a task.

    Args:
        agent: which.
        task: a sentence.
        session: what its tools work with; the agents above it are in its chain.
        watch: told of each call.

    Raises:
        AgentError: the task is empty, or too long.
        DocumentError: a file of the kernel is wrong.
    """
    if not task.strip() or len(task) > TASK_CHARS:
        raise AgentError(f"a task of {len(task)} characters: say it in 1 to {TASK_CHARS}")
    try:
        below = session.below(agent)
    except ChainError as refusal:
        return AgentRun(agent.name, task, "compiled", Status(refusal.limit), str(refusal))
    memory, rules = session.memory, load_model_size()
    with memory.trace(task[: memory.schema.text_chars // 2], **_about(agent, session)) as trace:
        below.trace = trace.id
        if not session.chain:  # the limits are of one agent and all that it calls
            below.calls = Calls(below.config.tool_calls)
        below.deadline = min(session.deadline, time.monotonic() + below.config.agent_s)
        strategy = rules.strategy(agent, rules.parameters(below.kernel))
        run = replace(
            _Loop(agent, task, below, strategy, rules, watch).run(), trace=trace.id, kernel=below.kernel.name
        )
        tools = list(dict.fromkeys(call.tool for call in run.calls))
        status = "success" if run.status == Status.DONE else "failure"
        outcome = f"{run.status}: {run.answer}"[: memory.schema.text_chars // 2]
        data = {**below.order.setting, "values": run.given, "strategy": strategy}
        memory.end(trace, status, outcome, tools=tools, data=data)
    return replace(run, verdict=watched(session.volumes, memory, "agent", agent.name).line)


def _about(agent: Agent, session: Session) -> dict[str, Any]:
    """Return what the memory's trace of a run says besides its task."""
    path = str(agent.document.path) if agent.document else ""
    return {
        "kind": "agent", "agent": agent.name, "agent_type": agent.type, "agent_path": path,
        "version": agent.digest, "project": session.project, "run": session.run,
        "parent": session.trace or None,
    }  # fmt: skip


@dataclass
class _Loop:
    """One run of one agent."""

    agent: Agent
    task: str
    session: Session
    strategy: Strategy
    rules: ModelSize
    watch: Watch | None
    calls: list[Call] = field(default_factory=list)
    iterations: int = 0
    failures: int = 0  # one after the other

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self.toolbox = Toolbox(self.session, self.agent.tools)
        large, kernel = self.strategy == "markdown", self.session.kernel
        self.context = Context(self.session.config.context_tokens, kernel.count)
        self.asker = Asker(
            kernel=None if self.strategy == "compiled" else kernel,
            context=self.context,
            chars=self.rules.large_chars if large else self.rules.small_chars,
            named=not large,
            deadline=self.session.deadline,
            seed=self.session.order.seed,
        )
        self.facts: dict[str, Any] = {
            "task": self.task, "agent": self.agent.name, "project": self.session.project, "last_error": ""
        }  # fmt: skip

    def run(self) -> AgentRun:
        """Go through the steps until the end."""
        end = self._end()
        return AgentRun(
            self.agent.name, self.task, self.strategy, end.status, end.answer, tuple(self.calls),
            self.iterations, self.asker.tokens, time.monotonic() - self.started,
        )  # fmt: skip

    def _end(self) -> _End:
        try:
            self.context.add("system", f"{system_prompt('agent')}\n\n{self.agent.text}".strip())
            self.context.add("goal", f"Task: {as_data(self.task, TASK_CHARS)}")
            for step in self._steps():
                while self._again(step):
                    pass
        except _End as end:
            return end
        except (AgentError, ContextError) as error:
            return _End(Status.FAILED, str(error))
        except InferenceError as error:
            over = time.monotonic() >= self.asker.deadline
            return self._over() if over else _End(Status.MODEL, str(error))
        return _End(Status.DONE, as_text(self.facts.get("last", "")))

    def _steps(self) -> Iterator[Step]:
        """Yield one step after the other, groups dissolved, those left out whose condition does not hold."""
        if self.strategy == "markdown":
            while True:
                again = (RECALL,) if self.context.left else ()
                yield Step(tool=(*self.toolbox.tools, *again, FINISH), may_fail=True)
        steps = () if self.strategy == "simple" else self.agent.steps
        yield from self._unrolled(steps or (Step(tool=self._likeliest()),))

    def _unrolled(self, steps: tuple[Step, ...]) -> Iterator[Step]:
        for step in steps:
            items = look_up(step.each, self.facts) if step.each else [None]
            for item in [item for item in items or () for _ in range(step.times)]:
                if step.each:
                    self.facts["item"] = item
                if not holds(step.when, self.facts):
                    continue
                if step.steps:
                    yield from self._unrolled(step.steps)
                else:
                    yield step

    def _likeliest(self) -> tuple[str, ...]:
        """Return the tools that the task calls for, then others, as many as a small model is offered."""
        wanted = fitting(self.task, self.toolbox.tools)
        rest = [name for name in self.toolbox.tools if name not in wanted]
        return tuple([*wanted, *rest][: self.rules.small_tools]) or (FINISH,)

    def _again(self, step: Step) -> bool:
        """Do a step; return whether it failed by what the model filled in, which may try once more."""
        self._check_limits()
        self.iterations += 1
        began = time.monotonic()
        try:
            name, arguments, by = self._chosen(step)
        except DeadlineExpired:
            raise
        except InferenceError as error:
            return self._unusable(error)
        if name == FINISH:
            raise _End(Status.DONE, as_text(arguments["answer"]))
        if name == RECALL:
            self._recall(arguments["words"])
            return False
        call = self._called(name, arguments, by, began)
        if step.saved:
            self.facts[step.saved] = call.result.data
        return not call.result.success and self._failed(step, call)

    def _chosen(self, step: Step) -> tuple[str, dict[str, Any], str]:
        """Return the tool to call, its arguments, and who filled them."""
        given = filled(step.arguments, self.facts)
        name = self.asker.tool(self.task, [self._offered(tool) for tool in step.tool])
        if len(step.tool) > 1:  # each takes what it knows
            known = self._offered(name).schema.get("properties", {})
            given = {key: value for key, value in given.items() if key in known}
        arguments, by = self.asker.arguments(self.task, self._offered(name), given)
        return name, arguments, self.asker.by if len(step.tool) > 1 else by

    def _unusable(self, error: InferenceError) -> bool:
        """Have the model try once more after an answer that cannot be used, as often as retries allow."""
        self.failures += 1
        self.asker.tries = self.failures
        if self.failures > self.session.config.retries:
            raise error
        self.context.add("fault", f"no answer that can be used: {as_data(str(error))}")
        return True

    def _called(self, name: str, arguments: dict[str, Any], by: str, began: float) -> Call:
        result = self.toolbox.call(name, arguments)
        call = Call(name, arguments, result, by, time.monotonic() - began)
        self.calls.append(call)
        self.facts["last_error"] = result.error
        said = as_data(as_text(result.data)) if result.success else f"refused: {as_data(result.error)}"
        row = f"{name} {as_data(as_text(arguments))}: {said}"
        self.context.add("tool" if result.success else "fault", row)
        if result.success:
            self.failures = self.asker.tries = 0
            self.facts["last"] = result.data
        if self.watch:
            self.watch(call)
        return call

    def _recall(self, words: str) -> None:
        """Show again what the context had to leave out."""
        found = self.context.search(words, 1)
        number = int(words) if words.isdigit() else found[0].id if found else 0
        if not 1 <= number <= len(self.context.items):
            self.context.add("note", f"{RECALL}: nothing is like {as_data(words)}")
            return
        self.context.add("tool", self.context.recall(number).text)

    def _failed(self, step: Step, call: Call) -> bool:
        """End the run by the name of what ended it, go on, or return that the model may try once more."""
        if self.session.calls.made >= self.session.calls.most:
            raise _End(Status.TOOL_CALLS, call.result.error)
        if not step.may_fail and call.by != "model":
            raise _End(Status.FAILED, f"{call.tool}: {call.result.error}")
        self.failures += 1
        self.asker.tries = self.failures
        if self.failures > self.session.config.retries:
            most = self.session.config.retries
            why = f"{call.tool}: {call.result.error}; {most} retries are allowed (kernel/config.md, retries)"
            raise _End(Status.RETRIES, why)
        return not step.may_fail

    def _check_limits(self) -> None:
        most = min(self.agent.max_iterations, self.session.config.iterations)
        if self.iterations >= most:
            raise _End(Status.ITERATIONS, f"no answer after {most} iterations (kernel/config.md, iterations)")
        if time.monotonic() >= self.asker.deadline:
            raise self._over()

    def _over(self) -> _End:
        return _End(
            Status.AGENT_S, f"no answer after {self.session.config.agent_s:g} s (kernel/config.md, agent_s)"
        )

    def _offered(self, name: str) -> Offered:
        if name in OWN:
            return OWN[name]
        if name not in self.toolbox.tools:  # it is called all the same, and refused with the reason
            return Offered(name, "", {})
        tool = self.toolbox.tools[name]
        return Offered(name, self.toolbox.description(name), tool.schema, tool.examples)
