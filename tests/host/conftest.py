"""One loaded SmolLM2 for all tests."""

from collections.abc import Iterator

import pytest

from llmos.inference import InferenceError, Kernel, open_kernel


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
