"""The `llmos` command; the only place that prints an error."""

import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from llmos.cli import COMMANDS, cli
from llmos.errors import LlmosError, LlmosWarning
from llmos.text import plain

LONGEST = 1000  # characters of what is printed of an error; a value that is named may be of any length


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `llmos`; exits 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _as_ctrl_c)
    sys.exit(_status(sys.argv[1:] if arguments is None else list(arguments)))


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C: the robot stops first, and nothing is left behind."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # a shell starts what it puts into the background with Ctrl-C ignored
        raise KeyboardInterrupt
    handler(number, frame)


def _status(arguments: list[str]) -> int:
    warnings.showwarning = _warning(arguments, warnings.showwarning)
    try:
        result = cli.main(arguments, prog_name="llmos", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return 130
    except click.UsageError as error:
        lines = shortened(error.format_message()).split("\n")
        click.UsageError("\n".join(map(plain, lines)), error.ctx).show()
        return 2
    except Exception as error:
        if os.environ.get("LLMOS_TRACEBACK"):
            raise
        reason = shortened(" ".join(plain(_reason(error)).split()))
        click.echo(f"{_where(arguments)}: {reason}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _warning(arguments: list[str], usual: Callable[..., None]) -> Callable[..., None]:
    """Return what prints our own warnings as errors are printed, and others as usual."""

    def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
        if issubclass(category, LlmosWarning):
            click.echo(f"{_where(arguments)}: {shortened(plain(str(message)))}", err=True)
        else:
            usual(message, category, *place, **more)

    return show


def shortened(text: str) -> str:
    """Return a text with its middle left out where it is longer than a person reads."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


def _reason(error: Exception) -> str:
    from llmbytecode.errors import LLMBytecodeError  # late: `llmos --help` stays quick

    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, LlmosError | LLMBytecodeError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:  # the machine's: a full disk, no more processes
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; make room or give the right to it, then start again"
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:  # half a character
        return f"{error.object[:60]!r} is no UTF-8 text: write it as such"
    return f"{type(error).__name__}: {error}; this is a bug: LLMOS_TRACEBACK=1 shows where"


def _where(arguments: list[str]) -> str:
    command = next((word for word in arguments if not word.startswith("-")), "")
    return f"llmos: {command}" if command in COMMANDS else "llmos"


if __name__ == "__main__":
    main()
