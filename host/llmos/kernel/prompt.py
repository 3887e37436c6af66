"""The system prompt: the kernel's markdown, without its front matter."""

from functools import cache

from llmos.errors import LlmosError
from llmos.resources import system_volume


class PromptError(LlmosError):
    """A kernel file that is missing or has no text."""


@cache
def system_prompt(name: str = "navigator") -> str:
    """Return the text of a kernel file in the system volume.

    Raises:
        PromptError: the file cannot be read, or holds no text behind its front matter.
    """
    path = system_volume() / "kernel" / f"{name}.md"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"kernel file {path} cannot be read ({error}): reinstall llmos") from None
    body = text.split("\n---\n", 1)[1] if text.startswith("---\n") and "\n---\n" in text else text
    if not body.strip():
        raise PromptError(
            f"kernel file {path} has no text behind its front matter: write the system prompt there"
        )
    return body.strip()
