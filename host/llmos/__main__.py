"""The `llmos` command; the only place that prints an error."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from llmbytecode.errors import LLMBytecodeError
from llmos.cli import cli
from llmos.errors import LlmosError


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run `llmos`; exits 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    sys.exit(_status(sys.argv[1:] if arguments is None else list(arguments)))


def _status(arguments: list[str]) -> int:
    try:
        result = cli.main(arguments, prog_name="llmos", standalone_mode=False)
    except click.exceptions.Abort:  # click's name for Ctrl-C
        return 130
    except KeyboardInterrupt:
        return 130
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _fail(arguments, error.format_message())
    except (LlmosError, LLMBytecodeError) as error:
        return _fail(arguments, str(error), error)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        reason = f"{type(error).__name__}: {error}; this is a bug, LLMOS_TRACEBACK=1 shows where"
        return _fail(arguments, reason, error)
    return result if isinstance(result, int) else 0


def _fail(arguments: list[str], reason: str, error: Exception | None = None) -> int:
    if error is not None and os.environ.get("LLMOS_TRACEBACK"):
        raise error
    command = next((word for word in arguments if not word.startswith("-")), "")
    where = f"llmos: {command}" if command in cli.commands_table else "llmos"
    print(f"{where}: {' '.join(reason.split())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
