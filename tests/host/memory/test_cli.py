"""`llmos memory` as people use it."""

import json

from click.testing import CliRunner, Result

from llmos.cli import cli
from llmos.memory import Memory


def run(*arguments: str) -> Result:
    """Run a command that succeeds."""
    result = CliRunner().invoke(cli, ["memory", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_every_line_says_where_it_is_from() -> None:
    """Run, trace, person, project and date."""
    with Memory() as memory:
        trace = memory.begin("look at the lamp", kind="mission", agent="watcher", run="r7", project="home")
        memory.end(trace, "success")
        fact = memory.learn("the lamp\x1b[31m is\ngreen", "anna", "home")
        memory.learn("nothing of the kind", "bert")
    lines = run("search", "lamp").output.splitlines()
    assert sorted(line.split("[")[-1].rsplit(", ", 1)[0] for line in lines) == [
        "mission success, run r7, agent watcher, project home",
        "said by anna, project home",
    ]
    assert f"[{fact.source}, project home, {fact.when}]" in run("search", "lamp", "--kind", "fact").output
    assert "\x1b" not in run("show").output
    assert run("search", "lamp", "--project", "office").output == "nothing here answers that\n"
    assert run("search", "lamp", "--since", "2100-01-01").output == "nothing here answers that\n"
    found = json.loads(run("search", "lamp", "--since", "1h", "--limit", "9", "--json").output)
    assert {(one["text"], one["source"]) for one in found} >= {(fact.text, fact.source)}
    assert len(json.loads(run("search", "lamp", "--limit", "1", "--json").output)) == 1
    assert json.loads(run("show", trace.id[:8], "--json").output)["status"] == "success"


def test_forget_is_taken_back() -> None:
    """With the reason and the person, listed as forgotten until then."""
    with Memory() as memory:
        fact = memory.learn("the lamp is green", "anna")
    assert "llmos memory restore" in run("forget", fact.id, "--because", "it was sold").output
    assert run("search", "lamp").output == "nothing here answers that\n"
    assert "forgotten because: it was sold (" in run("show", "--forgotten").output
    run("restore", fact.id)
    assert fact.id in run("search", "lamp").output


def test_an_empty_memory_answers() -> None:
    """Each command says so in a line."""
    for arguments in (("search", "x"), ("show",), ("show", "--forgotten"), ("consolidate",)):
        assert "nothing" in run(*arguments).output
    assert json.loads(run("stats", "--json").output)["kinds"] == {}


def test_wrong_usage_is_refused() -> None:
    """By the name of the option, before memory is opened."""
    for arguments in (
        ["search"],
        ["search", "x", "--since", "soon"],
        ["forget", "f1"],
        ["search", "x", "--limit", "0"],
    ):
        assert CliRunner().invoke(cli, ["memory", *arguments]).exit_code == 2


def test_consolidation_is_told() -> None:
    """Each new fact with its source, and where it can be read."""
    with Memory() as memory:
        for _ in range(10):
            memory.end(memory.begin("square", kind="skill", skill="square", version="a"), "success")
    told = run("consolidate").output
    assert "10 traces consolidated" in told
    assert "10 of 10 attempts succeeded" in told
    assert "memory/learnings.md" in told
    assert json.loads(run("consolidate", "--json").output)[0]["facts"] == []
