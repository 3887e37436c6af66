"""One agent has another do a task: asked and answered by messages that are kept."""

from llmos.agents.loading import find_agent
from llmos.agents.loop import AgentRun, Status, Watch, run_agent
from llmos.agents.messages import CONTROLLER, Content, Message, Messages
from llmos.tools import Session


def delegate(session: Session, name: str, task: str, watch: Watch | None = None) -> AgentRun:
    """Have another agent do a task for the session's own, and return its run, however it ended.

    What is asked and what comes back are messages that are kept.

    Raises:
        NoEntry: there is no such agent.
    """
    agent = find_agent(session.volumes, name, session.project)
    caller = session.agent.name if session.agent else CONTROLLER
    with Messages(count=session.kernel.count) as messages:
        asked = messages.send(
            Message(
                sender=caller,
                receiver=name,
                type="delegation",
                content=Content(task=task),
                ttl=session.config.agent_s,
                project=session.project,
            )
        )
        messages.read(asked, name)
        run = run_agent(agent, task, session, watch)
        told = {"status": run.status, "tools": [call.tool for call in run.calls]}
        done = run.status == Status.DONE
        content = Content(text=run.answer, data=told) if done else Content(error=run.answer, data=told)
        messages.read(messages.reply(asked, content), caller)
    return run
