"""Rollouts per second: two processes, and a Dask cluster of two workers on loopback, against this process."""

import statistics
import time

from benchlib import Row

from llmos.evolution.fitness import roll, spread, training_seeds
from llmos.evolution.rollouts import rollouts
from llmos.skills import load_skills
from llmos.workers import Pool

COUNT, ROUNDS = 24, 3


def run() -> list[Row]:
    """Run the same rollouts everywhere, in turn, some rounds; the medians are compared."""
    from distributed import LocalCluster

    skill = load_skills()["creep_to_wall"]
    tasks = [(skill, case, "cube") for case in spread(skill, training_seeds(COUNT), COUNT)]
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        rollouts(1) as here,
        rollouts(2) as processes,
        rollouts(cluster=cluster.scheduler_address) as dask,
    ):
        pools = {"here": here, "processes": processes, "dask": dask}
        for pool in pools.values():
            pool.results(roll, tasks[:4])  # imports, and MicroPython's first start
        rounds = [{name: _ms(pool, tasks) for name, pool in pools.items()} for _ in range(ROUNDS)]
    ms = {name: statistics.median(one[name] for one in rounds) for name in pools}
    note = f"{1000 / ms['here']:.1f} a second on one"
    return [
        Row("a rollout, --jobs 2", ms["processes"], "--jobs 1", ms["here"], wanted=1.7, note=note),
        Row("a rollout, Dask, 2 workers", ms["dask"], "--jobs 1", ms["here"], wanted=1.5),
    ]


def _ms(pool: Pool, tasks: list[tuple[object, ...]]) -> float:
    start = time.perf_counter()
    pool.results(roll, tasks)
    return 1000 * (time.perf_counter() - start) / len(tasks)
