"""Carries a plan out on a board, file by file, each compared by the hash that the board computes."""

from collections.abc import Callable, Iterable

from llmos.flashing.errors import BoardLost
from llmos.flashing.plan import SCRATCH, Action, Held, sha256
from llmos.flashing.probe import INVENTORY
from llmos.flashing.repl import Repl, answer

_ATTEMPTS = 2
_COMMENTS = 1000  # bytes of the longest file that is looked into

# What later programs call. `held` answers with hash, size and whether a file has only comments.
_HELPERS = f"""
import os, json, hashlib, binascii
def sha(p):
    h, b = hashlib.sha256(), bytearray(1024)
    v = memoryview(b)
    with open(p, "rb") as f:
        n = f.readinto(b)
        while n:
            h.update(v[:n])
            n = f.readinto(b)
    return binascii.hexlify(h.digest()).decode()
def size(p):
    try:
        s = os.stat(p)
        return -1 if s[0] & 0x4000 else s[6]
    except OSError:
        return -1
def empty(p):
    with open(p) as f:
        return all(not l.strip() or l.strip()[0] == "#" for l in f)
def held(p):
    n = size(p)
    return None if n < 0 else [sha(p), n, n < {_COMMENTS} and p.endswith(".py") and empty(p)]
def names(d):
    try:
        return [d + "/" + e[0] for e in os.ilistdir(d) if e[1] == 0x8000]
    except OSError:
        return []
def install(t, p, h):
    if size(t) < 0 or sha(t) != h:
        return False
    d = ""
    for part in p.split("/")[1:-1]:
        d += "/" + part
        try:
            os.mkdir(d)
        except OSError:
            pass
    try:
        os.rename(t, p)
    except OSError:
        os.remove(p)
        os.rename(t, p)
    return True
def remove(p):
    if size(p) >= 0:
        os.remove(p)
    d = p.rsplit("/", 1)[0]
    if d and not os.listdir(d):
        os.rmdir(d)
    return True
"""


def survey(repl: Repl, paths: Iterable[str]) -> dict[str, Held]:
    """Return what the board holds of `paths`, of the firmware's folders, and beside them."""
    repl.prepare(_HELPERS)
    beside = answer(repl, "print(json.dumps(names('/llmvm') + names('/llmvm/hal')))")
    looked = sorted({*paths, *beside, INVENTORY, SCRATCH})
    found = answer(repl, f"print(json.dumps({{p: held(p) for p in {looked!r}}}))")
    return {path: Held(*file) for path, file in found.items() if file is not None}


def carry_out(
    repl: Repl, actions: list[Action], on_action: Callable[[Action], None], on_bytes: Callable[[int], None]
) -> None:
    """Do what the plan says, in its order.

    Args:
        repl: the board's.
        actions: the plan.
        on_action: hears each action before it begins.
        on_bytes: hears how many bytes more are written.

    Raises:
        BoardLost: the board restarts in the middle, or a file arrives damaged twice.
        NoRoom: the file system is full.
    """
    repl.prepare(_HELPERS)
    for action in actions:
        on_action(action)
        if action.kind == "remove":
            answer(repl, f"print(json.dumps(remove({action.path!r})))")
        else:
            _write(repl, action, on_bytes)


def _write(repl: Repl, action: Action, on_bytes: Callable[[int], None]) -> None:
    expected = sha256(action.data)
    for attempt in range(_ATTEMPTS):
        repl.put(SCRATCH, action.data, on_bytes if not attempt else lambda _: None)
        if answer(repl, f"print(json.dumps(install({SCRATCH!r}, {action.path!r}, {expected!r})))"):
            return
    raise BoardLost(
        f"{action.path} has arrived damaged {_ATTEMPTS} times; try another cable or another USB port, then "
        "run this again"
    )
