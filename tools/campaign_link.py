"""Sends frames through a million corruptions, both ways between the host and the firmware on MicroPython.

    tools/campaign_link.py                     go on where the last call stopped, up to a million corruptions
    tools/campaign_link.py --seeds 0:500       these sessions, from the first one on
    tools/campaign_link.py --minutes 5 --jobs 2

Each seed is one session (tests/firmware/link_pair.py): 150 reliable frames each way with datagrams between,
on the 64-bit MicroPython where the seed is even, else on the 32-bit one. What is done is kept in
build/campaign_link/state.json, and counts for these sources alone. Then the same kinds of corruption at the
same rates go through three other ways to send bytes to a robot (tests/firmware/other_frames.py). Stops,
with 1, where one of our frames is accepted wrongly, lost for good or out of order.
"""

import argparse
import multiprocessing
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from multiprocessing.pool import AsyncResult
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import resume  # noqa: E402
from tests.firmware.link_pair import Peer, Tally, try_session  # noqa: E402
from tests.firmware.other_frames import OTHERS  # noqa: E402

from llmos.micropython import find  # noqa: E402

STATE = ROOT / "build/campaign_link/state.json"
MILLION = 1_000_000
BATCH = 8  # sessions
SAVE_S = 2.0
SOURCES = (  # what the counts belong to
    "bytecode/llmbytecode/_isa.py",
    "firmware/llmvm/link.py",
    "host/llmos/link/cobs.py",
    "host/llmos/link/frames.py",
    "host/llmos/link/transport.py",
    "host/llmos/sim/uart.py",
    "tests/firmware/damage.py",
    "tests/firmware/link_pair.py",
    "tests/firmware/link_peer.py",
)

Result = tuple[int, Tally, list[str]]  # the seed to go on with, the counts, what was wrong
peers: list[Peer] = []


def main() -> int:
    """Run the campaign and print the table; 1 where a frame has come to harm."""
    options = resume.options(__doc__)
    code = resume.fingerprint(SOURCES)
    first, seconds, tally = (options.seeds[0], 0.0, Tally()) if options.seeds else _resumed(code)
    following = first
    wrong: list[str] = []
    began = saved = time.monotonic()
    try:
        for following, counted, wrong in _work(first, tally, options, began):
            tally.add(counted)
            now = time.monotonic()
            if not options.seeds and (now - saved > SAVE_S or wrong):
                saved = now
                _keep(code, following, seconds + now - began, tally)
            _show(f"{tally.corruptions:>11,} corruptions, seed {following}")
            if wrong:
                break
    except KeyboardInterrupt:
        print("\nstopped")
    seconds += time.monotonic() - began
    if not options.seeds:
        _keep(code, following, seconds, tally)
    _summary(tally, seconds, following)
    for line in wrong:
        print(line)
    _table(tally)
    return 1 if wrong else 0


def _keep(code: str, following: int, seconds: float, tally: Tally) -> None:
    resume.save(STATE, code, following=following, seconds=seconds, tally=vars(tally))


def _resumed(code: str) -> tuple[int, float, Tally]:
    """Return the next seed, the seconds so far, and the counts."""
    state = resume.resumed(STATE, code)
    if state is None:
        return 0, 0.0, Tally()
    counts = state["tally"]
    return state["following"], state["seconds"], Tally(**counts | {"damage": Counter(counts["damage"])})


def _work(first: int, tally: Tally, options: argparse.Namespace, began: float) -> Iterator[Result]:
    """Run sessions by several processes; yield what came of each batch, in order of the seeds."""
    last = options.seeds[1] if options.seeds else 2**40
    with multiprocessing.Pool(options.jobs, _begin) as pool:
        pending: deque[AsyncResult[Result]] = deque()
        for start in range(first, last, BATCH):
            enough = not options.seeds and tally.corruptions >= MILLION
            if enough or time.monotonic() > began + 60 * options.minutes:
                break
            pending.append(pool.apply_async(_try, [range(start, min(last, start + BATCH))]))
            if len(pending) > 2 * options.jobs:
                yield pending.popleft().get()
        while pending:
            yield pending.popleft().get()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    peers.extend(Peer(find(bits)) for bits in (64, 32))


def _try(seeds: range) -> Result:
    tally, wrong = Tally(), []
    for seed in seeds:
        one = try_session(peers[seed % 2], seed)
        tally.add(one)
        if one.wrong or one.lost or one.disorder:
            wrong.append(f"seed {seed}: {one.wrong} wrong, {one.lost} lost, {one.disorder} out of order")
    return seeds.stop, tally, wrong


def _show(line: str) -> None:
    if sys.stdout.isatty():
        print(f"\r{line}   ", end="", flush=True)


def _summary(tally: Tally, seconds: float, following: int) -> None:
    print(f"\n{tally.corruptions:,} corruptions in {seconds:,.0f} s: seeds up to {following - 1}")
    print("kinds:", ", ".join(f"{name} {count:,}" for name, count in tally.damage.most_common()))
    print(
        f"{tally.frames:,} frames written, {tally.refused:,} pieces refused, {tally.reliable:,} reliable "
        f"frames and {tally.datagrams:,} datagrams handed on, {tally.ms / 3.6e6:,.1f} h of the line's time"
    )
    chance = tally.refused / 2**32
    print(f"accepted wrongly: {tally.wrong}; by the chance of 2^-32 for each piece one expects {chance:.1g}")


def _table(ours: Tally) -> None:
    """Print ours beside the others; their sessions go on until they have had as many corruptions."""
    print(f"\n{'per million corruptions':<24}{'messages':>12}{'corruptions':>12}", end="")
    print(f"{'accepted wrongly':>18}{'lost for good':>16}{'out of order':>16}")
    _row("LLMos, CRC-32", ours)
    for name, attempt in OTHERS.items():
        theirs, seed = Tally(), 0
        while theirs.corruptions < ours.corruptions:
            theirs.add(attempt(seed))
            seed += 1
        _row(name, theirs)


def _row(name: str, tally: Tally) -> None:
    counts = (tally.wrong, tally.lost, tally.disorder)
    shares = [f"{count * MILLION / max(tally.corruptions, 1):,.0f}" for count in counts]
    handed = tally.reliable + tally.lost
    print(f"{name:<24}{handed:>12,}{tally.corruptions:>12,}", end="")
    print(f"{shares[0]:>18}{shares[1]:>16}{shares[2]:>16}")


if __name__ == "__main__":
    sys.exit(main())
