"""The summary of what a taught kernel shows: every kind takes part, and each line says what was measured."""

from dataclasses import replace
from typing import Any

import pytest

from llmos.evaluation import KINDS, EvaluationError, Mission, Row
from llmos.evaluation._taught import KEY, OF, QUICK, Taught, one_of, plan, plans, tables
from llmos.inference import AdapterError

SMALL = replace(QUICK, choices="office:0:explore", frames=3, drives="clutter:1", behaviours=("light_red",))


def few(plan: Taught) -> list[Any]:
    """Leave out most of BabyAI, and the drive by chance, which takes long."""
    return [
        task
        for task in plan.tasks()
        if getattr(task, "family", "goto") == "goto"
        and not (isinstance(task, Mission) and task.order.kernel.startswith("instinct"))
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Chance in a taught kernel's place, and in that of the same one untaught; the rule drives for it."""
    pytest.importorskip("minigrid")
    made = [one_of(task) for task in few(plans("random", "random", SMALL))]
    mine = [row for row in made if row["kernel"] == "random"]
    drives = [row for row in made if row[KEY] == "missions"]
    return [
        *({**row, "kernel": "smollm2"} for row in mine),
        *({**row, "kernel": "smollm2:none"} for row in mine),
        *({**row, "kernel": "instinct:smollm2"} for row in drives),
        *(row for row in made if row["kernel"] != "random"),
    ]


def test_every_figure_has_a_line(rows: list[Row]) -> None:
    """Measured, but for what no evaluation measures; and beside it what is asked, and others."""
    table = tables(rows)["table"]
    assert [line["what"] for line in table if line["measured"] == "–"] == [
        "all again from scratch, another seed"
    ]
    lines = {line["what"]: line for line in table}
    for show in ("hidden", "wrong"):
        line = lines[f"best choice, scores {show}"]
        assert (line["met"], "untaught" in line["beside"], "rule" in line["beside"]) == ("no", True, True)
    for name in ("success", "collisions", "SPL less the rule's"):
        assert lines[f"drives alone, {name}"]["met"] == "yes"
    assert lines["instinct's time by the untaught's"]["measured"] == "1.00"
    assert not KINDS["taught"].good(rows)


def test_the_kinds_share_the_work() -> None:
    """A task of each kind, told apart; the whole of it asks for all that ships."""
    kinds = {OF[type(task)].name for task in plans("a", "b", QUICK).tasks()}
    assert kinds == {"choices", "missions", "writing", "babyai"} == {kind.name for kind in OF.values()}
    with pytest.raises(AdapterError, match="only smollm2 can be taught"):
        plan(kernels="random", quick=True)
    with pytest.raises(EvaluationError, match="'smollm2:none' has no adapter here"):
        plan(kernels="smollm2:none", quick=True)


def test_a_row_says_its_kind(rows: list[Row]) -> None:
    assert {row[KEY] for row in rows} == {kind.name for kind in OF.values()}
