"""`llmos train`: teach the model: make examples, fit an adapter, measure it, put it to use."""

import math
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmos.cli import flags, options
from llmos.text import span
from llmos.training import EXPORT
from llmos.training.settings import Settings

if TYPE_CHECKING:
    from llmos.training.data import Amounts, Shard

example = partial(flags.examples, "train")
work_option = click.option(
    "--work", default="training", show_default=True, type=click.Path(file_okay=False, path_type=Path),
    help="Folder of it all; what is there is gone on with.",
)  # fmt: skip
jobs_option = click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes."
)
dry_option = click.option(
    "--dry-run", is_flag=True, help="Try it for seconds, and say how long it takes here, and how much disk."
)
COUNT = click.IntRange(0, 1_000_000)
PAGE = "report.html"


def usual(name: str, what: str) -> str:
    """Return the help of a setting, with its usual value."""
    return f"{what} [default: {getattr(Settings(), name):g}]"


@click.group(epilog=example("data --jobs 2", "fit", "export", "eval"))
def train() -> None:
    """Teach the model: make examples (data), fit an adapter (fit), put it to use (export), measure it (eval).

    Each command can be stopped at any moment, and goes on where it was when it is called again.
    """


@train.command(epilog=example("data --jobs 2", "data --runs ~/.llmos/runs --decisions 200 --dry-run"))
@work_option
@click.option("--decisions", default=2000, show_default=True, type=COUNT, help="Arenas to decide in.")
@click.option("--programs", default=12_000, show_default=True, type=COUNT, help="Pairs of wish and program.")
@click.option("--subgoals", default=2000, show_default=True, type=COUNT, help="Rooms of BabyAI.")
@click.option(
    "--runs", multiple=True, type=click.Path(exists=True, path_type=Path),
    help="Black boxes of your own robot's runs to learn from besides: a run's folder, or a folder of them.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=flags.SEED, help="Fixes every draw.")
@jobs_option
@dry_option
def data(
    work: Path, decisions: int, programs: int, subgoals: int, runs: tuple[Path, ...], seed: int, jobs: int,
    dry_run: bool,
) -> None:  # fmt: skip
    """Make examples: the teacher's word on decisions, programs and subgoals.

    In one's own runs, the map that the robot had at the end is taken for the true one; only those that
    reached their goals count.
    """
    from llmos.training import folder, forecast
    from llmos.training.data import Amounts, missing

    what = Amounts(decisions, programs, subgoals)
    with resumable(work):
        for path in folder.drop_damaged(work):
            click.echo(f"{path} was damaged: removed, and made again where it belongs to this", err=True)
        todo = missing(work, what, seed)
        folder.require_room(work, folder.usual_bytes(todo), "making these data")
        if dry_run:
            foretold(forecast.of_data(todo, jobs), work)
            return
        folder.note_command(work, "data", vars(what) | {"seed": seed})
        make_data(work, what, todo, seed, jobs)
        learn_from(runs, work, seed)
    click.echo(f"{counted(work)} in {work / 'data'}; next: llmos train fit --work {work}")


@train.command(epilog=example("fit", "fit --minutes 60 --threads 2", "fit --steps 300 --dry-run"))
@work_option
@click.option("--steps", type=click.IntRange(1, 10_000_000), help=usual("steps", "Of the whole fit."))
@click.option("--rank", type=click.IntRange(1, 64), help=usual("rank", "Of the adapter."))
@click.option("--rate", type=options.Finite(0, 1, min_open=True), help=usual("rate", "Of learning."))
@click.option("--every", type=click.IntRange(1), help=usual("every", "Steps between validations."))
@click.option(
    "--patience", type=click.IntRange(1), help=usual("patience", "Validations without a better one.")
)
@click.option("--seed", type=flags.SEED, help=usual("seed", "Fixes every draw."))
@click.option("--minutes", type=options.Finite(0, min_open=True), help="Stop then; call again to go on.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Of PyTorch. [default: its own choice]")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, or auto: cuda if it is there.")
@dry_option
def fit(
    work: Path, minutes: float | None, threads: int | None, device: str, dry_run: bool, **given: Any
) -> None:
    """Fit an adapter to the examples, until it chooses no better on arenas of validation.

    The settings of a fit that is there already hold where none are given. `fit/report.html` has its curves.
    """
    require_pytorch()
    from llmos.training import progress

    with resumable(work):
        settings = progress.settings_for(work, given)
        place = progress.device_for(device, threads)
        if dry_run:
            foretold(progress.foretell(work, settings, place), work)
            return
        run = progress.opened(work, settings, place)
        state = progress.carry_on(run, 60 * minutes if minutes else math.inf, click.echo)
    judged = math.isfinite(state.best)
    told = f"the best log score of choices so far: {state.best:.3f}" if judged else "not validated yet"
    if run.ended:
        click.echo(f"the end, {told}; {run.folder / PAGE}; next: llmos train export --work {work}")
    else:
        click.echo(f"time is up at step {state.step} of {settings.steps}, {told}; the same command goes on")


@train.command(epilog=example("export --own", "export --out models --no-calibrate"))
@work_option
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Folder. [default: WORK/export]"
)
@click.option("--own", is_flag=True, help="Put it to use, as this user's own adapter.")
@click.option(
    "--calibrate/--no-calibrate", default=True, help="Measure how much its word counts, in some minutes."
)
def export(work: Path, out: Path | None, own: bool, calibrate: bool) -> None:
    """Write the best adapter as GGUF, with its card: what it was taught, how, and what its word is worth."""
    require_pytorch()
    from llmos.training import exporting

    if out and own:
        raise click.UsageError("--out and --own name two places: give one of them")
    with resumable(work):
        place = exporting.own_models() if own else out or work / EXPORT
        card = exporting.exported(work, place)
        if calibrate:
            exporting.calibrate(card, lambda line: click.echo(line, err=True))
    click.echo(f"{card.with_suffix('.gguf')} and its card are written; next: llmos train eval --work {work}")


