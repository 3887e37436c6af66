"""Where rollouts run: in this process, in processes beside it, or on a Dask cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import llmos
from llmos.workers import Pool, WorkersError, workers

_TIMEOUT_S = 10  # in which a scheduler must answer
_VERSION = "__import__('llmos').__version__"


@contextmanager
def rollouts(jobs: int = 1, cluster: str = "") -> Iterator[Pool]:
    """Have a pool for rollouts; however the block ends, what still waits is cancelled.

    Args:
        jobs: processes on this machine; 1 for this one alone.
        cluster: the address of a Dask scheduler, such as `tcp://10.0.0.7:8786`, in their place.

    Raises:
        WorkersError: the scheduler is not there, has no workers, or they lack this version of LLMos.
    """
    if not cluster:
        with workers(jobs) as pool:
            yield pool
        return
    client = _client(cluster)
    try:
        executor = client.get_executor()
        try:
            yield Pool(executor, _width(client, cluster))
        finally:
            executor.shutdown(wait=False)
    finally:
        client.close()


def _client(cluster: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise WorkersError("--cluster needs Dask: pip install 'llmos[cluster]'") from None
    connect: Any = Client
    try:
        return connect(cluster, timeout=_TIMEOUT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        reason = str(error).split("\n")[0] or type(error).__name__
        raise WorkersError(
            f"cluster {cluster!r}: no Dask scheduler answers ({reason[:120]}); start `dask scheduler` there"
        ) from None


def _width(client: Any, cluster: str) -> int:
    """Return how many rollouts the cluster runs at once."""
    threads = sum(client.nthreads().values())
    if not threads:
        raise WorkersError(f"cluster {cluster!r}: it has no workers; start `dask worker {cluster}`")
    try:
        found = set(client.run(eval, _VERSION).values())  # by name: a worker without llmos can say so
    except ImportError as error:
        raise WorkersError(
            f"cluster {cluster!r}: a worker has no llmos ({error}); install llmos {llmos.__version__} there"
        ) from None
    if found != {llmos.__version__}:
        raise WorkersError(
            f"cluster {cluster!r}: its workers have llmos {', '.join(sorted(found))}, "
            f"this is {llmos.__version__}; install one version everywhere"
        )
    return int(threads)
