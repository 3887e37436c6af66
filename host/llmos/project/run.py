"""A project's goal, with all that it needs opened and closed around it."""

import re

from llmos.agents import find_agent
from llmos.kernel.orchestration import load_orchestration
from llmos.mission import Tell, Watch
from llmos.project.phases import Agree, ProjectError, Show, Work, go
from llmos.report import Order
from llmos.text import plain
from llmos.tools import Session

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
LEADER = "system_agent"


def run_project(
    order: Order,
    project: str,
    agree: Agree,
    show: Show = lambda phase: None,
    screen: tuple[Watch, Tell] | None = None,
) -> Work:
    """Take an order's goal through the eight phases.

    Args:
        order: what is asked for.
        project: the project's name; it comes to be with its first goal.
        agree: asks a person whether a doubtful plan shall run.
        show: called with the phase under way when it begins and after each line that it says.
        screen: what is called after every cycle of a mission, and with a report before a program is run.

    Raises:
        ProjectError: the name is none.
        LlmosError: it could not begin: a file of the kernel is wrong, or memory cannot be opened.
    """
    if not NAME.fullmatch(project):
        raise ProjectError(
            f"project {plain(project)[:60]!r}: a name has up to 64 of a-z, 0-9, - and _, "
            "and begins with a letter or digit"
        )
    run = order.record.parent.name if order.record else ""
    with Session(order, project=project, run=run, screen=screen) as session:
        leader = find_agent(session.volumes, LEADER, project)
        work = Work(order.goal, project, session.below(leader), load_orchestration(), agree)
        go(work, show)
    return work
