"""`llmos volume`: the markdown of system, team and user: listed, compared, restored, promoted, shared."""

import contextlib
import json
from functools import partial
from typing import Any

import click

from llmos.cli import flags
from llmos.text import plain
from llmos.volumes import Change, Entry, NoEntry, Tier, Volumes

TIERS = click.Choice([str(tier) for tier in Tier])
LIMIT = click.IntRange(1)
_DIGITS = 10  # of a commit's id, for people
_WIDTH = 60  # characters of a description
example = partial(flags.examples, "volume")
kind_option = click.option(
    "--kind", type=click.Choice(["skill", "agent"]), default="skill", show_default=True, help="What NAME is."
)


@click.group(
    epilog=example(
        "ls user",
        "log user skills/square.md",
        "diff user HEAD~1",
        "rollback user HEAD~1 skills/square.md",
    )
)
def volume() -> None:
    """Look after the markdown that the robot's operating system consists of.

    TIER is user (yours), team (shared by a git remote) or system (what ships, and what was promoted). Files
    lie in ~/.llmos/volumes/TIER and may be edited there by hand; every change is a git commit.
    """


@volume.command(epilog=example("ls", "ls user skills", "ls system --json"))
@click.argument("tier", type=TIERS, required=False)
@click.argument("folder", default="")
@flags.as_json
def ls(tier: str | None, folder: str, as_json: bool) -> None:
    """List files: of one TIER and FOLDER, or of all."""
    volumes = Volumes()
    tiers = [Tier(tier)] if tier else list(Tier)
    found = [entry for one in tiers for entry in volumes.tier_entries(one) if within(entry.path, folder)]
    if as_json:
        click.echo(json.dumps([entry_facts(entry) for entry in found]))
        return
    width = max((len(entry.path) for entry in found), default=0)
    for entry in found:
        about = entry.problem or entry.description or entry.type
        line = f"{entry.tier:<6}  {entry.path:<{width}}  {entry.version[:8]}  {plain(about)[:_WIDTH]}"
        click.echo(line.rstrip())
    for one in tiers:
        told_edits(volumes, one)


@volume.command(epilog=example("show user skills/square.md", "show user skills/square.md --at HEAD~1"))
@click.argument("tier", type=TIERS)
@click.argument("path")
@click.option("--at", metavar="COMMIT", help="As it was then.")
@flags.as_json
def show(tier: str, path: str, at: str | None, as_json: bool) -> None:
    """Print the file PATH of TIER."""
    volumes, one = Volumes(), Tier(tier)
    document = volumes.read_at(one, path, at) if at else volumes.read(one, path)
    if as_json:
        facts = {"path": str(document.path), "values": dict(document.values), "text": document.text}
        click.echo(json.dumps(facts, default=str))
    else:
        click.echo("\n".join(plain(line) for line in document.source.rstrip("\n").split("\n")))


@volume.command(epilog=example("log user", "log user skills/square.md --limit 5"))
@click.argument("tier", type=TIERS)
@click.argument("path", required=False)
@click.option("--limit", type=LIMIT, default=20, show_default=True, help="Most commits to print.")
@flags.as_json
def log(tier: str, path: str | None, limit: int, as_json: bool) -> None:
    """Tell who changed TIER, when, why and in which run; with PATH, that file or folder."""
    volumes, one = Volumes(), Tier(tier)
    commits = volumes.log(one, path, limit)
    proposals = volumes.branches(one)
    if as_json:
        facts = {name: commit._asdict() for name, commit in proposals.items()}
        click.echo(json.dumps({"commits": [commit._asdict() for commit in commits], "proposals": facts}))
        return
    told_edits(volumes, one)
    for name, commit in proposals.items():
        click.echo(f"proposal {name}: {plain(commit.subject)} ({commit.author})")
    for commit in commits:
        click.echo(commit.line)


@volume.command(epilog=example("diff user", "diff user HEAD~1 HEAD", "diff user HEAD dream/square"))
@click.argument("tier", type=TIERS)
@click.argument("old", default="HEAD")
@click.argument("new", required=False)
@click.option("--path", help="Only this file or folder.")
@flags.as_json
def diff(tier: str, old: str, new: str | None, path: str | None, as_json: bool) -> None:
    """Show what changed in TIER from OLD to NEW; without NEW, from OLD to the files as they are now.

    OLD and NEW are commits (their first digits, or HEAD~1), or the names of proposals.
    """
    text = Volumes().diff(Tier(tier), old, new, path)
    if as_json:
        click.echo(json.dumps({"old": old, "new": new, "diff": text}))
    elif text:
        click.echo("\n".join(plain(line) for line in text.rstrip("\n").split("\n")))


