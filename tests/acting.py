"""What the tests of agents share: a kernel that says what it is told to, and sessions of their own."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.own_rules import own_rules

from llmos.agents import Agent, agent_of
from llmos.agents.strategy import ModelSize, load_model_size
from llmos.inference import Answer, Estimating, InferenceError, Request
from llmos.memory import Memory
from llmos.report import Order
from llmos.tools import Session
from llmos.volumes import Volumes, parse


class Scripted(Estimating):
    """A kernel whose answers are written down; it keeps what it was asked."""

    name = "scripted"
    vision = False

    def __init__(self, *answers: str, parameters: int | None = 10**12) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.parameters = parameters

    def __call__(self, request: Request) -> Answer:
        """Say what comes next."""
        self.asked.append(request)
        if not self.answers:
            raise InferenceError("the script has ended")
        said = self.answers.pop(0)
        if not said:
            raise InferenceError("nothing was said")
        return Answer(said, 10, 2, 0, 0.0)

    def close(self) -> None:
        """Nothing is held."""


def made(name: str = "worker", text: str = "Do it.", **values: Any) -> Agent:
    """An agent from its front matter."""
    front = {"name": name, "description": "works", **values}
    rows = [f"{key}: {json.dumps(value)}" for key, value in front.items()]
    source = "\n".join(["---", *rows, "---", text, ""])
    return agent_of(parse(source, Path(f"agents/{name}.md")))


@contextmanager
def session(folder: Path, kernel: Any = None, **how: Any) -> Iterator[Session]:
    """A session on volumes and a memory of its own, with the rule where no kernel is given."""
    order = Order(goal="", arena="empty", kernel="rule")
    with (
        Memory(folder / "memory.sqlite") as memory,
        Session(order, volumes=Volumes(folder / "volumes"), memory=memory, kernel=kernel, **how) as one,
    ):
        yield one


def changed_size(**values: Any) -> ModelSize:
    """The rules of `model_size.md`, as a person's own file changes them."""
    own_rules("model_size", **values)
    return load_model_size()
