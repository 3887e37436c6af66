"""Replay: the mind runs again on what its record says came from outside, and must derive the same."""

import json
from contextlib import ExitStack, nullcontext
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from llmos.blackbox._data import Difference, data, first_difference
from llmos.blackbox._file import MALFORMED, Record, RecordError, malformed
from llmos.blackbox._identity import model_files, our_files, version
from llmos.blackbox._player import Differs, Player, RecordEnds
from llmos.blackbox._recorder import said
from llmos.errors import LlmosError
from llmos.manifest import Manifest, load_manifest
from llmos.mission import Means, carry_out, own_kernel, sees_by_model, take
from llmos.report import Order
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
        setting = record.one("setting") or {}
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
    setting = record.one("setting") or {}
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
        try:
            return Outcome(player.counts, _played(record, order, player))
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
