"""The audit's checks: each a function of one file, named as its findings are, in its category's table."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmbytecode import Certificate, Chan, Program, Refusal
from llmos.document import Document
from llmos.errors import LlmosError
from llmos.evolution.findings import Category, Finding, Severity
from llmos.evolution.orders import orders
from llmos.evolution.programs import Corners, guards, moves, steps
from llmos.kernel.config import load_config
from llmos.kernel.registry import load_registry
from llmos.manifest import Manifest, load_manifest
from llmos.text import plain

if TYPE_CHECKING:
    from llmos.agents import Agent
    from llmos.skills import Skill, Test

LONG_BYTES = 32_000  # of a file that a model reads whole
FEW_RUNS = 2  # of a skill's own tests
SHORT, LONG_LINE = 20, 2000  # characters of a description, and of a line
MM_S = 1000


@dataclass(frozen=True)
class Subject:
    """A file under audit.

    Args:
        document: the file.
        kind: skill, agent or text.
        tier: the volume that it lies in, or is to lie in: user, team or system.
    """

    document: Document
    kind: str
    tier: str

    @cached_property
    def manifest(self) -> Manifest:
        """The robot whose limits count."""
        return load_manifest()

    @property
    def shared(self) -> bool:
        """Whether others than its author use it: what is a warning at home is an error there."""
        return self.tier != "user"

    @cached_property
    def read(self) -> "Skill | Agent | LlmosError | None":
        """The skill or agent that it is, or why it is none.

        Skills and agents are imported here, and not above: their loaders audit what they read.
        """
        try:
            if self.kind == "skill":
                from llmos.skills import skill_of

                return skill_of(self.document, self.tier, self.manifest)
            if self.kind == "agent":
                from llmos.agents.agent import agent_of

                return agent_of(self.document)
        except LlmosError as error:
            return error
        return None

    @cached_property
    def skill(self) -> "Skill | None":
        """The skill that it is, None where it is none."""
        from llmos.skills import Skill

        return self.read if isinstance(self.read, Skill) else None

    @property
    def physical(self) -> "Skill | None":
        """The skill with a program that it is, None where it is none."""
        return self.skill if self.skill and self.skill.kind == "physical" else None

    @cached_property
    def agent(self) -> "Agent | None":
        """The agent that it is, None where it is none."""
        from llmos.agents.agent import Agent

        return self.read if isinstance(self.read, Agent) else None

    @property
    def tests(self) -> "tuple[Test, ...]":
        """A physical skill's tests."""
        front = self.physical.front if self.physical else None
        return getattr(front, "tests", ())

    @property
    def tools(self) -> tuple[str, ...]:
        """The tools that it declares."""
        declared = self.document.values.get("tools")
        return tuple(map(str, declared)) if isinstance(declared, list) else ()

    @cached_property
    def programs(self) -> "list[tuple[str, Program, Certificate | Refusal]]":
        """A physical skill's program at its defaults and its ranges' ends, each with what it costs."""
        if self.physical is None:
            return []
        tried = Corners(self.physical, self.manifest.limits)
        tried.all()
        return [
            (" ".join(f"{key}={value}" for key, value in values) or "its defaults", *result)
            for values, result in tried.results.items()
        ]

    def line(self, *key: str | int) -> int:
        """Return the line of a key, or of the nearest one above it that is there."""
        return int(self.document.at(*key).rsplit(":", 1)[1])


Found = tuple[Severity, int, str, str]  # severity, line, text, remedy


# Structure


PLACE = re.compile(r"(\d+):(?:\d+:)? ")  # line and column, as errors begin


def readable(subject: Subject) -> Iterator[Found]:
    """It is the skill or agent that its front matter says it is."""
    if isinstance(subject.read, LlmosError):
        told = str(subject.read).removeprefix(f"{subject.document.path}:")
        where = PLACE.match(told)
        line, text = (int(where[1]), told[where.end() :]) if where else (0, told)
        yield "critical", line, plain(text), "correct it"
    elif subject.kind == "text" and not subject.document.text:
        yield "warning", 0, "there is no text", "write what it says, or remove the file"


def size(subject: Subject) -> Iterator[Found]:
    """A model can read it whole."""
    size, most = len(subject.document.source.encode(errors="replace")), load_config().file_bytes
    if size > most:
        yield "error", 0, f"it has {size} bytes, {most} are allowed (kernel/config.md)", "split it"
    elif size > LONG_BYTES and subject.kind != "text":
        yield "warning", 0, f"it has {size} bytes: no small model reads that", "say it in fewer words"


def fences(subject: Subject) -> Iterator[Found]:
    """Every block of code ends."""
    body = subject.document.body.split("\n")
    marks = [
        line for line, row in enumerate(body, subject.document.body_line) if row.lstrip().startswith("```")
    ]
    if len(marks) % 2:
        yield "error", marks[-1], "a block of code has no end", "put a line ``` behind it"


