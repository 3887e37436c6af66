"""A mission: one sentence, one robot, cycles until it ends."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

from llmbytecode import Outcome
from llmos.blackbox import Box, Recorder
from llmos.brains.boundary import load_boundary
from llmos.brains.budget import Metered
from llmos.brains.opening import make_brain, model_of
from llmos.brains.planner import Rates
from llmos.brains.points import kind_of_goal, strategy_of
from llmos.camera import PictureSource
from llmos.connection import connected
from llmos.errors import LlmosError
from llmos.eyes import Eyes, Shot, words
from llmos.eyes.vlm import COLOUR, make_detector, open_kernel_that_sees
from llmos.inference import Kernel, note_of, open_kernel
from llmos.kernel import blocks
from llmos.kernel.belief import Belief
from llmos.kernel.blocks import Pace
from llmos.kernel.cycle import cycle, look
from llmos.kernel.goal import KINDS, Goal, read_goal
from llmos.kernel.mind import Mind, Settings, Step
from llmos.link import Body
from llmos.manifest import Manifest, camera_of, load_manifest
from llmos.report import GOOD, REASONS, Order, Report
from llmos.runs import Block, certified, cut_short, ended, run_blocks
from llmos.scratch import scratch_folder
from llmos.sim import judge
from llmos.sim.arena import Arena, load_arena
from llmos.sim.arena import Goal as ArenaGoal
from llmos.sim.truth import TruthError
from llmos.world.candidates import STRATEGIES
from llmos.writing import make_program, usual_way

Watch = Callable[[Mind, Step], None]
Tell = Callable[[Report], None]
Connect = Callable[[], AbstractContextManager[Body]]
NO_PICTURES = PictureSource()  # of a record, which has its own
WRITING_S = 120.0  # least time for a behaviour's program


@dataclass(frozen=True)
class Means:
    """What a mission is carried out with: all but the robot itself, which is connected to when it begins.

    Args:
        manifest: the robot's.
        kernel: who decides, or makes a behaviour's program.
        box: what all that comes from outside passes through.
        pictures: the camera's.
        sight: the model that looks at them; None where colours and shapes do.
    """

    manifest: Manifest
    kernel: Kernel
    box: Box
    pictures: Callable[[], Shot] = NO_PICTURES
    sight: Kernel | None = None


def with_goal(arena: Arena, goal: Goal) -> Arena:
    """Return the arena with the goal of this mission in the place of its own, for the judge."""
    place = ArenaGoal(x=goal.place_m[0], y=goal.place_m[1]) if goal.place_m else None
    return arena.model_copy(update={"goal": place})


@contextmanager
def own_kernel(order: Order) -> Iterator[Kernel]:
    """Open the order's kernel."""
    kernel = open_kernel(model_of(order.kernel))
    try:
        yield kernel
    finally:
        kernel.close()


@contextmanager
def own_eyes(order: Order) -> Iterator[Kernel | None]:
    """Open the model that looks at the camera's pictures, where the order names one."""
    if not sees_by_model(order):
        yield None
        return
    with closing(open_kernel_that_sees(order.eyes)) as sight:
        yield sight


def sees_by_model(order: Order) -> bool:
    """Whether a model looks at the camera's pictures."""
    return order.camera and order.eyes != COLOUR


def first_belief(arena: Arena, manifest: Manifest) -> Belief:
    """Return what a robot believes before it has seen anything: where it stands."""
    start = (arena.start.x, arena.start.y, math.radians(arena.start.heading_deg))
    return Belief(manifest, start, arena.size_m)


def make_mind(
    order: Order, arena: Arena, goal: Goal, robot: Body, means: Means, belief: Belief | None = None
) -> Mind:
    """Return a fresh mind for an order; with a belief, it goes on from what is known already."""
    settings = Settings(
        tolerance_m=arena.criteria.goal_tolerance_m,
        max_cycles=order.max_cycles or arena.criteria.max_cycles,
        deadline_s=order.deadline_s,
        seed=order.seed,
        shuffle=order.shuffle,
        predict=order.predict,
        think=order.think,
        show_map=order.show_map,
    )
    belief, boundary = belief or first_belief(arena, means.manifest), load_boundary(order.boundary)
    return Mind(
        robot=robot,
        belief=belief,
        goal=goal,
        strategy=STRATEGIES[strategy_of(means.kernel, boundary.strategy, goal.text, order.seed)],
        brain=make_brain(
            order.kernel,
            means.kernel,
            boundary,
            preset=order.preset,
            rates=Rates(settings.prefill_per_s, settings.decode_per_s),
            arrived=None if robot.clock.simulated else lambda ready: bool(means.box.outside("plan", ready)),
        ),
        settings=settings,
        pace=Pace.of(means.manifest.limits),
        eyes=make_eyes(order, goal, belief, means),
    )


