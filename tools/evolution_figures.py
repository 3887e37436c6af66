"""Print what the numbers of `kernel/evolution.md` promise: promotion, watch, and the audit on its corpus."""

import time
from pathlib import Path
from statistics import median

from llmos.evolution.audit import _audited, audit, kind_of
from llmos.evolution.bounds import lower_bound, promoted, wanted, watch_of
from llmos.evolution.rules import Evolution, load_evolution
from llmos.resources import system_volume
from llmos.volumes import Document, read_document

VECTORS = Path(__file__).parents[1] / "tests" / "vectors" / "audit"
SURELY = 0.99
USES = 100
ROUNDS = 5


def promotion(rules: Evolution) -> None:
    """Print how many successes are wanted, and who is promoted that should not be."""
    for tier in ("team", "system"):
        asked, least = getattr(rules, f"{tier}_success"), getattr(rules, f"{tier}_uses")
        enough = wanted(0, 0, asked, rules.bound_confidence)
        chances = ", ".join(
            f"{true:.0%}: {promoted(asked, least, rules.bound_confidence, true, USES):.2%}"
            for true in (asked - 0.3, asked - 0.1, asked, asked + 0.05)
        )
        print(f"{tier:<7} {least} uses at {asked:.0%}; {enough} successes alone prove it")
        print(f"        promoted within {USES} uses, tried after each, by true success: {chances}")
    print(f"        5 of 5 prove {lower_bound(5, 5, rules.bound_confidence):.1%}")


def watching(rules: Evolution) -> None:
    """Print when a skill that got worse is taken back, and how often one is that did not."""
    for tier in ("team", "system"):
        proved = getattr(rules, f"{tier}_success")
        for name, odds in (("watched", rules.watch_odds), ("probation", rules.probation_odds)):
            test = watch_of(proved, rules.watch_worse, odds)
            within = ", ".join(f"{true:.0%}: {test.within(true, SURELY)}" for true in (0.0, 0.2, 0.5))
            span = USES if name == "watched" else rules.probation_uses
            alarms = [list(test.caught(true, span))[-1] for true in (proved, proved + 0.05, 0.97)]
            told = ", ".join(f"{alarm:.2%}" for alarm in alarms)
            print(
                f"{tier:<7} {name:<9} {proved:.0%} proved; "
                f"caught with {SURELY:.0%} within uses, by success: {within}"
            )
            print(f"        false alarms in {span} uses at {proved:.0%}, {proved + 0.05:.0%}, 97%: {told}")


def corpus() -> None:
    """Print recall and false alarms of the audit on the texts in tests/vectors/audit, and its time."""
    files = {name: sorted((VECTORS / name).glob("*.md")) for name in ("refuse", "missed", "pass")}
    hostile = [read_document(path) for name in ("refuse", "missed") for path in files[name]]
    orders = [one for one in hostile if audit(one, "user").injected]
    other = [one for one in hostile if one not in orders and not audit(one, "team").passed]
    honest = [read_document(path) for path in files["pass"]]
    folders = [system_volume() / kind for kind in ("skills", "agents")]
    shipped = [read_document(path) for folder in folders for path in folder.glob("*.md")]
    alarms = [one for one in [*honest, *shipped] if not audit(one, "system").passed]
    print(
        f"audit   {len(orders)} of {len(hostile) - len(other)} texts that give orders found, "
        f"{len(other)} files refused for something else"
    )
    print(
        f"        {len(alarms)} false alarms on {len(honest)} honest texts and {len(shipped)} shipped files"
    )
    physical = [one for one in shipped if one.values.get("type") == "physical"]
    rest = [one for one in [*shipped, *honest] if one not in physical]
    for name, documents in (("with a program", physical), ("other", rest)):
        times = [1000 * took(document) for document in documents]
        print(
            f"        {name}: median {median(times):.1f} ms a file, longest {max(times):.1f} (processor time)"
        )


def took(document: Document) -> float:
    """Return the processor time of an audit, seconds, the shortest of a few."""
    rules, spans = load_evolution(), []
    for _ in range(ROUNDS):
        began = time.thread_time()
        _audited(document, kind_of(document), "system", rules)
        spans.append(time.thread_time() - began)
    return min(spans)


if __name__ == "__main__":
    numbers = load_evolution()
    promotion(numbers)
    watching(numbers)
    corpus()