@train.command("eval", epilog=example("eval", "eval --quick"))
@work_option
@click.option(
    "--adapter", type=click.Path(dir_okay=False, path_type=Path), help="[default: WORK/export/robot.gguf]"
)
@click.option("--quick", is_flag=True, help="A small sample, in a minute or two.")
@jobs_option
def evaluate(work: Path, adapter: Path | None, quick: bool, jobs: int) -> None:
    """Measure what the model has been taught beside the untaught one and the rule: `llmos eval --taught`."""
    from llmos.cli.eval import evaluate as command

    path = adapter or work / EXPORT / "robot.gguf"
    if not path.is_file():
        raise click.UsageError(f"{path} is not there: llmos train export makes one, --adapter names another")
    out = work / ("eval-quick" if quick else "eval")
    given = {"kernel": f"smollm2:{path}", "quick": quick or None}
    click.get_current_context().invoke(command, kinds=("taught",), jobs=jobs, out=out, as_json=False, **given)


def require_pytorch() -> None:
    """Refuse to go on where PyTorch or what reads weights is missing."""
    lacking = [name for name in ("torch", "gguf") if find_spec(name) is None]
    if lacking:
        raise click.ClickException(
            f"{' and '.join(lacking)} missing: pip install 'llmos[train]'; "
            "without a GPU PyTorch's CPU build is enough"
        )


@contextmanager
def resumable(work: Path) -> Iterator[None]:
    """Have the folder of a training, and say how to go on where Ctrl-C ends it."""
    from llmos.training.folder import held

    try:
        with held(work):
            yield
    except KeyboardInterrupt:
        click.echo(f"stopped; the same command goes on from what {work} holds", err=True)
        raise


def foretold(parts: Iterable[Any], work: Path) -> None:
    """Print what parts of a training take here, each as it is known, and the sum."""
    seconds = size = 0.0
    for part in parts:
        click.echo(
            f"{part.name:10} {part.count:8} {part.unit:8} {span(part.seconds):>8} {part.bytes / 1e6:8.1f} MB"
        )
        seconds, size = seconds + part.seconds, size + part.bytes
    free = shutil.disk_usage(work).free
    click.echo(f"in all {span(seconds)} and {size / 1e6:.0f} MB, of {free / 1e6:.0f} MB free in {work}")
    if size > free:
        raise click.ClickException(f"{work}: too small a disk; make room, or name another folder by --work")


def make_data(work: Path, what: "Amounts", todo: list["Shard"], seed: int, jobs: int) -> None:
    """Make what is missing of the data, a line for each shard."""
    from llmos.training.data import make
    from llmos.training.folder import usual_s

    whole, began, done = sum(map(usual_s, todo)), time.monotonic(), list[Any]()

    def tell(shard: "Shard", count: int) -> None:
        done.append(shard)
        had = sum(map(usual_s, done))
        left = (time.monotonic() - began) / had * (whole - had)
        click.echo(f"{len(done)}/{len(todo)}, {span(left)} left  {shard.path.name}: {count} examples")

    make(work, what, seed, jobs, tell)


def learn_from(runs: Sequence[Path], work: Path, seed: int) -> None:
    """Make the examples of one's own runs."""
    from llmos.training.records import learn

    count = learn(work, runs, seed, click.echo)
    if runs and not count:
        raise click.ClickException("no record to learn from; the lines above say why")


def counted(work: Path) -> str:
    """Say what data a folder holds."""
    from llmos.training.data import files

    paths = files(work)
    lines = sum(path.read_bytes().count(b"\n") for path in paths)
    return f"{lines} examples in {len(paths)} files"
