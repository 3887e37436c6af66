"""`llmos mcp`: serve the tools to any program that speaks the Model Context Protocol."""

import json
from typing import Any

import click

from llmos.blackbox import NAME
from llmos.cli import options
from llmos.kernel.config import load_config
from llmos.report import Order
from llmos.state import new_run_folder
from llmos.tools import Session, Toolbox, all_tools
from llmos.tools.session import Calls

EXAMPLE = """\b
Example:
  llmos mcp --list
  llmos mcp --export openai
  llmos mcp --arena office --kernel rule
"""


@click.command(epilog=EXAMPLE)
@click.option("--arena", default="simple", show_default=True, help="Where the virtual robot stands.")
@click.option("--robot", default="cube", show_default=True, help="A robot, or a path to its manifest.")
@options.kernel("dual", "Who decides in hal_move_to; as `llmos run`.")
@click.option("--seed", default=0, show_default=True, type=options.SEED, help="Of the sensors' noise.")
@click.option("--speed", default=0.0, type=options.SPEED, help="Pace: 1 is the wall clock's.")
@click.option("--port", help="The robot at this serial port or pyserial URL instead of the virtual one.")
@click.option("--camera", is_flag=True, help="The robot has its camera on.")
@click.option("--project", default="", help="Whose files and memories come first.")
@click.option("--agent", help="Serve what this agent may use, with its permissions.")
@click.option("--may-reset", is_flag=True, help="Allow hal_reset_emergency: you see that the way is free.")
@click.option(
    "--max-calls",
    type=click.IntRange(1),
    help="Most calls of tools, but for those that stop the robot. [default: kernel/config.md, served_calls]",
)
@click.option("--list", "listed", is_flag=True, help="Print the tools, and end.")
@click.option("--export", type=click.Choice(["openai", "mcp"]), help="Print the tools' schemas, and end.")
def mcp(
    project: str,
    agent: str | None,
    may_reset: bool,
    max_calls: int | None,
    listed: bool,
    export: str | None,
    **order: Any,
) -> None:
    """Serve the robot's and the volumes' tools over standard input and output, by the `mcp` package.

    One server has one robot, which the first tool that needs it connects; it stops when the client goes.
    """
    shown = listed or export
    folder = None if shown else new_run_folder("mcp")
    given = Order(goal="", record=folder / NAME if folder else None, **order)
    config, run = load_config(), folder.name if folder else ""
    calls = Calls(max_calls or config.served_calls, "served_calls")
    session = Session(given, project=project, run=run, may_reset=may_reset, config=config, calls=calls)
    with session:
        if agent:
            from llmos.agents import find_agent

            session = session.below(find_agent(session.volumes, agent, project))
        toolbox = Toolbox(session)
        if shown:
            tools = toolbox.openai() if export == "openai" else toolbox.mcp()
            click.echo(json.dumps(tools, indent=1) if export else table(toolbox))
            return
        from llmos.tools.serving import serve

        serve(toolbox)


def table(toolbox: Toolbox) -> str:
    """Return the tools, one a line: name, what it is about, what it does at most, and its description."""
    rows = [
        (name, all_tools()[name].category, all_tools()[name].effect, toolbox.description(name))
        for name in toolbox.tools
    ]
    width = max(len(name) for name, *_ in rows)
    return "\n".join(f"{name:{width}}  {about:8}  {effect:5}  {text}" for name, about, effect, text in rows)
