"""Messages between agents: kept, delivered once to each reader, in order of priority, until they expire."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmos.agents import Content, Message, MessageError, Messages, Priority

NAMES = ("ada", "bob", "eve")


def told(text: str = "hello", sender: str = "ada", receiver: str = "bob", **values: object) -> Message:
    """A message that is not sent yet."""
    given = {"type": "query", "content": {"text": text}, **values}
    return Message.model_validate({"from": sender, "to": receiver, **given})


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def messages(tmp_path: Path) -> Messages:
    """An empty file."""
    return Messages(tmp_path / "messages.sqlite")


posts = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from([*NAMES, "broadcast"]), st.sampled_from(list(Priority))
    ),
    max_size=12,
)


@settings(max_examples=40)
@given(posts)
def test_each_reader_gets_each_message_once_the_urgent_first(rows: list[tuple[str, str, Priority]]) -> None:
    """What is addressed to a reader or to everybody, but not one's own word to everybody."""
    with Messages(Path(":memory:")) as kept:
        for number, (sender, receiver, priority) in enumerate(rows):
            kept.send(told(str(number), sender, receiver, priority=priority))
        for reader in NAMES:
            wanted = [
                (-priority.rank, number)
                for number, (sender, receiver, priority) in enumerate(rows)
                if receiver == reader or (receiver == "broadcast" and sender != reader)
            ]
            got = iter(lambda reader=reader: kept.take(reader), None)  # type: ignore[misc]
            assert [int(one.content.text) for one in got] == [number for _, number in sorted(wanted)]


def test_it_outlives_its_process(tmp_path: Path) -> None:
    """What was sent and what was read is there when the file is opened again."""
    path = tmp_path / "messages.sqlite"
    with Messages(path) as kept:
        sent = kept.send(told("first"))
        kept.send(told("second"))
        kept.take("bob")
    with Messages(path) as kept:
        assert kept.state(sent) == "read by bob"
        assert [one.content.text for one in kept.waiting("bob")] == ["second"]


def test_a_message_expires(tmp_path: Path) -> None:
    """It is delivered before its time to live is over, not after; it stays to be seen."""
    clock = Hand()
    with Messages(tmp_path / "m.sqlite", clock=clock) as kept:
        sent = kept.send(told(ttl=60))
        clock.now += 59.9
        assert kept.waiting("bob") == [sent]
        clock.now += 0.1
        assert kept.take("bob") is None
        assert kept.state(sent) == "expired"
        assert kept.latest() == [sent]


ANSWERED = [
    ("task_request", "task_response"),
    ("delegation", "delegation_result"),
    ("query", "query_response"),
    ("broadcast", "status_update"),
    ("sync", "status_update"),
]


@pytest.mark.parametrize(("asked", "answered"), ANSWERED)
def test_an_answer_belongs_to_its_question(messages: Messages, asked: str, answered: str) -> None:
    """Type, thread, priority, project and the way back follow from it."""
    question = messages.send(told(type=asked, priority="high", project="p"))
    answer = messages.reply(question, Content(text="yes"))
    assert (answer.sender, answer.receiver, answer.type) == ("bob", "ada", answered)
    assert (answer.reply_to, answer.correlation) == (question.id, question.correlation)
    assert (answer.priority, answer.project) == (Priority.HIGH, "p")
    assert messages.thread(question.correlation) == [question, answer]
    assert messages.reply(question, Content(error="no")).type == "error"


def test_an_answer_is_not_answered(messages: Messages) -> None:
    """Else two agents would thank each other for ever."""
    answer = messages.reply(messages.send(told()), Content(text="yes"))
    with pytest.raises(MessageError, match="query_response is not answered"):
        messages.reply(answer, Content(text="thanks"))


def test_a_reply_to_nothing_is_refused(messages: Messages) -> None:
    """And nothing is kept of it."""
    with pytest.raises(MessageError, match="message 7: there is none"):
        messages.send(told(replyTo=7))
    assert messages.latest() == []


def test_a_long_thread_is_summed_up(messages: Messages) -> None:
    """Its newest messages, three or three tenths, are left alone; the others are a line each."""
    first = messages.send(told("message 0"))
    for number in range(1, 21):
        last = messages.send(told(f"message {number}", correlationId=first.correlation))
    lines = last.context_summary.splitlines()
    assert lines == [f"ada > bob query: message {number}" for number in range(14)]
    assert first.context_summary == ""


@pytest.mark.parametrize("count", [None, len], ids=["estimated", "counted"])
def test_tokens_are_counted_by_the_model(tmp_path: Path, count: Callable[[str], int] | None) -> None:
    """Where there is one; the longer text never has fewer."""
    with Messages(tmp_path / "m.sqlite", count=count) as kept:
        short, long = kept.send(told("hello")), kept.send(told("hello " * 50))
    assert 0 < short.token_estimate < long.token_estimate
    if count:
        assert long.token_estimate == len('{"text":"' + "hello " * 50 + '"}')


WRONG = [
    {"sender": "../etc"},
    {"receiver": "No One"},
    {"type": "order"},
    {"ttl": 0},
    {"ttl": float("nan")},
    {"priority": "urgent"},
    {"content": {"text": "x" * 8001}},
    {"surprise": 1},
]


@pytest.mark.parametrize("values", WRONG, ids=str)
def test_wrong_messages_are_refused(values: dict[str, object]) -> None:
    """By the model, before anything is kept."""
    with pytest.raises(ValidationError):
        told(**values)  # type: ignore[arg-type]


def test_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    """Numbers are given once, and a message is taken by one of its reader's threads alone."""
    path = tmp_path / "m.sqlite"
    taken: list[Message] = []
    Messages(path).close()

    def send(name: str) -> None:
        with Messages(path) as kept:
            for number in range(10):
                kept.send(told(f"{name} {number}", sender=name))

    def take() -> None:
        with Messages(path) as kept:
            taken.extend(iter(lambda: kept.take("bob"), None))

    for work in ([(send, ("ada",)), (send, ("eve",))], [(take, ()), (take, ())]):
        threads = [threading.Thread(target=one, args=args) for one, args in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(one.id for one in taken) == list(range(1, 21))
    assert len({one.content.text for one in taken}) == 20


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """And stays as it is."""
    path = tmp_path / "m.sqlite"
    path.write_bytes(b"not a database, but something long enough to be read as one" * 20)
    before = path.read_bytes()
    with pytest.raises(MessageError, match=r"m\.sqlite cannot be used"):
        Messages(path)
    assert path.read_bytes() == before


def test_a_message_changed_by_hand_is_named(messages: Messages) -> None:
    """By its number."""
    messages.send(told())
    with messages._writing():
        messages._base.execute("UPDATE messages SET message = '{}'")
    with pytest.raises(MessageError, match="message 1 cannot be read"):
        messages.waiting("bob")
