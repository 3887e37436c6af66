"""The judge: shortest ways, coverage and truth logs of cases that one can work out by hand."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from llmos.sim import judge
from llmos.sim.arena import Arena, clearance, list_arenas, load_arena
from llmos.sim.truth import TruthError
from llmos.world.grid import Grid

RADIUS = 0.075


def arena(**keys: object) -> Arena:
    """A room of four metres with the goal two metres east of the start, changed by `keys`."""
    plain = {"name": "case", "size_m": (4, 4), "start": {"x": -1, "y": 0}, "goal": {"x": 1, "y": 0}}
    return Arena.model_validate({**plain, **keys})


def test_free_way_is_straight_up_to_the_tolerance() -> None:
    """Two metres less the goal's tolerance of 0.3 m."""
    assert judge.shortest_m(arena(), RADIUS) == pytest.approx(1.7, abs=1e-6)


def test_way_round_a_wall_hugs_its_end() -> None:
    """Tangent, arc about the wall's end, tangent: worked out exactly."""
    case = arena(walls=((0, -2, 0, 1),), criteria={"goal_tolerance_m": 0.001})
    far = math.sqrt(2)  # from start and goal to the wall's end, at a right angle to each other
    arc = RADIUS * (3 * math.pi / 2 - 2 * math.acos(RADIUS / far))
    exact = 2 * math.sqrt(far**2 - RADIUS**2) + arc
    assert judge.shortest_m(case, RADIUS) == pytest.approx(exact, rel=0.01)


def test_way_round_a_disc() -> None:
    """Two tangents and an arc about a disc whose middle is on the line."""
    case = arena(discs=((0, 0, 0.425),), criteria={"goal_tolerance_m": 0.001})
    reach = 0.425 + RADIUS
    exact = 2 * math.sqrt(1 - reach**2) + reach * (math.pi - 2 * math.acos(reach))
    assert judge.shortest_m(case, RADIUS) == pytest.approx(exact, rel=0.005)


@pytest.mark.parametrize("name", [name for name in list_arenas() if load_arena(name).goal])
def test_shortest_way_can_be_driven(name: str) -> None:
    """From the start to the goal's tolerance, nowhere nearer to an obstacle than the robot's radius."""
    case = load_arena(name)
    way = list(judge.shortest_way(case, RADIUS))
    assert case.goal
    left_over = math.dist(way[-1], (case.goal.x, case.goal.y))
    assert way[0] == (case.start.x, case.start.y)
    assert left_over == pytest.approx(case.criteria.goal_tolerance_m, abs=1e-6)
    for (x1, y1), (x2, y2) in pairwise(way):
        for part in range(11):
            x, y = x1 + (x2 - x1) * part / 10, y1 + (y2 - y1) * part / 10
            assert clearance(case, x, y) >= RADIUS - 0.006  # a step of the grid may cut so much off a corner


def test_no_goal_has_no_shortest_way() -> None:
    """An exploration has no such figure."""
    assert judge.shortest_m(load_arena("exploration"), RADIUS) is None


def test_walled_off_area_is_not_asked_for() -> None:
    """Behind a closed wall nothing can be seen; through a slit too narrow for the robot it can."""
    closed = arena(walls=((0, -2, 0, 2),))
    slit = arena(walls=((0, -2, 0, -0.05), (0, 0.05, 0, 2)))
    assert judge.visible_points(closed, RADIUS)[:, 0].max() < 0
    beyond = judge.visible_points(slit, RADIUS)
    assert 0.5 < beyond[beyond[:, 0] > 0.1][:, 0].max() <= 2.0


def test_coverage_grows_from_nothing_to_all() -> None:
    """Nothing seen is 0, everything seen is 1, the western half is a half."""
    case, grid = arena(), Grid((4, 4))
    assert judge.coverage(case, RADIUS, grid) == 0
    grid.logodds[:, :20], grid.updated_ms[:, :20] = -2, 0
    assert judge.coverage(case, RADIUS, grid) == pytest.approx(0.5, abs=0.01)
    grid.logodds[:], grid.updated_ms[:] = -2, 0
    assert judge.coverage(case, RADIUS, grid) == 1


