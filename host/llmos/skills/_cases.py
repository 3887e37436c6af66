"""A skill's own tests: cases, each an arena with a seed, and what came of trying one.

All of it can be pickled, so that cases run in other processes and on other machines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmbytecode import LLMBytecodeError
from llmos.errors import LlmosError
from llmos.manifest import load_manifest
from llmos.measures import Bounds, Drive, Misses, faults, misses, place
from llmos.sim import generate
from llmos.trial import try_block

from ._front import Physical
from ._skill import Skill


@dataclass(frozen=True)
class Case:
    """One run that a skill is tested by.

    Args:
        arena: its name, with the seed where it is made by rule: `wall:7`.
        seed: of the sensors' noise.
        values: the parameters, by key.
        check: for each measurement the least and the greatest that is right.
        lights: the colours shown, in order, where they matter.
        code: with which the program must fail; 0 where it must complete.
    """

    arena: str
    seed: int = 0
    values: Mapping[str, int] = field(default_factory=dict)
    check: Mapping[str, Bounds] = field(default_factory=dict)
    lights: tuple[str, ...] | None = None
    code: int = 0


@dataclass(frozen=True)
class Tried:
    """What came of a case.

    Args:
        case: what was tried.
        faults: what was wrong, each measured and asked for, in words; empty where it succeeded.
        misses: the measurements outside of their bounds: value, least, greatest.
        collisions: how often it hit something.
        path_m: the way driven.
        sim_s: the time that it took on the robot's clock.
        refused: why it was not run, empty where it was.
    """

    case: Case
    faults: tuple[str, ...] = ()
    misses: Misses = field(default_factory=dict)
    collisions: int = 0
    path_m: float = 0.0
    sim_s: float = 0.0
    refused: str = ""

    @property
    def success(self) -> bool:
        """Whether it was run, and nothing was wrong."""
        return not self.faults and not self.refused


def cases(skill: Skill, seeds: Iterable[int] | None = None) -> list[Case]:
    """Return a physical skill's cases, test by test.

    Args:
        skill: whose tests.
        seeds: which to run of each test; by default the first ones, as many as the test asks for.
    """
    if not isinstance(skill.front, Physical):
        return []
    chosen = None if seeds is None else list(seeds)
    return [
        Case(
            f"{test.arena}:{seed}" if test.arena in generate.MAKERS else test.arena,
            seed,
            test.values,
            test.check,
            test.lights,
            test.code,
        )
        for test in skill.front.tests
        for seed in (range(test.seeds) if chosen is None else chosen)
    ]


def try_case(skill: Skill, case: Case, robot: str = "cube") -> Tried:
    """Run a case on a fresh virtual robot, and measure what was asked for.

    What is refused, by the skill or by the robot's verifier, is told in the result; it is not raised.
    """
    manifest = load_manifest(robot)
    try:
        program = skill.program(case.values)
        trial = try_block(program, arena=place(case.arena), robot=robot, seed=case.seed)
    except (LlmosError, LLMBytecodeError) as error:
        return Tried(case, refused=str(error))
    drive, truth = Drive(trial, manifest.radius_m), trial.truth
    return Tried(
        case,
        faults=tuple(faults(drive, case.check, case.lights, case.code)),
        misses=misses(drive, case.check),
        collisions=truth.collisions,
        path_m=truth.path_m,
        sim_s=trial.done.ms / 1000,
    )
