"""`llmos skill`: the skills that there are, and new ones."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

import click

from llmbytecode import Outcome
from llmos import shown
from llmos.agents import Status, agent_of, run_agent
from llmos.blackbox import NAME
from llmos.cli import flags, options
from llmos.cli.bytecode._io import Input
from llmos.cli.bytecode.run import run_given
from llmos.inference import open_kernel
from llmos.manifest import load_manifest
from llmos.measures import place
from llmos.memory import Memory
from llmos.report import Order
from llmos.runs import ended
from llmos.skills import Skill, read_shelf
from llmos.skills.checking import Checked, checks, run_check
from llmos.skills.making import new_skill, template, wished
from llmos.skills.using import Use, said, using
from llmos.state import new_run_folder
from llmos.text import plain
from llmos.tools import Session
from llmos.volumes import Change, Volumes
from llmos.workers import workers
from llmos.writing import usual_way

MODEL = "Who makes the program for --wish: smollm2, gguf:PATH, openai:URL."
SHOWN = 60  # characters of a description in a list


example = partial(flags.examples, "skill")
project_option = click.option("--project", default="", help="Whose own skills come first.")
robot_option = click.option("--robot", default="cube", show_default=True, help="Manifest: a name or a file.")


@click.group(epilog=example("run square side_cm=40"))
def skill() -> None:
    """Run, test and make skills: markdown files with a program or guidance for an agent, and with tests.

    A file `skills/NAME.md` that you save in the user volume works at once.
    """


@skill.command("list", epilog=example("list"))
@project_option
@flags.as_json
def listed(project: str, as_json: bool) -> None:
    """List the skills, how often each was used as it stands, and what is wrong with other files."""
    from llmos.evolution.watch import quarantined

    shelf = read_shelf(project=project)
    with Memory() as memory:
        rows = [row(memory, one) for one in shelf.skills.values()]
    aside = [
        {"name": one.entry.name, "tier": str(one.entry.tier), "what": what, "reason": one.reason}
        for what, group in (("refused", shelf.refused.values()), ("hidden", shelf.hidden))
        for one in group
    ]
    there = {one.entry.version for one in shelf.hidden}
    aside += [
        {"name": one.name, "tier": one.tier, "what": "gone", "reason": f"quarantined: {one.reason}"}
        for one in quarantined().values()
        if one.kind == "skill" and one.version not in there
    ]
    click.echo(json.dumps({"skills": rows, "aside": aside}) if as_json else table(rows, aside))


@skill.command(epilog=example("show square"))
@click.argument("name")
@project_option
@flags.as_json
def show(name: str, project: str, as_json: bool) -> None:
    """Show a skill: where it lies, what it takes, its wishes, its tests, its text."""
    found = read_shelf(project=project).find(name)
    with Memory() as memory:
        facts = row(memory, found)
    if as_json:
        click.echo(json.dumps(facts | {"file": str(found.document.path), "text": found.document.text}))
    else:
        click.echo(about(found, facts))


@skill.command(epilog=example("run square side_cm=40", "run plant_care look --arena playroom --camera"))
@click.argument("name")
@click.argument("values", metavar="[KEY=VALUE... | TASK]", nargs=-1)
@click.option("--arena", default="empty", show_default=True, help="Where the virtual robot stands.")
@robot_option
@click.option("--port", help="The robot at this serial port or pyserial URL instead of the virtual one.")
@click.option("--clear", is_flag=True, help="Release a latched e-stop first; see that the way is free.")
@click.option("--seed", default=0, show_default=True, type=flags.SEED, help="Of the sensors' noise.")
@flags.kernel("smollm2", "Who follows a guide.")
@click.option("--camera", is_flag=True, help="Look where it goes, for a guide.")
@project_option
@flags.as_json
@click.pass_context
def run(
    context: click.Context, /, name: str, values: tuple[str, ...], project: str, as_json: bool, **order: Any
) -> None:
    """Run skill NAME: a program with its parameters, as in side_cm=40, or an agent that does TASK by a guide.

    Memory keeps what came of it; a promoted skill that got worse is taken back.
    """
    volumes = Volumes()
    found = read_shelf(volumes, project).find(name)
    given = numbers(values) if found.kind == "physical" else " ".join(values)
    if isinstance(given, dict):
        found.fill(given)  # a value that does not fit is no use
    elif not given:
        raise click.UsageError(f"{name} is a guide: say the task behind its name")
    with Memory() as memory:
        if isinstance(given, dict):
            with using(memory, volumes, found, given, project=project) as use:
                facts, text = run_program(found, given, use, **order)
        else:
            folder = new_run_folder(name)
            wanted = Order(goal="", record=folder / NAME, **order)
            with (
                using(memory, volumes, found, given, project=project, run=folder.name) as use,
                Session(
                    wanted, memory=memory, project=project, trace=use.trace.id, run=folder.name
                ) as session,
            ):
                facts, text = run_guide(found, given, use, session, as_json)
    facts |= {"skill": name, "version": found.version, "trace": use.trace.id, "verdict": use.verdict}
    click.echo(json.dumps(facts, default=str) if as_json else text)
    if use.verdict:
        click.echo(use.verdict, err=as_json)
    context.exit(0 if use.success else 1)


def numbers(words: tuple[str, ...]) -> dict[str, int]:
    """Return the values of a call: each word is KEY=VALUE with a whole number."""
    found = {}
    for word in words:
        key, equals, value = word.partition("=")
        try:
            found[key] = int(value)
        except ValueError:
            given = plain(value if equals else word)
            raise click.UsageError(
                f"{given!r} is no whole number: write KEY=NUMBER, as in side_cm=40"
            ) from None
    return found


def run_program(found: Skill, values: dict[str, int], use: Use, **order: Any) -> tuple[dict[str, Any], str]:
    """Run a physical skill's program, and note what came of it."""
    text = found.filled(values)
    given = Input(said(found, values), found.program(values), b"", text)
    rest = {"bits": "64", "native": "auto", "trace": False, "arena": place(order["arena"])}
    one = run_given([given], **(order | rest))[0]
    use.success, use.outcome = one.good, ended(one.run)
    asked = Order(goal="", **{name: order[name] for name in ("arena", "seed", "robot", "port")})
    use.data = {
        **asked.setting,
        "values": values,
        "faults": [use.outcome] * (one.run.done.outcome != Outcome.COMPLETED)
        + [f"{one.collisions} collisions"] * bool(one.collisions),
    }
    picture = shown.record([one], load_manifest(order["robot"]), order["seed"])
    return shown.facts(one), shown.whole_text([one], picture)


