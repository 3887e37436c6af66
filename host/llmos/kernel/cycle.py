"""The kernel cycle: thirteen steps from what the robot knows to what it does next."""

import math
import random
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llmbytecode import LLMBytecodeError
from llmos.brains import Circumstances, Question, Thought
from llmos.brains.escalation import needs_plan
from llmos.kernel import blocks, seeing
from llmos.kernel.act import Acted, prove, refused, run_block
from llmos.kernel.corrections import Corrected, correct, doubtful
from llmos.kernel.decision import Decision, InvalidDecision, decision_schema, read_decision
from llmos.kernel.frame import (
    FrameCandidate,
    FrameState,
    Mode,
    NavigationFrame,
    Point,
    SymbolicLayer,
    WorldModel,
)
from llmos.kernel.mind import GIVE_UP_CYCLES, STUCK_CYCLES, STUCK_M, Mind, Step
from llmos.planning import astar, nearest_passable, reachable_costs
from llmos.planning.route import clear_length, cut, length, straighten
from llmos.world.candidates import Candidate, candidates, onward
from llmos.world.draw import map_png
from llmos.world.grid import UNKNOWN
from llmos.world.serialize import MOST_OBJECTS, ascii_maps, objects, seen_object

Ending = Literal["reached", "explored", "unreachable", "stuck", "failed"]
OFFERED = 4  # candidates; each costs the model some 28 tokens to read
DOUBTFUL = 0.5  # confidence of an object below which it is worth a thought
ARRIVED_M = 0.05  # the goal counts as reached this far inside its tolerance
WORTH_M = 0.05  # a shorter way is not worth a block
FULL_BATTERY_SHARE = 100.0


def cycle(mind: Mind) -> tuple[Step, Ending | None]:
    """Run one cycle; the second value tells how the run ended, where it did."""
    mind.cycle += 1
    step = mind.step = Step(mind.cycle, mind.robot.clock.now(), mind.belief.pose)
    seeing.see(mind, step)
    if ending := check_goal(mind):
        return step, ending
    check_progress(mind)
    if seeing.near(mind):
        return face(mind, step), None
    step.candidates = find_candidates(mind)
    if not step.candidates:
        return look_for_more(mind, step)
    world, layer = serialize_world(mind)
    image = draw_map(mind, step)
    step.frame = assemble_frame(mind, step, world, layer)
    step.thought = infer(mind, step, image)
    step.decision = decide(mind, step)
    if step.decision is None:
        return step, None
    step.corrected = apply_corrections(mind, step.decision)
    predict(mind)
    step.path = plan(mind, step, target_of(step.decision, step.candidates))
    step.mode = mind.mode = next_mode(mind, step.decision)
    act(mind, step)
    return step, None


def check_goal(mind: Mind) -> Ending | None:
    """Step 1: tell whether the run is over."""
    goal, settings = mind.goal.place_m, mind.settings
    there = goal and math.dist(goal, mind.belief.pose[:2]) <= settings.tolerance_m - ARRIVED_M
    if seeing.reached(mind) if mind.goal.label else there:
        mind.mode = "goal_reached"
        return "reached"
    if mind.stuck >= GIVE_UP_CYCLES:
        return "stuck"
    return "failed" if mind.cycle > settings.max_cycles else None


def check_progress(mind: Mind) -> None:
    """Step 2: count the cycles in which the robot has not got anywhere."""
    here = mind.belief.pose[:2]
    moved = mind.stood is None or math.dist(here, mind.stood) >= STUCK_M
    mind.stuck, mind.stood = (0 if moved else mind.stuck + 1), here


def find_candidates(mind: Mind) -> list[Candidate]:
    """Step 3: list the places worth going to, best known first."""
    belief = mind.belief
    mind.foresight.observe(belief.grid.measured())
    mind.cost = costs(mind)
    mind.here = standing(mind)
    mind.reach = reachable_costs(mind.cost, mind.here)
    mind.avoid = {cell: last for cell, last in mind.avoid.items() if last >= mind.cycle}
    goal = seeing.aim(mind)
    found = candidates(
        belief.grid,
        mind.cost,
        mind.reach,
        belief.pose,
        goal,
        stuck=mind.stuck >= STUCK_CYCLES,
        blacklist=mind.avoid,
        limit=OFFERED,
        strategy=mind.strategy,
        sight_m=belief.manifest.range.max_m,
    ) or seeing.unlooked(mind, OFFERED)
    if goal:
        found = onward(found, belief.grid, mind.cost, mind.reach, goal)
    return shuffled(found, mind) if mind.settings.shuffle else found


