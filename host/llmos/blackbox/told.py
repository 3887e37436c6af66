"""A record in words, for `llmos why`; every line is plain text."""

import json
import math
import textwrap
from collections.abc import Iterator

from llmbytecode import Certificate, Flag, Outcome, read_container
from llmbytecode.explain import explain
from llmos.blackbox._data import undata
from llmos.blackbox._file import Line, Record
from llmos.blackbox.why import Moment, Part, action_text, brief, container_of, moments, run_data
from llmos.link import Telemetry
from llmos.manifest import RANGE_CHANNELS
from llmos.runs import cut_by
from llmos.show import bounds
from llmos.text import plain
from llmos.world.candidates import Candidate
from llmos.world.grid import Grid
from llmos.world.serialize import States, ascii_map

BAR = 30  # signs of a probability of one
WIDTH = 100
NO_READING = 65535


def run_text(record: Record) -> str:
    """Return a run: what was asked for, a line a step, how it ended."""
    told = run_data(record)
    order = told["order"] or {}
    lines = [f"{record.name}: “{order.get('goal')}” in {order.get('arena')}, kernel {order.get('kernel')}"]
    lines += rows(record)
    lines += behaviour(record)
    if told["outcome"]:
        lines.append(told["outcome"] + f": {told['reason']}" * bool(told["reason"]))
    else:
        lines.append("the record ends here: the run was killed, or no line could be written any more")
    return "\n".join(map(plain, lines))


def rows(record: Record) -> Iterator[str]:
    """Tell the steps, and before each the tools that were called since the one before."""
    told = iter(moments(record))
    number, depth = 0, 0
    for line in record.lines:
        if line["kind"] == "call":
            number += 1
            given = textwrap.shorten(json.dumps(line["arguments"]), WIDTH)
            yield f"{'  ' * depth}call {number} {line['name']} {given} by {line['by']}"
            depth += 1
        elif line["kind"] == "called":
            depth -= 1
            yield f"{'  ' * depth}→ {line['name']} " + ("succeeded" if line["success"] else "failed")
        elif line["kind"] == "step" or (line["kind"] == "ending" and line.get("cut")):
            yield row(next(told))
    yield from map(row, told)


def row(moment: Moment) -> str:
    """Return a step in one line."""
    told = brief(moment)
    if not moment.step:
        return f"{moment.cycle:3d} (cut off before the step was done)"
    x, y, heading = told["pose"]
    who = " ".join(filter(None, (told["brain"], told["why"], sure(told["confidence"]))))
    up = f" ↑{told['escalation']}" if told["escalation"] else ""
    result = "" if told["result"] in (None, "success") else f"{told['result']}: "
    came = f" → {result}{told['details']}" if told["result"] else ""
    decided = f"{told['action'] or '(looks around)':14} [{who or 'no brain'}{up}]"
    cut = "" if moment.done else " (cut off)"
    return (
        f"{told['step']:3d} {told['ms'] / 1000:6.1f}s ({x:5.2f},{y:5.2f}) "
        f"{math.degrees(heading) % 360:3.0f}° {decided}{came}{cut}"
    )


def sure(confidence: float | None) -> str:
    """Return a calibrated confidence in words."""
    return "" if confidence is None else f"{confidence:.0%} sure"


def step_text(moment: Moment) -> str:
    """Return a step with everything that led to it and came of it."""
    parts = [
        ("what the frame said", frame_lines(moment) if moment.step else ()),
        ("candidates", candidate_lines(moment.step)),
        ("who decided", brain_lines(moment)),
        ("prompt, as the model read it", prompt_lines(moment)),
        ("how likely the model held each", chance_lines(moment.step)),
        ("decision", decision_lines(moment.step)),
        ("block", block_lines(moment.step)),
        ("what came back", outcome_lines(moment)),
        ("what the next frame was told", told_lines(moment)),
    ]
    lines = [row(moment)]
    for title, content in parts:
        found = list(content)
        if found:
            lines += ["", f"{title}:", *(f"  {line}" for line in found)]
    return "\n".join(map(plain, lines))


def frame_lines(moment: Moment) -> Iterator[str]:
    """Tell the frame, with its map."""
    frame = moment.step.get("frame")
    if not frame:
        yield "none: there was nothing to decide"
        return
    state, at = frame["state"], frame.get("goal_m")
    yield f"goal: {frame['goal']}" + (f" at ({at[0]:.2f}, {at[1]:.2f})" if at else "")
    x, y = state["position_m"]
    stuck = f", stuck for {state['stuck_counter']} cycles" if state["is_stuck"] else ""
    yield f"robot at ({x:.2f}, {y:.2f}) facing {state['yaw_deg']:.0f}°, {state['mode']}{stuck}"
    yield f"battery {state['battery_pct']:g} %, newest ranges {state['sensor_age_ms']} ms old"
    last = frame.get("last_step")
    if last:
        yield f"last step: {last['action']} {last['result']} {last['details']}"
    world = frame["world_model"]
    shares = (f"{world[f'{state}_pct']} % {state}" for state in ("free", "occupied", "unknown"))
    yield f"map: {', '.join(shares)}"
    yield from map_lines(frame, moment.states)


