"""Why a robot did what it did: the steps of a record, and each with everything that led to it."""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from llmos.blackbox._columns import NEVER, unpacked
from llmos.blackbox._data import undata
from llmos.blackbox._file import Line, Record, RecordError
from llmos.kernel.frame import WorldModel
from llmos.kernel.maps import MapLost, MapReader
from llmos.link import Telemetry
from llmos.world.serialize import States

Part = dict[str, Any]


@dataclass
class Moment:
    """A step with what its record says around it.

    Args:
        cycle: its number.
        step: as it was derived; empty where the run was killed in its middle.
        lines: what came from outside since the step before.
        before: the robot's telemetry at its beginning.
        states: the frame's map, None where there is none.
        done: whether it came to its end.
        told: what the next frame was told of it, None where there was none.
    """

    cycle: int = 0
    step: Part = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    before: Telemetry = NEVER
    states: States | None = None
    done: bool = True
    told: Part | None = None

    @property
    def telemetry(self) -> list[Telemetry]:
        """What the robot said while its block ran, frame by frame."""
        frames: list[Telemetry] = []
        for line in self.lines:
            if line["kind"] == "heard":
                last = frames[-1] if frames else self.before
                frames += unpacked(last, line["count"], line["columns"])
        return frames

    @property
    def asked(self) -> list[tuple[Part, Line | None]]:
        """The questions to kernels that were answered or put in this step, with their answers."""
        answers = [line for line in self.lines if line["kind"] == "answer"]
        found = []
        for line in self.lines:
            if line["kind"] == "ask":
                answer = next((one for one in answers if one["key"] == line["key"]), None)
                if answer:
                    answers.remove(answer)
                found.append((line["request"], answer))
        return found


def moments(record: Record) -> list[Moment]:
    """Return the steps of a run in their order; the last may have been cut off."""
    found, moment, maps = list[Moment](), Moment(), MapReader()
    for line in record.lines:
        cut = line["kind"] == "ending" and line.get("cut")
        if line["kind"] == "step" or cut:
            moment.step, moment.done = cut or line["step"], not cut
            moment.cycle = moment.step["cycle"]
            moment.states = _map(maps, moment)
            found.append(moment)
            moment = Moment(moment.cycle + 1, before=(moment.telemetry or [moment.before])[-1])
        else:
            moment.lines.append(line)
    if record.one("ending") is None and any(line["kind"] in ("ask", "block") for line in moment.lines):
        moment.done = False
        found.append(moment)
    for here, after in pairwise(found):
        here.told = (after.step.get("frame") or {}).get("last_step")
    return found


def _map(maps: MapReader, moment: Moment) -> States | None:
    """Return the map of a moment's frame, which may tell no more than what has changed since the last."""
    frame = moment.step.get("frame")
    try:
        return maps.read(WorldModel.model_validate(frame["world_model"]), moment.cycle) if frame else None
    except (MapLost, ValidationError):
        return None


def moment_of(record: Record, step: int) -> Moment:
    """Return the step of a number.

    Raises:
        RecordError: the run has none of this number.
    """
    found = moments(record)
    for moment in found:
        if moment.cycle == step:
            return moment
    has = f"it has steps {found[0].cycle} to {found[-1].cycle}" if found else "it has no steps"
    raise RecordError(f"record {record.path}: there is no step {step}; {has}")


def moment_data(moment: Moment) -> Part:
    """Return a moment as --json prints it."""
    return {
        "step": moment.step or None,
        "done": moment.done,
        "asked": [{"request": request, "answer": answer} for request, answer in moment.asked],
        "telemetry": {
            "fields": list(Telemetry._fields),
            "rows": [list(frame) for frame in moment.telemetry],
        },
        "told": moment.told,
    }


def run_data(record: Record) -> Part:
    """Return a run as --json prints it."""
    ending, end = record.one("ending") or {}, record.one("end") or {}
    return {
        "run": record.name,
        "order": record.header.get("order"),
        "goal": (record.one("setting") or {}).get("goal"),
        "steps": [brief(moment) for moment in moments(record)],
        "program": (record.one("program") or {}).get("program"),
        "outcome": end.get("outcome", ending.get("outcome")),
        "reason": end.get("reason", ending.get("reason")),
        "torn": record.torn,
    }


def brief(moment: Moment) -> Part:
    """Return a step in a few fields."""
    step = moment.step
    thought, acted = step.get("thought") or {}, step.get("acted") or {}
    action = (step.get("decision") or {}).get("action") or {}
    return {
        "step": moment.cycle,
        "done": moment.done,
        "ms": step.get("ms"),
        "pose": step.get("pose"),
        "brain": thought.get("brain"),
        "why": thought.get("why"),
        "confidence": thought.get("confidence"),
        "escalation": thought.get("escalation"),
        "action": action_text(action) if action else None,
        "result": acted.get("result"),
        "details": acted.get("details"),
    }


def action_text(action: Part) -> str:
    """Return an action in words, as the run prints it."""
    place = action.get("target_m")
    target = action.get("target_id") or (f"{place[0]:.2f},{place[1]:.2f}" if place else "")
    yaw = action.get("yaw_deg")
    return " ".join(filter(None, (action["type"], target, "" if yaw is None else f"{yaw:g} deg")))


def container_of(step: Part) -> bytes | None:
    """Return the container of a step's block, None where it had none."""
    block = step.get("block")
    return bytes(undata(block["container"])) if block else None
