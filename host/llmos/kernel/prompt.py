"""The kernel's markdown: the prompts that models read, and the rules that the program reads.

A file of a person's own, `kernel/NAME.md` in the user volume, takes the place of the one that ships; no agent
may write there.
"""

from functools import cache, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from llmos.document import Document, read_document
from llmos.errors import LlmosError
from llmos.resources import state_dir, system_volume


class PromptError(LlmosError):
    """A kernel file that has no text, or says what it cannot say."""


class Rules(BaseModel):
    """What the front matter of a kernel file says; keys that nothing reads are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    type: str = "kernel"
    description: str = ""


_Rules = TypeVar("_Rules", bound=Rules)


def kernel_path(name: str) -> Path:
    """Return where a kernel file lies: the user's own, else the one that ships."""
    own = state_dir() / "volumes" / "user" / "kernel" / f"{name}.md"
    return own if own.is_file() else system_volume() / "kernel" / f"{name}.md"


def read_rules(name: str, model: type[_Rules], path: Path | None = None) -> _Rules:
    """Return the rules that a kernel file gives.

    Raises:
        DocumentError: the file cannot be read, or breaks the model; the message names line and key.
    """
    path = path or kernel_path(name)
    status = path.stat() if path.exists() else None
    rules: _Rules = _rules(path, model, (status.st_mtime_ns, status.st_size) if status else None)
    return rules


@lru_cache(maxsize=64)
def _rules(path: Path, model: type[_Rules], state: tuple[int, int] | None) -> Any:
    return read_document(path).checked(model)


def system_prompt(name: str = "navigator") -> str:
    """Return the text of a kernel file.

    Raises:
        DocumentError: the file cannot be read.
        PromptError: it holds no text behind its front matter.
    """
    path = kernel_path(name)
    return _prompt(path, path.stat().st_mtime_ns if path.exists() else 0)


@cache
def _prompt(path: Path, mtime_ns: int) -> str:
    file: Document = read_document(path)
    if not file.text:
        raise PromptError(
            f"kernel file {file.path} has no text behind its front matter: write the system prompt there"
        )
    return file.text
