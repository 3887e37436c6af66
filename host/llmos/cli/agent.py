"""`llmos agent`: the agents that there are, what they do, and what they tell each other."""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from llmos.agents import Agent, AgentRun, Call, Messages, Status, find_agent, load_agents, run_agent
from llmos.agents.loading import agent_entries
from llmos.agents.making import new_agent
from llmos.agents.templates import as_text
from llmos.agents.trying import try_agent
from llmos.blackbox import NAME
from llmos.cli import flags
from llmos.inference import open_kernel
from llmos.report import Order
from llmos.state import new_run_folder
from llmos.text import plain
from llmos.tools import Session
from llmos.volumes import Volumes

example = partial(flags.examples, "agent")
KERNEL = "Whose word counts in what its steps leave open: smollm2, gguf:PATH, openai:URL, rule."
project = click.option("--project", default="", help="Whose own agents come first.")


@click.group(epilog=example("list"))
def agent() -> None:
    """Run agents: markdown files that say what an agent is for, which tools it has, and its steps.

    A file `agents/NAME.md` that you save in the user volume works at once.
    """


@agent.command("list", epilog=example("list --json | jq .[].name"))
@project
@flags.as_json
def listed(project: str, as_json: bool) -> None:
    """List the agents that can be used, and what is wrong with the others."""
    volumes = Volumes()
    agents = load_agents(volumes, project)
    entries = agent_entries(volumes, project)
    if as_json:
        click.echo(json.dumps([{**told(one), "tier": entries[name].tier} for name, one in agents.items()]))
        return
    width = max(map(len, entries), default=0)
    for name, entry in entries.items():
        about = (
            agents[name].description if name in agents else f"not usable: `llmos agent show {name}` says why"
        )
        click.echo(f"{name:<{width}}  {entry.tier:<6}  {plain(about)}")


@agent.command(epilog=example("show planning_agent"))
@click.argument("name")
@project
@flags.as_json
def show(name: str, project: str, as_json: bool) -> None:
    """Show an agent: its tools, its steps, its text, and where its file lies."""
    found = find_agent(Volumes(), name, project)
    if as_json:
        click.echo(json.dumps(told(found)))
        return
    for key, value in told(found).items():
        if value and key not in ("steps", "text"):
            click.echo(f"{key:<14}{', '.join(value) if isinstance(value, list) else value}")
    click.echo(f"{'steps':<14}{len(found.steps)}, tests: {len(found.tests)}\n\n{found.text}")


@agent.command(epilog=example('run reactive_robot_agent "wander a little" --kernel rule'))
@click.argument("name")
@click.argument("task")
@flags.kernel("smollm2", KERNEL)
@click.option("--arena", default="simple", show_default=True, help="Where the virtual robot stands.")
@click.option("--robot", default="cube", show_default=True, help="A robot that ships, or its manifest.")
@click.option("--port", help="The robot at this serial port or pyserial URL instead of the virtual one.")
@click.option("--camera", is_flag=True, help="The robot has its camera on.")
@click.option("--seed", default=0, type=flags.SEED, help="Fixes every chance.")
@project
@flags.as_json
@click.pass_context
def run(context: click.Context, /, name: str, task: str, project: str, as_json: bool, **order: Any) -> None:
    """Have agent NAME do TASK, and show each call of a tool: its arguments, its result, who filled it."""
    found = find_agent(Volumes(), name, project)
    folder = new_run_folder(name)
    given = Order(goal="", record=folder / NAME, **order)
    with Session(given, project=project, run=folder.name) as session:
        done = run_agent(found, task, session, None if as_json else watch())
    click.echo(json.dumps({**asdict(done), "run": folder.name}) if as_json else closing(done, folder.name))
    context.exit(0 if done.status == Status.DONE else 1)


@agent.command(epilog=example('new guard --wish "blink red when something is near"'))
@click.argument("name")
@click.option("--wish", default="", help="What it is for, in a sentence.")
@click.option("--dev-model", help="Who picks its tools and writes its text: openai:URL, gguf:PATH.")
def new(name: str, wish: str, dev_model: str | None) -> None:
    """Write a new agent into the user volume."""
    kernel = open_kernel(dev_model) if dev_model else None
    try:
        made = new_agent(Volumes(), name, wish or name.replace("_", " "), kernel, flags.person())
    finally:
        if kernel:
            kernel.close()
    click.echo(f"{made.document.path if made.document else name}: tools {', '.join(made.tools)}")


@agent.command(epilog=example("test hardware_control_agent"))
@click.argument("names", nargs=-1)
@project
@click.pass_context
def test(context: click.Context, /, names: tuple[str, ...], project: str) -> None:
    """Run the tests in the agents' own files, each apart from your own files and memories."""
    volumes, failed = Volumes(), 0
    for name in names or load_agents(volumes, project):
        found = find_agent(volumes, name, project)
        for case in found.tests:
            outcome = try_agent(found, case)
            failed += bool(outcome.problems)
            said = "; ".join(outcome.problems) or "ok"
            click.echo(f"{name}  {case.kernel}  {plain(case.task)!r}  {outcome.run.seconds:.1f} s  {said}")
    context.exit(1 if failed else 0)


@agent.command(epilog=example("messages --project demo"))
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="The newest ones."
)
@click.option("--project", help="Only those of one project.")
@flags.as_json
def messages(limit: int, project: str | None, as_json: bool) -> None:
    """Show what agents told each other, and what became of it."""
    with Messages() as kept:
        found = [(one, kept.state(one)) for one in kept.latest(limit, project)]
    if as_json:
        rows = [{**one.model_dump(mode="json", by_alias=True), "state": state} for one, state in found]
        click.echo(json.dumps(rows))
        return
    for one, state in found:
        click.echo(f"{one.id:>5}  {one.priority:<8}  {one.line()}  ({state})")


def told(agent: Agent) -> dict[str, Any]:
    """Return what is told of an agent."""
    document = agent.document
    keys = {"name", "type", "category", "mode", "description", "version", "origin", "evolved_from", "project"}
    lists = {"tools", "capabilities", "triggers", "writes"}
    values = json.loads(agent.model_dump_json(include=keys | lists))
    return {**values, "file": str(document.path) if document else "", "text": agent.text}


def watch() -> Callable[[Call], None]:
    """Return what shows each call on a line of its own."""
    count = 0

    def show(call: Call) -> None:
        nonlocal count
        count += 1
        given = " ".join(f"{key}={as_text(value)}" for key, value in call.arguments.items())
        said = as_text(call.result.data) if call.result.success else f"refused: {call.result.error}"
        row = f"{count:>3}  {call.tool} {short(given, 30)}"
        click.echo(f"{row:<52}  {short(bare(said), 56)}  [{call.by}, {call.seconds * 1000:.0f} ms]")

    return show


def short(text: str, most: int) -> str:
    """Return a text on one line, cut."""
    line = plain(text)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def bare(text: str) -> str:
    """Return JSON without its signs, for people."""
    return text.translate(dict.fromkeys(map(ord, '{}"'), None))


def closing(run: AgentRun, record: str) -> str:
    """Return the last lines about a run."""
    cost = f"{run.iterations} iterations, {run.tokens} tokens, {run.seconds:.1f} s"
    ended = f"{run.agent} ({run.strategy}): {run.status}, {cost}"
    answer = "\n".join(f"  {plain(line)}" for line in run.answer.split("\n"))
    verdict = f"\n  {run.verdict}" if run.verdict else ""
    return f"{ended}\n{answer}{verdict}\n  record: llmos replay {record}"
