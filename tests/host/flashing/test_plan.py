"""Whatever a board holds and wherever a flash is cut off, the next one completes; the user's files stay."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.flashing.errors import ForeignFile, NoRoom
from llmos.flashing.plan import MAIN, SCRATCH, Action, Held, check_room, inventory_file, plan, sha256
from llmos.flashing.probe import INVENTORY, Board

Files = dict[str, bytes]
OURS = ["/boot.py", "/llmvm/vm.mpy", "/llmvm/vm.py", "/llmvm/old.mpy", "/llmvm/hal/arena.mpy", "/robot.json"]
CONTENT = st.sampled_from([b"one", b"two", b"three"])


def held(board: Files) -> dict[str, Held]:
    """What a board says of its files."""
    return {path: Held(sha256(data), len(data), not data) for path, data in board.items()}


def known(board: Files) -> dict[str, list[str]]:
    """What a board's inventory says."""
    return json.loads(board[INVENTORY])["files"] if INVENTORY in board else {}


def do(board: Files, action: Action) -> None:
    """Carry an action out."""
    if action.kind == "write":
        board[action.path] = action.data
    else:
        board.pop(action.path, None)


def flash(board: Files, wanted: Files, steps: int = 1000) -> list[Action]:
    """Plan, carry out the first steps, and return the plan."""
    actions = plan(wanted, held(board), known(board))
    for action in actions[:steps]:
        do(board, action)
    return actions


@st.composite
def wishes(draw: st.DrawFn) -> Files:
    """What should be on a board."""
    files = draw(st.dictionaries(st.sampled_from(OURS), CONTENT))
    if "/llmvm/vm.mpy" in files:
        files.pop("/llmvm/vm.py", None)
    return files | {MAIN: draw(CONTENT)}


@given(
    st.lists(wishes(), min_size=1, max_size=3), st.lists(st.integers(0, 12), max_size=4), wishes(), CONTENT
)
def test_an_interrupted_flash_is_completed_by_the_next(
    before: list[Files], cuts: list[int], wanted: Files, mine: bytes
) -> None:
    """Old sets, then flashes that are cut off, then a whole one: what is wanted lies there, and no more."""
    board: Files = {"/notes.py": mine, "/llmvm/mine.py": mine}
    for wish in before:
        flash(board, wish)
    for cut in cuts:
        flash(board, wanted, cut)
    flash(board, wanted)
    assert board == wanted | {
        "/notes.py": mine, "/llmvm/mine.py": mine, INVENTORY: board[INVENTORY],
    }  # fmt: skip
    assert flash(board, wanted) == []


@given(wishes(), wishes(), st.integers(0, 12))
def test_a_cut_leaves_a_whole_set_or_none_that_runs(old: Files, new: Files, cut: int) -> None:
    """While main.py is there, all that it was written with is there."""
    board: Files = {}
    flash(board, old)
    flash(board, new, cut)
    whole = any(all(board.get(path) == data for path, data in wish.items()) for wish in (old, new))
    assert whole or MAIN not in board


def test_a_file_of_somebody_else_is_not_replaced_unless_asked() -> None:
    """main.py, or a source that would hide its .mpy; what is equal, or only comments, does not matter."""
    wanted = {"/boot.py": b"boot", "/llmvm/vm.mpy": b"vm", MAIN: b"main"}
    for path in (MAIN, "/llmvm/vm.mpy", "/llmvm/vm.py"):
        with pytest.raises(ForeignFile, match=path):
            plan(wanted, held({path: b"mine"}), {})
        board = {path: b"mine"}
        for action in plan(wanted, held(board), {}, overwrite=True):
            do(board, action)
        assert {name: data for name, data in board.items() if name != INVENTORY} == wanted
    assert plan(wanted, held({"/boot.py": b"", "/llmvm/vm.mpy": b"vm"}), {})


def test_a_stale_file_that_was_edited_stays() -> None:
    """Only what a flash has written, as it has written it, is deleted."""
    wanted = {MAIN: b"main"}
    listed = {"/a.mpy": [sha256(b"a")], "/b.mpy": [sha256(b"b")], MAIN: [sha256(b"main")]}
    actions = plan(wanted, held({"/a.mpy": b"a", "/b.mpy": b"mine", MAIN: b"main"}), listed)
    assert [action.path for action in actions if action.kind == "remove"] == [MAIN, "/a.mpy"]


def test_what_is_kept_stays_in_the_inventory() -> None:
    """Secrets that are not given again are neither deleted nor forgotten."""
    wanted, secret = {MAIN: b"main"}, "/secrets.json"
    board = {secret: b"secret"}
    listed = {secret: [sha256(b"secret")]}
    for action in plan(wanted, held(board), listed, keep=frozenset({secret})):
        do(board, action)
    assert board == {secret: b"secret", MAIN: b"main", INVENTORY: board[INVENTORY]}
    assert known(board)[secret] == listed[secret]
    assert [action for action in plan(wanted, held(board), known(board)) if action.kind == "remove"] == [
        Action("remove", MAIN), Action("remove", secret),
    ]  # fmt: skip


def test_a_leftover_is_removed() -> None:
    """The file that an interrupted write leaves behind."""
    wanted = {MAIN: b"main"}
    board = {MAIN: b"main", SCRATCH: b"half", INVENTORY: inventory_file({MAIN: [sha256(b"main")]})}
    assert flash(board, wanted) == [Action("remove", SCRATCH)]
    assert flash(board, wanted) == []


def test_what_does_not_fit_is_refused_before() -> None:
    """Blocks are counted, what is replaced counts as free, and a scratch copy needs room, too."""
    actions = [Action("write", "/a", bytes(40_000)), Action("remove", "/b")]
    check_room(actions, {}, Board("port", free_bytes=150_000))
    check_room(actions, held({"/b": bytes(60_000)}), Board("port", free_bytes=100_000))
    with pytest.raises(NoRoom, match="delete files"):
        check_room(actions, {}, Board("port", free_bytes=100_000))
