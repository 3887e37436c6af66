"""Whose turn it is: start-time fair queueing by tokens within a priority, and nobody waits without end.

The order within a priority is that of P. Goyal, H. Vin and H. Cheng, "Start-time Fair Queueing" (SIGCOMM
1996), with tokens for the length of a packet: while two clients both wait or are served, the tokens that they
get never differ by more than the longest request of the one and the longest of the other together. What a
request costs is known when it is answered, and not before: then its client's next tag is made.

Between priorities the higher goes first, but for ageing: whoever has waited for `patience_s` goes before all
but the robot's own loop, the longest waiting first. So a request waits for `patience_s`, the one that runs
then, those that came before it, and the robot's; the robot's waits for the one that runs, and no other.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Priority = Literal["low", "normal", "high", "critical", "robot"]  # the last is the robot's own loop
RANKS: dict[Priority, int] = {priority: rank for rank, priority in enumerate(get_args(Priority))}
ROBOT = RANKS["robot"]


@dataclass(eq=False)
class Flow:
    """A client's place in the queue; its tags are in tokens."""

    rank: int
    finish: float = 0.0


@dataclass(eq=False)
class Ticket:
    """One request that waits, or runs."""

    flow: Flow
    number: int
    arrived_s: float
    start: float  # its tag; final when it begins
    lost: str = ""  # why it is not wanted any more


class FairQueue:
    """The requests that wait for one server."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._waiting: list[Ticket] = []
        self._virtual = [0.0] * len(RANKS)  # each priority's time: the start tag of what ran last
        self._latest = [0.0] * len(RANKS)  # the largest finish tag
        self._number = 0

    @property
    def waiting(self) -> list[Ticket]:
        """Who waits, in the order of arrival."""
        return list(self._waiting)

    def arrive(self, flow: Flow, now_s: float) -> Ticket:
        """Put a request of a flow behind its others."""
        self._number += 1
        ticket = Ticket(flow, self._number, now_s, self._virtual[flow.rank])
        self._waiting.append(ticket)
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Take a request away that will not be served."""
        self._waiting.remove(ticket)

    def first(self, now_s: float) -> Ticket | None:
        """Return whose turn it is; None where nobody waits."""
        return min(self._waiting, key=lambda one: self._place(one, now_s), default=None)

    def _place(self, one: Ticket, now_s: float) -> tuple[float, ...]:
        aged = now_s - one.arrived_s >= self._patience_s and one.flow.rank != ROBOT
        if aged:
            return (-(ROBOT - 0.5), 0.0, one.number)
        return (-one.flow.rank, max(one.start, one.flow.finish), one.number)

    def begin(self, ticket: Ticket) -> None:
        """Serve a request."""
        rank = ticket.flow.rank
        self._waiting.remove(ticket)
        ticket.start = max(ticket.start, ticket.flow.finish)
        self._virtual[rank] = max(self._virtual[rank], ticket.start)

    def end(self, ticket: Ticket, tokens: float) -> None:
        """Take in what a request has cost."""
        flow, rank = ticket.flow, ticket.flow.rank
        flow.finish = ticket.start + tokens
        self._latest[rank] = max(self._latest[rank], flow.finish)
        if all(one.flow.rank != rank for one in self._waiting):  # nobody is owed anything
            self._virtual[rank] = self._latest[rank]
