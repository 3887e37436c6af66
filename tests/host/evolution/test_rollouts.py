"""Rollouts: the same results here, in processes, and on a Dask cluster of two workers on loopback."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos.evolution.fitness import Measurer, roll, spread, training_seeds
from llmos.evolution.rollouts import rollouts
from llmos.evolution.variants import Variant
from llmos.skills import Tried, find_skill
from llmos.workers import WorkersError

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler with two workers, each a process."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as made:
        yield made


def rolled(jobs: int = 1, cluster: str = "") -> list[Tried]:
    """A few rollouts of a skill, and how many ran at once."""
    skill = find_skill("creep_to_wall")
    tasks = [(skill, case, "cube") for case in spread(skill, training_seeds(3), 3)]
    with rollouts(jobs, cluster) as pool:
        assert pool.width == (2 if cluster else jobs)
        return pool.results(roll, tasks)


def test_a_rollout_is_the_same_wherever_it_runs(cluster: Any) -> None:
    """To the last number."""
    here = rolled()
    assert len({one.path_m for one in here}) > 1
    assert rolled(jobs=2) == here
    assert rolled(cluster=cluster.scheduler_address) == here


def test_workers_without_llmos_are_told_of(cluster: Any) -> None:
    """In one line that says what to install where."""
    from distributed import Client

    address = cluster.scheduler_address
    with Client(address, set_as_default=False) as client:
        client.run(exec, "import sys; sys.modules['llmos'] = None")
        with (
            pytest.raises(WorkersError, match=r"a worker has no llmos .* install llmos"),
            rollouts(cluster=address),
        ):
            pass
        client.run(exec, "import sys; sys.modules['llmos'] = type(sys)('llmos'); "
                         "sys.modules['llmos'].__version__ = '0.0'")  # fmt: skip
        with (
            pytest.raises(WorkersError, match=r"its workers have llmos 0\.0, this is"),
            rollouts(cluster=address),
        ):
            pass


def test_a_scheduler_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, and so is an address that is none."""
    monkeypatch.setattr("llmos.evolution.rollouts._TIMEOUT_S", 1)
    for address in ("tcp://127.0.0.1:9", "nonsense://x", "::::"):
        with pytest.raises(WorkersError) as refused, rollouts(cluster=address):
            pass
        assert str(refused.value).startswith(f"cluster {address!r}: no Dask scheduler answers")
        assert "\n" not in str(refused.value)


def test_each_program_runs_once_on_each_case() -> None:
    """What was measured once is known, also of another file with the same program."""
    skill = find_skill("turn")
    remarked = Variant(skill.with_block("; a remark\n" + skill.block))
    some = spread(skill, training_seeds(1), 1)
    with rollouts() as pool:
        measurer = Measurer(pool)
        first = measurer.measure([Variant(skill), remarked], some)
        assert (first[0], measurer.rolled) == (first[1], 1)
        assert measurer.measure([remarked], some) == [first[0]]
        assert measurer.rolled == 1


def test_ctrl_c_ends_a_dream_and_its_workers(tmp_path: Path) -> None:
    """Nothing runs on, and no folder is left behind."""
    (tmp_path / "tmp").mkdir()
    command = ["dream", "--skill", "wander", "--jobs", "2", "--dev-model", "none"]
    dream = subprocess.Popen(
        [sys.executable, "-m", "llmos", *command],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "LLMOS_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    assert dream.stderr
    assert dream.stderr.readline().startswith("wander: ")
    dream.send_signal(signal.SIGINT)
    _, said = dream.communicate(timeout=30)
    assert dream.returncode == 130
    assert "Traceback" not in said
    assert os.listdir(tmp_path / "tmp") == []
