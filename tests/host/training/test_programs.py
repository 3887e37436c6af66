"""Pairs of English and programs: sound, in the grammar, repeatable, apart from what they are judged by."""

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.bytecode.test_grammar import CUBE, accepts
from tests.host.writing.conftest import Scripted

from llmbytecode import assemble, verify
from llmbytecode.grammar import grammar
from llmos.behaviours import load_behaviours
from llmos.inference import Request
from llmos.inference._constraint import best_constraint
from llmos.inference._registry import require
from llmos.inference._sampling import Logits, Sampler
from llmos.inference._weights import packaged_weights
from llmos.manifest import load_manifest
from llmos.training.programs import STEPS, SYSTEM, Pair, differences, done, examples, pairs, right, split_of
from llmos.writing import LONGEST_WISH, question, translate_program

pytest.importorskip("llguidance")


@cache
def sample() -> list[Pair]:
    """As many pairs as the laws are held on."""
    return list(pairs(7, 5000))


@cache
def others() -> list[Pair]:
    """Some of another seed."""
    return list(pairs(8, 1500))


def test_every_program_is_accepted_and_can_be_said() -> None:
    """By the verifier and by the grammar that holds the model that learns it."""
    for text in {pair.text for pair in sample()[:1000]}:
        verify(assemble(text), CUBE)
        assert accepts(CUBE, text)


def test_a_wish_is_one_line_that_has_one_program() -> None:
    """Else the model would learn to guess."""
    for pair in sample():
        assert len(pair.wish) <= LONGEST_WISH
        assert not re.search(r"[{}|\n]|  ", pair.wish)
        assert question(pair.wish)
    asked = Counter(question(pair.wish) for pair in sample())
    assert max(asked.values()) == 1
    meant: dict[str, str] = {}
    for pair in itertools.chain(sample(), others()):
        assert meant.setdefault(question(pair.wish), pair.text) == pair.text, pair.wish


def test_a_seed_repeats() -> None:
    """And another one gives others."""
    first = list(pairs(1, 200))
    assert first == list(itertools.islice(pairs(1, 300), 200))
    assert not {pair.wish for pair in first} >= {pair.wish for pair in pairs(2, 200)}


def test_every_kind_of_step_is_drawn() -> None:
    """In many words: kinds have nearly as many wishes as pairs."""
    drawn = {kind for pair in sample() for kind in pair.kind.split("+")}
    assert drawn == {*STEPS, "repeated", "explained"}


def trigrams(wish: str) -> set[tuple[str, ...]]:
    """The rows of three words."""
    words = re.findall(r"[\w.]+", wish.lower().rstrip(".!?"))
    return set(zip(words, words[1:], words[2:], strict=False))


def test_no_wish_is_one_by_which_the_writing_is_judged() -> None:
    """None is a behaviour's wish, and none shares more than half of its trigrams with one."""
    judged = [trigrams(behaviour.wish) for behaviour in load_behaviours()]
    exact = {question(behaviour.wish) for behaviour in load_behaviours()}
    rows = set.union(*judged)
    for pair in sample():
        assert question(pair.wish) not in exact
        mine = trigrams(pair.wish)
        if mine & rows:
            assert all(len(mine & one) <= 0.5 * len(mine | one) for one in judged), pair.kind


def test_splits_share_no_wish() -> None:
    """Whatever the seed: a wish, and a long row of kinds, belongs to one split for ever."""
    of: dict[str, str] = {}
    for pair in itertools.chain(sample(), others()):
        assert of.setdefault(question(pair.wish), split_of(pair)) == split_of(pair)
    assert Counter(of.values()).keys() == {"train", "val", "test"}
    assert Counter(of.values())["train"] > 0.9 * len(of)


def test_a_model_learns_what_it_will_be_asked() -> None:
    """The example's prompt is the request's, word for word, and its answer is what the way takes."""
    for example in itertools.islice(examples(3, 20), 20):
        (text,) = example["answers"]
        kernel = Scripted(text)
        draft = translate_program(example["user"].capitalize() + ".", kernel, load_manifest())
        assert (draft.accepted, draft.text) == (True, text)
        assert kernel.asked[0].user == example["user"]
        assert (example["tongue"], example["system"], example["weights"]) == ("programs", SYSTEM, [1.0])


