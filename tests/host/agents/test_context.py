"""The context window: what is pinned stays, the budget holds, and nothing is lost."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.agents.context import FAULTS, PINNED, Context, ContextError, Item, Kind
from llmos.inference import Kernel, open_kernel

KINDS: list[Kind] = ["system", "goal", "safety", "fault", "tool", "message", "note"]
FREE: list[Kind] = ["tool", "message", "note"]
WORDS = st.integers(0, 40).map(lambda count: " ".join(f"w{number}" for number in range(count)))
GIVEN = st.lists(st.tuples(st.sampled_from(KINDS), WORDS, st.booleans()), max_size=40)
BUDGET = 100


def words(text: str) -> int:
    """Count tokens as a tokenizer does that has one for each word and for each sign between."""
    return len(re.findall(r"\w+|[^\w\s]", text))


def filled(given: Sequence[tuple[Kind, str, bool]], budget: int = BUDGET) -> tuple[Context, list[Item]]:
    """Add items until one is refused; return the context and what was taken in."""
    context, taken = Context(budget, words), list[Item]()
    for kind, text, pinned in given:
        before = context.render()
        try:
            # a tenth of them is pinned by hand, so that the budget is not spent at once
            taken.append(context.add(kind, text, pinned=pinned and len(taken) % 10 == 0))
        except ContextError:
            assert context.render() == before  # a refusal changes nothing
    return context, taken


def pinned(items: Sequence[Item]) -> list[Item]:
    """What may never leave."""
    faults = [item for item in items if item.kind == "fault"][-FAULTS:]
    return [item for item in items if item.pinned or item.kind in PINNED or item in faults]


@settings(max_examples=100)
@given(GIVEN, st.integers(5, 400))
def test_the_budget_is_never_passed(given: list[tuple[Kind, str, bool]], budget: int) -> None:
    """Whatever comes in, in any order."""
    context, _ = filled(given, budget)
    assert context.tokens <= budget


@settings(max_examples=100)
@given(GIVEN)
def test_what_is_pinned_never_leaves(given: list[tuple[Kind, str, bool]]) -> None:
    """Word for word, but for a fault that is longer than a ninth of the budget."""
    context, taken = filled(given)
    assert not {item.id for item in pinned(taken)} & {item.id for item in context.left}
    for item in pinned(taken):
        shown = item.text if item.pinned or item.kind in PINNED else " ".join(item.text.split()[:2])
        assert shown in context.render()


@settings(max_examples=100)
@given(GIVEN)
def test_nothing_is_lost_and_the_order_is_kept(given: list[tuple[Kind, str, bool]]) -> None:
    """All that was taken in is recalled word for word; what is shown stands in the order in which it came."""
    numbered = [(kind, f"item{index}x {text}", pin) for index, (kind, text, pin) in enumerate(given)]
    context, taken = filled(numbered, 300)
    assert [context.recall(item.id) for item in taken] == taken == context.items
    shown = [int(number) for number in re.findall(r"item(\d+)x", context.user)]
    assert shown == sorted(shown)
    left = {item.id for item in context.left}
    assert [item.text.split("x")[0] for item in taken if item.id not in left and item.kind != "system"] == [
        f"item{number}" for number in shown
    ]
    assert ("[left out: " in context.user) == bool(left)


@settings(max_examples=50)
@given(GIVEN)
def test_the_same_items_give_the_same_context(given: list[tuple[Kind, str, bool]]) -> None:
    """Nothing but what came in decides."""
    assert filled(given)[0].render() == filled(given)[0].render()


@settings(max_examples=100)
@given(GIVEN)
def test_what_has_left_stays_out(given: list[tuple[Kind, str, bool]]) -> None:
    """So that the beginning of what a model reads does not change back and forth."""
    context, gone = Context(BUDGET, words), set[int]()
    for kind, text, _ in given:
        try:
            context.add(kind, text)
        except ContextError:
            continue
        left = {item.id for item in context.left}
        assert gone <= left
        gone = left


def test_nothing_leaves_while_all_fits() -> None:
    """Up to the last token."""
    context = Context(10, words)
    for _ in range(10):
        context.add("note", "one")
    assert (context.left, context.tokens) == ([], 10)


def test_the_heavier_and_older_leave_first() -> None:
    """By age times weight; and then there is room for a while."""
    context = Context(300, words)
    for kind in ("tool", "note", "message"):
        context.add(kind, "w " * 90)  # type: ignore[arg-type]
    assert context.left == []
    context.add("tool", "w " * 40)
    assert [item.kind for item in context.left] == ["note"]  # 2 × 4 against 3 × 2 and 1 × 3
    assert context.user.split("\n\n")[1].startswith("[left out: 1 note, numbers 2 to 2;")
    context.add("note", "w " * 40)
    assert len(context.left) == 1
    context.add("tool", "w " * 50)
    assert [item.kind for item in context.left] == ["tool", "note"]  # 5 × 2 against 3 × 3


def test_the_newest_leaves_last() -> None:
    """Even a note, the heaviest: it is what the model needs next."""
    context = Context(40, words)
    for kind in (*FREE, *FREE, "note"):
        last = context.add(kind, "w " * 12)  # type: ignore[arg-type]
    assert last not in context.left


def test_a_long_item_is_shown_by_its_beginning() -> None:
    """And is whole when recalled."""
    context = Context(90, words)
    item = context.add("tool", " ".join(str(number) for number in range(1000)))
    assert context.user.startswith("0 1 2 ")
    assert context.user.endswith("more characters: recall 1)")
    assert context.tokens <= 30
    assert context.recall(1) == item


def test_what_is_pinned_and_too_long_is_refused() -> None:
    """With both numbers; so is an item that is not there."""
    context = Context(20, words)
    context.add("goal", "to the red box")
    with pytest.raises(ContextError, match="needs 29 tokens, and the context has 20"):
        context.add("safety", "w " * 25)
    assert context.render() == "to the red box"
    with pytest.raises(ContextError, match="no item 2: they are numbered 1 to 1"):
        context.recall(2)


def test_what_has_left_is_found_by_its_words() -> None:
    """The best match first, of equal ones the newer."""
    context = Context(40, words)
    for text in ("the red box stands left", "a red ball", "the door", "the red box is gone"):
        context.add("note", text)
    for _ in range(9):
        context.add("tool", "w " * 12)
    assert {item.id for item in context.left} >= {1, 2, 3, 4}
    assert [item.id for item in context.search("Red box", 3)] == [4, 1, 2]
    assert context.search("elephant") == []


def test_the_models_own_tokenizer_counts(smollm2: Kernel) -> None:
    """And the budget holds by it; kernels without one estimate."""
    context = Context(200, smollm2.count)
    for number in range(60):
        context.add(
            FREE[number % 3], f"telemetry {number}: front 0.{number}1 m, pose 1.23,-0.{number} at 270°"
        )
    assert smollm2.count(context.render()) == context.tokens <= 200
    assert smollm2.count("the robot drives") == 3
    assert open_kernel("rule").count("the robot drives") == 7
