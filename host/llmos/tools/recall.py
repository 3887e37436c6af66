"""Memory: what is known is asked for, and what was learned is kept."""

from typing import Annotated, Any, Literal

from pydantic import Field

from llmos.tools.session import Session
from llmos.tools.tool import Arguments, Nothing, tool


class Question(Arguments):
    """What is asked of memory."""

    question: Annotated[str, Field(min_length=1, max_length=300)]
    scope: Literal["project", "global", "similar"] = "global"
    limit: Annotated[int, Field(ge=1, le=20)] = 5


class Lesson(Arguments):
    """A fact, and how sure it is."""

    fact: Annotated[str, Field(min_length=3, max_length=500)]
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.5


@tool("memory", "read", {"question": "how did driving through the office go?"})
def query_memory(session: Session, arguments: Question) -> dict[str, Any]:
    """Search traces, experiences and facts."""
    found = session.memory.search(
        arguments.question, scope=arguments.scope, project=session.project, limit=arguments.limit
    )
    rows = [
        {
            "id": one.item.id,
            "kind": one.item.kind,
            "text": one.item.text,
            "line": f"- {one.item.text} ({one.item.kind}, {one.source}, {one.item.when})",
            "source": one.source,
            "when": one.item.when,
            "score": round(one.score, 3),
        }
        for one in found
    ]
    return {"found": rows}


@tool("memory", "write", {"fact": "the corridor of the office is 0.6 m wide", "confidence": 0.9})
def remember(session: Session, arguments: Lesson) -> dict[str, Any]:
    """Keep a fact, with who says so."""
    fact = session.memory.learn(
        arguments.fact,
        session.caller,
        session.project,
        arguments.confidence,
        run=session.run,
        traces=[session.trace] if session.trace else [],
    )
    return {"id": fact.id}


@tool("memory", "write")
def consolidate_memory(session: Session, arguments: Nothing) -> dict[str, Any]:
    """Make facts of what was seen again and again, once enough ended traces wait."""
    done = session.memory.consolidate(session.project, volumes=session.volumes)
    return {
        "traces": sum(one.traces for one in done),
        "archived": sum(one.archived for one in done),
        "facts": [fact.statement for one in done for fact in one.facts],
        "files": [one.file for one in done if one.file],
        "waiting": session.memory.due(session.project),
    }