class _Drawn(Grid):
    """A map that is known by its states alone."""

    def __init__(self, states: States, cell_m: float) -> None:
        rows, cols = states.shape
        super().__init__((cols * cell_m, rows * cell_m), cell_m)
        self._states = states

    def states(self) -> States:
        """Return the states."""
        return self._states


def map_lines(frame: Part, states: States | None) -> list[str]:
    """Draw the frame's map, where it is known."""
    state = frame["state"]
    if states is None:
        return []
    x, y = state["position_m"]
    options = [candidate_of(one) for one in frame["candidates"]]
    goal = tuple(frame["goal_m"]) if frame.get("goal_m") else None
    pose = (x, y, math.radians(state["yaw_deg"]))
    return ascii_map(_Drawn(states, frame["world_model"]["cell_m"]), pose, goal, options, 2).split("\n")


def candidate_of(one: Part) -> Candidate:
    """Return a recorded candidate."""
    return Candidate(
        one["id"], one["type"], tuple(one["pos_m"]), one["score"], one["path_m"], one["note"], (0, 0)
    )


def candidate_lines(step: Part) -> Iterator[str]:
    """Tell the candidates."""
    for one in step.get("candidates") or []:
        x, y = one["pos_m"]
        onward = one.get("onward_m")  # records of earlier versions have none
        way = f"way {one['path_m']:.2f} m" + ("" if onward is None else f", on {onward:.2f} m")
        yield (
            f"{one['id']:4} {one['type']:9} ({x:5.2f}, {y:5.2f}) score {one['score']:.2f} "
            f"{way}  {one['note']}"
        ).rstrip()


def brain_lines(moment: Moment) -> Iterator[str]:
    """Tell which brain decided, and why."""
    thought = moment.step.get("thought")
    if not thought:
        return
    calls = thought["calls"]
    took = f", {1000 * sum(call['seconds'] for call in calls):.0f} ms of the model" if calls else ""
    yield thought["brain"] + (f": {thought['why']}" if thought["why"] else "") + took
    if thought["stand_in"]:
        yield f"in the model's place, which gave nothing usable: {thought['note']}"
    elif thought["note"]:
        yield thought["note"]
    if thought["confidence"] is not None:
        yield f"calibrated confidence that this is the best: {thought['confidence']:.0%}"
    if thought["escalation"]:
        yield f"escalated to the planner: {thought['escalation']}"
    rest = [answer for request, answer in moment.asked if request["user"] != thought["prompt"]]
    if rest:
        given = sum(bool(answer and "answer" in answer) for answer in rest)
        yield f"behind it, {len(rest)} other questions were put, and {given} answered"


def prompt_lines(moment: Moment) -> Iterator[str]:
    """Tell what the model read and what it answered."""
    prompt = (moment.step.get("thought") or {}).get("prompt", "")
    shown = ""
    for request, answer in moment.asked:
        if moment.step and request["user"] != prompt:
            continue
        if request["user"] != shown:
            yield f"(behind a system prompt of {len(request['system'])} characters)"
            yield from request["user"].split("\n")
            yield from [f"(one of {', '.join(request['choices'])})"] if "choices" in request else ()
        yield f"→ {answer_text(answer)}"
        shown = request["user"]
    if prompt and not shown:
        yield from prompt.split("\n")


def answer_text(line: Line | None) -> str:
    """Return an answer with its cost."""
    if line is None:
        return "no answer: the run was cut off"
    if "error" in line:
        return f"{line['error']}: {line['message']}"
    answer = line["answer"]
    tokens = f"{answer['tokens_in']} tokens read ({answer['tokens_cached']} cached)"
    written = f"{answer['tokens_out']} written ({answer['tokens_forced']} forced)"
    return f"{answer['text']}  [{tokens}, {written}, {1000 * answer['seconds']:.0f} ms]"


