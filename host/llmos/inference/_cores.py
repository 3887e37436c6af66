"""How many threads a model should run on.

llama.cpp's threads wait for each other after each of about a thousand steps per token. One thread more than
there are idle cores therefore slows all of them down tenfold; one less costs only its share.
"""

import os
from pathlib import Path


def usable_cores() -> int:
    """Count the physical cores that this process may use: at least 1, at most 8."""
    cores = set()
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text() if siblings.exists() else str(cpu))
    return max(1, min(len(cores), _quota(), 8))


def _quota() -> int:
    """Read how many CPUs the container may keep busy."""
    try:
        allowed, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return int(allowed) // int(period)
    except (OSError, ValueError):  # no such file, or "max": no limit
        return 8


def idle_cores() -> int:
    """Count the cores that nothing else is running on at this moment: at least 1."""
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    except (OSError, ValueError, IndexError):
        running = 1
    return max(1, (os.cpu_count() or 1) - (running - 1))