@volume.command(epilog=example("rollback user 3f2a9c", "rollback user HEAD~2 skills/square.md"))
@click.argument("tier", type=TIERS)
@click.argument("commit")
@click.argument("path", required=False)
@click.option("--reason", help="Why, for the history.")
@flags.as_json
def rollback(tier: str, commit: str, path: str | None, reason: str | None, as_json: bool) -> None:
    """Restore what TIER was at COMMIT by a new commit; with PATH, only that file or folder."""
    change = Change(flags.person(), reason or f"restored as it was at {commit}")
    made = Volumes().rollback(Tier(tier), commit, change, path)
    click.echo(json.dumps({"commit": made}) if as_json else f"{tier}: restored by commit {made[:_DIGITS]}")


@volume.command(epilog=example("merge user dream/square"))
@click.argument("tier", type=TIERS)
@click.argument("proposal")
@flags.as_json
def merge(tier: str, proposal: str, as_json: bool) -> None:
    """Take over PROPOSAL, a branch of TIER, as `llmos volume log` names them."""
    made = Volumes().merge(Tier(tier), proposal, Change(flags.person(), f"took over {proposal}"))
    click.echo(json.dumps({"commit": made}) if as_json else f"{tier}: merged by commit {made[:_DIGITS]}")


@volume.command(
    epilog=example("promote square --to team", "promote reactive_robot_agent --kind agent --to system --yes")
)
@click.argument("name")
@click.option("--to", type=click.Choice(["team", "system"]), required=True, help="The tier above.")
@kind_option
@click.option("--reason", default="it proved itself", show_default=True, help="Why, for the history.")
@click.option("--yes", is_flag=True, help="Your consent, which the system volume asks for.")
@flags.as_json
def promote(name: str, to: str, kind: str, reason: str, yes: bool, as_json: bool) -> None:
    """Bring NAME one tier up, if it proved itself: its uses, its audit and its tests say so."""
    from llmos.evolution.promotion import promote as promoted
    from llmos.memory import Memory

    with Memory() as memory:
        done = promoted(Volumes(), memory, kind, name, to, Change(flags.person(), reason), yes)
    click.echo(json.dumps(done.facts()) if as_json else "\n".join(map(plain, done.lines())))


@volume.command(epilog=example('release square --reason "the arena was at fault"'))
@click.argument("name")
@kind_option
@click.option("--reason", required=True, help="Why, for the history.")
@flags.as_json
def release(name: str, kind: str, reason: str, as_json: bool) -> None:
    """Let a version of NAME be used again that was taken back because it got worse."""
    from llmos.evolution.watch import release as released

    event = released(kind, name, flags.person(), reason)
    told = f"{event.kind} {event.name} {event.version} may be used again; its uses begin to count anew"
    click.echo(event.model_dump_json() if as_json else told)


@volume.command(epilog=example("audit square", "audit square --for team --json"))
@click.argument("name")
@kind_option
@click.option("--for", "tier", type=TIERS, help="Whose threshold counts. [default: its own tier's]")
@flags.as_json
@click.pass_context
def audit(context: click.Context, name: str, kind: str, tier: str | None, as_json: bool) -> None:
    """Judge the skill or agent NAME in six categories; exits with 1 where it is refused."""
    from llmos.evolution.audit import audit as audited

    entry = Volumes().find(f"{kind}s", name)
    found = audited(entry.document(), tier or entry.tier)
    facts = {"path": found.path, "passed": found.passed, "reason": found.reason, "total": found.total}
    more = {"scores": dict(found.scores), "findings": [vars(finding) for finding in found.findings]}
    click.echo(json.dumps({**facts, **more}) if as_json else "\n".join(map(plain, found.lines())))
    context.exit(0 if found.passed else 1)


@volume.command(epilog=example("sync --remote git@example.org:robots/team.git", "sync"))
@click.argument("tier", type=click.Choice(["team", "user"]), default="team")
@click.option("--remote", metavar="URL", help="Any git repository; kept for the next time.")
@flags.as_json
def sync(tier: str, remote: str | None, as_json: bool) -> None:
    """Exchange TIER with a git remote: fetch, merge, push."""
    done = Volumes().sync(Tier(tier), remote, Change(flags.person(), "merged what the remote had"))
    if as_json:
        click.echo(json.dumps(done._asdict()))
    else:
        moved = f"{done.received} commits received, {done.sent} sent"
        click.echo(f"{tier}: {moved}; now at {done.head[:_DIGITS]} ({plain(done.remote)} {done.branch})")


def within(path: str, folder: str) -> bool:
    """Return whether a path is a folder, or lies in it."""
    inner = folder.strip("/")
    return not inner or path == inner or path.startswith(f"{inner}/")


def told_edits(volumes: Volumes, tier: Tier) -> None:
    """Say what a person edited that is not yet committed."""
    with contextlib.suppress(NoEntry):
        for path in volumes.edited(tier):
            click.echo(f"{tier}  {plain(path)}: edited by hand; committed before the next change")


def entry_facts(entry: Entry) -> dict[str, Any]:
    """Return a file for --json."""
    return {**entry._asdict(), "file": str(entry.file)}
