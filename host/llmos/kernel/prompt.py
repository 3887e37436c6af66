"""The kernel's markdown: front matter of `key: value` lines, and a text."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from llmos.errors import LlmosError
from llmos.resources import system_volume

FENCE = "---"  # the line before and behind the front matter


class PromptError(LlmosError):
    """A kernel file that cannot be read, is written wrong, or has no text."""


@dataclass(frozen=True)
class KernelFile:
    """A kernel file: its front matter's values by key, the lines that they stand on, and its text."""

    path: Path
    text: str
    values: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)


def kernel_path(name: str) -> Path:
    """Return where the system volume keeps a kernel file."""
    return system_volume() / "kernel" / f"{name}.md"


@cache
def system_prompt(name: str = "navigator") -> str:
    """Return the text of a kernel file in the system volume.

    Raises:
        PromptError: the file cannot be read, or holds no text behind its front matter.
    """
    file = read_kernel_file(kernel_path(name))
    if not file.text:
        raise PromptError(
            f"kernel file {file.path} has no text behind its front matter: write the system prompt there"
        )
    return file.text


def read_kernel_file(path: Path) -> KernelFile:
    """Return a kernel file; front matter is optional.

    Raises:
        PromptError: the file cannot be read, or its front matter is no list of `key: value` lines.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(
            f"kernel file {path} cannot be read ({error}): mend it, or reinstall llmos"
        ) from None
    head, *rest = text.split("\n")
    if head != FENCE:
        return KernelFile(path, text.strip())
    if FENCE not in rest:
        raise PromptError(f"{path}:1: the front matter has no end: put a line {FENCE} behind it")
    end = rest.index(FENCE)
    values, lines = front_matter(path, rest[:end])
    return KernelFile(path, "\n".join(rest[end + 1 :]).strip(), values, lines)


def front_matter(path: Path, rows: list[str]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the values of front matter by key, and the file's lines that they stand on.

    Raises:
        PromptError: a line is no `key: value`, or gives a key again.
    """
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, row in enumerate(rows, 2):
        key, colon, value = (part.strip() for part in row.partition(":"))
        if not row.strip():
            continue
        if not (key and colon and value):
            raise PromptError(f"{path}:{number}: {row.strip()[:60]!r} is no `key: value`: write one a line")
        if key in values:
            raise PromptError(f"{path}:{number}: {key} is given on line {lines[key]} already: keep one")
        values[key], lines[key] = value, number
    return values, lines
