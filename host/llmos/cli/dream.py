"""`llmos dream`: breed skills that failed, and propose what is measurably better."""

import json
from contextlib import ExitStack
from typing import Any

import click

from llmos.cli import flags

EPILOG = """\b
Example:
  llmos dream
  llmos dream --skill wander --generations 12 --population 10 --jobs 2 --apply
  llmos dream --cluster tcp://10.0.0.7:8786 --dev-model openai:http://127.0.0.1:8000/v1
"""


@click.command(epilog=EPILOG)
@click.option(
    "--skill", "skills", multiple=True, metavar="NAME", help="Breed this one, whether it failed or not."
)
@click.option("--apply", is_flag=True, help="Merge what is accepted into the user volume.")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes for rollouts."
)
@click.option("--cluster", default="", metavar="ADDRESS", help="Run them on a Dask cluster instead.")
@click.option(
    "--dev-model", default="smollm2", show_default=True,
    help="Who reflects on failures: smollm2, gguf:PATH, openai:URL; none for chance alone.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=flags.SEED, help="Fixes every draw.")
@click.option("--generations", type=click.IntRange(1, 1000), help="Generations. [default: evolution.md]")
@click.option("--population", type=click.IntRange(2, 1000), help="Variants in each. [default: evolution.md]")
@click.option("--robot", default="cube", show_default=True, help="Manifest: a name or a .toml file.")
@flags.as_json
@click.pass_context
def dream(
    context: click.Context, /, as_json: bool, jobs: int, cluster: str, dev_model: str, **plan: Any
) -> None:
    """Breed skills that failed, and propose what is measurably better.

    The failures that memory has of a skill are replayed in the arena. Variants are bred by mutation,
    crossover and a model's reflection; each is verified and audited before it runs. The best meet the
    original on seeds that none has seen. Who gains enough, by an exact paired test that is corrected for all
    that were offered, becomes a git branch of the user volume, with the evidence in its commit.
    `llmos evolution log` tells the story.
    """
    nights = dreamt(as_json, jobs, cluster, dev_model, **plan)
    if as_json:
        click.echo(json.dumps({"dreams": [facts(night) for night in nights]}))
    else:
        click.echo("\n\n".join(map(text, nights)) or "no skill has failed often enough: nothing to dream of")
    context.exit(0)


def dreamt(as_json: bool, jobs: int, cluster: str, dev_model: str, **plan: Any) -> list[Any]:
    """Dream, and show how it goes."""
    from llmos.evolution.dream import Plan, Sleeper
    from llmos.evolution.lenses import Reflection
    from llmos.evolution.rollouts import rollouts
    from llmos.inference import open_kernel
    from llmos.memory import Memory
    from llmos.volumes import Volumes

    given = {key: value for key, value in plan.items() if value is not None}
    with ExitStack() as stack:
        pool = stack.enter_context(rollouts(jobs, cluster))
        reflection = None
        if dev_model != "none":
            kernel = open_kernel(dev_model)
            stack.callback(kernel.close)
            reflection = Reflection(kernel)
        memory = stack.enter_context(Memory())
        return Sleeper(
            Volumes(), memory, pool, Plan(**given), reflection, lambda line: click.echo(line, err=True)
        ).dream()


def facts(night: Any) -> dict[str, Any]:
    """Return a dream for --json."""
    bred = night.bred
    return {
        "skill": night.skill.name,
        "version": night.skill.version,
        "journal": str(night.journal.path),
        "outcome": night.outcome,
        "branch": night.branch or None,
        "generations": bred.generations if bred else 0,
        "variants": len(bred.rated) - 1 if bred else 0,
        "refused": dict(bred.refusals) if bred else {},
        "offered": [{"id": name, **vars(verdict)} for name, verdict in night.verdicts.items()],
        "winner": night.winner.variant.id if night.winner else None,
        "diff": night.winner.variant.diff(night.skill) if night.winner else [],
    }


def text(night: Any) -> str:
    """Return a dream for people."""
    from llmos.evolution.journal import Dreamed
    from llmos.evolution.story import dream_lines

    lines = dream_lines(Dreamed(night.journal.path))
    if night.outcome == "proposed":
        lines.append(
            f"  look: llmos volume diff user HEAD {night.branch}; "
            f"take it over: llmos volume merge user {night.branch}"
        )
    return "\n".join(lines)