def keys(subject: Subject) -> Iterator[Found]:
    """Nobody reads a key that no part of the program knows."""
    from llmos.agents.agent import Agent

    front = subject.agent or (subject.skill.front if subject.skill else None)
    known = {*OWN_KEYS, *(Agent.model_fields if subject.skill and not subject.physical else ())}
    for key in sorted({*(front.model_extra or {})} - known) if front is not None else ():
        yield "note", subject.line(key), f"nothing reads the key {plain(key)[:40]}", "correct or remove it"


# what others than the program read: kept from where a file came from
OWN_KEYS = {
    "author", "license", "created_at", "evolved_from", "evolves_from", "origin", "source_traces",
    "confidence", "project", "id", "model", "libraries", "base_model", "from",
}  # fmt: skip


# Safety


def bounds(subject: Subject) -> Iterator[Found]:
    """The robot's verifier accepts its program at the ends of its parameters' ranges."""
    seen = set()
    for told, _, result in subject.programs:
        if isinstance(result, Refusal) and result.rule not in seen:
            seen.add(result.rule)
            yield "error", result.line, f"with {told} the robot refuses it ({result.message})", result.hint


def guarded(subject: Subject) -> Iterator[Found]:
    """Before each forward move a guard on `front` is armed."""
    for told, program, result in subject.programs:
        if isinstance(result, Certificate) and not result.guarded:
            line, text = moves(program)[0][0], f"with {told} it drives forward without a guard"
            yield "error", line, text, "put `GUARD g0, front < 18cm` before the move"
            return


def reach(subject: Subject) -> Iterator[Found]:
    """Its guards trip early enough to come to stand before what they see."""
    limits = subject.manifest.limits
    for told, program, _ in subject.programs:
        driven, armed = moves(program), guards(program)
        if driven and armed:
            speed = max(speed for _, speed in driven)
            line, least = min(armed, key=lambda guard: guard[1])
            need = limits.radius_mm + speed**2 // (2 * limits.accel) + speed * limits.stale_ms // MM_S
            if least < need:
                yield (
                    "error" if subject.shared else "warning",
                    line,
                    f"with {told} its guard trips at {least} mm; at {speed} mm/s the robot needs {need} mm",
                    f"guard at {need} mm or more, or drive slower",
                )
                return


def backwards(subject: Subject) -> Iterator[Found]:
    """What drives backwards watches the rear."""
    for _, program, _ in subject.programs[:1]:
        words = list(steps(program))
        back = [program.line(at) for at, name, values in words if name == "MOVE" and values["i"] < 0]
        rear = any(name == "GUARD" and values["a"] >> 4 == Chan.REAR for _, name, values in words)
        if back and not rear:
            text = "it drives back without a guard"
            yield "warning", back[0], text, "put `GUARD g1, rear < 18cm` before the move"


def tethered(subject: Subject) -> Iterator[Found]:
    """It runs on no longer when the link is gone."""
    for _, program, _ in subject.programs[:1]:
        if program.autonomous_ms:
            yield (
                "error" if subject.shared else "warning",
                subject.document.body_line,
                f"it runs {program.autonomous_ms} ms without the link",
                "take `.autonomous` out",
            )


def watching(subject: Subject) -> Iterator[Found]:
    """Whoever moves the robot by tools can also see and stop."""
    moving = [name for name in subject.tools if name.startswith(MOVING)]
    if moving and not {"hal_stop", "hal_emergency_stop"} & {*subject.tools}:
        yield (
            "error" if subject.shared else "warning",
            subject.line("tools"),
            f"it moves the robot ({moving[0]}) and cannot stop it",
            "declare hal_stop",
        )
    if moving and not SEEING & {*subject.tools}:
        yield (
            "note",
            subject.line("tools"),
            f"it moves the robot ({moving[0]}) unseeing",
            "declare hal_get_distance",
        )


MOVING = ("hal_drive", "hal_rotate", "hal_move_")
SEEING = {"hal_get_distance", "hal_vision_scan", "hal_capture_frame", "pursue_goal"}


# Permissions


def tools(subject: Subject) -> Iterator[Found]:
    """Its tools exist, are switched on, and are for agents of its kind."""
    known = load_registry().tools
    for index, name in enumerate(subject.tools):
        line, entry = subject.line("tools", index), known.get(name)
        if entry is None:
            yield (
                "error",
                line,
                f"there is no tool {plain(name)[:40]}",
                "correct or remove it (kernel/tool_registry.md)",
            )
        elif not entry.enabled:
            yield "warning", line, f"the tool {name} is switched off", "leave it out"
        elif subject.agent and not entry.allows(subject.agent.category):
            yield (
                "error",
                line,
                f"agents of category {plain(subject.agent.category)[:40]} may not call {name}",
                "leave it out, or change the category",
            )


def undeclared(subject: Subject) -> Iterator[Found]:
    """Its text names no tool that it does not declare; nobody could call it."""
    for name in load_registry().tools if subject.kind != "text" else ():
        at = subject.document.body.find(name) if "_" in name and name not in subject.tools else -1
        if at >= 0:
            line = subject.document.body_line + subject.document.body.count("\n", 0, at)
            yield (
                "warning",
                line,
                f"it names the tool {name}, which it does not declare",
                "declare it, or say it otherwise",
            )


