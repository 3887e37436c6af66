"""The tests that stand in an agent's own file: each runs the agent in a state folder of its own."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from llmos.agents.agent import FINISH, Agent, AgentTest
from llmos.agents.loop import AgentRun, run_agent
from llmos.inference import Kernel
from llmos.memory import Memory
from llmos.report import Order
from llmos.tools import Session
from llmos.volumes import Change, Tier, Volumes


@dataclass(frozen=True)
class Outcome:
    """What came of one test.

    Args:
        test: which.
        run: of the agent.
        problems: what it did not do as the test says; none where it passed.
    """

    test: AgentTest
    run: AgentRun
    problems: tuple[str, ...]


def try_agent(agent: Agent, test: AgentTest, kernel: Kernel | None = None) -> Outcome:
    """Run one of an agent's tests on the virtual robot, apart from the user's own files and memories.

    Args:
        agent: which.
        test: one of its tests, or any other.
        kernel: the test's, where it is open already.
    """
    with TemporaryDirectory(prefix="llmos-agent-") as folder:
        home = Path(folder)
        volumes = Volumes(home / "volumes")
        if test.files:
            volumes.write_all(Tier.USER, dict(test.files), Change("test", "set the test up"))
        order = Order(goal="", arena=test.arena, kernel=test.kernel, camera=test.camera, seed=test.seed)
        with (
            Memory(home / "memory.sqlite") as memory,
            Session(order, volumes=volumes, memory=memory, kernel=kernel, project=test.project) as session,
        ):
            run = run_agent(agent, test.task, session)
        return Outcome(test, run, tuple(_problems(agent, test, run, volumes)))


def _problems(agent: Agent, test: AgentTest, run: AgentRun, volumes: Volumes) -> Iterator[str]:
    used = [call.tool for call in run.calls]
    foreign = sorted({*used} - {*agent.tools})
    if foreign:
        yield f"it called {', '.join(foreign)}, which it does not declare"
    if run.status != test.status:
        yield f"it ended with {run.status}, not {test.status}: {run.answer}"
    if not re.search(test.answer, run.answer):
        yield f"its answer {run.answer[:200]!r} does not match {test.answer!r}"
    row = iter([*used, FINISH])
    missing = [tool for tool in test.tools if tool not in row]  # each is looked for behind the one before
    if missing:
        yield f"it called {', '.join(used) or 'nothing'}; {missing[0]} is missing in its place"
    files = {entry.path: entry for entry in volumes.tier_entries(Tier.USER)}
    for path, pattern in test.wrote.items():
        if path not in files:
            yield f"it did not write {path}; there is {', '.join(files) or 'nothing'}"
        elif not re.search(pattern, files[path].document().source):
            yield f"what it wrote to {path} does not match {pattern!r}"
