"""Search finds what was put, within its scope only, whatever signs a question has."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.host.memory.test_traces import Clock
from tests.own_rules import own_rules

from llmos.memory import Memory, RecallError
from llmos.memory._meaning import open_embedder
from llmos.memory._search import expression, fused
from llmos.memory._words import terms
from llmos.memory.rules import load_query

THINGS = ("red ball", "green lamp", "narrow corridor", "square with two corners", "battery", "office door")
PROJECTS = ("", "home", "office", "a project's; name")


@pytest.fixture
def memory() -> Iterator[Memory]:
    """An empty memory in the test's own state folder."""
    with Memory() as opened:
        yield opened


@pytest.fixture(params=["words and meaning", "words only"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    """A memory with and without embeddings."""
    if request.param == "words only":
        monkeypatch.setattr("llmos.memory._meaning.open_embedder", lambda: None)
    with Memory() as opened:
        assert opened.by_meaning == (request.param == "words and meaning")
        yield opened


@settings(max_examples=12)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(THINGS),
            st.sampled_from(PROJECTS),
            st.sampled_from(["fact", "experience", "mission"]),
            st.integers(0, 5),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from(THINGS),
    st.sampled_from(PROJECTS[1:]),
    st.sampled_from([(), ("fact",), ("trace", "fact"), ("experience",), ("mission",)]),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_search_finds_what_was_put_within_its_scope(
    tmp_path_factory: pytest.TempPathFactory,
    put: list[tuple[str, str, str, int, bool]],
    asked: str,
    project: str,
    kinds: tuple[str, ...],
    since: int | None,
) -> None:
    """All that has the words and lies within; nothing forgotten, and of no other project."""
    clock = Clock()
    with Memory(tmp_path_factory.mktemp("scope") / "memory.sqlite", clock) as memory:
        wanted = set()
        for number, (thing, where, kind, hour, forgotten) in enumerate(put):
            clock.now_s = 3600.0 * hour
            text = f"{thing} {number}"
            if kind == "fact":
                one = memory.learn(text, "a person", where).id
            elif kind == "experience":
                one = memory.experience(text, "seen", project=where).id
            else:
                one = memory.begin(text, kind="mission", project=where).id
                memory.end(one, "success")
            if forgotten:
                memory.forget(one, "so")
            within = where == project and (since is None or hour >= since)
            asked_for = not kinds or kind in kinds or (kind == "mission" and "trace" in kinds)
            if thing == asked and within and asked_for and not forgotten:
                wanted.add(one)
        found = memory.search(
            asked, kinds=kinds, scope="project", project=project, limit=100,
            since=None if since is None else 3600.0 * since,
        )  # fmt: skip
        assert {one.item.id for one in found if one.words == 1.0} == wanted
        assert all(one.item.project == project and not one.item.forgotten for one in found)
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


HOSTILE = [
    "", " ", "\0", '"', "'", '"red" NEAR/2 "ball"', "red AND", "(red OR", "red*", "-red", "^red",
    "terms : red", "{terms mark} : red", "red'; DROP TABLE items; --", "x" * 1_000_000, "red " * 250_000,
    "\ud800red", "ﬁ\u202ered", "🤖 " * 1000, "\x1b[31m", "a" * 39 + " " + "b" * 41, "NULL", "項目 日本語",
    "mark", "projecte3b0c44298fc1c14",
]  # fmt: skip


@pytest.mark.parametrize("question", HOSTILE, ids=range(len(HOSTILE)))
def test_no_sign_of_a_question_has_a_meaning(either: Memory, question: str) -> None:
    """It is searched for as it stands, and what is there stays there."""
    fact = either.learn("the red ball", "a person")
    either.learn("a green lamp", "a person")
    found = either.search(question, scope="project", project=question) + either.search(question)
    assert {one.item.id for one in found} <= {one.id for one in either.newest()}
    if "red" in terms(question[:2000]) and len(set(terms(question[:2000]))) < 3:
        assert found[0].item.id == fact.id
    assert len(either.newest()) == 2


@settings(max_examples=15)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_put_and_found(
    tmp_path_factory: pytest.TempPathFactory, text: str, other: str
) -> None:
    """By its own words, wherever it has any."""
    with Memory(tmp_path_factory.mktemp("any") / "memory.sqlite") as memory:
        memory.learn(f"{other}.", "a person", key="other")
        fact = memory.learn(f"{text}.", "a person", key="text")
        found = memory.search(f"{text}.", limit=2)
        assert not terms(text) or fact.id in {one.item.id for one in found} or terms(text) == terms(other)


def test_meaning_finds_what_no_word_tells(memory: Memory) -> None:
    """A paraphrase without a common word; without embeddings it is not found."""
    memory.learn("the robot collided with a wall", "a person")
    memory.learn("the led blinks in green", "a person")
    memory.learn("exploring the office took a minute", "a person")
    best = memory.search("crash into an obstacle")[0]
    assert best.item.text == "the robot collided with a wall"
    assert best.words == 0 < 0.2 <= best.meaning


def test_what_says_the_same_answers_once(either: Memory) -> None:
    """The newest of them, with their number."""
    for _ in range(3):
        last = either.learn("the door is open", "a person")
    either.learn("the door is open in winter", "a person")
    found = either.search("door open")
    assert [(one.item.id, one.times) for one in found if one.times > 1] == [(last.id, 3)]


def test_similar_projects_are_searched_too(memory: Memory) -> None:
    """Those whose memories are like the project's own; a new project is like what it asks for."""
    for number in range(3):
        memory.learn(f"the green plant {number} needs water in the garden", "a person", "garden")
        memory.learn(f"water the flowers and plants {number}", "a person", "balcony")
        memory.learn(f"the motor's voltage {number} was low", "a person", "workshop")
    memory.learn("a plant pot of the workshop has low voltage", "a person", "workshop")

    def projects(question: str, project: str, scope: str) -> set[str]:
        return {one.item.project for one in memory.search(question, scope=scope, project=project, limit=50)}

    assert projects("plant", "garden", "project") == {"garden"}
    assert projects("plant", "garden", "similar") == {"garden", "balcony"}
    assert projects("plant", "garden", "global") == {"garden", "balcony", "workshop"}
    assert projects("water my plants", "terrace", "similar") == {"garden", "balcony"}


def test_what_another_connection_writes_is_found_at_once(memory: Memory) -> None:
    """New, changed, forgotten and restored."""
    assert memory.search("lamp") == []
    with Memory() as other:
        fact = other.learn("the lamp is on", "a person", key="lamp")
        assert [one.item.text for one in memory.search("lamp")] == ["the lamp is on"]
        other.learn("the lamp was sold in spring", "a person", key="lamp")
        assert [one.item.text for one in memory.search("lamp")] == ["the lamp was sold in spring"]
        assert memory.search("sale of lights")[0].meaning == other.search("sale of lights")[0].meaning > 0
        other.forget(fact.id, "so")
        assert memory.search("lamp") == []
        other.restore(fact.id)
        assert len(memory.search("lamp")) == 1


def test_what_still_runs_answers_nothing(either: Memory) -> None:
    """A trace has nothing to tell before it has ended."""
    trace = either.begin("count the chairs")
    assert either.search("chairs") == []
    either.end(trace, "success")
    assert len(either.search("chairs")) == 1


def test_wrong_wishes_are_refused_by_name(memory: Memory) -> None:
    """A scope or kind that there is none of, a scope that needs a project."""
    for wish, named in (
        ({"scope": "moon"}, "scope 'moon'"),
        ({"scope": "project"}, "name one"),
        ({"kinds": ["dance"]}, "kind 'dance'"),
    ):
        with pytest.raises(RecallError, match=named):
            memory.search("x", **wish)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 20), unique=True, max_size=8), min_size=1, max_size=3))
