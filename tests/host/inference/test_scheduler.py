"""Many clients of one kernel: fair shares, priorities, deadlines, cancellation, and nobody starves."""

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmos.inference import Answer, Client, DeadlineExpired, InferenceError, Kernel, Request, Scheduler
from llmos.inference._fair import RANKS, FairQueue, Flow, Ticket

# The policy, on a simulated clock: a request's service takes as many seconds as it costs tokens.

ARRIVALS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 60), st.integers(1, 20)), min_size=1, max_size=60
)  # client, when, tokens
Served = tuple[int, float, float, float]  # client, when it came, began and ended


def served(
    arrivals: Sequence[tuple[int, int, int]],
    ranks: Sequence[int] = (1, 1, 1, 1),
    patience_s: float = math.inf,
) -> list[Served]:
    """Serve arrivals one at a time; return them in the order in which they began."""
    queue, flows = FairQueue(patience_s), [Flow(rank) for rank in ranks]
    coming = sorted(arrivals, key=lambda one: one[1])
    cost: dict[Ticket, tuple[int, int]] = {}
    done, now = list[Served](), 0.0
    while coming or queue.waiting:
        if not queue.waiting:
            now = max(now, coming[0][1])
        while coming and coming[0][1] <= now:
            client, at, tokens = coming.pop(0)
            cost[queue.arrive(flows[client], at)] = (client, tokens)
        ticket = queue.first(now)
        assert ticket is not None
        queue.begin(ticket)
        client, tokens = cost[ticket]
        while coming and coming[0][1] < now + tokens:  # what comes while it runs
            other, at, more = coming.pop(0)
            cost[queue.arrive(flows[other], at)] = (other, more)
        done.append((client, ticket.arrived_s, now, now + tokens))
        now += tokens
        queue.end(ticket, tokens)
    return done


@settings(max_examples=100)
@given(ARRIVALS)
@example([(0, 0, 10)] * 20 + [(1, 100, 10)] * 10)  # who comes late has nothing to catch up on
def test_clients_that_wait_together_get_the_same_share(arrivals: list[tuple[int, int, int]]) -> None:
    """Over any time in which two both wait or run, within the longest request of each, together."""
    done = served(arrivals)
    moments = sorted({0.0, *(end for *_, end in done)})
    for one, other in itertools.combinations(range(4), 2):
        most = sum(max((end - begin for who, _, begin, end in done if who == client), default=0)
                   for client in (one, other))  # fmt: skip
        for since, until in itertools.combinations(moments, 2):
            if busy(done, one, since, until) and busy(done, other, since, until):
                assert abs(got(done, one, since, until) - got(done, other, since, until)) <= most


def busy(done: Sequence[Served], client: int, since: float, until: float) -> bool:
    """Whether a client has a request that waits or runs at every moment between two."""
    reached = since
    for _, came, _, end in sorted(one for one in done if one[0] == client):
        if came <= reached:
            reached = max(reached, end)
    return reached >= until


def got(done: Sequence[Served], client: int, since: float, until: float) -> float:
    """The tokens of a client's requests that ran whole between two moments."""
    return sum(
        end - begin for who, _, begin, end in done if who == client and since <= begin and end <= until
    )


@settings(max_examples=100)
@given(ARRIVALS, st.lists(st.integers(0, 3), min_size=4, max_size=4), st.sampled_from([0, 5, 30]))
def test_nobody_waits_longer_than_the_stated_bound(
    arrivals: list[tuple[int, int, int]], ranks: list[int], patience_s: float
) -> None:
    """The patience, the request that ran then, and those that had come before."""
    done = served(arrivals, ranks, patience_s)
    for number, (_, came, begin, _) in enumerate(done):
        older = sum(end - start for _, at, start, end in done if at <= came and end > came)
        running = max((end - start for *_, start, end in done[:number]), default=0)
        assert begin - came <= patience_s + running + older


@settings(max_examples=50)
@given(ARRIVALS, st.integers(0, 3))
def test_the_robots_loop_waits_for_one_request_at_most(
    arrivals: list[tuple[int, int, int]], robot: int
) -> None:
    """Whoever has waited for however long; beside its own that came before."""
    ranks = [RANKS["critical"]] * 4
    ranks[robot] = RANKS["robot"]
    done = served(arrivals, ranks, patience_s=0)
    for who, came, begin, _ in done:
        between = [other for other, _, start, _ in done if came <= start < begin and other != robot]
        assert who != robot or between == []


def test_a_higher_priority_goes_first() -> None:
    """Of those that wait."""
    done = served([(0, 0, 5), (1, 1, 5), (2, 1, 5), (3, 1, 5)], ranks=(0, 0, 1, 3))
    assert [who for who, *_ in done] == [0, 3, 2, 1]


# The threads, with a kernel whose answers a test lets go.


class Scripted:
    """A kernel that answers when a test says so, and tells what it was asked."""

    name, vision = "scripted", False

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.failing: set[str] = set()
        self.deadlines: list[float] = []

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request.user)
        self.deadlines.append(request.deadline_s)
        self.begun.release()
        assert self.go.acquire(timeout=30)
        if request.user in self.failing:
            raise InferenceError(f"no answer to {request.user}")
        return Answer(request.user.upper(), 10, 2, 4, 0.0)

    def count(self, text: str) -> int:
        return len(text)

    def close(self) -> None:
        """Nothing is held."""


