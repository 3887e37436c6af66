"""Generated arenas: the same for ever, solvable, fair to a robot with a map of coarse cells."""

import hashlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.errors import LlmosError
from llmos.evaluation import EvaluationError, arenas_of, variants_of
from llmos.sim import generate
from llmos.sim.arena import Arena, clearance, load_arena, solvable

HELD = json.loads((Path(__file__).parents[2] / "vectors" / "arenas" / "generated.json").read_text())
NAMES = st.builds("{}:{}".format, st.sampled_from(list(generate.FAMILIES)), st.integers(0, 10**17))


def digest(name: str) -> str:
    """A short hash of an arena as its file would hold it."""
    return hashlib.sha256(json.dumps(generate.generated(name), sort_keys=True).encode()).hexdigest()[:16]


@pytest.mark.parametrize("name", HELD)
def test_a_name_stands_for_the_same_arena_for_ever(name: str) -> None:
    """Figures of different years are about the same rooms; a change of the rules needs a new family."""
    assert digest(name) == HELD[name]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(NAMES)
def test_every_arena_is_fair(name: str) -> None:
    """Inside its room, solvable by a robot more than twice as wide as ours, with a way worth driving."""
    arena = load_arena(name)
    assert arena.goal is not None
    x, y = (side / 2 + 1e-9 for side in arena.size_m)
    assert all(generate.SIDE_M[0] <= side + 1e-9 <= generate.SIDE_M[1] + 1e-6 for side in arena.size_m)
    for x1, y1, x2, y2 in arena.walls:
        assert max(abs(x1), abs(x2)) <= x
        assert max(abs(y1), abs(y2)) <= y
    assert all(abs(cx) + radius <= x and abs(cy) + radius <= y for cx, cy, radius in arena.discs)
    for place in (arena.start, arena.goal):
        assert clearance(arena, place.x, place.y) >= 0.2
    assert solvable(arena, 0.19) is None
    assert math.dist((arena.start.x, arena.start.y), (arena.goal.x, arena.goal.y)) > 0.45


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.builds("{}:{}".format, st.sampled_from(list(generate.SMALL)), st.integers(0, 10**17)))
def test_every_small_arena_can_be_solved(name: str) -> None:
    """The robot looks along the way that it shall go, and has room to turn on the spot."""
    arena = load_arena(name)
    assert arena.goal is not None
    assert abs(arena.start.heading_deg) < 10
    assert min(clearance(arena, place.x, place.y) for place in (arena.start, arena.goal)) >= 0.2
    assert solvable(arena, 0.19) is None


@settings(max_examples=15, deadline=None, derandomize=True)
@given(NAMES)
def test_no_wall_has_an_end_that_a_ray_along_it_would_miss(name: str) -> None:
    """Each end touches the border or another wall, or is a post."""
    arena = load_arena(name)
    for wall in arena.walls:
        rest = [other for other in arena.walls if other != wall]
        bare = arena.model_copy(update={"walls": tuple(rest)})
        assert all(clearance(bare, *end) < 0.0015 for end in (wall[:2], wall[2:]))


def test_to_explore_is_another_task_in_the_same_room() -> None:
    """The goal gives way to a share that is to be seen."""
    there, explore = load_arena("office:3"), load_arena("office:3:explore")
    assert (explore.walls, explore.discs, explore.start) == (there.walls, there.discs, there.start)
    assert (explore.goal, explore.criteria.min_coverage, there.criteria.min_coverage) == (None, 0.9, 0.0)


@pytest.mark.parametrize("name", ["maze:", "maze:-1", "maze:017", "maze:1.5", "castle:1", "maze:1:sleep"])
def test_what_is_no_name_is_refused(name: str) -> None:
    """One arena has one name."""
    with pytest.raises(LlmosError, match=r"unknown; name one of .*maze:SEED"):
        load_arena(name)


def test_an_evaluation_names_many_at_once() -> None:
    """The families in turn; another first seed makes a set that nobody has tuned on."""
    assert arenas_of("generated:4") == ("maze:0", "office:0", "clutter:0", "maze:1")
    assert arenas_of("simple,generated:2@5000,simple") == ("simple", "maze:5000", "office:5000")
    assert arenas_of("generated:1:explore") == ("maze:0:explore",)
    assert isinstance(load_arena("clutter:5000"), Arena)


@pytest.mark.parametrize("text", ["generated:", "generated:0", "generated:x", "generated:5@", "generated"])
def test_a_wrong_number_is_told(text: str) -> None:
    """With how to write it."""
    with pytest.raises(EvaluationError, match=r"write generated:100, generated:100@5000"):
        arenas_of(text)


def test_a_wrong_variant_is_told() -> None:
    """Before the first mission."""
    assert variants_of("plain,shuffle+map") == ("plain", "shuffle+map")
    with pytest.raises(EvaluationError, match="variant 'fly': unknown; name plain, shuffle"):
        variants_of("shuffle+fly")
