"""Messages: an agent writes to others and reads what they wrote to it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llmos.agents.messages import CONTROLLER, EVERYBODY, Content, Message, Messages, Priority
from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Name, tool


class Letter(Arguments):
    """What is sent, to whom: an agent's name, controller, or broadcast."""

    to: Name
    text: Annotated[str, Field(min_length=1, max_length=2000)]
    kind: Literal["status_update", "query", "task_request"] = "status_update"
    priority: Literal["low", "normal", "high", "critical"] = "normal"
    ttl_s: Annotated[float, Field(ge=1, le=10**7)] = 86_400


class Inbox(Arguments):
    """How many are read at most."""

    most: Annotated[int, Field(ge=1, le=20)] = 5


@tool("agents", "write", {"to": "broadcast", "text": "the corridor is free", "kind": "status_update"})
def send_message(session: Session, arguments: Letter) -> dict[str, Any]:
    """Send a message in the caller's own name."""
    kind = "broadcast" if arguments.to == EVERYBODY else arguments.kind
    with Messages(count=session.kernel.count) as messages:
        sent = messages.send(
            Message(
                sender=session.agent.name if session.agent else CONTROLLER,
                receiver=arguments.to,
                type=kind,
                content=Content(text=arguments.text),
                priority=Priority(arguments.priority),
                ttl=arguments.ttl_s,
                project=session.project,
            )
        )
    return {"id": sent.id, "thread": sent.correlation}


@tool("agents", "write", {})
def read_messages(session: Session, arguments: Inbox) -> dict[str, Any]:
    """Read the caller's next messages, the most urgent first; each is delivered once."""
    reader, rows = session.agent.name if session.agent else CONTROLLER, []
    with Messages() as messages:
        for _ in range(arguments.most):
            found = messages.take(reader)
            if found is None:
                break
            said = found.content.error or found.content.text or found.content.task
            rows.append({"id": found.id, "from": found.sender, "type": found.type, "text": said})
    return {"messages": rows}