class Learnt(Sampler):
    """A model that says one text, by its tokens."""

    def __init__(self, tokens: list[int]) -> None:
        super().__init__(0.0, 0)
        self.left = tokens

    def pick(self, logits: Logits, allowed: NDArray[np.intp] | None = None) -> int:
        token = self.left.pop(0)
        assert allowed is None or token in allowed
        return token


def test_the_runtime_lets_the_tokens_through_that_were_learnt() -> None:
    """It forces and allows the tokens of the whole text's own spelling, so that the model meets no others."""
    vocabulary: Any = Vocabulary()
    constrain, request = best_constraint(vocabulary), Request("", "", grammar=grammar(CUBE))
    for pair in sample()[:30]:
        wanted = vocabulary.tokens(pair.text)
        said: list[int] = []
        learnt = Learnt(list(wanted))
        guided = constrain(request, learnt)
        while said != wanted:
            forced = guided.forced()
            assert forced == learnt.left[: len(forced)]
            del learnt.left[: len(forced)]
            said += forced
            if learnt.left:
                said.append(guided.choose(np.zeros(vocabulary.size, np.float32)))
        assert guided.complete


class Vocabulary:
    """SmolLM2's tokens, without its weights."""

    def __init__(self) -> None:
        self.lib = require("llama_cpp", "this test")
        params = self.lib.llama_model_default_params()
        params.vocab_only = True
        self.model = self.lib.llama_model_load_from_file(os.fsencode(packaged_weights()), params)
        self.vocab = self.lib.llama_model_get_vocab(self.model)
        self.size = self.lib.llama_vocab_n_tokens(self.vocab)

    def tokens(self, text: str) -> list[int]:
        """A text's tokens."""
        data = text.encode()
        found = (self.lib.llama_token * len(data))()
        count = self.lib.llama_tokenize(self.vocab, data, len(data), found, len(data), False, False)
        return list(found[:count])


def off(text: str, reference: str, arena: str = "empty") -> list[str]:
    """What differs between two one-line programs."""
    return differences(f"{text}\nEND\n", f"{reference}\nEND\n", arena)


def test_the_judge_looks_at_what_is_done() -> None:
    """Other words for the same are the same; another place, way, light, report or time is not."""
    assert not off("MOVE 30cm, 40mm/s", "LOOP 2\nMOVE 150mm, 40mm/s\nENDLOOP")
    assert off("MOVE 40cm, 40mm/s", "MOVE 30cm, 40mm/s") == ["place", "path", "time"]
    assert off("TURN -180deg, 30deg/s", "TURN 180deg, 30deg/s") == ["heading"]
    assert off("MOVE 30cm, 20mm/s", "MOVE 30cm, 40mm/s") == ["time"]
    assert off("LED 255, 0, 0", "LED 0, 255, 0") == ["lights"]
    assert off("LED 0, 0, 0", "LED 10, 0, 0\nLED 0, 0, 0") == []
    assert off("SENSE r1, front\nREPORT 1, r1", "SENSE r1, left\nREPORT 1, r1", "corridor:2") == ["reports"]
    assert off("FAIL 1", "WAIT 1ms") == ["end"]
    assert "refused" in off("MOVE 9m, 40mm/s", "MOVE 30cm, 40mm/s")[0]
    assert "refused" in off("MOVE", "MOVE 30cm, 40mm/s")[0]


def distinct() -> Iterator[Pair]:
    """A pair of each kind of one step."""
    seen = set[str]()
    for pair in sample():
        if "+" not in pair.kind and pair.kind not in seen:
            seen.add(pair.kind)
            yield pair


def test_every_kind_runs_to_its_end() -> None:
    """Nothing is hit on open ground, and each does what it does, wherever it is asked."""
    for pair in distinct():
        assert done(pair.text).collisions == 0
        assert right(pair.text, pair.text)
