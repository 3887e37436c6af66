"""Guesses about unseen cells: what they say, that they stay apart from the map, and how they are scored."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.kernel.belief import Belief
from llmos.kernel.cycle import costs
from llmos.kernel.mind import Mind, Settings
from llmos.manifest import load_manifest
from llmos.world.candidates import Candidate
from llmos.world.foresight import (
    EXPECTED,
    NO_KIND,
    SOURCES,
    WALL_REACH,
    Foresight,
    kinds,
    pooled,
)
from llmos.world.grid import FREE, OCCUPIED, UNKNOWN, Grid

maps = st.builds(
    lambda seed, rows, cols, known: (
        np.random.default_rng(seed)
        .choice([UNKNOWN, FREE, OCCUPIED], (rows, cols), p=[1 - known, known * 0.7, known * 0.3])
        .astype(np.uint8)
    ),
    st.integers(0, 10**6),
    st.integers(1, 24),
    st.integers(1, 24),
    st.floats(0.1, 0.9),
)


def said(occupancy):
    """The names of the sources that speak of each cell, and P(occupied)."""
    names = [source.name for source in SOURCES for _ in source.expected]
    kind = kinds(occupancy)
    who = np.array([*names, ""])[kind]
    return who, np.where(kind == NO_KIND, np.nan, EXPECTED[kind])


def test_a_wall_goes_on_the_farther_the_less_surely() -> None:
    occupancy = np.zeros((11, 20), np.uint8)
    occupancy[5, 2:8] = OCCUPIED
    who, probable = said(occupancy)
    assert who[5, 8 : 8 + WALL_REACH + 1].tolist() == ["wall"] * WALL_REACH + [""]
    assert (np.diff(probable[5, 8 : 8 + WALL_REACH]) < 0).all()
    occupancy[5, 10] = FREE
    assert who[4, 5] != "wall"
    assert "wall" not in said(occupancy)[0][5, 11:]


def test_the_thickness_of_a_wall_is_no_wall_across_it() -> None:
    occupancy = np.zeros((20, 20), np.uint8)
    occupancy[9:11, 4:15] = OCCUPIED
    who, _ = said(occupancy)
    assert set(who[12, 5:14]) <= {"", "open"}
    assert set(who[9:11, 15]) == {"wall"}


@pytest.mark.parametrize("width", range(1, 9))
def test_a_corridor_goes_on(width) -> None:
    occupancy = np.zeros((16, 24), np.uint8)
    occupancy[3, 2:9] = occupancy[4 + width, 2:9] = OCCUPIED
    occupancy[4 : 4 + width, 2:9] = FREE
    who, probable = said(occupancy)
    assert set(who[4 : 4 + width, 9:14].ravel()) == {"corridor"}
    assert set(who[3, 9:14]) == set(who[4 + width, 9:14]) == {"wall"}
    assert probable[4 : 4 + width, 9:14].max() < probable[3, 9:14].min()


def test_two_walls_meet_in_a_corner() -> None:
    """Also farther away than either of them would be continued alone."""
    occupancy = np.zeros((16, 20), np.uint8)
    occupancy[12, 2:8] = occupancy[1:7, 15] = OCCUPIED
    who, probable = said(occupancy)
    assert set(who[12, 8:16]) == set(who[7:13, 15]) == {"corner"}
    assert probable[12, 15] > max(probable[12, 14], probable[11, 15])


@settings(max_examples=25, deadline=None)
@given(maps)
def test_guesses_are_of_unseen_cells_and_know_no_direction(occupancy) -> None:
    """A map that is turned or mirrored gives the same guesses, turned or mirrored."""
    kind = kinds(occupancy)
    assert not ((kind != NO_KIND) & (occupancy != UNKNOWN)).any()
    assert (kinds(occupancy.T) == kind.T).all()
    assert (kinds(np.ascontiguousarray(occupancy[::-1])) == kind[::-1]).all()
    assert (kinds(np.ascontiguousarray(occupancy[:, ::-1])) == kind[:, ::-1]).all()


@settings(max_examples=25, deadline=None)
@given(maps)
def test_costs_stay_costs(occupancy) -> None:
    """At least 1, none impassable that was not, and those of measured cells as they were."""
    foresight, cost = Foresight(), np.random.default_rng(0).uniform(1, 9, occupancy.shape).astype(np.float32)
    cost[0, 0] = np.inf
    assert foresight.costs(cost) is cost  # before anything is seen
    foresight.observe(occupancy)
    new = foresight.costs(cost)
    assert (new >= 1).all()
    assert (np.isinf(new) == np.isinf(cost)).all()
    assert (new == cost)[occupancy != UNKNOWN].all()


@settings(max_examples=25, deadline=None)
@given(maps, st.integers(0, 10**6))
def test_the_first_guess_is_scored_once_when_its_cell_is_measured(truth, seed) -> None:
    """Against a reckoning cell by cell; no constant beats the one that it is compared with."""
    random = np.random.default_rng(seed)
    foresight, hidden = Foresight(), np.ones(truth.shape, bool)
    first, pairs = {}, []
    for _ in range(4):
        now = np.where(hidden, UNKNOWN, truth).astype(np.uint8)
        for cell in zip(*np.nonzero(now != UNKNOWN), strict=True):
            if (guess := first.pop(cell, None)) is not None:
                pairs.append((float(guess), bool(truth[cell] == OCCUPIED)))
            first[cell] = None
        foresight.observe(now)
        probable = said(now)[1]
        for cell in zip(*np.nonzero(np.isfinite(probable)), strict=True):
            first.setdefault(cell, probable[cell])
        hidden &= random.random(truth.shape) < 0.6
    result = foresight.summary()
    assert result["cells"] == len(pairs) == sum(one["cells"] for one in result["sources"].values())
    if pairs:
        assert result["brier"] == pytest.approx(np.mean([(p - o) ** 2 for p, o in pairs]), abs=1e-5)
        least = min(np.mean([(p / 100 - o) ** 2 for _, o in pairs]) for p in range(101))
        assert result["base_brier"] <= least + 1e-5
    else:
        assert result["brier"] is result["base_brier"] is None


def test_what_is_measured_again_is_not_scored_again() -> None:
    foresight, occupancy = Foresight(), np.zeros((9, 9), np.uint8)
    seen = occupancy.copy()
    seen[0] = OCCUPIED
    for now in (occupancy, seen, occupancy, seen):
        foresight.observe(now)
    assert foresight.summary()["cells"] == foresight.summary()["occupied"] == 9


def test_missions_are_pooled_by_their_cells() -> None:
    summaries = []
    for size in (6, 12):
        foresight = Foresight()
        foresight.observe(np.zeros((size, size), np.uint8))
        foresight.observe(np.full((size, size), FREE if size == 6 else OCCUPIED, np.uint8))
        summaries.append(foresight.summary())
    both = pooled([*summaries, Foresight().summary()])
    few, many = (one["cells"] for one in summaries)
    mean = (few * summaries[0]["brier"] + many * summaries[1]["brier"]) / (few + many)
    assert (both["cells"], both["brier"]) == (few + many, pytest.approx(mean, abs=1e-4))
    assert both["base_brier"] == 0  # in each of the two a constant knows it all
    assert pooled([])["brier"] is None


def test_the_line_is_short_and_tells_dead_ends_from_open_ground() -> None:
    occupancy = np.full((40, 40), OCCUPIED, np.uint8)
    occupancy[2:38, 2:20] = FREE
    occupancy[2:38, 20:38] = UNKNOWN
    occupancy[30:38, 2:6] = FREE
    foresight = Foresight()
    places = [
        Candidate(f"c{i}", kind, (0.0, 0.0), 0.5, 1.0, "", cell)
        for i, (kind, cell) in enumerate(
            [("subgoal", (5, 5)), ("frontier", (20, 19)), ("frontier", (34, 3))], 1
        )
    ]
    assert foresight.line(places) == ""
    foresight.observe(occupancy)
    assert foresight.line(places) == "likely ahead: c2 opens 120 cells, c3 a dead end"
    assert len(foresight.line([places[1]] * 4)) <= 100
    assert foresight.line(places[:1]) == ""


def test_it_beats_the_constant_in_a_room_that_is_seen_bit_by_bit(room, noise) -> None:
    """And leaves the grid as it is."""
    walls = [(-1.0, -2.0, -1.0, 0.8), (0.4, -0.6, 0.4, 2.0), (0.4, -0.6, 1.2, -0.6)]
    place, grid, jitter = room(4.0, walls), Grid((4.0, 4.0)), noise(1)
    foresight = Foresight()
    for pose in (
        (-1.5, -1.5, 0.0),
        (-1.5, 0.0, 0.0),
        (-1.0, 1.4, 0.0),
        (-0.3, 0.3, 0.0),
        (0.0, -1.2, 0.0),
        (1.4, 0.4, 0.0),
    ):
        place.scan(grid, pose, angles=[math.tau * i / 240 for i in range(240)], max_m=1.5, noise=jitter)
        before = grid.logodds.copy()
        foresight.observe(grid.measured())
        assert (grid.logodds == before).all()
    result = foresight.summary()
    assert result["cells"] > 100
    assert result["brier"] < result["base_brier"]


@pytest.mark.parametrize("predict", [False, True])
def test_guesses_change_what_ways_cost_only_where_that_is_asked_for(predict) -> None:
    """And never where a block may drive."""
    belief = Belief(load_manifest("cube"), (0.0, 0.0, 0.0), (3.0, 3.0))
    belief.grid.logodds[10, 5:12] = 4.0
    mind = Mind(None, belief, None, None, Settings(predict=predict), None)
    mind.foresight.observe(belief.grid.measured())
    assert (costs(mind) == belief.costs()).all() != predict
    assert (belief.grid.passable() == (belief.grid.measured() == FREE)).all()
