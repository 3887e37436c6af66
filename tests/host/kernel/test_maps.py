"""The map from frame to frame: whoever follows holds the sender's map, and whoever missed one knows it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.kernel.frame import WorldModel
from llmos.kernel.maps import FULL_EVERY, MapLost, MapReader, MapSender
from llmos.world.grid import Grid

updates = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.6, 1.0]), st.booleans()),
    min_size=1,
    max_size=40,
)


def changed(grid, seed, share):
    """Put random states into a share of the cells."""
    random = np.random.default_rng(seed)
    where = random.random(grid.shape) < share
    grid.logodds[where] = random.choice([-2.9, 0.0, 4.0], grid.shape)[where]
    grid.visits[where] = random.integers(0, 2, grid.shape)[where]


def received(model):
    """The model as it comes out of a record."""
    return WorldModel.model_validate_json(model.model_dump_json())


@given(st.sampled_from([(2.0, 1.5), (0.1, 0.1), (3.0, 0.7)]), updates)
def test_whoever_follows_holds_the_sender_s_map(size, steps):
    grid, sender, reader = Grid(size), MapSender(), MapReader()
    for cycle, (seed, share, _) in enumerate(steps, 1):
        changed(grid, seed, share)
        assert (reader.read(received(sender.world_model(grid, cycle)), cycle) == grid.states()).all()


@given(updates)
def test_whoever_missed_a_frame_knows_it_and_is_helped(steps):
    grid, sender, reader = Grid((2.0, 1.5)), MapSender(), MapReader()
    for cycle, (seed, share, misses) in enumerate(steps, 1):
        changed(grid, seed, share)
        model = sender.world_model(grid, cycle)
        if misses:
            continue
        try:
            held = reader.read(model, cycle)
        except MapLost:
            assert reader.states is None
            sender.lost()
        else:
            assert (held == grid.states()).all()


def test_a_delta_names_the_cycle_that_it_changes_and_is_short():
    grid, sender = Grid(), MapSender()
    first = sender.world_model(grid, 3)
    grid.logodds[7, 9:12] = -2.9
    second = sender.world_model(grid, 5)
    assert (first.kind, first.against, second.kind, second.against) == ("full", None, "delta", 3)
    assert second.rle == "359=3F2138="


def test_a_full_map_comes_again_at_the_latest_after_so_many():
    grid, sender = Grid((1.0, 1.0)), MapSender()
    kinds = [sender.world_model(grid, cycle).kind for cycle in range(1, 2 * FULL_EVERY + 2)]
    assert [number for number, kind in enumerate(kinds) if kind == "full"] == [0, FULL_EVERY, 2 * FULL_EVERY]


def test_much_change_is_a_full_map():
    grid, sender = Grid((1.0, 1.0)), MapSender()
    sender.world_model(grid, 1)
    grid.logodds[:4] = -2.9
    assert sender.world_model(grid, 2).kind == "full"


@pytest.mark.parametrize(
    "damage",
    [{"against": 7}, {"rle": "99="}, {"rle": "100U"}, {"check": 1}, {"shape": (1, 100)}, {"rle": "10U"}],
)
def test_a_damaged_delta_is_refused_and_the_map_counts_as_lost(damage):
    grid, sender, reader = Grid((1.0, 1.0)), MapSender(), MapReader()
    grid.logodds[0] = 4.0
    reader.read(sender.world_model(grid, 1), 1)
    grid.logodds[3, 3] = 4.0
    delta = sender.world_model(grid, 2)
    with pytest.raises(MapLost, match="full"):
        reader.read(delta.model_copy(update=damage), 2)
    with pytest.raises(MapLost, match="full"):
        reader.read(delta, 2)