def shuffled(found: list[Candidate], mind: Mind) -> list[Candidate]:
    """Return the candidates in a random order that the seed and the cycle fix, renamed in that order."""
    order = random.Random(mind.settings.seed * 100_003 + mind.cycle).sample(found, len(found))
    return [replace(candidate, id=f"c{number}") for number, candidate in enumerate(order, 1)]


def standing(mind: Mind) -> tuple[int, int]:
    """Return the passable cell that the robot stands on, or the one next to it."""
    cell = mind.belief.grid.cell(*mind.belief.pose[:2])
    return nearest_passable(mind.cost, cell, 3) or cell if cell else (0, 0)


def look_for_more(mind: Mind, step: Step) -> tuple[Step, Ending | None]:
    """Without candidates: look around once, then try the avoided places again, then end."""
    if not mind.looked_here():
        look(mind, step, blocks.LOOK)
    elif mind.avoid:
        mind.avoid.clear()
        mind.stuck += 1
    else:
        return step, "unreachable" if mind.goal.place_m or mind.goal.label else "explored"
    return step, None


def serialize_world(mind: Mind) -> tuple[WorldModel, SymbolicLayer]:
    """Step 4: put the map into a form of bounded size."""
    grid, belief = mind.belief.grid, mind.belief
    mind.entered = mind.floor.enter(grid, belief.pose[:2])
    seen = [seen_object(one) for one in belief.objects if one.confirmed and not one.lost]
    layer = SymbolicLayer(
        objects=[*seen[:MOST_OBJECTS], *objects(grid)],
        topology=mind.floor.layer(grid, mind.cost),
        room=mind.floor.line(),
    )
    return mind.maps.world_model(grid, mind.cycle), layer


def draw_map(mind: Mind, step: Step) -> tuple[bytes, ...]:
    """Step 5: draw the map for a kernel that can see, and put what the camera shows beside it."""
    if not mind.brain.vision:
        return ()
    picture = (mind.eyes.picture,) if mind.eyes and mind.eyes.picture else ()
    return (map_png(mind.belief.grid, mind.belief.pose, step.candidates, mind.goal.place_m), *picture)


def assemble_frame(mind: Mind, step: Step, world: WorldModel, layer: SymbolicLayer) -> NavigationFrame:
    """Step 6: put together what the model may know."""
    x, y, heading = mind.belief.pose
    battery = mind.belief.manifest.battery
    share = (mind.belief.battery_mv - battery.min_mv) / (battery.full_mv - battery.min_mv)
    state = FrameState(
        mode=mind.mode,
        position_m=(x, y),
        yaw_deg=math.degrees(heading) % 360,
        speed_mps=0.0,
        battery_pct=round(FULL_BATTERY_SHARE * min(1.0, max(0.0, share)), 1),
        is_stuck=mind.stuck >= STUCK_CYCLES,
        stuck_counter=mind.stuck,
        confidence=mind.confidence,
        sensor_age_ms=mind.belief.age_ms,
    )
    options = [
        FrameCandidate(
            id=c.id,
            type=c.type,
            pos_m=c.pos_m,
            score=c.score,
            path_m=c.path_m,
            onward_m=c.onward_m,
            note=c.note,
        )
        for c in step.candidates
    ]
    return NavigationFrame(
        cycle=mind.cycle,
        goal=mind.goal.text,
        goal_m=mind.goal.place_m,
        world_model=world,
        symbolic_layer=layer,
        candidates=options,
        last_step=mind.last,
        state=state,
        history=list(mind.history),
        foresight=mind.foresight.line(step.candidates) if mind.settings.predict else "",
    )


def infer(mind: Mind, step: Step, images: tuple[bytes, ...]) -> Thought:
    """Step 7: have the brain decide, and let the time pass that its thinking is charged with."""
    frame, belief = frame_of(step), mind.belief
    maps = ascii_maps(belief.grid, belief.pose, mind.goal.place_m) if mind.settings.show_map else ""
    question = Question(
        frame=frame,
        text=frame.text(maps),
        schema=decision_schema(frame.candidates, failed(mind), correctable(mind)),
        failed=failed(mind),
        images=images,
        ranges_m=free_way(mind),
        circumstances=circumstances(mind, step),
        doubtful=doubtful(mind.belief.grid, mind.here),
        now_ms=mind.robot.clock.now(),
        deadline_s=mind.settings.deadline_s,
        seed=mind.settings.seed * 100_003 + mind.cycle,
    )
    thought = mind.robot.think(lambda: mind.brain(question))
    mind.robot.wait(thinking_ms(mind, thought))
    return thought


