"""Replay: the mind runs again on what its record says came from outside, and must derive the same."""

import json
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from llmos.blackbox._data import Difference, data, first_difference
from llmos.blackbox._file import MALFORMED, Line, Record, RecordError, malformed
from llmos.blackbox._identity import model_files, our_files, version
from llmos.blackbox._player import TAPE, Differs, Interrupted, Player, RecordEnds
from llmos.blackbox._recorder import said
from llmos.errors import LlmosError
from llmos.inference import open_kernel
from llmos.manifest import Manifest, load_manifest
from llmos.mission import Means, carry_out, own_kernel, sees_by_model, take
from llmos.report import Order
from llmos.scratch import scratch_folder
from llmos.sim.arena import Arena, load_arena

CUT, INTERRUPTED = "the record was cut off there", "the run was interrupted there"
REFUSED = "the run ended there, refused or by an error"
_Model = TypeVar("_Model", bound=BaseModel)


class Outcome(NamedTuple):
    """What came of a replay.

    Args:
        counts: how many steps, blocks and answers were the same.
        cut: why the record does not go on to the run's own end; empty where it does.
        step: the cycle in which something differs, None before the first.
        difference: what differs first, None where nothing does.
    """

    counts: dict[str, int]
    cut: str = ""
    step: int | None = None
    difference: Difference | None = None


def order_of(record: Record) -> Order:
    """Return what was asked for.

    Raises:
        RecordError: it cannot be read.
    """
    try:
        return TypeAdapter(Order).validate_python(record.header["order"])
    except (ValidationError, KeyError) as error:
        raise _damaged(record, "order", error) from None


def _setting(record: Record, part: str, model: type[_Model]) -> _Model:
    try:
        setting = next(record.all("setting"), {})
        return model.model_validate_json(json.dumps(setting[part]))
    except (ValidationError, KeyError) as error:
        raise _damaged(record, part, error) from None


def _damaged(record: Record, part: str, error: Exception) -> RecordError:
    first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "it is missing"
    return RecordError(
        f"record {record.path}: its {part} cannot be read ({first}); was it made by another version?"
    )


def changes(record: Record) -> list[str]:
    """Say what is not as it was when the record was made: code, SPEC, manifest, prompts, arena, models."""
    order, header, now = order_of(record), record.header, version()
    found = [
        f"{name} {header.get(name)}, now {now[name]}"
        for name in ("llmos", "spec")
        if header.get(name) != now[name]
    ]
    found += ["the code"] if header.get("code") != now["code"] else []
    before, files = header.get("files", {}), our_files()
    found += [name for name in sorted(before | files) if before.get(name) != files.get(name)]
    setting = next(record.all("setting"), None)
    if setting:
        found += _changed(f"robot {order.robot}", setting.get("manifest"), lambda: load_manifest(order.robot))
        found += _changed(f"arena {order.arena}", setting.get("arena"), lambda: load_arena(order.arena))
    for line in record.all("kernel"):
        models = model_files(line["name"])
        names = [one["name"] for one in [*line["files"], *models]]
        found += [f"the model {' '.join(dict.fromkeys(names))}"] if models != line["files"] else []
    return found


def _changed(name: str, recorded: Any, load: Any) -> list[str]:
    try:
        return [name] if first_difference(recorded, data(load())) else []
    except LlmosError:
        return [f"{name}, which cannot be read any more"]


def replay(record: Record, *, ask: bool = False) -> Outcome:
    """Let the mind run on a record's tape, and compare all that it derives.

    Args:
        record: what was recorded; arena and manifest are taken from it.
        ask: ask the model again, too, and compare its answers.

    Raises:
        RecordError: the record cannot be read.
        InferenceError: with `ask`, the model cannot be opened.
    """
    if record.one("setting") is None:  # it was refused before it began
        return Outcome({"steps": 0, "blocks": 0, "answers": 0}, REFUSED)
    order = order_of(record)
    with ExitStack() as stack:
        asked = stack.enter_context(own_kernel(order)) if ask else None
        player = Player(record, asked)
        played = _session_played if record.one("call") else _played
        try:
            return Outcome(player.counts, played(record, order, player))
        except Differs as error:
            if isinstance(error.__context__, MALFORMED):  # raised on the way out from it
                raise malformed(record, error.__context__) from error
            return Outcome(player.counts, step=error.step, difference=error.difference)
        except MALFORMED as error:
            raise malformed(record, error) from error


def _played(record: Record, order: Order, player: Player) -> str:
    """Run the mind to the end of the record; return why that is not the run's own, empty where it is."""
    arena, manifest = _setting(record, "arena", Arena), _setting(record, "manifest", Manifest)
    try:
        report = take(order, arena, manifest, player)
        kernel = player.next_kernel()
        sight = player.next_kernel() if sees_by_model(order) else None
        means = Means(manifest, kernel, player, sight=sight)
        carry_out(report, means, lambda: nullcontext(player.body()))
    except RecordEnds:
        return CUT if record.one("ending") is None else INTERRUPTED
    except Exception as error:  # as the run itself may have ended
        reason = (record.one("end") or {}).get("reason")
        if record.one("ending") is None and reason == said(error):
            return REFUSED
        if isinstance(error, LlmosError):
            player.differs(Difference("end.reason", reason, said(error)))
        raise
    return ""


def _session_played(record: Record, order: Order, player: Player) -> str:
    """Call a session's tools again; return why the record does not go on to its end, empty where it does.

    Those calls are made that dealt with the robot themselves, and only of tools that can do nothing else,
    whatever a record from elsewhere says: what tools did to files and memory is not done again. The agents
    that called them are not asked again either; their calls are.
    """
    from llmos.memory import Memory
    from llmos.tools import Session, Toolbox, all_tools

    player.counts["calls"] = 0
    driving = [one.name for one in all_tools().values() if one.category == "robot" or one.effect == "move"]
    with ExitStack() as stack:
        memory = stack.enter_context(Memory(stack.enter_context(scratch_folder()) / "memory.sqlite"))
        order = replace(order, record=None)
        nobody = open_kernel("rule")  # the player puts its own in its place
        session = Session(order, box=player, memory=memory, kernel=nobody, may_reset=True)
        tools = Toolbox(stack.enter_context(session), driving)
        for number, (call, result) in enumerate(robot_calls(record), 1):
            player.result = result
            try:
                tools.call(call["name"], call["arguments"])
            except (RecordEnds, Interrupted) as end:
                return CUT if isinstance(end, RecordEnds) else INTERRUPTED
            except Differs as error:
                found = error.difference
                field = f"call {number}, {call['name']}: {found.field}"
                raise Differs(error.step, found._replace(field=field)) from error.__context__
            player.counts["calls"] += 1
        return CUT if record.one("end") is None else ""


def robot_calls(record: Record) -> list[tuple[Line, Line | None]]:
    """Return the calls that dealt with the robot and called no other, with what came of each.

    The last has no result where the record was cut off.
    """
    found: list[tuple[Line, Line | None]] = []
    under_way: list[tuple[Line, list[str]]] = []  # calls, each with the kinds of lines that lie within it
    for line in record.lines:
        if line["kind"] == "called" and under_way:
            call, kinds = under_way.pop()
            found += [(call, line)] if set(kinds) & set(TAPE) and "call" not in kinds else []
            continue
        if under_way:
            under_way[-1][1].append(line["kind"])
        if line["kind"] == "call":
            under_way.append((line, []))
    if under_way and set(under_way[-1][1]) & set(TAPE):
        found.append((under_way[-1][0], None))
    return found