def make_eyes(order: Order, goal: Goal, belief: Belief, means: Means) -> Eyes | None:
    """Return the eyes that an order asks for."""
    if not order.camera:
        return None
    lens = camera_of(means.manifest).lens
    detector = make_detector(lens, means.sight)
    return Eyes(
        lambda: means.box.outside("camera", means.pictures),
        detector,
        lens,
        belief.grid,
        goal.label,
        order.deadline_s,
    )


def run_mission(
    order: Order,
    watch: Watch = lambda mind, step: None,
    kernel: Kernel | None = None,
    tell: Tell = lambda report: None,
) -> Report:
    """Carry out an order.

    Args:
        order: what is asked for.
        watch: called after every cycle.
        tell: called with the report so far before a behaviour's program is run.
        kernel: an open kernel to use (and leave open) in place of the order's own.

    Raises:
        LlmosError: it could not begin: no such arena, kernel, robot, MicroPython; no answer to a behaviour.
    """
    began = time.monotonic()
    with Recorder(order) if order.record else Box() as box, scratch_folder() as folder:
        truth = folder / "truth.jsonl"
        manifest = load_manifest(order.robot)
        report = take(order, load_arena(order.arena, radius_m=manifest.radius_m), manifest, box)
        with ExitStack() as stack:
            pictures = PictureSource()
            mine = Metered(kernel or stack.enter_context(own_kernel(order)), order.budget)
            sight = stack.enter_context(own_eyes(order))
            seeing = sight and box.kernel(Metered(sight, mine.purse))
            means = Means(manifest, box.kernel(mine), box, pictures, seeing)
            carry_out(
                report, means, lambda: connected(order, manifest, truth, pictures=pictures), watch, tell
            )
            report.spent = mine.purse.used()
        with suppress(TruthError):  # there is none where the board was killed, or had not begun
            report.truth = None if order.port else judge.read_truth(truth)
        report.wall_s = time.monotonic() - began
        settle(report)
        box.end(report)
    report.unrecorded = box.trouble
    return report


def take(order: Order, arena: Arena, manifest: Manifest, box: Box) -> Report:
    """Read the order's goal, and begin its report."""
    if order.camera:
        camera_of(manifest)  # it has one
    asks = load_boundary(order.boundary).goal != "rule"
    goal = goal_of(order, arena, lambda text: KINDS[0] if asks else "")  # until the model is asked
    box.setting(arena, manifest, goal)
    return Report(order, with_goal(arena, goal), goal)


def goal_of(order: Order, arena: Arena, ask: Callable[[str], str]) -> Goal:
    """Return what an order's sentence asks for; `ask` has the word where nothing is certain."""
    return read_goal(
        order.goal,
        (arena.goal.x, arena.goal.y) if arena.goal else None,
        arena.size_m,
        as_behaviour=bool(order.way),
        sees=order.camera,
        any_name=sees_by_model(order),
        ask=ask,
    )


def carry_out(
    report: Report,
    means: Means,
    connect: Connect,
    watch: Watch = lambda mind, step: None,
    tell: Tell = lambda report: None,
) -> None:
    """Do what the report's order asks for; all that comes from outside passes through the box."""
    report.note = note_of(means.kernel)
    settle_goal(report, means.kernel)
    try:
        if not report.goal.behaviour:
            with means.box.connected(connect) as robot:
                pursue(report, means, robot, watch)
        elif block := written(report, means, tell):
            with means.box.connected(connect) as robot:
                behave(report, robot, block)
    except KeyboardInterrupt:
        report.outcome, report.reason = "stopped", "interrupted; the robot was stopped first"
        report.interrupted = True
    means.box.ending(report)


def carry_on(
    report: Report,
    means: Means,
    robot: Body,
    belief: Belief,
    watch: Watch = lambda mind, step: None,
    tell: Tell = lambda report: None,
) -> None:
    """Do what the report's order asks for with a robot that is connected, from what is believed already."""
    report.note = note_of(means.kernel)
    settle_goal(report, means.kernel)
    if not report.goal.behaviour:
        pursue(report, means, robot, watch, belief)
    elif block := robot.think(lambda: written(report, means, tell)):
        behave(report, robot, block)
        for reading in report.run.telemetry if report.run else ():
            belief.hear(reading)
    means.box.ending(report)


def settle_goal(report: Report, kernel: Kernel) -> None:
    """Ask the model what the sentence means, where the boundary leaves that to it and nothing is certain."""
    order, who = report.order, load_boundary(report.order.boundary).goal
    if who != "rule":
        report.goal = goal_of(order, report.arena, lambda text: kind_of_goal(kernel, who, text, order.seed))
        report.arena = with_goal(report.arena, report.goal)


