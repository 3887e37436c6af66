"""BabyAI's families by players, ways and seeds: every episode played, every choice counted.

The families are those of BALROG's BabyAI tasks, the levels are not, so no figure here is one of its
leaderboard; nor do its agents choose subgoals.
"""

import statistics
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from llmos.babyai import EXPERT, FAMILIES, WAYS, Played, make_level, play
from llmos.babyai.mission import kept_back
from llmos.brains.opening import DUAL, model_of
from llmos.errors import LlmosError
from llmos.statistics import wilson

from ._jobs import EvaluationError, Row, kept_open
from ._kind import Kind, Tables, names

NO_WAY = "–"
# Success in percent with its standard error, over the five families without distractors: BALROG's agents,
# which choose actions from text, or from text and pictures where VLM is said. Source:
# github.com/balrog-ai/experiments, submissions/*/summary.json.
PUBLISHED = {
    "Qwen2-VL-7B": (4.0, 2.8),
    "Llama-3.2-1B": (8.0, 3.8),
    "Qwen2.5-7B": (14.0, 4.9),
    "Llama-3.2-3B": (20.0, 5.7),
    "Llama-3.1-8B": (36.0, 6.8),
    "GPT-4o": (77.6, 3.7),
    "Gemini-2.5-Pro": (80.0, 5.7),
    "Claude-3.5-Sonnet, VLM": (82.0, 5.4),
}
NOTE = "same families, not the leaderboard; BALROG's agents choose actions"
NOTES = (
    "The families are BALROG's, the levels are not, and its agents choose actions: no leaderboard.",
    "All agents but the expert know only what they have seen; before subgoals are chosen they look round.",
    "right: share of choices that the mission, read by a grammar, asks for next; rule_right: of the rule's",
    "choices in the same places; chance: of any; differs: how often a model's choice is not the rule's.",
    "all: nothing of the mission is known but to the model that reads it. named and steps: the grammar has",
    "left out the rest, so that what chance does there is not the model's doing.",
    "What was taken before counts less, which mends wrong choices: success is more than right choices.",
    "unseen: as right, in missions whose like no kernel was ever taught (one of five, by what they mean);",
    "a kernel is taught on seeds from 10000 on.",
    "SmolLM2's examples and, untaught, the bias of its verbs were chosen on seeds 100 to 111.",
)


@dataclass(frozen=True)
class Episode:
    """One episode."""

    kernel: str
    way: str
    family: str
    distractors: int
    seed: int
    deadline_s: float


@dataclass(frozen=True)
class Episodes:
    """What to evaluate; every combination that makes sense is one episode."""

    kernels: tuple[str, ...]
    ways: tuple[str, ...]
    families: tuple[str, ...]
    distractors: int
    seeds: int
    deadline_s: float

    def tasks(self) -> Iterator[Episode]:
        """Return a task for each; the expert has no way, and only models and chance choose actions."""
        for kernel in self.kernels:
            ways = (NO_WAY,) if kernel == EXPERT else self.ways
            for way, family, seed in product(ways, self.families, range(self.seeds)):
                if way != "actions" or kernel.partition(":")[0] not in ("rule", DUAL):
                    yield Episode(kernel, way, family, self.distractors, seed, self.deadline_s)


def plan(
    *, kernels: str, ways: str, families: str, distractors: int, seeds: int, deadline: float
) -> Episodes:
    """Return what the options ask for.

    Raises:
        BabyAIError: a family is unknown, or the package minigrid is missing.
        EvaluationError: a way is unknown.
    """
    for way in names(ways):
        if way not in WAYS:
            raise EvaluationError(f"way {way!r}: unknown; name one of {', '.join(WAYS)}")
    some = FAMILIES if families == "all" else names(families)
    for family in some:
        level(family, distractors)
    return Episodes(names(kernels), names(ways), some, distractors, seeds, deadline)


@cache
def level(family: str, distractors: int) -> Any:
    """Return a level that is kept for this process's episodes."""
    return make_level(family, distractors)


def one_episode(task: Episode) -> Row:
    """Play an episode; what could not begin ends the evaluation."""
    try:
        kernel = None if task.kernel == EXPERT else kept_open(model_of(task.kernel))
        place = level(task.family, task.distractors)
        played = play(place, task.seed, task.kernel, task.way, kernel, task.deadline_s)
    except LlmosError as error:
        where = f"{task.kernel}, {task.way} in {task.family}, seed {task.seed}"
        raise EvaluationError(f"{where}: {error}") from None
    return {**vars(task), **row_of(played)}