class Waiting:
    """A scheduler on a scripted kernel that is busy, and requests that wait for it in a known order."""

    def __init__(self) -> None:
        self.kernel = Scripted()
        self.scheduler = Scheduler(self.kernel)
        self.pool = ThreadPoolExecutor(16)
        self.clients: dict[str, Client] = {}
        self.busy = self.ask("busy", "normal", arrived=False)
        assert self.kernel.begun.acquire(timeout=30)

    def ask(
        self, name: str, priority: Any = "normal", deadline_s: float = 60.0, arrived: bool = True
    ) -> Future[str]:
        """Ask from a thread of its own; return once the request waits."""
        client = self.clients.setdefault(name, self.scheduler.client(name, priority))
        request = Request("", name, deadline_s=deadline_s)
        lane = self.scheduler._singles
        before = len(lane._queue.waiting)
        future = self.pool.submit(lambda: client(request).text)
        with lane._changed:  # those that arrive or leave tell
            while arrived and len(lane._queue.waiting) == before and not future.done():
                lane._changed.wait(0.01)
        return future

    def finish(self) -> list[str]:
        """Let all be answered; return what was asked, in order."""
        for _ in range(100):
            self.kernel.go.release()
        self.pool.shutdown()
        return self.kernel.asked


def test_one_request_runs_at_a_time_the_robots_next() -> None:
    """Then by priority; an answer goes to who asked."""
    waiting = Waiting()
    futures = [waiting.ask(name, name) for name in ("low", "normal", "high", "critical", "robot")]
    assert waiting.finish() == ["busy", "robot", "critical", "high", "normal", "low"]
    assert [one.result() for one in futures] == ["LOW", "NORMAL", "HIGH", "CRITICAL", "ROBOT"]


def test_a_failure_is_its_clients_own() -> None:
    """The others get their answers."""
    waiting = Waiting()
    waiting.kernel.failing = {"bad"}
    bad, good = waiting.ask("bad"), waiting.ask("good")
    waiting.finish()
    assert good.result() == "GOOD"
    with pytest.raises(InferenceError, match="no answer to bad"):
        bad.result()


def test_a_deadline_that_passes_while_it_waits_never_reaches_the_kernel() -> None:
    """It is told at once, and says why; who goes on has what is left of its own."""
    waiting = Waiting()
    with pytest.raises(DeadlineExpired, match="late: scripted was not asked: after"):
        waiting.ask("late", deadline_s=0.001).result(30)
    waiting.ask("patient", deadline_s=1000.0)
    assert waiting.finish() == ["busy", "patient"]
    assert waiting.kernel.deadlines[1] < 1000


def test_what_could_not_be_answered_any_more_is_not_begun() -> None:
    """By the fastest answer so far."""
    waiting = Waiting()
    waiting.finish()
    waiting.scheduler._singles._least_s = 5.0
    with pytest.raises(DeadlineExpired, match="its fastest answer took 5"):
        waiting.scheduler.client("hasty")(Request("", "hasty", deadline_s=4.9))
    assert waiting.kernel.asked == ["busy"]


def test_cancelled_requests_fail_and_the_others_go_on() -> None:
    """Those of the client that is cancelled, and only while they wait."""
    waiting = Waiting()
    gone, stays = waiting.ask("gone"), waiting.ask("stays")
    waiting.clients["gone"].cancel()
    waiting.clients["busy"].cancel()  # it runs already
    with pytest.raises(InferenceError, match="gone: cancelled before scripted was asked"):
        gone.result(30)
    assert waiting.finish() == ["busy", "stays"]
    assert (waiting.busy.result(), stays.result()) == ("BUSY", "STAYS")


def test_close_ends_all() -> None:
    """What waits fails; what runs is answered; what comes later is refused."""
    waiting = Waiting()
    futures = [waiting.ask(name) for name in ("one", "two")]
    waiting.scheduler.close()
    for future in futures:
        with pytest.raises(InferenceError, match="the scheduler was closed before scripted was asked"):
            future.result(30)
    assert waiting.finish() == ["busy"]
    with pytest.raises(InferenceError, match="closed"):
        waiting.scheduler.client("late")(Request("", "late"))


class Batched(Scripted):
    """One that takes several at once."""

    def batch(
        self, requests: Sequence[Request], cancelled: Callable[[], bool] = lambda: False
    ) -> list[Answer | InferenceError]:
        self.begun.release()
        while not cancelled():
            assert not threading.Event().wait(0)
        return [InferenceError("cancelled")] * len(requests)


def test_a_batch_leaves_the_robots_loop_its_turn() -> None:
    """As the planner thinks behind the instinct; a cancelled one ends."""
    kernel = Batched()
    scheduler = Scheduler(kernel)
    planner: Any = scheduler.client("planner", "low")
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(planner.batch, [Request("", "one"), Request("", "two")])
        assert kernel.begun.acquire(timeout=30)
        kernel.go.release()
        assert scheduler.client("robot", "robot")(Request("", "now")).text == "NOW"
        planner.cancel()
        assert [str(one) for one in future.result(30)] == ["cancelled", "cancelled"]
    assert planner.batch([]) == []


def test_a_kernel_without_batches_gets_clients_without() -> None:
    """`ask_all` then asks one by one."""
    with Scheduler(Scripted()) as scheduler:
        assert not hasattr(scheduler.client("one"), "batch")


def test_agents_share_the_real_model(smollm2: Kernel) -> None:
    """Several threads get the answers that each would get alone, and as many as they asked for."""
    requests = [
        Request(
            "You name colours.", f"The ball is {colour}. Its colour:", choices=("red", "blue"), deadline_s=60
        )
        for colour in ("red", "blue", "red", "blue")
    ]
    alone = [smollm2(request).text for request in requests]
    with Scheduler(smollm2) as scheduler, ThreadPoolExecutor(3) as pool:
        clients = [scheduler.client(str(number)) for number in range(3)]
        futures = [pool.submit(lambda one=one: [one(ask).text for ask in requests]) for one in clients]  # type: ignore[misc]
        assert [future.result(120) for future in futures] == [alone] * 3
        assert clients[0].count("the robot drives") == 3
