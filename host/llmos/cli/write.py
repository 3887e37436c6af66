"""`llmos write`: have a model write a program for a wish."""

import json
from pathlib import Path
from typing import Any

import click

from llmbytecode import Program
from llmos import shown
from llmos.cli import options
from llmos.cli.bytecode.validate import certificate_table
from llmos.inference import open_kernel
from llmos.manifest import Manifest, load_manifest
from llmos.state import writable
from llmos.trial import try_block
from llmos.writing import Attempt, Draft, clean_wish, make_program, usual_way

EPILOG = """\b
Example:
  llmos write "go 40 cm forward" --run
  llmos write "blink blue at every corner of a 30 cm square" --kernel gguf:model.gguf -o s.lasm
"""
KERNEL_HELP = "Who makes it: smollm2, gguf:PATH, openai:URL, random, replay:RUN."


@click.command("write", epilog=EPILOG)
@click.argument("wish")
@options.kernel("smollm2", KERNEL_HELP)
@click.option("--robot", default="cube", show_default=True, help="Manifest: a name or a .toml file.")
@options.way("How the program is made")
@click.option("--attempts", type=click.IntRange(1, 20), help="Most programs to write. [default: 3]")
@click.option("--seed", default=0, show_default=True, type=options.SEED, help="Fixes what is drawn.")
@click.option(
    "--deadline", default=120.0, show_default=True, type=options.SECONDS, help="Seconds for one program."
)
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the program here (.lasm)."
)
@click.option("--run", "running", is_flag=True, help="Run it on the virtual robot.")
@click.option("--arena", default="empty", show_default=True, help="Where to run it: a name or a .toml file.")
@options.as_json
@click.pass_context
def write(context: click.Context, /, as_json: bool, output: Path | None, **wanted: Any) -> None:
    """Have a program made that does what WISH says, a sentence.

    With --way write the model writes under a grammar made for this robot: each of its programs is
    well-formed, whatever it knows. The verifier says whether the robot takes it; where it does not, the model
    is told why and tries again. Neither can say whether the program does what was wished: look at it, or
    --run it.

    With --way choose it fills the numbers of the skill whose words are likest to the wish; with choose3 it
    also picks one of three. With --way translate the model gets no examples: it says what it was taught.

    The model that ships, SmolLM2 with 135 million parameters, chooses by default: where it writes, it copies
    the worked example that is most like the wish, about rightly for short wishes that are like one, wrongly
    for most others. Name a larger model with --kernel gguf:PATH, or a server with --kernel openai:URL.
    """
    clean_wish(wanted["wish"])
    if output:
        writable(output)
    manifest = load_manifest(wanted["robot"])
    draft = drafted(manifest, **wanted)
    trial = ran(draft, manifest, **wanted) if draft.program and wanted["running"] else None
    if draft.program and output:
        output.write_text(f"; {draft.wish}\n{draft.text}", encoding="utf-8")
    if as_json:
        run = {"run": shown.facts(trial) if trial else None} if wanted["running"] else {}
        click.echo(json.dumps({**facts(draft, wanted["kernel"], wanted["robot"]), **run}))
    else:
        click.echo(text(draft, manifest, wanted["kernel"]))
        if trial:
            click.echo(f"\n{shown.text(trial)}")
    context.exit(0 if draft.accepted and (trial is None or trial.good) else 1)


def drafted(manifest: Manifest, **wanted: Any) -> Draft:
    """Have the program made; refuse an option that its way has no use for."""
    kernel = open_kernel(wanted["kernel"])
    try:
        way = wanted["way"] or usual_way(kernel.name)
        if wanted["attempts"] and way != "write":
            raise click.UsageError(f"--attempts goes with --way write; this is --way {way}")
        return make_program(
            wanted["wish"],
            kernel,
            manifest,
            way,
            attempts=wanted["attempts"] or 3,
            seed=wanted["seed"],
            deadline_s=wanted["deadline"],
        )
    finally:
        kernel.close()


def ran(draft: Draft, manifest: Manifest, **wanted: Any) -> shown.Shown:
    """Run an accepted program on the virtual robot."""
    program = draft.program or Program([])
    run = try_block(program, arena=wanted["arena"], robot=wanted["robot"], seed=wanted["seed"])
    lines = draft.text.split("\n")
    texts = [lines[program.line(word) - 1] for word in range(len(program.words))]
    return shown.shown(wanted["arena"], texts, run, traced=False)


def facts(draft: Draft, kernel: str, robot: str) -> dict[str, Any]:
    """Return a draft for --json."""
    return {
        "ok": draft.accepted,
        "wish": draft.wish,
        "kernel": kernel,
        "robot": robot,
        "chosen": draft.chosen or None,
        "text": draft.text,
        "certificate": draft.certificate._asdict() if draft.certificate else None,
        "seconds": round(draft.seconds, 3),
        "attempts": [attempt_facts(attempt) for attempt in draft.attempts],
    }


def attempt_facts(attempt: Attempt) -> dict[str, Any]:
    """Return one attempt for --json."""
    answer = attempt.answer
    return {
        "text": attempt.text,
        "well_formed": attempt.well_formed,
        "refusal": attempt.refusal or None,
        "cut": answer.cut,
        "tokens_in": answer.tokens_in,
        "tokens_cached": answer.tokens_cached,
        "tokens_out": answer.tokens_out,
        "tokens_forced": answer.tokens_forced,
        "seconds": round(answer.seconds, 3),
    }


def text(draft: Draft, manifest: Manifest, kernel: str) -> str:
    """Return a draft for people: refused programs with the reason, the accepted one with its certificate."""
    parts = []
    for number, attempt in enumerate(draft.attempts, 1):
        cut = "; it was cut off and closed" if attempt.answer.cut else ""
        head = f"attempt {number}, refused{cut}: {attempt.refusal}" if attempt.refusal else f"; {draft.wish}"
        parts.append(f"{head}\n{attempt.text}")
    if draft.certificate:
        parts.append(f"{certificate_table(draft.certificate, manifest.limits)}\n")
    tokens = sum(attempt.answer.tokens_out for attempt in draft.attempts)
    count = f"{len(draft.attempts)} attempt{'s' * (len(draft.attempts) > 1)}"
    made = f"chosen: {draft.chosen}\n" if draft.chosen else ""
    verdict = "accepted" if draft.accepted else "none accepted"
    parts.append(f"{made}{kernel}: {count}, {verdict}, {tokens} tokens in {draft.seconds:.1f} s")
    return "\n".join(parts)