def writes(subject: Subject) -> Iterator[Found]:
    """It writes in the user volume only, and nowhere near the kernel."""
    globs = subject.document.values.get("writes")
    if globs and subject.kind == "skill":
        yield "error", subject.line("writes"), "a skill has no rights of its own", "leave `writes` out"
        return
    for index, glob in enumerate(globs if isinstance(globs, list) else ()):
        line, told = subject.line("writes", index), plain(str(glob))[:40]
        tier, _, path = str(glob).partition(":")
        if ".." in path.split("/") or path.startswith(("/", "~")) or "\\" in path:
            yield "critical", line, f"{told} leaves the volume", "name a path in it"
        elif tier != "user":
            yield "critical", line, f"{told} is no path of the user volume", "write `user:` before the path"
        elif path.split("/")[0] in ("kernel", "**", "*", ""):
            yield (
                "error",
                line,
                f"{told} reaches the kernel's rules",
                "name a folder, such as `user:memory/*`",
            )
        elif path.split("/")[0] in ("agents",) and "{project}" not in path:
            yield "warning", line, f"{told} lets it write agents", "let it write agents of its project only"


def resets(subject: Subject) -> Iterator[Found]:
    """An emergency stop is a person's to take back."""
    if "hal_reset_emergency" in subject.tools:
        severity: Severity = "error" if subject.tier == "user" and subject.kind == "skill" else "warning"
        yield (
            severity,
            subject.line("tools"),
            "it declares hal_reset_emergency, a person's decision",
            "leave it out",
        )


def many(subject: Subject) -> Iterator[Found]:
    """It declares what it needs, not all that there is."""
    if len(subject.tools) > MANY_TOOLS:
        yield (
            "warning",
            subject.line("tools"),
            f"it declares {len(subject.tools)} tools",
            "declare those that it uses",
        )


MANY_TOOLS = 20


# Evidence


def tested(subject: Subject) -> Iterator[Found]:
    """It brings its own tests, and more than one run of them."""
    if subject.kind == "text":
        return
    if not subject.document.values.get("tests"):
        severity: Severity = "error" if subject.shared else "warning"
        yield severity, 0, "it has no tests", "add `tests:`, each what it must come to"
    elif subject.physical and sum(test.seeds for test in subject.tests) < FEW_RUNS:
        yield "note", subject.line("tests"), "its tests are a single run", "give more seeds, or another test"


def obstacles(subject: Subject) -> Iterator[Found]:
    """What drives forward is tested where something stands."""
    drives = any(moves(program) for _, program, _ in subject.programs[:1])
    if drives and subject.tests and all(test.arena == "empty" for test in subject.tests):
        text = "it drives forward, and is tested on an empty floor only"
        yield "note", subject.line("tests"), text, "add a test with an obstacle, such as arena wall"


def shown(subject: Subject) -> Iterator[Found]:
    """It says for which wishes it is there."""
    if subject.physical and not subject.document.values.get("examples"):
        yield "warning", 0, "it has no examples", "add `examples:`, a wish with the values that fulfil it"


# Quality


def described(subject: Subject) -> Iterator[Found]:
    """Its description says what it does."""
    text = str(subject.document.values.get("description") or "")
    if subject.kind != "text" and len(text) < SHORT:
        yield (
            "warning",
            subject.line("description"),
            f"the description is short ({plain(text)!r})",
            "say what it does",
        )


def words(subject: Subject) -> Iterator[Found]:
    """It can be found by its words."""
    if subject.kind == "skill" and not subject.document.values.get("keywords"):
        yield "note", 0, "it has no keywords", "add `keywords:`, words by which it is looked for"


def finished(subject: Subject) -> Iterator[Found]:
    """Nothing in it is left to do."""
    for number, row in enumerate(subject.document.source.split("\n"), 1):
        if UNFINISHED.search(row):
            yield "warning", number, f"it is not finished ({plain(row.strip())[:40]})", "finish or remove it"
            return


def lines(subject: Subject) -> Iterator[Found]:
    """A person can read its lines."""
    for number, row in enumerate(subject.document.source.split("\n"), 1):
        if len(row) > LONG_LINE:
            yield "warning", number, f"a line of {len(row)} characters", "break it"
            return


UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|TBD)\b|lorem ipsum", re.IGNORECASE)

EVERY_AGENTS = ("finish", "recall")  # tools that are there without being declared: `llmos.agents.loop`

CHECKS: dict[Category, tuple[Callable[[Subject], Iterator[Found]], ...]] = {
    "structure": (readable, size, fences, keys),
    "safety": (bounds, guarded, reach, backwards, tethered, watching),
    "permissions": (tools, undeclared, writes, resets, many),
    "evidence": (tested, obstacles, shown),
    "quality": (described, words, finished, lines),
}


def findings(subject: Subject) -> Iterator[Finding]:
    """Yield what every check finds in a file."""
    for category, table in CHECKS.items():
        for check in table:
            for severity, line, text, remedy in check(subject):
                yield Finding(category, check.__name__, severity, line, text, remedy)
    head = subject.document.source.find(subject.document.body) if subject.document.values else 0
    yield from orders(subject.document.source, (*subject.tools, *EVERY_AGENTS), max(0, head))