def run_guide(
    found: Skill, task: str, use: Use, session: Session, as_json: bool
) -> tuple[dict[str, Any], str]:
    """Have an agent follow a guide, show its calls, and note what came of it."""
    from llmos.cli.agent import closing, watch

    done = run_agent(agent_of(found.document), task, session, None if as_json else watch())
    use.success, use.outcome = done.status == Status.DONE, done.answer
    use.data = {**session.order.setting, "values": done.given, "status": str(done.status)}
    return {**asdict(done), "run": session.run}, closing(done, session.run)


@skill.command(epilog=example("test creep_to_wall --seeds 20 --jobs 2"))
@click.argument("names", nargs=-1)
@click.option("--seeds", type=click.IntRange(1, 1000), help="Runs of each test.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@robot_option
@project_option
@flags.as_json
@click.pass_context
def test(
    context: click.Context,
    names: tuple[str, ...],
    seeds: int | None,
    jobs: int,
    robot: str,
    project: str,
    as_json: bool,
) -> None:
    """Run the tests in the skills' own files; of all skills where none is named."""
    shelf = read_shelf(project=project)
    chosen = [shelf.find(name) for name in names] or list(shelf.skills.values())
    todo = [check for one in chosen for check in checks(one, range(seeds) if seeds else None, robot)]
    with workers(min(jobs, max(len(todo), 1))) as pool:
        done = pool.results(run_check, todo, None if as_json else tell)
    good = sum(one.success for one in done)
    untested = [one.name for one in chosen if not any(check.skill is one for check in todo)]
    if as_json:
        rows = [{"test": one.check.name, "ok": one.success, "faults": one.faults} for one in done]
        click.echo(json.dumps({"tests": rows, "untested": untested}))
    else:
        without = f"; without any: {', '.join(untested)}" if untested else ""
        click.echo(f"{good} of {len(done)} tests of {len(chosen)} skills passed{without}")
    context.exit(0 if good == len(done) else 1)


def tell(one: Checked) -> None:
    """Show a test's result."""
    said_faults = "; ".join(one.faults)
    click.echo(f"{one.check.name}: {said_faults or f'ok, {one.told}'}")


@skill.command(epilog=example("new hop", 'new hop --wish "drive 20 cm ahead and blink green twice"'))
@click.argument("name")
@click.option("--wish", default="", help="What it shall do, in a sentence; else the file is a template.")
@click.option("--dev-model", default="smollm2", show_default=True, help=MODEL)
@options.way("With --wish, how the program is made")
@robot_option
@project_option
def new(name: str, wish: str, dev_model: str, way: str | None, robot: str, project: str) -> None:
    """Write a new skill into the user volume.

    Whoever wrote it, the file is audited first; a program is verified.
    """
    source = template(name) if not wish else made(name, wish, dev_model, way, robot)
    change = Change(flags.person(), f"make a skill: {wish[:60] or 'from the template'}", project=project)
    found = new_skill(Volumes(), source, name, change, project)
    click.echo(f"{found.document.path}\n  llmos skill test {name}, llmos skill run {name}")


def made(name: str, wish: str, spec: str, way: str | None, robot: str) -> str:
    """Return the file of a skill that a model makes."""
    kernel = open_kernel(spec)
    try:
        chosen = way or usual_way(kernel.name)
        author = spec.rpartition("/")[2]  # no file says where somebody's models and servers are
        return wished(name, wish, kernel, load_manifest(robot), author=author, way=chosen)
    finally:
        kernel.close()


def row(memory: Memory, found: Skill) -> dict[str, Any]:
    """Return a skill for --json, with what memory has of its uses in this version."""
    uses = memory.uses(found.name, found.version)
    return {
        "name": found.name,
        "kind": found.kind,
        "tier": found.tier,
        "version": found.version,
        "category": found.category,
        "description": found.description,
        "uses": len(uses),
        "successes": sum(use.success for use in uses),
    }


def table(rows: list[dict[str, Any]], aside: list[dict[str, str]]) -> str:
    """Return skills as a table, and what is not used with the reason."""
    width = max((len(one["name"]) for one in [*rows, *aside]), default=4)
    lines = [f"{'name':<{width}}  {'kind':<8}  {'tier':<6}  {'uses':>4}  {'good':>4}  what it does"]
    for one in rows:
        share = f"{one['successes'] / one['uses']:.0%}" if one["uses"] else "-"
        does = one["description"]
        does = does if len(does) <= SHOWN else f"{does[: SHOWN - 1]}…"
        head = f"{one['name']:<{width}}  {one['kind']:<8}  {one['tier']:<6}"
        lines.append(f"{head}  {one['uses']:>4}  {share:>4}  {plain(does)}")
    lines += [f"{one['name']:<{width}}  {one['what']:<8}  {one['tier']:<6}  {one['reason']}" for one in aside]
    return "\n".join(lines)


def about(found: Skill, facts: dict[str, Any]) -> str:
    """Return a skill for people."""
    lines = [
        f"{found.name}: {plain(found.description)}",
        f"  {found.kind}, {found.tier} volume, version {found.version}, {found.document.path}",
        f"  used {facts['uses']} times in this version, {facts['successes']} with success",
    ]
    lines += [f"  {p.key}: {p.lo} to {p.hi}, {p.default} by default: {p.meaning}" for p in found.parameters]
    lines += [f"  tools: {', '.join(found.tools)}"] if found.tools else []
    lines += [f'  "{plain(wish)}"' for wish, _ in found.examples]
    lines += [f"  test: {check.name}" for check in checks(found)]
    return "\n".join([*lines, "", found.document.text])
