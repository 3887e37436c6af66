"""How the command ends: its exit status, and one line for every failure."""

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType

import click
import pytest

from llmos import __version__
from llmos.__main__ import main
from llmos.cli import COMMANDS, cli
from llmos.errors import LlmosError

Status = Callable[..., int]


@pytest.fixture
def status(monkeypatch: pytest.MonkeyPatch) -> Status:
    """Run `llmos boom`, a command that raises the given error, and return the exit status."""
    monkeypatch.delenv("LLMOS_TRACEBACK", raising=False)

    def run(error: BaseException) -> int:
        @click.command
        def boom() -> None:
            raise error

        module = ModuleType("llmos.cli.boom")
        module.boom = boom  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "llmos.cli.boom", module)
        monkeypatch.setitem(COMMANDS, "boom", ("boom", "boom", "Raise."))
        with pytest.raises(SystemExit) as ended:
            main(["boom"])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


def test_a_failure_is_one_line(status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    """An LlmosError is printed as `llmos: COMMAND: reason`, exit 1."""
    assert status(LlmosError("no such arena 'x';\n  give a name or a path")) == 1
    assert capsys.readouterr().err == "llmos: boom: no such arena 'x'; give a name or a path\n"


def test_a_bug_is_one_line_too(status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    """An unexpected exception shows no traceback, but says how to get one."""
    assert status(ZeroDivisionError("division by zero")) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("llmos: boom: ZeroDivisionError: division by zero; this is a bug")
    assert "LLMOS_TRACEBACK=1" in error


def test_a_developer_gets_the_traceback(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    """With LLMOS_TRACEBACK the exception goes through."""
    monkeypatch.setattr("os.environ", {"LLMOS_TRACEBACK": "1"})
    with pytest.raises(ZeroDivisionError):
        status(ZeroDivisionError())


def test_ctrl_c_is_quiet(status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    """An interrupt ends with 130 and says nothing."""
    assert status(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.strip() == ""


def test_a_command_chooses_its_status(status: Status) -> None:
    """A command that ends with a status of its own keeps it."""
    assert status(click.exceptions.Exit(1)) == 1
    assert status(SystemExit(3)) == 3


@pytest.mark.parametrize("arguments", [["nope"], ["--nope"], ["doctor", "--nope"], ["doctor", "x"]])
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the command line cannot mean is refused with the usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Usage: llmos" in capsys.readouterr().err


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_helps_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every row of the table is a command, or a group of them, and each help page shows an example."""
    command = cli.get_command(click.Context(cli), name)
    below = list(command.commands) if isinstance(command, click.Group) else []
    for words in [[name, sub] for sub in below] or [[name]]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        page = capsys.readouterr().out
        assert f"Usage: llmos {' '.join(words)} " in page
        assert "Example" in page


def test_help_imports_no_command() -> None:
    """`llmos --help` lists every command without importing one, nor numpy."""
    program = (
        "import sys; from llmos.cli import cli; cli.main(['--help'], standalone_mode=False); "
        "print([name for name in sys.modules if name.startswith(('llmos.cli.', 'numpy', 'llama_cpp'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert [name for name in COMMANDS if f"  {name} " not in done.stdout] == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`llmos --version` names the version of the package."""
    cli.main(["--version"], standalone_mode=False)
    assert capsys.readouterr().out == f"llmos, version {__version__}\n"


@pytest.mark.parametrize("error", [LlmosError, click.UsageError])
def test_a_failure_that_names_a_huge_value_stays_short(
    status: Status, capsys: pytest.CaptureFixture[str], error: type[Exception]
) -> None:
    """What failed and what to do are at its ends."""
    assert status(error(f"no arena {'x' * 10**6!r}: name another")) in (1, 2)
    said = capsys.readouterr().err
    assert len(said) < 1200
    assert "no arena 'xxx" in said
    assert said.endswith("name another\n")


def test_wrong_usage_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Of words that are not understood only what can be printed is shown."""
    with pytest.raises(SystemExit) as ended:
        main(["volume", "ls", "\x1b[2J\u202e"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_half_a_character_is_no_bug(status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    """A terminal that is not UTF-8 gives such words."""
    with pytest.raises(UnicodeEncodeError) as raised:
        "name\udcff".encode()
    assert status(raised.value) == 1
    assert capsys.readouterr().err == "llmos: boom: 'name\\udcff' is no UTF-8 text: write it as such\n"
