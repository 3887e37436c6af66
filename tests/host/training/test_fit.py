"""A fit goes on exactly where it was stopped, whatever stopped it; what is damaged is told."""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tiny_training import SETTINGS, packaged_model, write_examples

torch = pytest.importorskip("torch")
pytest.importorskip("llama_cpp")

from llmos.errors import LlmosWarning  # noqa: E402
from llmos.inference._adapter import read_adapter, require_fit  # noqa: E402
from llmos.training import (  # noqa: E402
    TrainingError,
    exporting,
    fit,
    progress,
)
from llmos.training.fit import BEST, EARLIER, LAST, LOG, Fit, read_checkpoint  # noqa: E402
from llmos.training.folder import drop_damaged, held  # noqa: E402
from llmos.training.settings import Settings  # noqa: E402

KEPT = 2  # steps between two checkpoints


@pytest.fixture(name="package", scope="module", autouse=True)
def _package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A tiny model in SmolLM2's place, and checkpoints often."""
    folder = tmp_path_factory.mktemp("package")
    packaged_model(folder / "tiny")
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(folder / "tiny"))
        patched.setattr(fit, "KEEP_EVERY", KEPT)
        patched.setattr(fit, "TELL_EVERY", 1)
        yield


@pytest.fixture(name="whole", scope="module")
def _whole(package: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What comes of a fit that nothing stops."""
    work = tmp_path_factory.mktemp("whole")
    write_examples(work, 24)
    opened(work).run()
    return result(work)


@pytest.fixture(name="work")
def _work(tmp_path: Path) -> Path:
    """A folder with a few examples."""
    write_examples(tmp_path / "work", 24)
    return tmp_path / "work"


def opened(work: Path, **changes: Any) -> Fit:
    return Fit(work, Settings(**SETTINGS | changes))


def result(work: Path) -> dict[str, Any]:
    """Everything that a fit has come to, but for the time that it took."""
    kept = {name: read_checkpoint(work / "fit" / name) for name in (LAST, BEST)}
    for one in kept.values():
        del one["state"]["seconds"]
    log = [json.loads(line) for line in (work / "fit" / LOG).read_text().splitlines()]
    return {"log": [line | {"seconds": 0} for line in log], **kept}


def same(one: Any, other: Any) -> bool:
    """Whether two results are equal, tensors bit by bit."""
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def in_a_child(function: Callable[[], object]) -> int:
    """Run a function in a process of its own; return the signal that killed it, 0 for none."""
    child = os.fork()
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_fit_that_is_killed_again_and_again_comes_to_the_same(
    work: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it writes its fourth file, wherever that is, until it comes to its end."""
    write, kills = fit.write_whole, 0

    def killed() -> None:
        writes = 0

        def kill(path: Path, data: bytes) -> None:
            nonlocal writes
            writes += 1
            if writes == 4:  # the log's, the best's and the last step's come before
                path.with_name(f"{path.name}.1.part").write_bytes(data[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            write(path, data)

        monkeypatch.setattr(fit, "write_whole", kill)
        with held(work):
            opened(work).run()

    while in_a_child(killed) == -signal.SIGKILL:
        kills += 1
    assert kills > 1
    with held(work):
        assert opened(work).ended
        assert list(work.rglob("*.part")) == []
    assert same(result(work), whole)


def test_ctrl_c_keeps_every_step(work: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a step it is obeyed at its end; within a validation at once."""
    for method, step in (("step", 3), ("validate", 4), ("step", 9)):
        run, real = opened(work), getattr(Fit, method)

        def interrupted(self: Fit, *given: Any, step: int = step, real: Any = real) -> Any:
            if self.state.step == step:
                os.kill(os.getpid(), signal.SIGINT)
            return real(self, *given)

        with monkeypatch.context() as patched:
            patched.setattr(Fit, method, interrupted)
            with pytest.raises(KeyboardInterrupt):
                run.run()
        assert read_checkpoint(work / "fit" / LAST)["state"]["step"] == step + (method == "step")
    opened(work).run()
    assert same(result(work), whole)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file grow larger than that, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("size", [300, 20_000])
def test_a_disk_that_fills_costs_no_more_than_some_steps(
    work: Path, whole: dict[str, Any], size: int
) -> None:
    """Of the log, or of a checkpoint: one line says so, and all goes on from the one before."""
    run = opened(work)
    for _ in range(3):
        run.advance(next(run.course.batches(run.state.step)))
    with largest_file(size), pytest.raises(TrainingError, match=r"cannot be written \(File too large\)"):
        run.run()
    again = opened(work)
    assert again.state.step == KEPT
    again.run()
    assert same(result(work), whole)


def test_a_damaged_checkpoint_is_told_and_the_one_before_goes_on(work: Path, whole: dict[str, Any]) -> None:
    """Where both are damaged, nothing goes on by half."""
    run, folder = opened(work), work / "fit"
    for _ in range(4):
        run.advance(next(run.course.batches(run.state.step)))
    run.judge()
    (folder / LAST).write_bytes((folder / LAST).read_bytes()[:-1000])
    (folder / LOG).write_bytes(b"\xff{torn\n[]\n" + (folder / LOG).read_bytes()[:-9])
    with pytest.warns(LlmosWarning, match="going on from the one before"):
        again = opened(work)
    assert (again.state.step, (folder / LAST).exists()) == (KEPT, False)
    again.run()
    assert same(result(work)[LAST], whole[LAST])
    for name in (LAST, EARLIER):
        (folder / name).write_bytes(b"")
    with pytest.warns(LlmosWarning), pytest.raises(TrainingError, match=r"delete .* and fit again"):
        opened(work)


def test_a_damaged_shard_is_told_and_dropped(work: Path) -> None:
    """It is made again by who makes the data; a whole one stays."""
    bad = write_examples(work, 4, "decisions-train-0001")
    bad.write_bytes(bad.read_bytes()[:-30])
    with pytest.raises(TrainingError, match=r"0001\.jsonl:4: this is no example"):
        opened(work)
    assert drop_damaged(work) == [bad]
    assert drop_damaged(work) == []
    assert not opened(work).ended


def test_a_fit_goes_on_by_its_own_settings(work: Path) -> None:
    """Others are refused by name; where none are given, those that it has hold."""
    opened(work, rank=3).keep(LAST)
    assert progress.settings_for(work, {"rank": None, "steps": None}).rank == 3
    with pytest.raises(TrainingError, match="was fitted with rank 3, not 2: go on with that, or name"):
        opened(work)
    with pytest.raises(TrainingError, match="finds no GPU here" if not torch.cuda.is_available() else ""):
        progress.device_for("cuda" if not torch.cuda.is_available() else "none", None)


def test_a_folder_is_for_one_process(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is told."""
    monkeypatch.setattr("llmos.training.folder.PATIENCE_S", 0.0)
    with held(work), pytest.raises(TrainingError, match="is used by another llmos train"), held(work):
        pass
    with held(work):
        pass


def test_what_was_fitted_is_exported_with_its_card(work: Path) -> None:
    """The page has the curves; the runtime takes the adapter, and the card says how it was made."""
    said: list[str] = []
    run = progress.opened(work, Settings(**SETTINGS), "cpu")
    progress.carry_on(run, float("inf"), said.append)
    page = (work / "fit" / "report.html").read_text()
    assert (page.count("<svg"), page.count('class="curve')) == (2, 3)
    assert [line for line in said if "tokens/s" in line and line.endswith(" left")]
    assert [line for line in said if "right: decisions in one pass" in line]
    card = exporting.exported(work, work / "export")
    adapter = read_adapter(card.with_suffix(".gguf"), carded=True)
    require_fit(adapter, fit.packaged_weights())
    assert adapter.card is not None
    assert adapter.card.commands[0].startswith("llmos train fit --rank 2 --rate 0.01 --steps 12 ")
    assert adapter.card.data["examples"] == {"instinct, train": 18, "instinct, val": 6}


def test_training_alone_imports_pytorch() -> None:
    """No other module does; a robot drives without it."""
    host = Path(fit.__file__).parents[1]
    named = [path for path in host.rglob("*.py") if "import torch" in path.read_text()]
    assert {path.parent.name for path in named} == {"training"}
    assert "torch" in sys.modules
