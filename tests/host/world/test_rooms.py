"""Rooms, doorways and the ways between them are those of the floor plan that was drawn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.planning import astar, costmap
from llmos.world.grid import FREE, OCCUPIED, Grid
from llmos.world.rooms import Floor, topology

TWO = """
####################
#........#.........#
#........#.........#
#........#.........#
#........#.........#
#..................#
#..................#
#..................#
#..................#
#..................#
#........#.........#
#........#.........#
#........#.........#
#........#.........#
####################
"""
CUT = {"#": 4.0, ".": -2.9, "?": 0.0}


def drawn(text):
    """A grid of 0.1 m cells from a drawing, north up."""
    lines = text.split()[::-1]
    grid = Grid((len(lines[0]) / 10, len(lines) / 10))
    grid.logodds[:] = [[CUT[sign] for sign in line] for line in lines]
    return grid


def two(door=slice(5, 10)):
    """Two rooms with a doorway in some rows of the wall between them."""
    grid = drawn(TWO)
    grid.logodds[1:-1, 9] = 4.0
    grid.logodds[door, 9] = -2.9
    return grid


def costs(grid):
    return costmap(grid.occupancy(), 0.95)


def test_a_wall_with_a_doorway_makes_two_rooms():
    grid = two()
    plan = Floor().update(grid)
    assert [one.id for one in plan.rooms] == [1, 2]
    west, east = plan.labels[1:-1, 1:9], plan.labels[1:-1, 10:-1]
    assert [len(np.unique(side)) for side in (west, east)] == [1, 1]
    assert sum(one.area_m2 for one in plan.rooms) == pytest.approx(13 * 17 * 0.01 + 5 * 0.01, abs=0.011)
    [door] = plan.doorways
    assert (door.id, door.rooms) == ("d1-2", (1, 2))
    assert math.dist(door.pos_m, (-0.05, -0.05)) <= 0.11
    assert plan.room_of(grid, (-0.5, 0.0)) != plan.room_of(grid, (0.6, 0.0))


@pytest.mark.parametrize("rows", [slice(2, 13), slice(0, 0)])
def test_a_wide_opening_is_no_doorway_and_a_shut_wall_has_none(rows):
    plan = Floor().update(two(rows))
    assert len(plan.rooms) == (1 if rows.stop else 2)
    assert plan.doorways == ()


def test_furniture_does_not_divide_a_room():
    grid = drawn(TWO)
    grid.logodds[1:-1, 9] = -2.9
    grid.logodds[5:9, 9:12] = 4.0
    assert len(Floor().update(grid).rooms) == 1


def test_the_ways_have_their_form_and_states():
    grid = two()
    plan = Floor().update(grid)
    layer = topology(plan, grid, costs(grid))
    assert [set(one) for one in layer["waypoints"]] == [{"id", "pos_m", "label"}] * 3
    assert [(e["from"], e["to"], e["state"]) for e in layer["edges"]] == [
        ("r1", "d1-2", "clear"),
        ("r2", "d1-2", "clear"),
    ]
    blocked = topology(plan, grid, np.where(np.arange(20)[None, :] == 6, np.float32(np.inf), costs(grid)))
    assert sorted(e["state"] for e in blocked["edges"]) == ["blocked", "clear"]


def test_a_way_over_unseen_ground_is_unknown():
    grid = two()
    plan = Floor().update(grid)
    grid.logodds[1:-1, 7] = 0.0
    states = [e["state"] for e in topology(plan, grid, costs(grid))["edges"]]
    assert sorted(states) == ["clear", "unknown"]


def test_a_clear_edge_costs_what_the_way_costs():
    grid = two()
    plan = Floor().update(grid)
    cost = costs(grid)
    for one in topology(plan, grid, cost)["edges"]:
        room = next(room for room in plan.rooms if f"r{room.id}" == one["from"])
        assert one["cost"] == pytest.approx(
            astar(cost, room.cell, plan.doorways[0].cell).cost * 0.1, abs=0.011
        )


def test_a_room_keeps_its_number_while_the_map_grows():
    full, grid, floor = two(), two(), Floor()
    grid.logodds[:, 11:] = 0.0
    before = floor.update(grid)
    west = before.room_of(grid, (-0.5, 0.0))
    assert [one.id for one in before.rooms] == [west]
    after = floor.update(full)
    assert after.room_of(full, (-0.5, 0.0)) == west
    assert after.room_of(full, (0.6, 0.0)) not in (west, None)


def test_entering_a_room_is_told_once():
    grid, floor = two(), Floor()
    places = [(-0.5, 0.0), (-0.5, 0.3), (0.6, 0.0), (-0.5, 0.0), (0.6, 0.3)]
    assert [floor.enter(grid, place) for place in places] == [False, False, True, False, False]


def test_the_line_names_the_doorways_that_lead_out():
    grid, floor = two(), Floor()
    floor.enter(grid, (0.6, 0.0))
    floor.layer(grid, costs(grid))
    other = 3 - floor.room
    assert floor.line().startswith(f"in room {floor.room}, 2 known, doorways to {other} at -0.")


def test_little_change_does_not_seek_the_rooms_again():
    grid, floor = two(), Floor()
    first = floor.update(grid)
    grid.logodds[3, 3:9] = 0.0
    assert floor.update(grid) is first
    grid.logodds[2:9, 2:9] = 0.0
    assert floor.update(grid) is not first


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.0, 0.4), st.floats(0.2, 6.0), st.floats(0.2, 6.0))
def test_any_map_has_rooms_on_free_ground_alone(seed, share, width, height):
    """Rooms do not overlap by their making; waypoints are free, doorways touch both rooms, all repeats."""
    random = np.random.default_rng(seed)
    grid = Grid((width, height))
    blocks = random.choice([4.0, 0.0, -2.9], (-(-grid.shape[0] // 3), -(-grid.shape[1] // 3)),
                           p=[share, share / 2, 1 - share * 1.5])  # fmt: skip
    grid.logodds[:] = np.kron(blocks, np.ones((3, 3)))[: grid.shape[0], : grid.shape[1]]
    plan = Floor().update(grid)
    occupancy = grid.occupancy()
    assert (occupancy[plan.labels > 0] == FREE).all()
    assert {one.id for one in plan.rooms} == set(np.unique(plan.labels).tolist()) - {0}
    assert all(plan.labels[one.cell] == one.id for one in plan.rooms)
    for door in plan.doorways:
        row, col = door.cell
        around = plan.labels[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2]
        assert set(door.rooms) <= set(around.ravel().tolist())
    again = Floor().update(grid)
    assert (again.rooms, again.doorways) == (plan.rooms, plan.doorways)
    layer = topology(plan, grid, costmap(occupancy, 0.95))
    names = {one["id"] for one in layer["waypoints"]}
    assert len(names) == len(layer["waypoints"])
    assert all({one["from"], one["to"]} <= names and one["cost"] >= 0 for one in layer["edges"])
    assert not (plan.labels[occupancy == OCCUPIED] > 0).any()
