"""How many threads a model should run on.

llama.cpp's threads wait for each other after each of about a thousand steps per token. One thread more than
there are idle cores therefore slows all of them down tenfold; one less costs only its share.
"""

import os
import time
from pathlib import Path

_LOOKS_S = (0.00025, 0.0005, 0.001, 0.002)  # pauses between looks


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
    """Count the cores that nothing else is running on: at least 1.

    What has just done its part, as the board that handed the turn to us, is given a moment to go to sleep.
    """
    cores, others = os.cpu_count() or 1, _running()
    for pause_s in _LOOKS_S:
        if not others:
            break
        time.sleep(pause_s)
        others = min(others, _running())
    return max(1, cores - others)


def _running() -> int:
    """Count the threads of other processes that run or want to; our own wait for us, though busily."""
    try:
        everyone = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
        own = sum(_runs(task) for task in Path("/proc/self/task").iterdir())
    except (OSError, ValueError, IndexError):
        return 0
    return max(0, everyone - own)


def _runs(task: Path) -> bool:
    """Tell whether a thread runs or wants to; its state stands behind its name."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0] == "R"
