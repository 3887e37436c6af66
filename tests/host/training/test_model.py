"""PyTorch computes what llama.cpp computes, and the adapter that is exported is the one that was learnt."""

import random
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="pip install 'llmos[train]'")

from tests.tiny_models import write_model  # noqa: E402

from llmos.inference._session import Session  # noqa: E402
from llmos.training.examples import Example  # noqa: E402
from llmos.training.export import gguf_bytes  # noqa: E402
from llmos.training.lessons import Tokenizer, batch, common, lesson, studied  # noqa: E402
from llmos.training.model import Model  # noqa: E402

RANK = 3
torch.set_num_threads(1)  # threads that wait for each other on a busy machine take for ever


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "tiny.gguf", arch="llama", vocabulary="pieces")


@pytest.fixture(scope="module")
def session(path: Path):
    session = Session(path)
    yield session
    session.close()


def exact(path: Path) -> Model:
    return Model(path, RANK, 6.0, torch.float32)


@torch.no_grad()
def logits(model: Model, tokens: list[int], shared: int) -> np.ndarray:
    states = model(torch.tensor(tokens[:shared]), torch.tensor([tokens[shared:]]))
    return model.logits(states[0, -1:])[0].numpy()


@pytest.mark.parametrize("shared", [1, 7])
def test_the_logits_are_llama_cpps(path: Path, session: Session, shared: int) -> None:
    tokens = session.prompt("You steer a robot.", "near goal c1")
    session.reuse([])
    theirs = session.evaluate(tokens).copy()
    session.reuse([])
    ours = logits(exact(path), tokens, shared)
    assert np.abs(ours - theirs).max() < 2e-3 * np.abs(theirs).max()


def test_what_a_text_says_does_not_depend_on_its_neighbours(path: Path) -> None:
    model, head = exact(path), torch.tensor([1, 5, 6])
    with torch.no_grad():
        alone = model(head, torch.tensor([[7, 8]]))[0, 1]
        beside = model(head, torch.tensor([[7, 8, 0, 0], [9, 10, 11, 12]]))[0, 1]
    assert torch.allclose(alone, beside, atol=1e-5)


def test_an_exported_adapter_is_what_was_learnt(path: Path, tmp_path: Path) -> None:
    from gguf import GGUFReader

    model = exact(path)
    torch.manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    (tmp_path / "a.gguf").write_bytes(gguf_bytes(model, tmp_path))
    parts = {tensor.name: tensor.data for tensor in GGUFReader(tmp_path / "a.gguf").tensors}
    for name, a, b in model.learnt():
        assert np.allclose(parts[f"{name}.lora_a"], a.numpy(), atol=1e-3)
        assert np.allclose(parts[f"{name}.lora_b"], b.numpy(), atol=1e-3)
    assert len(parts) == 2 * 7 * model.shape.layers


def example(user: str, **answers: float) -> Example:
    return Example(
        tongue="decisions", split="train", source="", system="x", user=user,
        answers=tuple(answers), weights=tuple(answers.values()),
    )  # fmt: skip


@pytest.fixture
def tokenizer(session: Session) -> Tokenizer:
    return Tokenizer(session, lambda name: ("You steer.", ()))


def test_choices_are_taught_where_they_part(tokenizer: Tokenizer) -> None:
    found = lesson(example("go", c1=0.75, c2=0.25), tokenizer, random.Random(0))
    (place,) = found.asked
    assert sorted(place.wanted) == [0.25, 0.75]
    assert len(found.tokens) == place.at  # nothing of the answer behind the parting is read


def test_teaching_makes_the_wanted_choice_likely(path: Path, tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    model, chance = exact(path), random.Random(0)
    given = batch(
        [lesson(example(word, c1=1.0, c2=0.0), tokenizer, chance) for word in ("go", "stay", "drive")]
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
    before = float(studied(model, given).loss.detach())
    for _ in range(40):
        loss = studied(model, given).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = studied(model, given)
    assert float(after.loss.detach()) < before / 4
    assert all(max(share) > 0.7 for share in after.shares)


def test_nothing_but_the_adapter_is_learnt(path: Path) -> None:
    model = exact(path)
    assert {name.rpartition(".")[2].rstrip("0123456789") for name in model.state_dict()} <= {"a", ""}
    learnt = sum(parameter.numel() for parameter in model.parameters())
    assert learnt == sum(a.numel() + b.numel() for _, a, b in model.learnt())


@pytest.mark.parametrize(
    ("texts", "count"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2], [1, 2, 3]], 2), ([[1], [2]], 0), ([[5, 6]], 2)],
)
def test_what_texts_have_in_common(texts: list[list[int]], count: int) -> None:
    assert common(texts) == count
