"""What to do so that a board holds what it should: pure, from what it holds to a list of actions.

The order is what makes an interruption harmless. main.py goes first and comes last, so a board never runs
half a set. What will be written stands in the inventory before it is, so a later flash knows it as ours.
Every file is written under another name, compared by its hash, and only then renamed.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Literal, NamedTuple

from llmbytecode._isa import SPEC_HASH
from llmos.flashing.errors import ForeignFile, NoRoom
from llmos.flashing.probe import INVENTORY, Board

MAIN = "/main.py"
SCRATCH = "/llmos.tmp"  # the other name
_SPARE_BLOCKS = 8  # for folders and what the file system needs to move

Inventory = Mapping[str, list[str]]  # path -> hashes that `llmos flash` has written, or is about to


class Held(NamedTuple):
    """A file on the board: its SHA-256 in hex, its size in bytes, and whether it holds only comments."""

    sha256: str
    size: int
    empty: bool


class Action(NamedTuple):
    """One thing to do on the board; `data` is what to write."""

    kind: Literal["remove", "write"]
    path: str
    data: bytes = b""

    def __str__(self) -> str:
        """Say it in a line."""
        return (
            f"write {self.path} ({len(self.data)} bytes)" if self.kind == "write" else f"remove {self.path}"
        )


def sha256(data: bytes) -> str:
    """The hash by which files are compared, in hex."""
    return hashlib.sha256(data).hexdigest()


def inventory_file(known: Inventory) -> bytes:
    """The inventory as it lies on the board."""
    return json.dumps({"spec": SPEC_HASH, "files": dict(sorted(known.items()))}).encode()


def plan(
    wanted: Mapping[str, bytes],
    held: Mapping[str, Held],
    known: Inventory,
    *,
    keep: frozenset[str] = frozenset(),
    overwrite: bool = False,
) -> list[Action]:
    """Return what to do, in order; nothing where the board holds all of it already.

    Args:
        wanted: what the board should hold, by path.
        held: what it holds of that, of what is known, and beside it.
        known: what earlier flashes have written.
        keep: paths that stay as they are where they are not wanted.
        overwrite: whether files of somebody else may be replaced.

    Raises:
        ForeignFile: somebody else's file lies where one of ours belongs.
    """
    foreign = _foreign(wanted, held, known)
    if foreign and not overwrite:
        several = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise ForeignFile(
            f"{foreign[0]}{several} on the board is not of `llmos flash`; save it (`mpremote cp "
            f":{foreign[0].lstrip('/')} .`) and delete it, or run this again with --overwrite"
        )
    changed = {path: data for path, data in wanted.items() if not _same(held.get(path), data)}
    stale, shadows = [path for path in foreign if path not in wanted], _shadows(wanted)
    stale += [
        path
        for path, hashes in known.items()
        if path in held
        and path not in wanted
        and path not in keep
        and (held[path].sha256 in hashes or path in shadows)
    ]
    final = {path: [sha256(data)] for path, data in wanted.items()}
    final |= {path: [held[path].sha256] for path in keep if path in held and path not in wanted}
    intent = {path: sorted({*known.get(path, []), *final.get(path, [])}) for path in {*known, *final}}
    actions = [Action("remove", SCRATCH)] if SCRATCH in held else []
    if changed or stale:
        actions += [Action("remove", MAIN)] if MAIN in held else []
        actions += _note(intent, held)
        actions += [Action("remove", path) for path in sorted(stale) if path != MAIN]
        actions += [Action("write", path, changed[path]) for path in sorted(changed) if path != MAIN]
        actions += [Action("write", INVENTORY, inventory_file(final))] if final != intent else []
        return [*actions, Action("write", MAIN, wanted[MAIN])]
    return actions + _note(final, held)


def check_room(actions: list[Action], held: Mapping[str, Held], board: Board) -> None:
    """Raise NoRoom where the file system cannot hold what is to be written, before anything is."""

    def blocks(size: int) -> int:
        return -(-size // board.block_bytes) + 1  # and its entry

    gone = sum(blocks(held[action.path].size) for action in actions if action.path in held)
    sizes = [len(action.data) for action in actions if action.kind == "write"]
    need = sum(map(blocks, sizes)) + max(map(blocks, sizes), default=0) + (_SPARE_BLOCKS if sizes else 0)
    free = board.free_bytes // board.block_bytes
    if need > free + gone:
        raise NoRoom(
            f"the board's file system has {free * board.block_bytes // 1024} KiB free and the firmware needs "
            f"{(need - gone) * board.block_bytes // 1024} KiB; delete files of yours, then run this again"
        )


def _foreign(wanted: Mapping[str, bytes], held: Mapping[str, Held], known: Inventory) -> list[str]:
    """Files that are not ours and lie in the way: by the same name, or a source that would hide its .mpy."""
    shadows = _shadows(wanted)
    return sorted(
        path
        for path, file in held.items()
        if path not in known
        and (path in shadows or (path in wanted and not file.empty and not _same(file, wanted[path])))
    )


def _shadows(wanted: Mapping[str, bytes]) -> set[str]:
    """Sources that MicroPython would import instead of the .mpy files beside them."""
    return {f"{path.removesuffix('.mpy')}.py" for path in wanted if path.endswith(".mpy")}


def _note(known: Inventory, held: Mapping[str, Held]) -> list[Action]:
    data = inventory_file(known)
    return [] if _same(held.get(INVENTORY), data) else [Action("write", INVENTORY, data)]


def _same(file: Held | None, data: bytes) -> bool:
    return file is not None and file.sha256 == sha256(data)
