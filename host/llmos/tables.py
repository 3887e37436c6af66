"""TOML files that people write: read with a bound, checked against a model, refused in one line."""

import stat
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from llmos.errors import LlmosError
from llmos.invalid import first_invalid

LARGEST = 1 << 20  # bytes; the largest file that makes sense has some 100 KB
_SHOWN = 40  # characters of an offending value
_Model = TypeVar("_Model", bound=BaseModel)


def read_table(path: Path, model: type[_Model], label: str, error: type[LlmosError]) -> _Model:
    """Return a TOML file as a model; `label` begins every message, for example `arena 'maze'`.

    Raises:
        LlmosError: of the given type: it cannot be read, is no TOML, or breaks the model.
    """
    try:
        return model.model_validate(tomllib.loads(_text(path)))
    except (OSError, UnicodeDecodeError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no UTF-8 text"
        raise error(f"{label}: {path} cannot be read: {reason}; name a .toml file") from None
    except tomllib.TOMLDecodeError as problem:
        raise error(f"{label}: {path} is no TOML: {problem}") from None
    except RecursionError:
        raise error(f"{label}: {path} is no TOML that makes sense: it nests too deeply") from None
    except ValidationError as problem:
        raise error(f"{label}: {_first(problem)}") from None


def _text(path: Path) -> str:
    """Read a regular file of sensible size; a pipe or a device might never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(0, "it is no regular file")
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(0, f"it is longer than {LARGEST} bytes")
    return data.decode()


def _first(problem: ValidationError) -> str:
    """Return the first thing that is wrong: key, reason and value."""
    wrong = first_invalid(problem, _SHOWN)
    if not wrong.loc:
        return wrong.reason
    shown = "" if wrong.kind in ("missing", "extra_forbidden") else f", not {wrong.value}"
    return f"key {wrong.key}: {wrong.reason}{shown}"
