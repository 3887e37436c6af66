"""What a model's word is worth follows from its weights, and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.brains.confidence import judged, load_trust, posterior
from llmos.trust import Weights

NAMES = ("c1", "c2", "c3")
Named = dict[str, float]
scores = st.lists(st.floats(0.01, 1.0), min_size=3, max_size=3).map(
    lambda values: dict(zip(NAMES, values, strict=True))
)
chances = scores.map(lambda parts: {name: part / sum(parts.values()) for name, part in parts.items()})
weights = st.builds(Weights, model=st.floats(0, 10), score=st.floats(0, 50))


@given(chances, scores, weights)
def test_confidence_is_a_probability(model: Named, score: Named, weight: Weights) -> None:
    found = posterior(model, score, weight)
    assert sum(found.values()) == pytest.approx(1)
    assert judged(model, score, weight).confidence == max(found.values())


@given(chances, scores)
def test_a_model_without_weight_changes_nothing(model: Named, score: Named) -> None:
    found = judged(model, score, Weights(model=0, score=3))
    assert score[found.id] == pytest.approx(max(score.values()))
    assert not found.swayed


@given(chances, scores)
def test_a_model_with_all_weight_decides(model: Named, score: Named) -> None:
    found = judged(model, score, Weights(model=1, score=0))
    assert model[found.id] == pytest.approx(max(model.values()))
    assert posterior(model, score, Weights(model=1, score=0)) == pytest.approx(model, rel=0.01, abs=0.01)


def test_a_kernel_that_nobody_has_measured_has_weights() -> None:
    assert load_trust("gguf:anything.gguf") == load_trust("openai:http://localhost")
    assert load_trust("smollm2:none") != load_trust("gguf:anything.gguf")
