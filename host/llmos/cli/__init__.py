"""The command line: each command is a module of this package, imported only when it is asked for."""

import importlib

import click

import llmos

# name -> (module of this package, attribute, one line for `llmos --help`)
COMMANDS = {
    "run": ("run", "run", "Give the robot a goal and watch it drive."),
    "eval": ("eval", "evaluate", "Run arenas by kernels by seeds, and print the table."),
    "why": ("why", "why", "Explain a step of a recorded run."),
    "blackbox": ("blackbox", "blackbox", "List, check, export and clear up the records of runs."),
    "replay": ("replay", "replay_run", "Run a recorded mind again, and compare every step."),
    "agent": ("agent", "agent", "Run agents: markdown files with tools and steps."),
    "dream": ("dream", "dream", "Breed skills that failed, and propose what is measurably better."),
    "evolution": ("evolution", "evolution", "Tell how skills came to be what they are."),
    "train": ("train", "train", "Teach the model: make examples, fit an adapter, put it to use."),
    "write": ("write", "write", "Have a model write a program, and verify it."),
    "volume": ("volume", "volume", "Look after the markdown of system, team and user."),
    "skill": ("skill", "skill", "List, run, test and make skills."),
    "memory": ("memory", "memory", "Search what was done, seen and said, and see where it is from."),
    "mcp": ("mcp", "mcp", "Serve the tools to programs that speak the Model Context Protocol."),
    "board": ("board", "board", "Start a virtual robot behind a serial port, for any tool."),
    "flash": ("flash", "flash", "Bring a board to the newest firmware, from bare on."),
    "bytecode": ("bytecode", "bytecode", "Assemble, disassemble, validate and run LLMBytecode."),
    "calibrate": ("calibrate", "calibrate", "Measure the wheels, and correct the robot's manifest."),
    "monitor": ("monitor", "monitor", "Show the robot live, with the e-stop under the space bar."),
    "doctor": ("doctor", "doctor", "Say what is installed, what is missing, and what to do about it."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(f"llmos.cli.{module}"), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(llmos.__version__, prog_name="llmos")
def cli() -> None:
    """Let a small language model drive a robot; a real one, or the virtual one that ships with LLMos.

    Example: llmos run "drive to the far corner" --arena simple
    """