def test_a_model_s_word_is_no_sight() -> None:
    """Cells that were corrected but never sensed do not count."""
    case, grid = arena(), Grid((4, 4))
    for row in range(grid.shape[0]):
        for column in range(grid.shape[1]):
            grid.correct(*grid.centre((row, column)), "free", 0.7)
    assert judge.coverage(case, RADIUS, grid) == 0


def write(path: Path, *records: dict[str, object], tail: str = "") -> Path:
    """Write a truth log."""
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)
    return path


HEADER = {"arena": {"name": "case"}, "robot": "cube", "seed": 4}
HERE = {"ms": 0, "x": 0.0, "y": 0.0, "heading": 0.0, "collisions": 0, "moving": 0, "led": [0, 0, 0]}


def test_truth_log_sums_up(tmp_path: Path) -> None:
    """The way is the polyline's length, collisions are the last count, other lines are events."""
    there = {**HERE, "ms": 900, "x": 0.3, "y": 0.4, "collisions": 2}
    truth = judge.read_truth(write(tmp_path / "log", HEADER, HERE, there, {"ms": 950, "died": "why"}))
    assert (truth.path_m, truth.collisions, truth.seed) == (pytest.approx(0.5), 2, 4)
    assert truth.events == [{"ms": 950, "died": "why"}]


def test_cut_off_last_line_is_left_out(tmp_path: Path) -> None:
    """A board that was killed leaves half a line."""
    truth = judge.read_truth(write(tmp_path / "log", HEADER, HERE, tail='{"ms":100,"x":0.'))
    assert len(truth.samples) == 1


@pytest.mark.parametrize("text", ["", "{}\n"])
def test_no_truth_log(tmp_path: Path, text: str) -> None:
    """An empty or foreign file is refused."""
    (tmp_path / "log").write_text(text)
    with pytest.raises(TruthError, match="does not name an arena"):
        judge.read_truth(tmp_path / "log")


def test_a_part_of_a_truth_log_begins_with_the_state_before_it() -> None:
    """What happened between two moments; collisions count from there, events on the way belong to it."""
    samples = [judge.Sample(ms, ms / 1000, 0.0, 0.0, ms // 200, 1, [0, 0, 0]) for ms in range(0, 1001, 100)]
    truth = judge.Truth({}, "cube", 0, samples, [{"ms": 300, "tone_hz": 440}, {"ms": 500, "tone_hz": 880}])
    part = judge.between(truth, 350, 700)
    assert [sample.ms for sample in part.samples] == [300, 400, 500, 600, 700]
    assert [sample.collisions for sample in part.samples] == [0, 1, 1, 2, 2]
    assert part.events == [{"ms": 500, "tone_hz": 880}]


def test_how_near_the_body_came_to_an_obstacle() -> None:
    """Between body and obstacle, at the nearest sample; 0 where it touched one."""
    case = arena(discs=((0.5, 0.3, 0.1),))
    for x, y, near in ((0.0, 0.0, math.hypot(0.5, 0.3) - 0.175), (0.5, 0.0, 0.125), (0.5, 0.15, 0.0)):
        samples = [
            judge.Sample(0, -1.0, 0.0, 0.0, 0, 0, [0, 0, 0]),
            judge.Sample(1, x, y, 0.0, 0, 0, [0, 0, 0]),
        ]
        assert judge.nearest_m(judge.Truth({}, "cube", 0, samples), case, RADIUS) == pytest.approx(near)


def test_the_way_to_a_thing_ends_near_its_edge() -> None:
    """Straight up to the tolerance before the nearest thing of that name; a wall around it leaves no way."""
    things = [{"colour": "red", "shape": "box", "x": x, "y": 0.0, "radius_m": 0.1} for x in (1.0, 1.5)]
    case = arena(objects=things)
    assert judge.shortest_to_m(case, RADIUS, "red box") == pytest.approx(1.6, abs=0.03)
    assert judge.shortest_to_m(case, RADIUS, "box") == judge.shortest_to_m(case, RADIUS, "red box")
    assert judge.shortest_to_m(case, RADIUS, "red ball") is None
    assert judge.shortest_to_m(arena(objects=things, walls=((0, -2, 0, 2),)), RADIUS, "red box") is None