def row_of(played: Played) -> Row:
    """Return an episode's figures; of subgoals, how the choices compare with the rule's and the mission's."""
    calls = [answer for choice in played.choices for answer in choice.calls]
    asked = [one for one in played.decisions if one.choice.calls]
    return {
        "mission": played.mission,
        "success": played.success,
        "steps": played.steps,
        "decisions": len(played.choices),
        "calls": len(calls),
        "thought_ms": [
            round(1000 * sum(answer.seconds for answer in choice.calls), 1)
            for choice in played.choices if choice.calls
        ],
        "brains": dict(Counter(choice.brain for choice in played.choices)),
        "escalations": dict(Counter(one.escalation for one in played.choices if one.escalation)),
        "stand_ins": sum(bool(choice.note) for choice in played.choices),
        "asked": len(asked),
        "differs": sum(one.differs for one in asked),
        "right": sum(one.right for one in played.decisions),
        "rule_right": sum(one.rule_right for one in played.decisions),
        "chance": round(sum(one.chance for one in played.decisions), 4),
        "subgoals": [choice.text for choice in played.choices] if played.decisions else [],
    }  # fmt: skip


def tables(rows: list[Row]) -> Tables:
    """Return the sums by player and way, the success by family, and what others have published."""
    players: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        players.setdefault((row["kernel"], row["way"]), []).append(row)
    return {
        "table": [sums(kernel, way, mine) for (kernel, way), mine in players.items()],
        "families": [by_family(kernel, way, mine) for (kernel, way), mine in players.items()],
        "published": [
            {"model": name, "published": f"{share} ± {error} %", "note": NOTE}
            for name, (share, error) in PUBLISHED.items()
        ],
        "notes": [{"notes": text} for text in NOTES],
    }


def sums(kernel: str, way: str, rows: list[Row]) -> Row:
    """Sum up one player's episodes; `right` and its companions are shares of the decisions on subgoals."""
    good = sum(row["success"] for row in rows)
    low, high = wilson(good, len(rows))
    times = [time for row in rows for time in row["thought_ms"]]
    asked = sum(row["asked"] for row in rows)
    unseen = [row for row in rows if kept_back(row["mission"])]

    def share(key: str, some: list[Row] = rows) -> float | None:
        made = sum(row["decisions"] for row in some if row["subgoals"])
        return sum(row[key] for row in some) / made if made else None

    return {
        "player": kernel,
        "way": way,
        "episodes": len(rows),
        "success": good / len(rows),
        "success_95": f"{low:.0%}–{high:.0%}",
        "steps": round(statistics.mean(row["steps"] for row in rows), 1),
        "decisions": round(statistics.mean(row["decisions"] for row in rows), 1),
        "calls": round(statistics.mean(row["calls"] for row in rows), 1),
        "p50_ms": round(statistics.median(times)) if times else None,
        "right": share("right"),
        "unseen": share("right", unseen),
        "rule_right": share("rule_right"),
        "chance": share("chance"),
        "differs": sum(row["differs"] for row in rows) / asked if asked else None,
        "brains": counted(rows, "brains"),
        "escalations": counted(rows, "escalations"),
        "stand_ins": sum(row["stand_ins"] for row in rows),
    }


def counted(rows: list[Row], key: str) -> dict[str, int]:
    """Return the sum of the rows' counts."""
    total: Counter[str] = Counter()
    for row in rows:
        total.update(row[key])
    return dict(total.most_common())


def by_family(kernel: str, way: str, rows: list[Row]) -> Row:
    """Return how often a player had success, a column for each family."""
    counts: dict[str, list[bool]] = {}
    for row in rows:
        counts.setdefault(row["family"], []).append(row["success"])
    return {
        "player": kernel, "way": way,
        **{family: f"{sum(found)}/{len(found)}" for family, found in counts.items()},
    }  # fmt: skip


def line(row: Row) -> str:
    """Return one episode's line of progress."""
    verdict = "done" if row["success"] else "not done"
    return (
        f"{row['kernel']:12} {row['way']:7} {row['family']:17} seed {row['seed']:2d}: {verdict:8} "
        f"{row['steps']:3d} steps, {row['calls']:2d} calls  {row['mission']}"
    )


BABYAI = Kind(
    name="babyai",
    help="Play the five task families of BALROG's BabyAI, 128 steps at most, with rules, chance, models and "
    "minigrid's expert: the same families, not the leaderboard. A way says what is chosen among: actions; "
    "all subgoals that can be done with what is seen; those with a thing that the mission names; or those "
    "that the mission, read by a grammar, asks for next (steps). The rule takes the nearest.",
    options={
        "kernels": "expert,random,rule,smollm2,dual", "ways": "all,named,steps", "families": "all",
        "distractors": 8, "seeds": 50, "deadline": 10.0,
    },
    plan=plan,
    one=one_episode,
    line=line,
    tables=tables,
    columns={
        "table": (
            "player", "way", "episodes", "success", "success_95", "steps", "decisions", "calls", "p50_ms",
            "right", "unseen", "rule_right", "chance", "differs", "brains", "escalations", "stand_ins",
        ),
    },
    shares=("success", "right", "unseen", "rule_right", "chance", "differs"),
)  # fmt: skip