def chance_lines(step: Part) -> Iterator[str]:
    """Draw the probabilities of the choice as bars."""
    thought = step.get("thought") or {}
    chances = thought.get("probabilities") or {}
    chosen = ((step.get("decision") or {}).get("action") or {}).get("target_id")
    for name, chance in chances.items():
        mark = "  ← decided" if name == chosen else ""
        yield f"{name:4} {chance:6.3f} {'#' * round(BAR * chance):{BAR}}{mark}".rstrip()
    if chances and thought.get("confidence") is not None:
        yield f"calibrated with the scores: {thought['confidence']:.0%} sure of {chosen}"


def decision_lines(step: Part) -> Iterator[str]:
    """Tell the decision and its way."""
    decision = step.get("decision")
    if decision:
        fallback = decision["fallback"]
        target = f" {fallback['target_id']}" if fallback.get("target_id") else ""
        yield f"{action_text(decision['action'])}: “{decision['explanation']}”"
        yield f"where that fails: {fallback['if_failed']}{target}"
    if step.get("note"):
        yield f"done instead: {step['note']}"
    if step.get("path"):
        way = " ".join(f"({x:.2f},{y:.2f})" for x, y in step["path"])
        yield from textwrap.wrap(f"way: {way}", WIDTH, subsequent_indent="     ")


def block_lines(step: Part) -> Iterator[str]:
    """Tell the block: its text, its proof, and what it means."""
    container = container_of(step)
    if container is None:
        return
    block = step["block"]
    yield from block["text"].rstrip().split("\n")
    yield "proven" + bounds(Certificate(**block["certificate"])).replace(" |", ":")
    yield "in English:"
    yield from (f"  {line}" for line in explain(read_container(container).program).rstrip().split("\n"))


def outcome_lines(moment: Moment) -> Iterator[str]:
    """Tell how the block ended, and what the robot said meanwhile."""
    for line in moment.lines:
        if line["kind"] == "done":
            done = undata(line["done"])
            trip = f", tripped by {cut_by(done['trip'])}" if done["trip"] else ""
            end, turn = Outcome(done["outcome"]).name.lower(), math.degrees(done["rotation_mrad"] / 1000)
            used = f"{done['ms'] / 1000:.1f} s, {done['path_mm']} mm, {turn:.0f}°, fuel {done['fuel']}"
            yield f"{end} at word {done['pc']}{trip}: {used}"
        elif line["kind"] == "raised":
            yield f"{line['error']} in {line['where']}: {line['message']}".rstrip(": ")
    acted = moment.step.get("acted")
    if acted:
        yield f"{acted['result']}: {acted['details']}"
    yield from telemetry_lines(moment.telemetry)


def telemetry_lines(frames: list[Telemetry]) -> Iterator[str]:
    """Sum up telemetry."""
    if not frames:
        return
    first, last = frames[0], frames[-1]
    seconds = (last.ms - first.ms) / 1000
    yield f"{len(frames)} frames of telemetry in {seconds:.1f} s, battery {last.battery} mV"
    nearest = []
    for name in RANGE_CHANNELS:
        valid = [value for frame in frames if (value := getattr(frame, name)) != NO_READING]
        nearest.append(f"{name.replace('_', ' ')} {min(valid) if valid else '-'}")
    yield f"nearest readings in mm: {', '.join(nearest)}"
    flags = {flag.name for frame in frames for flag in Flag if frame.flags & flag and flag != Flag.MOVING}
    if flags:
        yield f"flags seen: {', '.join(sorted(str(name).lower() for name in flags))}"


def told_lines(moment: Moment) -> Iterator[str]:
    """Tell what the next frame was told."""
    if moment.told:
        yield f"last: {moment.told['action']} {moment.told['result']} {moment.told['details']}".rstrip()


def behaviour(record: Record) -> Iterator[str]:
    """Tell how a behaviour's program was made, and what came of it."""
    line = record.one("program")
    if line is None:
        return
    program = line["program"]
    whole = Moment(lines=record.lines)
    yield f"wish: {program['wish']}" + (f"; chosen: {program['chosen']}" if program["chosen"] else "")
    for request, answer in whole.asked:
        yield "asked:"
        yield from (f"  {text}" for text in request["user"].split("\n"))
        yield f"  → {answer_text(answer)}"
    for number, attempt in enumerate(program["attempts"], 1):
        yield f"program {number}: " + (attempt["refusal"] or "accepted")
        yield from (f"  {text}" for text in attempt["text"].rstrip().split("\n"))
        if attempt["certificate"]:
            yield "  proven" + bounds(Certificate(**attempt["certificate"])).replace(" |", ":")
    for block in record.all("block"):
        english = explain(read_container(undata(block["container"])).program)
        yield "in English:"
        yield from (f"  {text}" for text in english.rstrip().split("\n"))
    came = list(outcome_lines(whole))
    yield from (["what came back:", *(f"  {text}" for text in came)] if came else [])
