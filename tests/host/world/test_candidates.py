"""Candidates: frontiers end when all is seen, all can be reached, the same world gives the same list."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.planning import astar, costmap, nearest_passable, reachable_costs
from llmos.world.candidates import SIGHT_M, SPACING_M, STRATEGIES, Candidate, candidates, onward
from llmos.world.grid import FREE, OCCUPIED, UNKNOWN, Grid

RADIUS_CELLS = 0.95
HERE = (0.05, 0.05, 0.0)


def listed(grid, pose=HERE, goal=None, stuck=False, blacklist=None, limit=5):
    """The candidates of a robot in a world, with the costs and the start that they were made from."""
    cost = costmap(grid.occupancy(), RADIUS_CELLS)
    start = nearest_passable(cost, grid.cell(*pose[:2]), 3)
    reach = reachable_costs(cost, start)
    return candidates(grid, cost, reach, pose, goal, stuck, blacklist or {}, limit), cost, start


def world(text, size=(5.0, 5.0)):
    """A grid whose middle is drawn: `#` occupied, `.` free, `?` unknown; unknown around it."""
    grid = Grid(size)
    lines = text.split()[::-1]
    row0, col0 = grid.shape[0] // 2 - len(lines) // 2, grid.shape[1] // 2 - len(lines[0]) // 2
    signs = np.array([list(line) for line in lines])
    value = np.select([signs == "#", signs == "."], [4.0, -2.9], 0.0)
    grid.logodds[row0 : row0 + len(lines), col0 : col0 + len(lines[0])] = value
    return grid


def random_world(seed):
    """A patch of free ground of random shape, with obstacles in it, round the robot."""
    random = np.random.default_rng(seed)
    grid = Grid()
    coarse = random.choice([-2.9, -2.9, -2.9, 0.0, 4.0], (10, 10))
    grid.logodds[:] = np.kron(coarse, np.ones((5, 5)))
    grid.logodds[21:30, 21:30] = -2.9
    grid.visits[25, 25] = 1
    return grid


@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_every_candidate_can_be_reached_on_a_way_of_its_length(seed, to_goal, stuck):
    grid = random_world(seed)
    found, cost, start = listed(grid, goal=(2.0, 1.5) if to_goal else None, stuck=stuck)
    for one in found:
        path = astar(cost, start, one.cell)
        assert path is not None
        steps = sum(math.dist(a, b) for a, b in itertools.pairwise(path.cells.tolist()))
        assert one.path_m == pytest.approx(steps * grid.cell_m, abs=1e-3)
        assert grid.cell(*one.pos_m) == one.cell
        assert 0 <= one.score <= 1


@given(st.integers(0, 10**6))
def test_candidates_are_ordered_numbered_and_apart(seed):
    found, *_ = listed(random_world(seed), goal=(2.0, 1.5), stuck=True)
    assert [one.id for one in found] == [f"c{i}" for i in range(1, len(found) + 1)]
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(math.dist(a.pos_m, b.pos_m) >= SPACING_M - 1e-3 for a, b in itertools.combinations(found, 2))
    assert len(found) <= 5


@given(st.integers(0, 10**6))
def test_the_same_world_gives_the_same_candidates(seed):
    assert listed(random_world(seed))[0] == listed(random_world(seed))[0]


@given(st.integers(0, 10**6))
def test_frontiers_are_free_and_beside_the_unknown(seed):
    grid = random_world(seed)
    occupancy = grid.occupancy()
    for one in listed(grid)[0]:
        row, col = one.cell
        near = occupancy[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
        assert occupancy[row, col] == FREE
        assert (near == UNKNOWN).any()


@given(st.integers(0, 10**6))
def test_a_frontier_promises_no_more_than_is_unknown_in_sight(seed):
    grid = random_world(seed)
    unknown = np.argwhere(grid.measured() == UNKNOWN)
    places = [grid.centre((row, col)) for row, col in unknown.tolist()]
    for one in listed(grid)[0]:
        promised = int(one.note.split()[0])
        assert 1 <= promised <= sum(math.dist(place, one.pos_m) <= SIGHT_M + 0.08 for place in places)


@pytest.mark.parametrize("away", [4, 8, 12])
def test_a_look_does_not_reach_behind_a_wall(away):
    closet = ["#" * 9] + ["##.....##"] * 5
    promised = []
    for wall in ("?" * 9, "#" * 9):
        beyond = ["?" * 9] * away + [wall] + ["?" * 9] * (14 - away)
        grid = world("\n".join([*reversed(beyond), *reversed(closet)]))
        found, *_ = listed(grid, (0.05, -0.75, 0.0))
        promised.append(int(max(found, key=lambda one: one.pos_m[1]).note.split()[0]))
    assert promised[1] < promised[0]
    assert promised[1] >= away


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), wall=st.sampled_from([(0.3, -0.8, 0.3, 0.9), (-0.9, -0.5, 0.4, -0.8)]))
def test_a_room_that_has_been_seen_has_no_frontier(room, noise, seed, wall):
    place, grid, jitter = room(3.0, [wall]), Grid((3.0, 3.0)), noise(seed)
    for x, y in ((-1.0, -1.1), (1.0, -1.1), (1.0, 1.1), (-1.0, 1.1), (-0.5, 0.0)):
        for heading in (0.0, 0.004):
            place.scan(grid, (x, y, heading), noise=jitter)
        grid.mark_visited(x, y, 0.075, 0)
    assert listed(grid, (-0.5, 0.0, 0.0))[0] == []


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_following_the_first_candidate_sees_the_whole_room(room, noise, seed):
    place, jitter = room(4.0, [(0.0, -2.0, 0.0, 0.9), (-1.2, 0.4, 0.0, 0.4)]), noise(seed)
    grid, pose = Grid((4.0, 4.0)), (-1.0, -1.0, 0.3)
    for _ in range(40):
        place.scan(grid, pose, angles=[i * math.tau / 240 for i in range(240)], noise=jitter)
        grid.mark_visited(*pose[:2], 0.075, 0)
        found, *_ = listed(grid, pose)
        if not found:
            break
        pose = (*found[0].pos_m, pose[2] + 0.01)
    assert found == []
    free = (grid.occupancy() == FREE).mean()
    assert free > 0.85


def test_a_gap_between_rays_is_no_frontier_and_a_room_behind_a_door_is():
    rows = ["#" * 21, *["#" + "." * 19 + "#"] * 9, "#" * 21]
    rows[5] = "#.......?..........." + "#"
    assert listed(world("\n".join(rows)), (0.05, -0.25, 0.0))[0] == []
    rows[4] = rows[5] = rows[6] = rows[3] = rows[7] = "#" + "." * 19 + "?"
    found, *_ = listed(world("\n".join(rows)), (0.05, -0.25, 0.0))
    assert [one.type for one in found] == ["frontier"]
    assert found[0].pos_m[0] > 0.8


def test_unknown_cells_inside_obstacles_are_no_frontier():
    rows = ["#" * 21, *["#" + "." * 19 + "#"] * 19, "#" * 21]
    for i in range(4, 9):
        rows[i] = "#..." + ("#####" if i in (4, 8) else "#???#") + "." * 11 + "#"
    assert listed(world("\n".join(rows)))[0] == []


def test_the_goal_itself_is_offered_where_all_of_the_way_is_known():
    found, *_ = listed(world("\n".join(["." * 31] * 31)), goal=(1.02, 0.98))
    assert found[0].type == "subgoal"
    assert found[0].pos_m == (1.02, 0.98)
    assert found[0].note == "goal"


def test_the_last_known_cell_towards_an_unknown_goal_is_offered():
    grid = world("\n".join(["." * 21] * 21))
    found, *_ = listed(grid, goal=(2.05, 0.05))
    assert found[0].type == "subgoal"
    assert found[0].pos_m == pytest.approx((1.05, 0.05))
    assert grid.occupancy()[found[0].cell] == FREE


def test_the_unknown_beside_the_robot_is_offered_for_a_look():
    grid = world("\n".join(["." * 3] * 3))
    found, *_ = listed(grid, goal=(2.05, 0.05))
    assert grid.occupancy()[found[0].cell] == UNKNOWN
    assert found[0].path_m <= 0.3


def test_a_goal_behind_walls_without_a_gap_gives_nothing():
    rows = ["#" * 21, *["#" + "." * 19 + "#"] * 19, "#" * 21]
    assert listed(world("\n".join(rows)), goal=(2.0, 2.0))[0] == []


def test_a_goal_too_near_to_a_wall_is_served_by_the_next_cell():
    rows = ["#" * 21, *["#" + "." * 19 + "#"] * 19, "#" * 21]
    grid = world("\n".join(rows))
    found, *_ = listed(grid, goal=(0.92, 0.05))
    assert found[0].note == "goal"
    assert math.dist(found[0].pos_m, (0.92, 0.05)) <= 0.2


def listed_with_ways_on(grid, goal):
    found, cost, start = listed(grid, goal=goal)
    return onward(found, grid, cost, reachable_costs(cost, start), goal)


def test_the_way_on_is_measured_over_unknown_ground():
    grid = world("\n".join(["." * 21] * 21))
    for goal in ((2.0, 0.05), (0.95, 0.95)):
        found = listed_with_ways_on(grid, goal)
        assert len(found) > 2
        for one in found:
            far = math.dist(one.pos_m, goal)
            assert far - 0.08 <= one.onward_m <= 1.03 * far + 0.08  # ways lead from centre to centre
    assert listed_with_ways_on(grid, (0.05, 0.05))[0].onward_m == 0.0


@pytest.mark.parametrize(("wall", "way_m"), [(4.0, 0.2 + 2 * math.hypot(0.9, 2.1)), (0.0, 2.0)])
def test_the_way_on_leads_round_known_walls_and_through_the_unknown(wall, way_m):
    grid = Grid()
    grid.logodds[:] = -2.9
    grid.logodds[30, :40] = wall
    cost = costmap(grid.occupancy(), RADIUS_CELLS)
    beyond = Candidate("c1", "frontier", grid.centre((40, 20)), 0.5, 1.0, "", (40, 20))
    found = onward([beyond], grid, cost, reachable_costs(cost, (25, 25)), grid.centre((20, 20)))
    assert found[0].onward_m == pytest.approx(way_m, rel=0.06)


def test_a_goal_without_a_way_and_a_goal_off_the_map_have_no_way_on():
    closed = world("\n".join(["#" * 11, *["#" + "." * 9 + "#"] * 9, "#" * 11]))
    closed.logodds[45:] = -2.9
    grid = world("\n".join(["." * 9] * 9))
    for one in (*listed_with_ways_on(closed, (0.0, 2.2)), *listed_with_ways_on(grid, (90.0, 90.0))):
        assert one.onward_m is None


def test_cells_to_leave_alone_are_left_alone():
    grid = world("\n".join(["." * 21] * 21))
    first = listed(grid)[0][0]
    for one in listed(grid, blacklist={first.cell: 9})[0]:
        assert max(abs(one.cell[0] - first.cell[0]), abs(one.cell[1] - first.cell[1])) > 1


def test_ways_out_are_offered_when_stuck():
    rows = ["#" * 31, *["#" + "." * 29 + "#"] * 29, "#" * 31]
    grid = world("\n".join(rows))
    assert listed(grid)[0] == []
    found, *_ = listed(grid, stuck=True)
    assert {one.type for one in found} == {"recovery"}
    assert all(0.25 <= math.dist(one.pos_m, HERE[:2]) <= 1.05 for one in found)


def test_a_robot_without_any_way_has_no_candidates():
    grid = Grid()
    cost = np.full(grid.shape, np.inf, np.float32)
    assert candidates(grid, cost, cost, HERE, (1.0, 1.0), True, {}) == []


def test_a_larger_room_works_the_same():
    grid = Grid((12.0, 7.0))
    grid.logodds[30:40, 50:70] = -2.9
    found, *_ = listed(grid)
    assert found
    assert (grid.occupancy() == OCCUPIED).sum() == 0


def test_the_strategy_decides_between_near_and_much():
    """To the west unknown ground begins near and is little; to the east it is far and wide."""
    grid = Grid((6.0, 2.0))
    grid.logodds[:] = 4.0
    grid.logodds[5:15, 24:45] = -2.9
    grid.logodds[6:13, 18:24] = 0.0
    grid.logodds[:, 45:] = 0.0
    cost = costmap(grid.occupancy(), RADIUS_CELLS)
    reach = reachable_costs(cost, grid.cell(0.05, 0.05))
    best = {
        name: candidates(grid, cost, reach, HERE, None, False, {}, strategy=strategy)[0].pos_m[0]
        for name, strategy in STRATEGIES.items()
    }
    assert best["direct"] < 0 < best["sweep"]
    assert candidates(grid, cost, reach, HERE, None, False, {})[0].pos_m[0] == best["balanced"]
