"""Worker processes end with the one that they work for, however that ends."""

import signal
import subprocess
import sys

PARENT = """
import os, time
from llmos.workers import workers
with workers(2) as pool:
    print(*(pool.executor.submit(os.getpid).result() for _ in "12"), flush=True)
    pool.results(time.sleep, [600, 600])
"""


def test_workers_end_with_a_parent_that_was_killed() -> None:
    """Whoever reads what they print meets the end, which comes when the last of them is gone."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
        assert parent.communicate(timeout=60)[0] == ""