def pursue(report: Report, means: Means, robot: Body, watch: Watch, belief: Belief | None = None) -> None:
    """Drive to the report's goal, or explore."""

    def done(mind: Mind, step: Step) -> None:
        means.box.step(step)
        watch(mind, step)

    mind = make_mind(report.order, report.arena, report.goal, robot, means, belief)
    means.box.driven_by(mind)
    report.belief, report.foresight, report.eyes = mind.belief, mind.foresight, mind.eyes
    drive(mind, report, done)


def written(report: Report, means: Means, tell: Tell) -> Block | None:
    """Have the kernel make a behaviour's program; None where none is accepted, which the report then says."""
    order, manifest = report.order, means.manifest
    way, seconds = order.way or usual_way(means.kernel.name), max(order.deadline_s, WRITING_S)
    report.draft = draft = make_program(
        order.goal, means.kernel, manifest, way, seed=order.seed, deadline_s=seconds
    )
    means.box.program(draft)
    tell(report)
    if draft.program is None:
        report.reason = f"no program was accepted; the last one: {draft.attempts[-1].refusal}"
        return None
    return certified(draft.program, manifest.limits)


def behave(report: Report, robot: Body, block: Block) -> None:
    """Run a behaviour's program."""
    try:
        (report.run,) = run_blocks(robot, [block])
        report.ended = report.run.done.outcome == Outcome.COMPLETED
        report.outcome = "completed" if report.ended else "failed"
        report.reason = REASONS["completed"] + cut_short(report.run) if report.ended else ended(report.run)
    except LlmosError as error:
        report.outcome, report.reason = "failed", str(error)
    finally:
        report.sim_s = robot.clock.now() / 1000


def drive(mind: Mind, report: Report, watch: Watch) -> None:
    """Look around once, then run cycles until one of them ends the run."""
    first = mind.step = Step(0, mind.robot.clock.now(), mind.belief.pose)
    ending = None
    try:
        look(mind, first, blocks.LOOK)
        report.steps.append(first)
        watch(mind, first)
        while ending is None:
            step, ending = cycle(mind)
            if ending is None:
                report.steps.append(step)
                watch(mind, step)
        report.ended = True
        report.outcome = "covered" if ending == "explored" else ending
        report.reason = REASONS[report.outcome]
        if ending == "unreachable" and mind.goal.label and not mind.sought:
            report.reason = f"no {mind.goal.label} was seen, and nothing is left to look at"
        if ending == "stuck" and mind.trouble:
            trouble = mind.trouble
            report.reason += f"; at last {trouble.action} was {trouble.result}: {trouble.details}"
    except LlmosError as error:
        report.outcome, report.reason = "failed", str(error)
    finally:
        mind.brain.close()
        report.goal = mind.goal  # with the place of what was sought
        report.sim_s = mind.robot.clock.now() / 1000


def settle(report: Report) -> None:
    """Let the judge have the last word: what the robot believes is no outcome yet."""
    settle_place(report)
    hits, most = report.truth.collisions if report.truth else 0, report.arena.criteria.max_collisions
    if report.outcome in GOOD and hits > most:
        report.outcome, report.reason = "failed", f"{hits} collisions, at most {most} allowed"


def settle_place(report: Report) -> None:
    """Tell whether it got where it was to go, or saw what it was to see."""
    if report.goal.behaviour:
        return
    if report.goal.label:
        settle_thing(report)
    elif report.goal.place_m is None:
        settle_exploration(report)
    elif report.outcome == "reached" and report.truth and report.truth.way:
        off = math.dist(report.truth.way[-1], report.goal.place_m)
        if off > report.arena.criteria.goal_tolerance_m:
            report.outcome, report.reason = "failed", f"it believes to be there, and stands {off:.2f} m away"


def settle_thing(report: Report) -> None:
    """Reached is where the robot truly stands beside a thing that truly is what was sought."""
    if report.outcome != "reached" or not (report.truth and report.truth.way):
        return
    label, here = report.goal.label, report.truth.way[-1]
    there = [one for one in report.arena.objects if words(label) <= words(one.label)]
    off = min((math.dist(here, (one.x, one.y)) - one.radius_m for one in there), default=math.inf)
    if off > report.arena.criteria.goal_tolerance_m:
        where = f"stands {off:.2f} m away" if there else "there is none"
        report.outcome, report.reason = "failed", f"it believes to be at a {label}, and {where}"


def settle_exploration(report: Report) -> None:
    """Covered is what the arena's criteria say, where the run has ended by itself."""
    if not report.ended:
        return
    least, seen = report.arena.criteria.min_coverage, report.coverage()
    if seen >= least:
        report.outcome, report.reason = "covered", f"{seen:.0%} of the free area seen, {least:.0%} asked for"
    elif report.outcome == "covered":
        report.outcome = "failed"
        report.reason = f"only {seen:.0%} of the free area seen, {least:.0%} asked for"
