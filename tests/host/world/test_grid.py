"""The occupancy grid: walls are found and kept, free ground is free, and only what may be changed changes."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.world.grid import FREE, OCCUPIED, STATES, UNKNOWN, Grid

SIX = [math.radians(a) for a in (0, 30, -30, 90, -90, 180)]
coordinate = st.floats(-1.3, 1.3).map(lambda v: round(v, 3))
walls = st.tuples(coordinate, coordinate, coordinate, coordinate).filter(
    lambda w: math.dist(w[:2], w[2:]) >= 0.3
)


def along(segment, spacing=0.05):
    """Points on a segment."""
    x1, y1, x2, y2 = segment
    count = max(1, round(math.dist((x1, y1), (x2, y2)) / spacing))
    return [(x1 + (x2 - x1) * i / count, y1 + (y2 - y1) * i / count) for i in range(count + 1)]


def poses(room, seed, count):
    """Places with room for a robot."""
    random = np.random.default_rng(seed)
    found = []
    while len(found) < count:
        x, y = random.uniform(-1.4, 1.4, 2)
        if room.clearance(x, y) > 0.08:
            found.append((float(x), float(y), float(random.uniform(-math.pi, math.pi))))
    return found


def near_occupied(grid, points):
    """Which points have an occupied cell in their own or a neighbouring cell."""
    occupied = np.pad(grid.occupancy() == OCCUPIED, 1)
    cells = [grid.cell(x, y) for x, y in points]
    return [bool(occupied[row : row + 3, col : col + 3].any()) for row, col in cells]


@settings(max_examples=12, deadline=None)
@given(wall=walls, seed=st.integers(0, 10**6))
def test_walls_are_found_within_a_cell_and_never_lost(room, noise, wall, seed):
    place, grid, jitter = room(3.0, [wall]), Grid((3.0, 3.0)), noise(seed)
    points = [p for segment in place.segments for p in along(segment) if grid.cell(*p)]
    found = [False] * len(points)
    for pose in poses(place, seed, 25):
        place.scan(grid, pose, angles=[i * math.tau / 180 for i in range(180)], noise=jitter)
        now = near_occupied(grid, points)
        assert not [p for p, before, after in zip(points, found, now, strict=True) if before and not after]
        found = now
    rows, cols = np.nonzero(grid.occupancy() == OCCUPIED)
    far = [c for c in zip(rows, cols, strict=True) if place.clearance(*grid.centre(c)) > 0.15]
    assert not far
    assert all(near_occupied(grid, along(wall)))


@settings(max_examples=20, deadline=None)
@given(wall=walls, seed=st.integers(0, 10**6))
def test_free_ground_holds_no_wall_that_is_seen_from_the_front(room, wall, seed):
    place, grid = room(3.0, [wall]), Grid((3.0, 3.0))
    pose = poses(place, seed, 1)[0]
    place.scan(grid, pose, angles=[i * math.tau / 720 for i in range(720)], max_m=5.0)
    occupancy = grid.occupancy()
    for x, y in along(wall, 0.02):
        cell = grid.cell(x, y)
        centre = grid.centre(cell)
        core = max(abs(x - centre[0]), abs(y - centre[1])) < 0.02
        angle = math.atan2(y - pose[1], x - pose[0])
        slant = math.sin(angle - math.atan2(wall[3] - wall[1], wall[2] - wall[0]))
        visible = math.isclose(place.cast(*pose[:2], angle, 9.0), math.dist((x, y), pose[:2]), abs_tol=1e-6)
        assert not (core and visible and abs(slant) > 0.4 and occupancy[cell] == FREE)


@given(st.lists(st.one_of(st.none(), st.floats(0, 2.5)), min_size=6, max_size=6), st.floats(-4, 4))
def test_the_same_readings_again_change_no_sign(ranges, heading):
    grid = Grid()
    for _ in range(3):
        grid.update((0.013, -0.021, heading), ranges, SIX, 2.0, 0)
        sign = np.sign(grid.logodds)
        grid.update((0.013, -0.021, heading), ranges, SIX, 2.0, 0)
        assert (np.sign(grid.logodds) == sign).all()


def test_two_hits_win_against_any_number_of_rays_before():
    grid = Grid()
    for i in range(200):
        grid.update((0.0, 0.05 + i * 1e-4, 0.0), [2.0], [0.0], 2.0, i)
    assert grid.occupancy()[grid.cell(1.05, 0.05)] == FREE
    for _ in range(2):
        grid.update((0.0, 0.05, 0.0), [1.05], [0.0], 2.0, 0)
    assert grid.occupancy()[grid.cell(1.05, 0.05)] == OCCUPIED


def test_what_is_gone_is_believed_after_many_rays_from_many_places():
    grid, cell = Grid(), (25, 35)
    for _ in range(20):
        grid.update((0.0, 0.05, 0.0), [1.05], [0.0], 2.0, 0)
    for _ in range(500):
        grid.update((0.0, 0.05, 0.0), [2.0], [0.0], 2.0, 0)  # from one place: no new evidence
    assert grid.occupancy()[cell] == OCCUPIED
    for i in range(500):
        grid.update((i * 1e-3, 0.05, 0.02 * (i % 2)), [2.0], [0.0], 2.0, 0)
    assert grid.occupancy()[cell] == FREE


def test_a_reading_of_the_whole_range_frees_and_no_reading_tells_nothing():
    grid = Grid()
    grid.update((0.05, 0.05, 0.0), [2.0, None, math.nan, -1.0], [0.0, 1.0, 2.0, 3.0], 2.0, 7)
    assert set(np.unique(grid.occupancy())) == {UNKNOWN, FREE}
    assert set(np.nonzero(grid.updated_ms == 7)[0]) == {25}


def test_a_wall_on_the_rim_counts_although_half_of_it_is_outside():
    grid = Grid((2.0, 2.0))
    for i in range(10):
        grid.update((0.0, 0.05, 0.0), [1.0 + 0.003 * (-1) ** i], [0.0], 2.0, 0)
    assert grid.occupancy()[grid.cell(0.95, 0.05)] == OCCUPIED


@pytest.mark.parametrize(
    ("size", "cell", "shape"), [((5, 5), 0.1, (50, 50)), ((8, 2.05), 0.1, (21, 80)), ((1, 1), 0.3, (4, 4))]
)
def test_a_grid_holds_its_room_and_is_centred(size, cell, shape):
    grid = Grid(size, cell)
    assert grid.shape == shape
    west, south = grid.centre((0, 0))
    east, north = grid.centre((shape[0] - 1, shape[1] - 1))
    assert (west, south) == pytest.approx((-east, -north))


@given(st.floats(-2.49, 2.49), st.floats(-2.49, 2.49))
def test_a_point_lies_in_its_cell(x, y):
    grid = Grid()
    centre = grid.centre(grid.cell(x, y))
    assert max(abs(centre[0] - x), abs(centre[1] - y)) <= 0.05 + 1e-9


def test_outside_is_no_cell():
    assert Grid().cell(2.51, 0) is None
    assert Grid().cell(0, -2.51) is None


def test_the_ground_under_the_robot_is_free_and_visits_count_cells_entered():
    grid = Grid()
    for x in (0.05, 0.06, 0.07, 0.15, 0.05):
        grid.mark_visited(x, 0.05, 0.075, 3)
    assert grid.visits[25, 25:27].tolist() == [2, 1]
    assert STATES[grid.states()[25, 25]] == "explored"
    assert grid.occupancy()[25, 27] == UNKNOWN


def test_a_measured_hit_stays_under_the_robot():
    grid = Grid()
    grid.update((-1.0, 0.05, 0.0), [1.05], [0.0], 2.0, 0)
    grid.mark_visited(0.05, 0.05, 0.075, 3)
    assert grid.occupancy()[25, 25] == OCCUPIED


def test_a_word_holds_until_a_sensor_looks() -> None:
    """A more careful word replaces one that is less so; a measurement ends it."""
    grid = Grid()
    for state, known in (("free", FREE), ("unknown", UNKNOWN), ("obstacle", OCCUPIED)):
        assert grid.correct(1.05, 0.05, state, 0.9) is None
        assert grid.occupancy()[25, 35] == known
        assert not grid.passable().any()
    assert grid.correct(1.05, 0.05, "free", 0.9) is not None
    assert (grid.measured() == UNKNOWN).all()
    grid.update((0.0, 0.05, 0.0), [2.0], [0.0], 2.0, 0)
    assert grid.occupancy()[25, 35] == FREE
    assert grid.passable()[25, 35]


def test_a_word_never_frees_what_a_sensor_has_hit() -> None:
    """Neither after a single hit nor where it came first."""
    grid = Grid()
    assert grid.correct(1.05, 0.05, "free", 0.9) is None
    grid.update((0.0, 0.05, 0.0), [1.05], [0.0], 2.0, 0)
    for state in ("free", "unknown"):
        assert grid.correct(1.05, 0.05, state, 0.9) == "a sensor has hit something there"
    assert grid.occupancy()[25, 35] == OCCUPIED
    grid.said[:] = FREE  # however it may have come there
    assert grid.occupancy()[25, 35] == OCCUPIED


def test_corrections_are_refused() -> None:
    """With the reason."""
    grid = Grid()
    grid.mark_visited(0.05, 0.05, 0.075, 0)
    grid.update((-1.0, 0.55, 0.0), [2.0], [0.0], 2.0, 0)
    before = grid.occupancy()
    assert grid.correct(0.05, 0.05, "obstacle", 1.0) == "the robot has been there"
    grid.logodds[30, 30] = -2.0
    assert grid.correct(0.55, 0.55, "obstacle", 1.0) == "the sensors are sure of it"
    for confidence in (0.59, math.nan, 1.5):
        assert "confidence" in (grid.correct(1.0, 1.0, "free", confidence) or "")
    for x in (9.0, math.nan, math.inf, -math.inf):
        assert grid.correct(x, 1.0, "free", 1.0) == "outside the room"
    assert (
        np.delete(grid.occupancy().ravel(), 30 * 50 + 30) == np.delete(before.ravel(), 30 * 50 + 30)
    ).all()


pose = st.tuples(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9), st.floats(-3.0, 3.0))
look = st.tuples(st.just("look"), pose, st.lists(st.floats(0, 1.5), min_size=6, max_size=6))
visit = st.tuples(st.just("visit"), pose, st.none())
word = st.tuples(
    st.sampled_from(["free", "free", "obstacle", "unknown"]),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.sampled_from([0.5, 0.6, 1.0]),
)


def told(events, *, without=()):
    """A small grid after some events, the words of some kinds left out."""
    grid = Grid((2.0, 2.0), 0.2)
    for kind, where, value in events:
        if kind == "look":
            grid.update(where, value, SIX, 1.5, 0)
        elif kind == "visit":
            grid.mark_visited(*where[:2], 0.15, 0)
        elif kind not in without:
            grid.correct(*grid.centre(where), kind, value)
    return grid


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(look, visit, word, word, word), max_size=30))
def test_words_never_widen_where_a_block_may_drive(events) -> None:
    """No word frees; words of obstacles only shrink; the sensors' own map does not hear any of them."""
    ways = told(events).passable()
    assert not (ways & ~told(events, without=["free"]).passable()).any()
    assert not (ways & ~told(events, without=["obstacle"]).passable()).any()
    silent = told(events, without=["free", "obstacle", "unknown"])
    assert not (ways & ~(silent.measured() == FREE)).any()
    assert (told(events).logodds == silent.logodds).all()


def test_a_straight_row_is_a_wall_and_a_lump_an_obstacle():
    grid = Grid()
    grid.logodds[10, 5:15] = grid.logodds[30:33, 30:33] = grid.logodds[40:46, 2] = 4.0
    states = grid.states()
    assert (states[10, 5:15] == STATES.index("wall")).all()
    assert (states[40:46, 2] == STATES.index("wall")).all()
    assert (states[30:33, 30:33] == STATES.index("obstacle")).all()
