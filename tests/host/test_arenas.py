"""Arena files: what ships can be solved, and what is wrong is refused in one line that says why."""

import os
from pathlib import Path

import pytest

from llmos.errors import LlmosError
from llmos.evaluation import EvaluationError, arenas_of
from llmos.sim.arena import Arena, ArenaError, list_arenas, load_arena, solvable

BAD = sorted((Path(__file__).parents[1] / "vectors" / "arenas" / "bad").glob("*.toml"))
SMALL = {"name": "small", "size_m": (2, 2), "start": {"x": -0.7, "y": 0}, "goal": {"x": 0.7, "y": 0}}


@pytest.mark.parametrize("name", list_arenas())
def test_shipped_arena_is_solvable_and_bears_its_file_s_name(name: str) -> None:
    """Every arena that ships passes the checks and is found under its own name."""
    assert load_arena(name).name == name


def test_the_eight_arenas_ship() -> None:
    """The names that documentation and evaluation rely on exist."""
    names = {"simple", "exploration", "dead_end", "narrow_corridor", "maze", "office", "pockets", "spiral"}
    assert names <= set(list_arenas())


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_arena_is_refused_with_the_reason_in_its_first_line(path: Path) -> None:
    """Each file's first comment is a part of the message that refuses it."""
    reason = path.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(ArenaError) as refusal:
        load_arena(str(path))
    assert reason in str(refusal.value)
    assert str(refusal.value).startswith(f"arena '{path}': ")
    assert "\n" not in str(refusal.value)


def test_unknown_name_lists_the_known_ones() -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(LlmosError, match=r"arena 'labyrinth': unknown; name one of dead_end, .*maze"):
        load_arena("labyrinth")


def test_missing_file_names_the_file(tmp_path: Path) -> None:
    """A path that does not exist is an arena error, too."""
    with pytest.raises(ArenaError, match=r"none\.toml cannot be read"):
        load_arena(str(tmp_path / "none.toml"))


def test_file_that_is_no_text(tmp_path: Path) -> None:
    """Bytes that are no UTF-8 are refused."""
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArenaError, match="cannot be read"):
        load_arena(str(path))


def test_unchecked_arena_may_be_unsolvable() -> None:
    """A caller that wants to see the robot find out for itself can have the arena."""
    path = next(path for path in BAD if path.stem == "walled_off")
    assert "no way" in (solvable(load_arena(str(path), check=False)) or "")


@pytest.mark.parametrize(("door_m", "passes"), [(0.14, False), (0.16, False), (0.22, True), (0.5, True)])
def test_a_door_must_be_wider_than_the_robot(door_m: float, passes: bool) -> None:
    """A robot of 0.15 m passes a door of its width and a few grid cells, and never a narrower one."""
    wall = [(0, -1, 0, -door_m / 2), (0, door_m / 2, 0, 1)]
    arena = Arena.model_validate({**SMALL, "walls": tuple(wall)})
    assert (solvable(arena, 0.075) is None) == passes


@pytest.mark.parametrize(("text", "reason"), [
    ("walls = " + "[" * 100_000, "nests too deeply"),
    ("walls = [" + "[0.0, 0.0, 0.0, 1.0]," * 60_000 + "]", "longer than"),
])  # fmt: skip
def test_a_file_that_would_cost_too_much_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    """Neither depth nor length of a file is without bound."""
    path = tmp_path / "huge.toml"
    path.write_text(text)
    with pytest.raises(ArenaError, match=reason):
        load_arena(str(path))


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would never end, a folder has no text, a link may lead round in a circle."""
    pipe, folder, circle = (tmp_path / f"{name}.toml" for name in ("pipe", "folder", "circle"))
    os.mkfifo(pipe)
    folder.mkdir()
    circle.symlink_to(circle)
    for path in (pipe, folder, circle):
        with pytest.raises(ArenaError, match="cannot be read"):
            load_arena(str(path))


def test_a_wider_robot_needs_wider_ways() -> None:
    """An arena is checked for the robot that is to drive in it."""
    with pytest.raises(ArenaError, match=r"the robot needs 1\.5 m"):
        load_arena("simple", radius_m=1.5)


def test_an_arena_without_a_task_is_no_part_of_an_evaluation() -> None:
    """An empty room serves to try a block in; nothing that a mission does there could be a success."""
    assert "empty" in list_arenas()
    assert "empty" not in arenas_of("all")
    assert arenas_of("simple,maze") == ("simple", "maze")
    with pytest.raises(EvaluationError, match="arena 'empty' sets no task"):
        arenas_of("simple,empty")
