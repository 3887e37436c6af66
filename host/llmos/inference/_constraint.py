"""What the model may say next: a schema or grammar enforced token by token, and the choice of the token."""

import ctypes
import json
import re
import warnings
import weakref
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._sampling import Logits, Sampler
from ._session import Session
from ._types import InferenceError, Request, Schema


class Constraint(Protocol):
    """Follows one answer as it grows."""

    @property
    def complete(self) -> bool:
        """Whether the answer is whole and nothing can follow."""

    def forced(self) -> list[int]:
        """Take the tokens that must come next, whatever the model thinks."""

    def choose(self, logits: Logits) -> int:
        """Take the model's next token, out of those that are allowed."""


class Free:
    """No constraint: the model says what it likes until it ends its turn."""

    complete = False

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def forced(self) -> list[int]:
        """Force nothing."""
        return []

    def choose(self, logits: Logits) -> int:
        """Choose among all tokens."""
        return self._sampler.pick(logits)


@cache
def _converted(grammar: str) -> str:
    """Make llguidance's form of a GBNF grammar: some ten milliseconds."""
    try:
        converted: str = import_module("llguidance").grammar_from("gbnf", grammar)
    except ValueError as error:
        raise InferenceError(f"the grammar cannot be followed: {' '.join(str(error).split())}") from error
    return converted


class Guided:
    """A schema or grammar followed by llguidance, which also tells which tokens leave no choice."""

    def __init__(self, tokenizer: Any, request: Request, sampler: Sampler) -> None:
        matcher: Any = import_module("llguidance").LLMatcher
        self._sampler = sampler
        if request.grammar is None:
            options = {"whitespace_flexible": False}
            self._what = "schema"
            grammar = matcher.grammar_from_json_schema(request.schema, overrides=options)
        else:
            self._what = "grammar"
            grammar = _converted(request.grammar)
        self._matcher = matcher(tokenizer, grammar, log_level=0)
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().partition("\n")[0]
            raise InferenceError(f"the {self._what} cannot be followed: {reason}")

    @property
    def complete(self) -> bool:
        """Whether the answer is closed."""
        return bool(self._matcher.is_stopped())

    def forced(self) -> list[int]:
        """Take the tokens that are without a choice."""
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(tokens)
        return tokens

    def choose(self, logits: Logits) -> int:
        """Choose among the tokens that keep the answer legal."""
        mask = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        allowed = np.flatnonzero(np.unpackbits(mask, bitorder="little", count=len(logits)))
        token = self._sampler.pick(logits, allowed)
        self._matcher.consume_token(token)
        self._check()
        return token


_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])  # llama_token_data


class Gbnf:
    """A schema or grammar followed by llama.cpp's own grammars, where llguidance is not installed.

    Those that are made from a schema know no limits of numbers, so the answer has to be checked afterwards.
    """

    def __init__(self, session: Session, request: Request, sampler: Sampler) -> None:
        self._lib, self._sampler = session.lib, sampler
        self._end = session.lib.llama_vocab_eos(session.vocab)
        grammar = _made_from(request.schema) if request.grammar is None else request.grammar
        self._grammar = self._lib.llama_sampler_init_grammar(session.vocab, grammar.encode(), b"root")
        if not self._grammar:
            what = "schema" if request.grammar is None else "grammar"
            raise InferenceError(f"the {what} cannot be followed: llama.cpp refuses the grammar")
        weakref.finalize(self, self._lib.llama_sampler_free, self._grammar)

    @property
    def complete(self) -> bool:
        """Whether the end of the answer is legal, which means that it is closed."""
        return len(self._allowed(np.array([self._end]))) == 1

    def forced(self) -> list[int]:
        """Force nothing: these grammars cannot tell."""
        return []

    def choose(self, logits: Logits) -> int:
        """Choose the model's favourite if it is legal, which is cheap to ask, else among the legal tokens."""
        token = self._sampler.pick(logits)
        if len(self._allowed(np.array([token]))) == 0:
            token = self._sampler.pick(logits, self._allowed(np.arange(len(logits))))
        self._lib.llama_sampler_accept(self._grammar, token)
        return token

    def _allowed(self, tokens: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of these tokens, the ones that may come next."""
        candidates = np.zeros(len(tokens), _CANDIDATE)
        candidates["id"] = tokens
        array = self._lib.llama_token_data_array(
            data=candidates.ctypes.data_as(self._lib.llama_token_data_p), size=len(tokens), selected=-1
        )
        self._lib.llama_sampler_apply(self._grammar, ctypes.byref(array))
        allowed: NDArray[np.intp] = tokens[np.isfinite(candidates["logit"])]
        return allowed


def _made_from(schema: Schema | None) -> str:
    """Make a GBNF grammar from a schema, without white space."""
    grammar = import_module("llama_cpp.llama_grammar").json_schema_to_gbnf(json.dumps(schema))
    return re.sub(r"^space ::= .*$", 'space ::= ""', grammar, flags=re.MULTILINE)


def best_constraint(session: Session) -> Callable[[Request, Sampler], Constraint]:
    """Make constraints by llguidance where it is installed, else by llama.cpp's grammars."""
    if find_spec("llguidance") is None:
        return partial(Gbnf, session)
    # Reads the whole vocabulary once: about 0.1 s for 50,000 tokens.
    with warnings.catch_warnings():  # it calls a function that llama_cpp deprecates, once for each token
        warnings.simplefilter("ignore", DeprecationWarning)
        tokenizer = import_module("llguidance.llamacpp").lltokenizer_from_vocab(session.vocab)
    return partial(Guided, tokenizer)