def circumstances(mind: Mind, step: Step) -> Circumstances:
    """Return what tells whether this cycle deserves more than an instinct."""
    here, now_ms = mind.belief.pose[:2], mind.robot.clock.now()
    known, reachable = mind.belief.grid.occupancy() != UNKNOWN, np.isfinite(mind.reach)
    still_ms, visits = mind.track.note(here, now_ms, int(known.sum()))
    return Circumstances(
        still_ms=still_ms,
        visits=visits,
        known=float(known[reachable].mean()) if reachable.any() else 0.0,
        frontiers=sum(one.type == "frontier" for one in step.candidates),
        doubtful=tuple(one.label for one in mind.belief.objects if one.confidence < DOUBTFUL),
        new_room=mind.entered,
        needs_plan=needs_plan(mind.goal.text),
        asked=mind.settings.think and mind.cycle == 1,
    )


def free_way(mind: Mind) -> dict[str, float | None]:
    """Return how far it is from the robot's edge to what each range sensor sees."""
    radius = mind.belief.manifest.radius_m
    return {name: None if far is None else far - radius for name, far in mind.belief.ranges_m.items()}


def correctable(mind: Mind) -> Point | None:
    """Return the room's size where the model sees the map, and so may correct it."""
    grid = mind.belief.grid
    return (grid.shape[1] * grid.cell_m, grid.shape[0] * grid.cell_m) if mind.settings.show_map else None


def frame_of(step: Step) -> NavigationFrame:
    """Return the step's frame, which step 6 has made."""
    if step.frame is None:
        raise RuntimeError("the cycle asked before it had assembled its frame")
    return step.frame


def failed(mind: Mind) -> bool:
    """Tell whether the last step got nowhere."""
    return mind.last is not None and mind.last.result != "success"


def thinking_ms(mind: Mind, thought: Thought) -> int:
    """Return a decision's cost on the simulated clock: tokens at configured rates, so that runs repeat."""
    read = sum(one.tokens_in - one.tokens_cached + one.tokens_forced for one in thought.calls)
    written = sum(one.tokens_out - one.tokens_forced for one in thought.calls)
    return 1 + round(1000 * (read / mind.settings.prefill_per_s + written / mind.settings.decode_per_s))


def decide(mind: Mind, step: Step) -> Decision | None:
    """Step 8: read the answer; an illegal one stops the robot for this cycle, and the next frame says so."""
    if step.thought is None:
        return None
    try:
        return read_decision(step.thought.text, frame_of(step).candidates, failed(mind))
    except InvalidDecision as error:
        mind.learn(step, Acted("invalid", str(error)))
        return None


def apply_corrections(mind: Mind, decision: Decision) -> Corrected:
    """Step 9: let the model speak on cells that the map itself is not sure of."""
    grid, update = mind.belief.grid, decision.world_model_update
    return correct(grid, grid.cell(*mind.belief.pose[:2]), update.corrections if update else ())


def predict(mind: Mind) -> None:
    """Step 10: see what ways cost after the corrections."""
    mind.cost = costs(mind)


def costs(mind: Mind) -> NDArray[np.float32]:
    """Return the cost of each cell, with the eyes' caution, and with what unseen ones probably hold."""
    cost = mind.belief.costs()
    if mind.eyes:
        cost = mind.eyes.layer.heed(cost, mind.robot.clock.now())
    return mind.foresight.costs(cost) if mind.settings.predict else cost


def target_of(decision: Decision, options: list[Candidate]) -> Candidate | Point | None:
    """Return the candidate or the place that a decision names."""
    named = next((c for c in options if c.id == decision.action.target_id), None)
    return named or decision.action.target_m


def plan(mind: Mind, step: Step, target: Candidate | Point | None) -> list[Point]:
    """Step 11: plan the way to the target with A*; empty where there is none."""
    if target is None:
        return []
    grid = mind.belief.grid
    place = target.pos_m if isinstance(target, Candidate) else target
    cell = target.cell if isinstance(target, Candidate) else grid.cell(*place)
    found = astar(mind.cost, mind.here, cell) if cell else None
    if found is None:
        return []
    return [mind.belief.pose[:2], *(grid.centre((int(r), int(c))) for r, c in found.cells[1:-1]), place]


def next_mode(mind: Mind, decision: Decision) -> Mode:
    """Step 12: the mode that the decision puts the robot into."""
    if mind.stuck >= STUCK_CYCLES:
        return "recovering"
    modes: dict[str, Mode] = {
        "MOVE_TO": "navigating",
        "EXPLORE": "exploring",
        "ROTATE_TO": "avoiding_obstacle",
    }
    return modes.get(decision.action.type, "idle")


