"""Where the files that ship with LLMos are: packaged under `llmos/_data`, or in the checkout."""

import os
from pathlib import Path

from llmos.errors import LlmosError

_PACKAGED = Path(__file__).parent / "_data"
_CHECKOUT = Path(__file__).parents[2]


class ResourceMissing(LlmosError, FileNotFoundError):
    """A folder that ships with LLMos is neither packaged nor in a checkout."""


def _folder(name: str) -> Path:
    places = [_PACKAGED / name, _CHECKOUT / name]
    for place in places:
        if place.is_dir():
            return place
    raise ResourceMissing(
        f"{name}/ is missing; looked in {' and '.join(map(str, places))}; "
        "install LLMos again (pip install --force-reinstall llmos), or run it from a complete checkout"
    )


def firmware_dir() -> Path:
    """The folder that is copied to the board: boot.py, main.py and llmvm/."""
    return _folder("firmware")


def system_volume() -> Path:
    """The read-only tier: kernel, agents, skills, robots and arenas as they ship."""
    return _folder("volumes/system")


def seed_volume(tier: str) -> Path:
    """What a volume of a tier, team or user, holds when it is first made."""
    return _folder(f"volumes/{tier}")


def state_dir() -> Path:
    """The one folder that LLMos writes: `LLMOS_HOME`, or ~/.llmos; it need not exist yet."""
    return Path(os.environ.get("LLMOS_HOME") or "~/.llmos").expanduser()


def cache_dir() -> Path:
    """The user's cache of what LLMos can make again (MicroPython, model weights); it need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "llmos"
