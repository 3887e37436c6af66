"""One loaded SmolLM2, and a kernel whose answers the test writes."""

from collections.abc import Iterator

import pytest

from llmos.inference import Answer, InferenceError, Kernel, Request, open_kernel


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


@pytest.fixture(scope="session")
def smollm2() -> Iterator[Kernel]:
    """The real model; skipped where the extra `llm` is not installed."""
    pytest.importorskip("llama_cpp")
    try:
        kernel = open_kernel("smollm2")
    except InferenceError as error:
        pytest.skip(str(error))
    yield kernel
    kernel.close()
