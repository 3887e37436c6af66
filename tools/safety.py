"""Cuts cables, kills hosts, pushes boxes and presses the e-stop by the thousand, on the real firmware.

    tools/safety.py                 all of what follows but the soak
    tools/safety.py cut             the cable is cut, or the host killed, at 1,000 moments of random drives
    tools/safety.py push            a box is pushed in front of a robot that looks nowhere, 1,000 times
    tools/safety.py estop           the e-stop in each kind of instruction and of frame, 40 times each
    tools/safety.py heap            what the firmware takes of the heap, and the least with which it drives
    tools/safety.py soak            24 simulated hours with random faults; goes on where the last call stopped

All are seeded (--first) and run on the simulated clock. The exit status is 1 where one thing went wrong.
"""

import argparse
import json
import multiprocessing
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import resume  # noqa: E402
from tests.safety import heap, soak  # noqa: E402
from tests.safety.cuts import Stop, lose_host  # noqa: E402
from tests.safety.estops import INSTRUCTIONS, SENT, Stops, press_in_frames, press_in_instructions  # noqa: E402
from tests.safety.pushes import Met, meet  # noqa: E402
from tests.safety.stage import LIMITS  # noqa: E402

One = TypeVar("One")
SHARES = (0.5, 0.9, 0.99)
FATES = (
    "avoidable", "not seen at first", "stopped, drove on", "a matter of moments", "too near to brake",
    "out of the way",
)  # fmt: skip
STATE = ROOT / "build/safety/soak"
SOURCES = ("firmware/llmvm/**/*.py", "tests/safety/*.py")  # what an hour belongs to
FLAT = 1000.0  # bytes (of the robot) or kB (of the host) an hour that count as none
Bad = list[str]


def main() -> int:
    """Run what is asked for; 1 where something went wrong."""
    options = _options()
    campaigns: dict[str, Callable[[argparse.Namespace], Bad]] = {
        "cut": cut, "push": push, "estop": estop, "heap": room, "soak": drive_on,
    }  # fmt: skip
    bad: Bad = []
    for name in [options.campaign] if options.campaign else ("cut", "push", "estop", "heap"):
        began = time.monotonic()
        bad += campaigns[name](options)
        print(f"{time.monotonic() - began:.0f} s\n", flush=True)
    for line in bad[:20]:
        print("WRONG:", line)
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("campaign", nargs="?", choices=["cut", "push", "estop", "heap", "soak"])
    parser.add_argument("--runs", type=int, help="cuts or pushes (1000), e-stops of each kind (40)")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--hours", type=int, default=24, help="simulated, of the soak")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    return parser.parse_args()


def _quiet() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us


def _all(function: Callable[[int], One], seeds: Iterable[int], jobs: int) -> Iterator[One]:
    with multiprocessing.Pool(jobs, _quiet) as pool:
        yield from pool.imap(function, seeds, chunksize=4)


def _seeds(options: argparse.Namespace) -> range:
    return range(options.first, options.first + (options.runs or 1000))


def cut(options: argparse.Namespace) -> Bad:
    """Lose the host, and print when the robot stood."""
    stops = list(_all(lose_host, _seeds(options), options.jobs))
    print(
        f"{len(stops)} drives that lose their host, seeds {stops[0].seed} to {stops[-1].seed}; ms since the"
    )
    print(f"last frame that came; the lease is {LIMITS.lease_ms} ms, the latch {LIMITS.latch_ms} ms")
    print(f"{'':22}{'drives':>7}{'moving':>8}{'stood: 50 %':>13}{'90 %':>7}{'99 %':>7}{'worst':>7}"
          f"{'over lease + ramp':>19}")  # fmt: skip
    by_kind = sorted(stops, key=lambda one: (one.way, one.drive))
    for (way, kind), some in groupby(by_kind, lambda one: (one.way, one.drive)):
        print(_stop_line(f"{way}, {kind}", list(some)))
    print(_stop_line("all", stops))
    return [f"seed {one.seed}, {one.way}, {one.drive}: {one.wrong}" for one in stops if one.wrong]


def _stop_line(name: str, stops: list[Stop]) -> str:
    moving = [one for one in stops if one.moving]
    stood = [one.stood_ms for one in moving] or [0]
    shares = "".join(
        f"{_share(stood, share):>{width}}" for share, width in zip(SHARES, (13, 7, 7), strict=True)
    )
    over = max((one.over_ms for one in moving), default=0)
    return f"{name:22}{len(stops):>7}{len(moving):>8}{shares}{max(stood):>7}{over:>19}"


