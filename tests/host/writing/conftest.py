"""A kernel whose answers the test writes."""

import pytest

from llmos.inference import Answer, Request


class Scripted:
    """Gives its answers in turn, and keeps what it was asked."""

    def __init__(self, *texts: str, cut: bool = False) -> None:
        self.texts, self.cut = list(texts), cut
        self.asked: list[Request] = []

    def __call__(self, request: Request) -> Answer:
        self.asked.append(request)
        return Answer(self.texts.pop(0), 100, 10, 0, 0.5, cut=self.cut)


@pytest.fixture(name="scripted", scope="session")
def _scripted() -> type[Scripted]:
    return Scripted