def act(mind: Mind, step: Step) -> None:
    """Step 13: do it, and keep the result; where it cannot be done, the decision's own fallback follows."""
    decision = step.decision
    if decision is None:
        return
    kind = decision.action.type
    if kind == "STOP":
        mind.learn(step, Acted("success", "stands"))
    elif kind == "ROTATE_TO":
        look(
            mind,
            step,
            blocks.wrap(math.radians(decision.action.yaw_deg or 0.0) - mind.belief.pose[2]) or blocks.LOOK,
        )
    elif not drive(mind, step):
        shun_target(mind, step)
        fall_back(mind, step, decision)


def drive(mind: Mind, step: Step) -> bool:
    """Drive as much of the planned way as is known to be free; False where that is none of it."""
    if not step.path:
        mind.learn(step, Acted("blocked", "no path"))
        return False
    belief, limit = mind.belief, mind.settings.block_m
    blocked, keep = belief.blocked(), belief.clearance_m
    way = straighten(step.path, blocked, belief.grid.cell_m, keep, limit)
    known = clear_length(way, blocked, belief.grid.cell_m, keep, limit)
    ends_in_unknown = known < min(limit, length(step.path)) - 1e-6
    if known < WORTH_M:
        if mind.looked_here():
            mind.learn(step, Acted("blocked", "the way is not known to be free"))
            return False
        look(mind, step, blocks.LOOK)
        return True
    explores = step.decision is not None and step.decision.action.type == "EXPLORE"
    looks = ends_in_unknown or (explores and length(step.path) <= limit)
    turn = blocks.LOOK if looks and not mind.goal.label else 0.0  # a thing is looked for with pictures
    text = blocks.drive_text(belief.pose, cut(way, known), turn, step.mode, mind.pace)
    execute(mind, step, text)
    if looks and step.acted and step.acted.result == "success":
        if mind.goal.label:
            look_around(mind, step)
        mind.looked = belief.pose[:2]
    if step.acted and step.acted.result != "success":
        shun_target(mind, step)
    return True


def look(mind: Mind, step: Step, angle: float) -> None:
    """Turn on the spot to see more; all around where a thing is looked for."""
    if mind.goal.label and angle == blocks.LOOK:
        mind.learn(step, look_around(mind, step))
    else:
        execute(mind, step, blocks.turn_text(angle, mind.mode, mind.pace))
    mind.looked = mind.belief.pose[:2]


def look_around(mind: Mind, step: Step) -> Acted:
    """Turn all around in steps, with a picture at each, until what is sought is seen."""
    mind.lookouts.append(mind.belief.pose[:2])
    acted = Acted("success", "stands")
    for _ in range(seeing.DIRECTIONS):
        if mind.sought or acted.result != "success":
            break
        acted = attempt(mind, step, blocks.turn_text(2 * math.pi / seeing.DIRECTIONS, mind.mode, mind.pace))
        seeing.see(mind, step)
    return acted


def face(mind: Mind, step: Step) -> Step:
    """Turn to what is sought, beside which the robot stands without seeing it."""
    angle = seeing.turn_to(mind)
    if angle:
        execute(mind, step, blocks.turn_text(angle, mind.mode, mind.pace))
    else:
        seeing.miss(mind)
        mind.learn(step, Acted("success", f"does not see the {mind.goal.label} where it should be"))
    return step


def execute(mind: Mind, step: Step, text: str) -> None:
    """Prove a program, run it and learn from what came of it."""
    mind.learn(step, attempt(mind, step, text))


def attempt(mind: Mind, step: Step, text: str) -> Acted:
    """Prove a program and run it."""
    try:
        step.block = prove(text, mind.belief.manifest.limits)
    except LLMBytecodeError as error:
        return refused(error)
    return run_block(mind.robot, mind.belief, step.block)


def shun_target(mind: Mind, step: Step) -> None:
    """Leave the decision's target alone for a while."""
    target = step.decision and target_of(step.decision, step.candidates)
    if isinstance(target, Candidate):
        mind.shun(target.cell)


def fall_back(mind: Mind, step: Step, decision: Decision) -> None:
    """Do what the decision itself says for the case that it cannot be done, without asking again."""
    reaction, why = decision.fallback.if_failed, step.acted.details if step.acted else ""
    others = [c for c in step.candidates if c.type == "frontier" and c.cell not in mind.avoid]
    if reaction == "EXPLORE" and others:
        chosen = next((c for c in others if c.id == decision.fallback.target_id), others[0])
        step.note = f"{why}; fallback EXPLORE {chosen.id}"
        step.path = plan(mind, step, chosen)
        drive(mind, step)
    elif reaction != "STOP":
        step.note = f"{why}; fallback ROTATE_TO"
        look(mind, step, blocks.LOOK)
    if step.acted:
        step.acted = replace(step.acted, details=f"{why}; {step.acted.details}" if step.note else why)