def _share(values: list[int] | list[float], share: float) -> float:
    """The value below which this share of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def push(options: argparse.Namespace) -> Bad:
    """Push boxes, and print what was left between body and box."""
    met = list(_all(meet, _seeds(options), options.jobs))
    print(f"{len(met)} boxes pushed in the way, seeds {met[0].seed} to {met[-1].seed}; no guard is armed;")
    print("mm between body and box, by what physics allowed")
    print(f"{'':22}{'boxes':>7}{'contacts':>10}{'least':>8}{'1 %':>7}{'median':>8}")
    for fate in FATES:
        some = [one for one in met if one.fate == fate]
        if some:
            left = [one.margin for one in some]
            hits = sum(one.contact for one in some)
            print(f"{fate:22}{len(some):>7}{hits:>10}{min(left):>8.1f}{_share(left, 0.01):>7.1f}"
                  f"{_share(left, 0.5):>8.1f}")  # fmt: skip
    kinds = Counter(one.kind for one in met if one.fate == "avoidable")
    print("avoidable ones by the drive:", ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()))
    return [_tell(one) for one in met if one.contact and one.fate in FATES[:2]]


def _tell(met: Met) -> str:
    return (
        f"seed {met.seed}, {met.kind}: contact at {met.speed:.0f} mm/s, "
        f"{met.room:.0f} mm before it, of which it needs {met.need:.0f}"
    )


def estop(options: argparse.Namespace) -> Bad:
    """Press the e-stop, and print how long the wheels went on."""
    runs = options.runs or 40
    tasks = [partial(press_in_instructions, kind, runs) for kind in INSTRUCTIONS]
    tasks += [partial(press_in_frames, kind, runs) for kind in SENT]
    with multiprocessing.Pool(options.jobs, _quiet) as pool:
        results = [pool.apply_async(task, [options.first]) for task in tasks]
        rows: list[Stops] = [result.get() for result in results]
    for title, some in (("instruction", rows[: len(INSTRUCTIONS)]), ("frame", rows[len(INSTRUCTIONS) :])):
        print(f"{'e-stop during ' + title:26}{'pressed':>8}{'moving':>8}{'ms to stand':>13}{'wrong':>7}")
        for row in some:
            print(f"  {row.kind:24}{row.presses:>8}{row.moving:>8}{row.worst_ms:>13}{len(row.wrong):>7}")
    total, moving = sum(row.presses for row in rows), sum(row.moving for row in rows)
    print(f"  {'all':24}{total:>8}{moving:>8}{max(row.worst_ms for row in rows):>13}")
    missed = [f"{row.kind}: {row.presses} of {runs} pressed" for row in rows if row.presses != runs]
    return missed + [f"{row.kind}: {wrong}" for row in rows for wrong in row.wrong]


def drive_on(options: argparse.Namespace) -> Bad:
    """Drive for the hours that have not been driven yet, and print the sums."""
    hours, first = options.hours, options.first
    STATE.mkdir(parents=True, exist_ok=True)
    code = resume.fingerprint(SOURCES)
    seeds = range(first, first + hours)
    todo = [seed for seed in seeds if not (STATE / f"{code}-{seed}.json").exists()]
    print(f"{hours} simulated hours, {hours - len(todo)} of them done before (build/safety/soak)")
    with multiprocessing.Pool(options.jobs, _quiet) as pool:
        for result in pool.imap_unordered(soak.live, todo):
            (STATE / f"{code}-{result['seed']}.json").write_text(json.dumps(result))
            print(_hour_line(result), flush=True)
    rows = [json.loads((STATE / f"{code}-{seed}.json").read_text()) for seed in seeds]
    return _sums(rows)


def _hour_line(row: dict[str, Any]) -> str:
    heap = "-" if row["heap_slope"] is None else f"{row['heap_slope']:+.0f} B/h"
    return (
        f"  seed {row['seed']}: {row['hours']:g} h, {row['driven_m']:.0f} m, {row['silences']} silences, "
        f"{row['estops']} e-stops, {row['brownouts']} brown-outs, noise {row['noise']:.0e}, heap {heap}, "
        f"host {row['rss_slope'] or 0:+.0f} kB/h, {len(row['wrong'])} wrong"
    )


def _sums(rows: list[dict[str, Any]]) -> Bad:
    done = sum((Counter(row["done"]) for row in rows), Counter[str]())
    names = ("hours", "driven_m", "silences", "estops", "brownouts")
    total = {name: sum(row[name] for row in rows) for name in names}
    print(", ".join(f"{name} {value:,.0f}" for name, value in total.items()))
    print("done:", ", ".join(f"{name} {count:,}" for name, count in done.most_common()))
    heaps = [row["heap_slope"] for row in rows if row["heap_slope"] is not None]
    hosts = [row["rss_slope"] for row in rows if row["rss_slope"] is not None]
    if heaps:
        most, kept = max(one[1] for row in rows for one in row["heap"]), max(row["kept"] for row in rows)
        print(f"robot's heap: median {statistics.median(heaps):+.0f} bytes an hour, worst {max(heaps):+.0f}; "
              f"{most:,} bytes used at most, {kept} frames kept")  # fmt: skip
    if hosts:
        print(f"host's memory: median {statistics.median(hosts):+.0f} kB an hour, worst {max(hosts):+.0f}; "
              f"{max(row['queued'] for row in rows)} frames queued at most")  # fmt: skip
    wrong = [f"seed {row['seed']}: {what}" for row in rows for what in row["wrong"]]
    wrong += [f"the robot's heap grows by {slope:.0f} bytes an hour" for slope in heaps if slope > FLAT]
    wrong += [f"the host grows by {slope:.0f} kB an hour" for slope in hosts if slope > FLAT]
    print(f"{len(wrong)} stops missed, sessions stuck, or leaks")
    return wrong


def room(_options: argparse.Namespace) -> Bad:
    """Print what the firmware takes of the heap, in bytes, and the least heap with which it drives."""
    print(f"{'heap, bytes':14}{'MicroPython':>12}{'code':>9}{'at rest':>9}{'driving':>9}{'drives with':>13}")
    bad: Bad = []
    for bits in (32, 64):
        first, code, rest, most = heap.used(bits)
        print(f"{bits:>3} bits{first:>18}{code - first:>9}{rest:>9}{most:>9}{heap.least_kb(bits):>10} KB")
        if bits == 32 and most > heap.MOST:
            bad.append(f"{most} bytes of heap in use on 32 bits, at most {heap.MOST} allowed")
    return bad


if __name__ == "__main__":
    sys.exit(main())
