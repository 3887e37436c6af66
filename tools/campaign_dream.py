"""Evolution put to the test: a bad skill is mended, useless variants stay out, a poisoned skill comes down.

    tools/campaign_dream.py --jobs 2
    tools/campaign_dream.py bad --seed 3 --dev-model none
    tools/campaign_dream.py useless poisoned

Everything happens in a state folder of its own. `bad` dreams of tests/vectors/skills/hasty_corner.md, and
runs what is proposed on more seeds that nothing has seen. `useless` offers twenty variants of a skill that is
right now and then: the same program under other comments, pauses and lights, and the same program with
another one's luck. `poisoned` changes a skill behind its promotion's back.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from llmos.evolution.bounds import watch_of
from llmos.evolution.dream import Plan, Sleeper
from llmos.evolution.fitness import held_out_seeds, roll, spread
from llmos.evolution.journal import Dreamed
from llmos.evolution.judge import judged
from llmos.evolution.lenses import Reflection
from llmos.evolution.promotion import promote
from llmos.evolution.rollouts import rollouts
from llmos.evolution.rules import Evolution, load_evolution
from llmos.evolution.story import dream_lines
from llmos.evolution.watch import watched
from llmos.inference import open_kernel
from llmos.memory import Memory
from llmos.skills import Skill, Tried, cases, find_skill, skill_of, try_case
from llmos.skills.using import using
from llmos.volumes import Change, Tier, Volumes, parse, read_document
from llmos.workers import Pool

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "skills"
ANN = Change("ann", "A skill of mine.")
FRESH = 900  # a dream's number that no dream reaches: its seeds have never been used
USELESS, NIGHTS = 20, 2000


def run(pool: Pool, skill: Skill, dream: int, count: int) -> list[Tried]:
    """Run a skill on held-out seeds."""
    some = spread(skill, held_out_seeds(count, dream), count)
    return pool.results(roll, [(skill, case, "cube") for case in some])


def success(tried: Sequence[Tried]) -> float:
    """Return the share of runs that succeeded."""
    return sum(one.success for one in tried) / len(tried)


def bad(options: argparse.Namespace, pool: Pool) -> bool:
    """Dream of a skill that cuts corners, drives too fast and guesses distances."""
    volumes, name = Volumes(), "hasty_corner"
    volumes.write(Tier.USER, f"skills/{name}.md", (VECTORS / f"{name}.md").read_text(encoding="utf-8"), ANN)
    before, began = find_skill(name, volumes), time.monotonic()
    with Memory() as memory:
        for case in cases(before, range(4)):  # four uses, which fail: what the dream replays
            with using(memory, volumes, before, {}) as use:
                tried = try_case(before, case)
                use.success = tried.success
                use.data = {
                    "arena": case.arena,
                    "seed": case.seed,
                    "values": {},
                    "faults": list(tried.faults),
                }
        kernel = None if options.dev_model == "none" else open_kernel(options.dev_model)
        plan = Plan((), options.seed, options.generations, options.population, apply=True)
        sleeper = Sleeper(volumes, memory, pool, plan, Reflection(kernel) if kernel else None, _tell)
        (night,) = sleeper.dream()
    print("\n".join(dream_lines(Dreamed(night.journal.path))))
    verdict = night.verdict
    fresh = success(run(pool, find_skill(name, volumes), FRESH, 40))
    print(
        f"  again on 40 seeds that no dream has: {success(run(pool, before, FRESH, 40)):.0%} -> {fresh:.0%}"
    )
    print(f"  {sleeper.measurer.rolled} rollouts, {time.monotonic() - began:.0f} s")
    if verdict is None:
        return False
    return verdict.before < 0.5 and verdict.after >= 0.9 and verdict.corrected < 0.01 and fresh >= 0.9


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def useless(options: argparse.Namespace, pool: Pool) -> bool:
    """Offer variants that are no better, to one night, then luck alone to many."""
    rules, name = load_evolution(), "lucky_corner"
    skill = skill_of(read_document(VECTORS / f"{name}.md"), "user")
    runs = run(pool, skill, 0, rules.held_out)
    offers = {}
    for number in range(USELESS // 2):
        rewritten = skill.with_block(_rewritten(skill.block, number))
        offers[f"rewritten {number}"] = (runs, run(pool, rewritten, 0, rules.held_out))
    for number in range(USELESS // 2):
        offers[f"other luck {number}"] = (runs, run(pool, skill, number + 1, rules.held_out))
    verdicts = judged(offers, rules)
    for label, verdict in verdicts.items():
        split = f"{verdict.before:.0%} -> {verdict.after:.0%}, p {verdict.corrected:.2g}"
        print(f"  {label:<13} {split}: {verdict.refused or 'ACCEPTED'}")
    promoted = sum(verdict.accepted for verdict in verdicts.values())
    print(f"  {promoted} of {len(offers)} useless variants accepted")
    known = [one for _, after in offers.values() for one in after]
    nights = (random.Random(f"{options.seed} {night}") for night in range(NIGHTS))
    lucky = sum(_a_lucky_night(known, rules, chance) for chance in nights)
    print(f"  luck alone: {lucky} of {NIGHTS} nights accepted one of {USELESS} drawn from all these runs")
    return promoted == 0 and lucky <= 2 * rules.alpha * NIGHTS


def _rewritten(block: str, number: int) -> str:
    """Return a program that does the same: a remark, a light, a pause before the end."""
    more = f"        LED     {number}, 0, 0\n        WAIT    {10 * (number + 1)}ms\n        END"
    return f"; variant {number}\n" + block.replace("        END", more)


def _a_lucky_night(known: Sequence[Tried], rules: Evolution, chance: random.Random) -> bool:
    before = chance.choices(known, k=rules.held_out)
    offers = {number: (before, chance.choices(known, k=rules.held_out)) for number in range(USELESS)}
    return any(verdict.accepted for verdict in judged(offers, rules).values())


def poisoned(options: argparse.Namespace, pool: Pool) -> bool:
    """Promote a skill by its real uses, poison it in the team's volume, and use it on."""
    volumes, name = Volumes(), "creep_to_wall"
    path, shipped = f"skills/{name}.md", find_skill(name).document.source
    volumes.write(Tier.USER, path, shipped.replace("20mm/s", "19mm/s"), ANN)
    with Memory() as memory:
        seeds = iter(range(10**6))
        for _ in range(20):
            _use(volumes, memory, name, next(seeds))
        promotion = promote(volumes, memory, "skill", name, Tier.TEAM, ANN)
        volumes.write_all(Tier.USER, {path: None}, ANN)
        print("  " + "\n  ".join(promotion.lines()))
        worse = volumes.read(Tier.TEAM, path).source.replace("front < gap", "front < 12cm")
        parse(worse, Path(path))
        volumes.write(Tier.TEAM, path, worse, Change("eve", "a small change"))
        rules = load_evolution()
        test = watch_of(promotion.bound, rules.watch_worse, rules.probation_odds)
        stated = test.within(0.0, 0.99)
        for number in range(1, rules.probation_uses + 1):
            good = _use(volumes, memory, name, next(seeds))
            verdict = watched(volumes, memory, "skill", name)
            if verdict.status == "quarantined" or volumes.read(Tier.TEAM, path).source != worse:
                print(f"  poisoned, and taken back after {number} uses (stated: within {stated})")
                return number <= stated and find_skill(name, volumes).document.source != worse
            print(f"  use {number} of the poisoned one went {'well' if good else 'wrong'}: {verdict.status}")
    return False


def _use(volumes: Volumes, memory: Memory, name: str, seed: int) -> bool:
    skill = find_skill(name, volumes)
    case = cases(skill, [seed])[0]
    with using(memory, volumes, skill, case.values) as use:
        tried = try_case(skill, case)
        use.success = tried.success
        use.data = {
            "arena": case.arena,
            "seed": seed,
            "values": dict(case.values),
            "faults": list(tried.faults),
        }
    if use.verdict:
        print(f"  {use.verdict}")
    return use.success


PARTS = {"bad": bad, "useless": useless, "poisoned": poisoned}


def main() -> None:
    """Run the parts that are asked for; 1 where one misses what it must show."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--generations", type=int, default=0)
    parser.add_argument("--population", type=int, default=0)
    parser.add_argument("--dev-model", default="smollm2", help="or none")
    options = parser.parse_args()
    if unknown := [part for part in options.parts if part not in PARTS]:
        parser.error(f"no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    missed = []
    for part in options.parts or PARTS:
        print(f"{part}:", flush=True)
        with tempfile.TemporaryDirectory() as home, rollouts(options.jobs) as pool:
            os.environ["LLMOS_HOME"] = home
            missed += [] if PARTS[part](options, pool) else [part]
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