def test_fusion_keeps_what_rankings_agree_on(rankings: list[list[int]]) -> None:
    """Scores lie in 0 to 1; what is nowhere behind another is not behind it in the end."""
    scores = fused([(one, 1.0) for one in rankings], 60)
    assert all(0 < score <= 1 + 1e-9 for score in scores.values())
    for one in scores:
        for other in scores:
            if all(
                one in rows and (other not in rows or rows.index(one) <= rows.index(other))
                for rows in rankings
            ):
                assert scores[one] >= scores[other]


@settings(max_examples=50)
@given(st.dictionaries(st.from_regex("[a-z]{1,6}", fullmatch=True), st.integers(0, 90_000), max_size=12))
def test_an_expression_leads_to_few_memories(have: dict[str, int]) -> None:
    """What is ranked is little; every word that is rare by itself is in it."""
    rules = load_query()
    match, ranked = expression({word: float(count) for word, count in have.items()}, 100_000.0, rules)
    alone = [part for part in match.split(" OR ") if part and "AND" not in part]
    known = [word for word, count in have.items() if count]
    assert bool(match) == bool(known)
    if ranked:
        assert sum(have[word.strip('()"')] for word in alone) <= rules.matches
    if known and sum(have.values()) <= rules.matches:
        assert sorted(alone) == sorted(f'"{word}"' for word in known)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("limit", 1), ("least", 1.0), ("least_meaning", 1.0), ("words", 0.0), ("meaning", 0.0), ("rank", 1),
        ("depth", 1), ("matches", 1), ("query_words", 1), ("lifecycles", ["consolidated"]),
        ("similar_projects", 0), ("similar_least", 1.0), ("description", "mine"),
    ],
)  # fmt: skip
def test_query_memory_is_read(state_folder: Path, rule: str, value: object) -> None:
    """Each rule of the file changes an answer; its description does not."""

    def answers() -> list[list[tuple[str, float]]]:
        path = state_folder / f"{rule}.sqlite"
        path.unlink(missing_ok=True)
        with Memory(path) as memory:
            for number in range(4):
                memory.learn(f"the green plant {number} needs water", "a person", "garden")
                memory.learn(f"water the flowers and the red plant {number} {number}", "a person", "balcony")
            memory.learn("the robot collided with a wall", "a person", "garden")
            memory.learn("k3 lies behind a box in the third drawer next door near the old stairs", "me")
            questions = ("water plant 3", "red wall", "crash into an obstacle", "green", "k3 bananas")
            found = [memory.search(question) for question in questions]
            found.append(memory.search("water", scope="similar", project="garden", limit=50))
            return [[(one.item.text, one.score) for one in some] for some in found]

    usual = answers()
    own_rules("query_memory", **{rule: value})
    assert (answers() == usual) == (rule == "description")


