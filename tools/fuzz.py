"""Tries programs on every machine and every verifier, by the million; stops where two of them differ.

    tools/fuzz.py                           go on where the last call stopped, up to a million
    tools/fuzz.py --seeds 0:1000000         these seeds, from the first one on
    tools/fuzz.py --minutes 5 --jobs 2

Each seed is one program (tests/firmware/differential.py). What is done is kept in build/fuzz/state.json, and
counts for these sources alone. A disagreement is made small, shown, and kept as a vector.
"""

import multiprocessing
import signal
import statistics
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.pool import AsyncResult
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import resume  # noqa: E402
from tests.cases import VECTORS  # noqa: E402
from tests.firmware.differential import (  # noqa: E402
    Case,
    Disagreement,
    Runner,
    Tally,
    difference,
    expect,
    make,
    open_runners,
    try_batch,
)
from tests.firmware.shrink import shrink_case, vector  # noqa: E402

from llmbytecode import Rule  # noqa: E402
from llmbytecode._isa import Op  # noqa: E402

STATE = ROOT / "build/fuzz/state.json"
MILLION = 1_000_000
BATCH = 256
SAVE_S = 2.0
SOURCES = (  # what the counts belong to
    "bytecode/llmbytecode/*.py*",
    "firmware/llmvm/*.py",
    "tests/generate.py",
    "tests/firmware/differential.py",
    "tests/firmware/board.py",
)

Result = tuple[range, Tally, list[Disagreement]]
runners: list[Runner] = []


@dataclass
class Campaign:
    """What has been done so far, and what is to be done."""

    first: int
    last: int
    following: int  # the next seed
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    found: list[Disagreement] = field(default_factory=list)

    def run(self, jobs: int, minutes: float, keep: Callable[["Campaign"], None]) -> None:
        """Go on until a disagreement, the last seed, the time's end or Ctrl-C."""
        start, before, began = self.following, self.seconds, time.monotonic()
        kept = began
        for seeds, counted, differing in _work(start, self.last, jobs, began + 60 * minutes):
            self.tally.add(counted)
            self.following, self.found = seeds.stop, differing
            now = time.monotonic()
            self.seconds = before + now - began
            if now - kept > SAVE_S or differing or self.following == self.last:
                kept = now
                keep(self)
                _show(f"{self.following:>9,}  {(self.following - start) / (now - began):,.0f}/s")
            if differing:
                return


def main() -> int:
    """Run a campaign; 1 where something differs."""
    options = resume.options(__doc__)
    code = resume.fingerprint(SOURCES)
    campaign = _resumed(code) if options.seeds is None else Campaign(*options.seeds, options.seeds[0])
    keep = partial(_save, code) if options.seeds is None else lambda _: None
    try:
        campaign.run(options.jobs, options.minutes, keep)
    except KeyboardInterrupt:
        print("\nstopped")
    keep(campaign)
    _summary(campaign.tally, campaign.seconds)
    print(f"seeds {campaign.first} to {campaign.following - 1}; to try them again:")
    print(f"  .venv/bin/python tools/fuzz.py --seeds {campaign.first}:{campaign.following}")
    if campaign.found:
        print(f"{len(campaign.found)} disagreements; the first one:")
        _tell(campaign.found[0])
    return 1 if campaign.found else 0


def _resumed(code: str) -> Campaign:
    """Return the campaign that goes on, or a new one."""
    state = resume.resumed(STATE, code)
    if state is None:
        return Campaign(0, MILLION, 0)
    last = MILLION * (1 + state["following"] // MILLION)  # where a million is done, another one
    tally = Tally.from_json(state["tally"])
    return Campaign(0, last, state["following"], state["seconds"], tally)


def _save(code: str, campaign: Campaign) -> None:
    counts = {"following": campaign.following, "seconds": campaign.seconds, "tally": vars(campaign.tally)}
    resume.save(STATE, code, **counts)


def _work(first: int, last: int, jobs: int, until: float) -> Iterator[Result]:
    """Try the seeds, by several processes; yield what came of each batch, in order."""
    with multiprocessing.Pool(jobs, _begin) as pool:
        pending: deque[AsyncResult[Result]] = deque()
        for start in range(first, last, BATCH):
            if time.monotonic() > until:
                break
            pending.append(pool.apply_async(_try, [range(start, min(last, start + BATCH))]))
            if len(pending) > 2 * jobs:
                yield pending.popleft().get()
        while pending:
            yield pending.popleft().get()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    runners.extend(open_runners())


def _try(seeds: range) -> Result:
    tally = Tally()
    batch = [make(seed) for seed in seeds]
    try:
        return seeds, tally, try_batch(batch, runners, tally)
    except Exception:  # a mistake of the host's own: which case brings it up?
        return seeds, Tally(), [found for case in batch for found in _tried_alone(case)]


def _tried_alone(case: Case) -> list[Disagreement]:
    for runner in runners:
        runner.close()
    runners[:] = open_runners()
    try:
        return try_batch([case], runners, Tally())
    except Exception as error:
        return [Disagreement(case, "", _named(error))]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _show(line: str) -> None:
    if sys.stdout.isatty():
        print(f"\r{line}   ", end="", flush=True)


def _summary(tally: Tally, seconds: float) -> None:
    rate = tally.programs / seconds if seconds else 0
    print(f"\n{tally.programs:,} programs in {seconds:,.0f} s ({rate:,.0f}/s), {tally.runs:,} of them run")
    print("kinds:   ", _listed(tally.kinds))
    print("verdicts:", _listed(tally.rules))
    print("answers: ", _listed(tally.answers))
    missing = [op.name for op in Op if not tally.executed[op.name]]
    unused = [rule.name.lower() for rule in Rule if not tally.rules[rule.name.lower()]]
    print(f"executed: {tally.executed.total():,} instructions, {len(Op) - len(missing)} of {len(Op)} codes")
    if missing or unused:
        print("not seen:", ", ".join(missing + unused))
    for name, counts in tally.slack.items():
        if counts:
            middle = statistics.median(counts.elements()) / 100
            print(f"certificate / worst run, {name}: {min(counts) / 100:.2f} at least, median {middle:.2f}")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _tell(disagreement: Disagreement) -> None:
    """Make a disagreement small, show it, and keep it."""
    case, name, what = disagreement
    print(f"seed {case.seed} ({case.kind}): {name or 'the host'}: {what}")
    opened = open_runners(patience_s=5)
    runner = next((one for one in opened if one.name == name), None)

    def differs(candidate: Case) -> str:
        try:
            return difference(candidate, runner) if runner else expect(candidate, Tally()).wrong
        except Exception as error:
            return _named(error)

    small = shrink_case(case, differs)
    path = VECTORS / "differential" / f"seed_{case.seed}.case"
    path.parent.mkdir(exist_ok=True)
    path.write_text(vector(small, f"{name or 'the host'}: {differs(small)}"))
    print(f"smallest: {differs(small)}\n{path.read_text()}kept as {path.relative_to(ROOT)}")
    for one in opened:
        one.close()


if __name__ == "__main__":
    sys.exit(main())
