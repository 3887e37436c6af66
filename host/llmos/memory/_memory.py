"""Long-term memory: traces, experiences and facts in one SQLite file that many processes share."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from llmos.memory import _links
from llmos.memory._errors import RecallError
from llmos.memory._items import (
    CANCELLED,
    FAILURE,
    RUNNING,
    SUCCESS,
    Dependency,
    Experience,
    Fact,
    Item,
    Trace,
)
from llmos.memory._search import Found, Search, Wish
from llmos.memory._short import ShortTerm
from llmos.memory._store import Store
from llmos.memory._table import Table
from llmos.memory.rules import Linking, Query, Schema, load_linking, load_query
from llmos.resources import state_dir

if TYPE_CHECKING:
    from llmos.memory._consolidate import Consolidated
    from llmos.volumes import Volumes

SHORTEST = 4  # letters of an id that a person may shorten it to


class Memory:
    """What this LLMos has done, seen and been told.

    Args:
        path: the file; None: `memory.sqlite` in the state folder.
        clock: the wall clock, in seconds since 1970.

    Raises:
        RecallError: the file cannot be used.
        MemoryDamaged: it is broken, and was put aside.
        MemoryFromLater: a later LLMos has written it.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self.path = path or state_dir() / "memory.sqlite"
        self.clock = clock
        self.store = Store(self.path)
        self.table = Table(self.store)
        self._search = Search(self.store)

    def __enter__(self) -> "Memory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let the file go."""
        self.store.close()

    @cached_property
    def schema(self) -> Schema:
        """What memory holds."""
        return self.table.schema

    @cached_property
    def linking(self) -> Linking:
        """Which traces may hang below which."""
        return load_linking()

    @cached_property
    def query(self) -> Query:
        """How memory is searched."""
        return load_query()

    def begin(
        self,
        goal: str,
        *,
        kind: str = "task",
        agent: str = "",
        agent_type: str = "",
        agent_path: str = "",
        skill: str = "",
        version: str = "",
        project: str = "",
        run: str = "",
        parent: Trace | str | None = None,
        link: str = "hierarchical",
        depends: Sequence[Dependency | Trace | str] = (),
    ) -> Trace:
        """Begin a trace.

        Args:
            goal: what is to come of it.
            kind: task, mission, skill, agent, … as memory_schema.md lists them.
            agent, agent_type, agent_path: who does it.
            skill, version: what is used, and in which version.
            project: whose it is; else its parent's.
            run: the recorded run; else its parent's.
            parent: the trace above it.
            link: how it hangs there: hierarchical, sequential, dependency or parallel.
            depends: the traces that it needs.

        Raises:
            RecallError: the kind is unknown, or a field is missing or too long.
            IllegalLink: trace_linking.md does not allow it there.
        """
        if kind not in self.schema.traces:
            raise RecallError(f"a trace of kind {kind!r}: there are {', '.join(self.schema.traces)}")
        trace = Trace(
            id=_name("t"), kind=kind, at=self.clock(), goal=goal, agent=agent, agent_type=agent_type,
            agent_path=agent_path, skill=skill, version=version, project=project, run=run,
            depends=tuple(_dependency(one) for one in depends),
        )  # fmt: skip
        with self.store.writing():
            if parent is not None:
                trace = _links.below(self.table, self.linking, trace, self.table.trace(parent), link)
            for one in trace.depends:
                self.table.trace(one.trace)
            self._require("trace", trace)
            self.table.put(trace)
        return trace

    def end(
        self,
        trace: Trace | str,
        status: str,
        outcome: str = "",
        *,
        tools: Sequence[str] = (),
        files: Sequence[str] = (),
        data: Mapping[str, Any] | None = None,
        duration_ms: float | None = None,
    ) -> Trace:
        """End a trace, and return it as it is now; what still runs below it ends as trace_linking.md says.

        Args:
            trace: a running one.
            status: success, failure, partial or cancelled, as memory_schema.md lists them.
            outcome: what came of it.
            tools, files: those used, and those made.
            data: whatever else is to be known of it.
            duration_ms: how long it took, where that is not the time since it began.

        Raises:
            RecallError: the trace is unknown or has ended, the status is none, or something is too long.
        """
        if status not in self.schema.statuses:
            raise RecallError(f"a trace cannot end as {status!r}: {', '.join(self.schema.statuses)}")
        with self.store.writing():
            was = self.table.trace(trace)
            if was.status != RUNNING:
                raise RecallError(f"trace {was.id} has ended already, as {was.status}")
            if duration_ms is None:
                duration_ms = 1000 * max(self.clock() - was.at, 0.0)
            ended = replace(
                was, status=status, outcome=outcome,
                tools=tuple(tools), files=tuple(files),
                data=dict(data or {}), duration_ms=round(duration_ms, 3),
            )  # fmt: skip
            self.table.change(ended)
            if self.linking.running_children != RUNNING:
                for child in self.table.children(was.id):
                    if child.status == RUNNING and child.link == "hierarchical":
                        self.end(child, self.linking.running_children, f"its {was.kind} {was.id} ended")
        return ended

    @contextmanager
    def trace(self, goal: str, **begin: Any) -> Iterator[Trace]:
        """Hold a trace open: it succeeds, or fails with the error that leaves the block.

        A block that ends its trace itself, with `end`, has the last word.
        """
        trace = self.begin(goal, **begin)
        try:
            yield trace
        except BaseException as error:
            status = FAILURE if isinstance(error, Exception) else CANCELLED
            self._settle(trace, status, f"{type(error).__name__}: {error}"[: self.schema.text_chars // 2])
            raise
        self._settle(trace, SUCCESS, "")

    def _settle(self, trace: Trace, status: str, outcome: str) -> None:
        with self.store.writing():
            if self.table.trace(trace).status == RUNNING:
                self.end(trace, status, outcome)

    def link(self, trace: Trace | str, parent: Trace | str, link: str) -> Trace:
        """Hang a trace that hangs nowhere yet below another.

        Raises:
            IllegalLink: it hangs somewhere, would hang below itself, or trace_linking.md does not allow it.
        """
        with self.store.writing():
            hung = _links.hung(
                self.table, self.linking, self.table.trace(trace), self.table.trace(parent), link
            )
            for one in hung:
                self.table.change(one)
        return hung[0]

    def traces(
        self,
        *,
        kind: str | None = None,
        status: str | None = None,
        agent: str | None = None,
        skill: str | None = None,
        version: str | None = None,
        project: str | None = None,
        run: str | None = None,
        parent: Trace | str | None = None,
        lifecycle: str | None = None,
        since: float | None = None,
        forgotten: bool = False,
        limit: int = 1000,
    ) -> list[Trace]:
        """Return the traces that fit, the newest first; forgotten ones only where asked."""
        above = parent.id if isinstance(parent, Trace) else parent
        wanted = {
            "kind": kind, "status": status, "agent": agent, "skill": skill, "version": version,
            "project": project, "run": run, "parent": above, "lifecycle": lifecycle,
        }  # fmt: skip
        named = {name: value for name, value in wanted.items() if value is not None}
        tests = ["kind NOT IN ('experience', 'fact')", *(f"{name} = :{name}" for name in named)]
        tests += ["at >= :since"] if since is not None else []
        tests += [] if forgotten else ["forgotten = ''"]
        found = self.table.items(
            f"{' AND '.join(tests)} ORDER BY at DESC, n DESC LIMIT :limit",
            {**named, "since": since, "limit": limit},
        )
        return [one for one in found if isinstance(one, Trace)]

    def uses(self, skill: str, version: str | None = None, limit: int = 1000) -> list[Trace]:
        """Return the ended uses of a skill, the newest first; those that were cancelled prove nothing."""
        ended = self.traces(skill=skill, version=version, limit=limit)
        return [one for one in ended if one.status not in (RUNNING, CANCELLED)]

    def children(self, trace: Trace | str) -> list[Trace]:
        """Return the traces that hang right below one, the oldest first."""
        with self.store.reading():
            return self.table.children(self.table.trace(trace).id)

    def siblings(self, trace: Trace | str) -> list[str]:
        """Return the ids of the other traces below the same parent."""
        with self.store.reading():
            own = self.table.trace(trace)
            return (
                [one.id for one in self.table.children(own.parent) if one.id != own.id] if own.parent else []
            )

    def experience(
        self,
        primary_goal: str,
        final_outcome: str,
        *,
        project: str = "",
        components: Mapping[str, str] | None = None,
        files: Sequence[str] = (),
        output_summary: str = "",
        execution_ms: float = 0.0,
        learnings: str = "",
        success: bool | None = None,
        trace: Trace | str | None = None,
        run: str = "",
        measures: Mapping[str, float] | None = None,
    ) -> Experience:
        """Keep what came of a goal; see `Experience` for the fields.

        Raises:
            RecallError: a field is missing or too long, or the trace is unknown.
        """
        with self.store.writing():
            of = None if trace is None else self.table.trace(trace)
            experience = Experience(
                id=_name("e"), at=self.clock(), project=project or (of.project if of else ""),
                run=run or (of.run if of else ""), primary_goal=primary_goal, final_outcome=final_outcome,
                components=dict(components or {}), files=tuple(files), output_summary=output_summary,
                execution_ms=execution_ms, learnings=learnings, success=success, trace=of.id if of else "",
                measures=dict(measures or {}),
            )  # fmt: skip
            self._require("experience", experience, {"source": experience.source})
            self.table.put(experience)
        return experience

    def learn(
        self,
        fact: str,
        source: Trace | str,
        project: str = "",
        confidence: float = 0.5,
        *,
        run: str = "",
        key: str = "",
        traces: Sequence[str] = (),
        measures: Mapping[str, float] | None = None,
    ) -> Fact:
        """Keep a fact.

        Args:
            fact: one statement.
            source: whose word it is: a trace, or the name of a person, an agent or a run.
            project: whose it is; else the trace's.
            confidence: from 0 to 1.
            run: the recorded run; else the trace's.
            key: what it is about; it takes the place of the fact that has this key in the project.
            traces: more traces that show it.
            measures: the figures behind it.

        Raises:
            RecallError: the confidence is no share, or a field is missing or too long.
        """
        if not 0 <= confidence <= 1:
            raise RecallError(f"confidence {confidence}: give a number from 0 to 1")
        of = source if isinstance(source, Trace) else None
        said_by = (of.agent or f"{of.kind} {of.id}") if of else str(source)
        made = Fact(
            id=_name("f"), at=self.clock(), project=project or (of.project if of else ""),
            run=run or (of.run if of else ""), statement=fact, said_by=said_by, confidence=confidence,
            traces=tuple(dict.fromkeys([*([of.id] if of else []), *traces])), key=key,
            measures=dict(measures or {}),
        )  # fmt: skip
        with self.store.writing():
            self._require("fact", made, {"source": said_by})
            older = (
                self.table.items("kind = 'fact' AND key = :key AND project = :project", vars(made))
                if key
                else []
            )
            if older:
                made = replace(made, id=older[0].id, forgotten=older[0].forgotten)
                self.table.change(made)
            else:
                self.table.put(made)
        return made

    def find(self, name: str) -> Item:
        """Return a memory by its id, or by the beginning of one, forgotten or not.

        Raises:
            RecallError: there is none, or several begin so.
        """
        found = self.table.items("id = :id", {"id": name})
        if not found and len(name) >= SHORTEST:
            found = self.table.items(
                "id >= :id AND id < :end LIMIT 6", {"id": name, "end": name + "\U0010ffff"}
            )
        if len(found) == 1:
            return found[0]
        if found:
            raise RecallError(
                f"{name}: several begin so: {', '.join(one.id for one in found)}; write more of it"
            )
        raise RecallError(f"nothing here is called {name[:40]!r}: `llmos memory search` finds what there is")

    def forget(self, name: str, reason: str) -> Item:
        """Let a memory be found no more; it is kept, and `restore` brings it back.

        Raises:
            RecallError: there is none, it is forgotten already, or no reason is given.
        """
        if not reason.strip():
            raise RecallError(f"{name} is forgotten for a reason only: say --because")
        with self.store.writing():
            item = self.find(name)
            if item.forgotten:
                raise RecallError(f"{item.id} is forgotten already, because: {item.forgotten}")
            self.table.change(replace(item, forgotten=reason.strip()[: self.schema.text_chars]))
            return self.find(item.id)

    def restore(self, name: str) -> Item:
        """Bring a forgotten memory back as it was.

        Raises:
            RecallError: there is none, or it is not forgotten.
        """
        with self.store.writing():
            item = self.find(name)
            if not item.forgotten:
                raise RecallError(f"{item.id} is not forgotten; there is nothing to restore")
            self.table.change(replace(item, forgotten=""))
            return self.find(item.id)

    def search(
        self,
        question: str,
        *,
        kinds: Sequence[str] = (),
        scope: str = "global",
        project: str = "",
        since: float | None = None,
        until: float | None = None,
        limit: int | None = None,
        least: float | None = None,
        archived: bool = False,
    ) -> list[Found]:
        """Return the memories that answer a question, the best first; see query_memory.md.

        Args:
            question: any text; no sign in it has a meaning of its own.
            kinds: experience, fact, trace (of any kind) or a trace's kind; none: all of them.
            scope: project, global, or similar: the project and, where there are vectors, those like it.
            project: which one, for the scopes project and similar.
            since, until: seconds since 1970.
            limit: how many at most; None: as the rules say.
            least: what words or meaning must come to, from 0 to 1; None: as the rules say.
            archived: search the archive, too.

        Raises:
            RecallError: the scope or a kind is unknown, or the scope asks for a project and none is given.
        """
        known = ("trace", *Wish.OWN_KINDS, *self.schema.traces)
        for kind in kinds:
            if kind not in known:
                raise RecallError(f"a memory of kind {kind!r}: there are {', '.join(known)}")
        if "trace" in kinds:
            kinds = (*kinds, *self.schema.traces)
        wish = Wish(question, tuple(kinds), scope, project, since, until, limit, least, archived)
        return self._search.find(wish, self.query)

    @property
    def by_meaning(self) -> bool:
        """Whether memories are found by meaning, too, and not by their words only."""
        return self._search.matrix is not None

    def forgotten(self, limit: int = 100) -> list[Item]:
        """Return what a person has forgotten, the newest first."""
        return self.table.items("forgotten != '' ORDER BY n DESC LIMIT :limit", {"limit": limit})

    def newest(self, limit: int = 10, project: str | None = None) -> list[Item]:
        """Return the newest memories."""
        test = "" if project is None else "AND project = :project"
        return self.table.items(
            f"forgotten = '' {test} ORDER BY at DESC, n DESC LIMIT :limit",
            {"limit": limit, "project": project},
        )

    def consolidate(
        self, project: str | None = None, *, force: bool = False, volumes: "Volumes | None" = None
    ) -> "list[Consolidated]":
        """Make facts of what was seen again and again, once enough traces wait; let traces age.

        The facts of a project stand in `memory/learnings.md` of the user volume, too, or of its folder there.

        Args:
            project: whose memory; None: everyone's.
            force: do not wait for as many traces as memory_schema.md says.
            volumes: where the files go; None: the usual place.

        Raises:
            RecallError: the file cannot be used.
            VolumeError: the facts are kept, and their markdown cannot be written.
        """
        from llmos.memory._consolidate import consolidate
        from llmos.volumes import Volumes

        with self.store.reading() as db:
            rows = db.execute("SELECT DISTINCT project FROM items ORDER BY project").fetchall()
        projects = [name for (name,) in rows] if project is None else [project]
        return [consolidate(self, name, force, volumes or Volumes()) for name in projects]

    def due(self, project: str = "") -> int:
        """Return how many ended traces of a project wait for consolidation."""
        from llmos.memory._consolidate import due

        return len(due(self, project))

    def short_term(self, run: str) -> ShortTerm:
        """Return a fresh short-term memory for one run; used as a context manager, it ends with the block."""
        return ShortTerm(self, run)

    def _require(self, kind: str, item: Item, more: Mapping[str, Any] | None = None) -> None:
        said = {**item.shown(), **(more or {})}
        for name in getattr(self.schema.required, kind):
            if name not in said:
                raise RecallError(f"memory_schema.md requires {name!r} of a {kind}, which has no such field")
            if not said[name] or not str(said[name]).strip():
                raise RecallError(f"a {kind} without {name}: memory_schema.md requires it")


def _name(letter: str) -> str:
    return letter + secrets.token_hex(6)


def _dependency(one: Dependency | Trace | str) -> Dependency:
    if isinstance(one, Dependency):
        return one
    return Dependency(one.id if isinstance(one, Trace) else one)
