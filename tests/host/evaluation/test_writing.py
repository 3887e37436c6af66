"""The evaluation of writing: references are right, chance is judged by the same measure, figures add up."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from llmos.cli.eval import evaluate
from llmos.errors import LlmosError
from llmos.evaluation import Programs, Wanted, one_program, program_table, right_table

FEW = "light_red,turn_left_90"


def told(*words: str) -> Result:
    """Run the command."""
    return CliRunner().invoke(evaluate, words)


def test_the_references_are_right_and_chance_is_not() -> None:
    """Chance writes well-formed nonsense; where words have settled skill and numbers, it chooses rightly."""
    ended = told("--writing", "--kernels", "random", "--behaviours", FEW, "--json")
    assert ended.exit_code == 0, ended.output
    found = json.loads(ended.stdout.splitlines()[-1])
    rows = {(row["kernel"], row["way"]): row for row in found["table"]}
    assert {key: (row["programs"], row["right"]) for key, row in rows.items()} == {
        ("reference", "-"): (2, 2), ("random", "write"): (2, 0), ("random", "choose"): (2, 2),
    }  # fmt: skip
    assert rows["random", "write"]["well_formed"] == 1.0
    assert found["right"] == [
        {"behaviour": name, "reference": 1, "random write": 0, "random choose": 1} for name in FEW.split(",")
    ]
    assert found["runs"] == 6


def test_smollm2_chooses_what_words_have_settled() -> None:
    """The real model, in one way; its progress and two tables are told."""
    ended = told(
        "--writing", "--kernels", "smollm2", "--ways", "choose", "--behaviours", "blink_blue_3"
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    assert "smollm2    choose  1         100%         100%            100%      1" in ended.stdout
    assert re.search(r"^blink_blue_3 +1 +1$", ended.stdout, re.MULTILINE)
    assert "seed 0: right" in ended.stderr


def test_a_model_out_of_time_is_wrong_and_no_failure() -> None:
    """The evaluation goes on, with the reason in the row."""
    row = one_program(Wanted("smollm2", "write", "light_red", 0, 0.001))
    assert (row["right"], row["accepted"], row["attempts"]) == (False, False, 0)
    assert "deadline" in row["faults"][0]


def test_the_figures_add_up() -> None:
    """Shares of attempts and of programs, sums, medians."""
    base = {"kernel": "k", "way": "write", "collisions": 1, "tokens_out": 10}
    rows = [
        {**base, "behaviour": "a", "attempts": 1, "well_formed": 1, "accepted_first": True,
         "accepted": True, "right": True, "seconds": 1.0},
        {**base, "behaviour": "b", "attempts": 3, "well_formed": 2, "accepted_first": False,
         "accepted": True, "right": False, "seconds": 3.0},
    ]  # fmt: skip
    assert program_table(rows) == [
        {"kernel": "k", "way": "write", "programs": 2, "well_formed": 0.75, "accepted_first": 0.5,
         "accepted": 1.0, "right": 1, "right_share": 0.5, "collisions": 2, "p50_s": 2.0, "tokens": 10}
    ]  # fmt: skip
    assert right_table(rows) == [{"behaviour": "a", "k write": 1}, {"behaviour": "b", "k write": 0}]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--ways", "write"], "--ways goes only with --writing"),
        (["--behaviours", "square_30"], "--behaviours goes only with --writing"),
        (["--writing", "--arenas", "simple"], "--arenas goes without --writing"),
        (["--writing", "--variants", "shuffle"], "--variants goes without --writing"),
        (["--seeds", "0"], "0 is not in the range"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(words: list[str], said: str) -> None:
    """As wrong usage, in one line."""
    ended = told(*words)
    assert (ended.exit_code, said in ended.output) == (2, True)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ({"kernels": ("rule",)}, "makes no programs"),
        ({"kernels": ("replay:a",)}, "makes no programs"),
        ({"ways": ("guess",)}, "name one of write, choose, choose3"),
        ({"behaviours": ("fly",)}, "'fly': unknown"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(plan: dict[str, tuple[str, ...]], said: str) -> None:
    """Before the first program."""
    with pytest.raises(LlmosError, match=said):
        Programs(**{"kernels": ("random",)} | plan)
