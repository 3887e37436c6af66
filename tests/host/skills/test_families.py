"""The small arenas made by rule: a plain program gets through each, and doing nothing does not."""

import pytest

from llmbytecode import assemble
from llmos.measures import MEASUREMENTS, Drive
from llmos.sim.generate import SMALL
from llmos.trial import try_block

SEEDS = (0, 1001)
DONE = {  # a program for each family, and how near its end has to be to the goal, in mm
    "wall": ("GUARD g0, front < 32cm\nMOVE 150cm, 45mm/s\nEND", 80),
    "corridor": (
        "LOOP 10\nSENSE r1, left\nSENSE r2, right\nSUB r1, r1, r2\nLDI r3, 150\nMIN r1, r1, r3\n"
        "LDI r3, -150\nMAX r1, r1, r3\nSENSE r2, heading\nSUB r1, r1, r2\nTURNR r1, max 600mrad, 30deg/s\n"
        "GUARD g0, front < 18cm\nMOVE 24cm, 45mm/s\nENDLOOP\nEND",
        250,
    ),
    "corner": (
        "GUARD g0, front < 36cm\nMOVE 150cm, 45mm/s\nUNGUARD g0\nTURN 90deg, 50deg/s\n"
        "GUARD g0, front < 18cm\nMOVE 115cm, 45mm/s\nEND",
        250,
    ),
    "block": (
        "GUARD g0, front < 28cm\nMOVE 100cm, 45mm/s\nUNGUARD g0\nTURN 90deg, 50deg/s\nMOVE 45cm, 45mm/s\n"
        "TURN -90deg, 50deg/s\nMOVE 105cm, 45mm/s\nTURN -90deg, 50deg/s\nMOVE 45cm, 45mm/s\nEND",
        250,
    ),
}


@pytest.mark.parametrize("family", SMALL)
def test_a_plain_program_gets_through(family: str) -> None:
    """By what it senses, without a map."""
    program, near = DONE[family]
    for seed in SEEDS:
        assert goal_mm(program, f"{family}:{seed}") < near < goal_mm("END", f"{family}:{seed}")


def goal_mm(program: str, arena: str) -> float:
    """Return how far from the goal a program leaves the robot that nothing may touch."""
    trial = try_block(assemble(program), arena=arena)
    assert trial.truth.collisions == 0
    return MEASUREMENTS["goal_mm"](Drive(trial, 0.075))