def test_vectors_are_those_of_the_package() -> None:
    """The mean of the tokens' embeddings, as the package's own code computes it."""
    tokenizers = pytest.importorskip("tokenizers")
    safetensors = pytest.importorskip("safetensors.numpy")
    wordllama = pytest.importorskip("wordllama")
    folder = Path(wordllama.__file__).parent
    tokenizer = tokenizers.Tokenizer.from_file(
        str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
    )
    table = safetensors.load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    embedder = open_embedder()
    assert embedder
    for text in ("red ball", "unverzagt weiter", "robot collided wall"):
        mean = table[tokenizer.encode(text, add_special_tokens=False).ids].astype("f4").mean(axis=0)
        assert float(mean @ embedder.of([text])[0]) == pytest.approx(float((mean @ mean) ** 0.5), rel=1e-4)


def test_vectors_of_another_maker_are_made_anew(memory: Memory) -> None:
    """Those that an older package has left are not compared with."""
    memory.learn("the red ball", "a person")
    (before,) = memory.search("scarlet sphere", least=0.05)
    memory.close()
    with sqlite3.connect(memory.path) as db:
        db.execute("UPDATE coarse SET maker = 'old', coarse = zeroblob(192)")
        db.execute("UPDATE fine SET fine = zeroblob(512)")
    with Memory() as again:
        assert again.search("scarlet sphere", least=0.05) == [before]


def test_nothing_is_fetched() -> None:
    """The package's files are read; neither it nor anything that speaks to a network is imported."""
    script = """
import sys
from llmos.memory import Memory
with Memory() as memory:
    memory.learn("the red ball", "a person")
    assert memory.by_meaning and memory.search("scarlet sphere", least=0.05)
names = ("wordllama", "requests", "urllib3", "huggingface_hub", "http.client")
print([name for name in names if name in sys.modules])
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"
