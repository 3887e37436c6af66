"""The kernel behind an OpenAI-compatible server: llama-server, vLLM, Ollama, llama-cpp-python, OpenRouter."""

import base64
import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, build_opener
from urllib.request import Request as HttpRequest

from llmos.text import plain

from ._logprobs import shares
from ._schema import checked_json
from ._types import Answer, DeadlineExpired, Estimating, InferenceError, Request, Schema

_LONGEST_REPLY = 1 << 20  # bytes; an answer is a few hundred
_JPEG = b"\xff\xd8"  # how one begins
_NO_PICTURES = (400, 404, 415, 422, 500, 501)  # what servers say to pictures that they cannot take


def open_openai(url: str) -> "OpenAIKernel":
    """Open the server at a base URL such as `http://127.0.0.1:8000/v1`, with an optional `#MODEL`."""
    base, _, model = url.partition("#")
    if not _is_http(base):
        raise InferenceError(
            f"openai:{url} has no http address; write it as openai:http://HOST:PORT/v1#MODEL"
        )
    return OpenAIKernel(base.rstrip("/"), model)


def _is_http(base: str) -> bool:
    try:
        parts = urlsplit(base)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket or a port that cannot be
        return False


class _FormatRefused(InferenceError):
    """The server may not know this form of a constraint."""


class OpenAIKernel(Estimating):
    """Asks a server over HTTP; the key is taken from the environment's OPENAI_API_KEY.

    Servers differ in how they take a schema. The first form that this one does not refuse is kept; one that
    refuses all is asked without. An answer that breaks the schema or is none of the choices is an error in
    every case; one that breaks the grammar is not. Choices have probabilities where the server tells the
    likeliest tokens.
    """

    vision = True

    def __init__(self, base: str, model: str) -> None:
        """Connect once to learn the models, so that a server that is not there is an error now."""
        self.name = f"openai:{base}" + (f"#{model}" if model else "")
        self._base = base
        self._forms: dict[str, list[Callable[[Any], dict[str, Any]]]] = {
            "schema": [_json_schema, _json_object],
            "grammar": [_grammar],
            "choices": [_logged(form) for form in _CHOICES] + _CHOICES,
        }
        self._model = model or self._first_model()

    def close(self) -> None:
        """Nothing is held: every call makes its own connection."""

    def __call__(self, request: Request) -> Answer:
        """Answer a request; see `Kernel`."""
        started = time.monotonic()
        reply = self._complete(request, started + request.deadline_s)
        try:
            choice = reply["choices"][0]
            cut = choice.get("finish_reason") == "length"
            if cut and request.schema is not None:
                raise InferenceError(f"{self.name}: no end after {request.max_tokens} tokens; allow more")
            usage = reply.get("usage") or {}
            cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
            text, probabilities = self._said(choice, request)
            answer = Answer(
                text=text,
                tokens_in=int(usage.get("prompt_tokens", 0)),
                tokens_out=int(usage.get("completion_tokens", 0)),
                tokens_cached=int(cached),
                seconds=time.monotonic() - started,
                cut=cut,
                probabilities=probabilities,
            )
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise InferenceError(
                f"{self.name} gave a reply without an answer: {str(reply)[:200]!r}"
            ) from error
        return answer

    def _said(self, choice: Any, request: Request) -> tuple[str, tuple[float, ...]]:
        """Read the answer's text, and how likely each of the request's choices was."""
        content: str = choice["message"]["content"]
        if request.schema is not None:
            return checked_json(self.name, content, request.schema), ()
        if not request.choices:
            return content, ()
        text = _named(content)
        if text not in request.choices:
            raise InferenceError(f"{self.name} answered {content[:60]!r}, which is none of the choices")
        before, _, after = content.rpartition(text)
        entries = (choice.get("logprobs") or {}).get("content") or []
        return text, shares([before + other + after for other in request.choices], entries)

    def _complete(self, request: Request, deadline: float) -> Any:
        """Post the request, with its constraint in the first form that the server takes."""
        body = _body(request, self._model)
        kind = next((name for name in self._forms if getattr(request, name) not in (None, ())), None)
        if kind is None:
            return self._posted(body, {}, deadline)
        constraint = getattr(request, kind)
        for index, form in enumerate(self._forms[kind]):
            try:
                reply = self._posted(body, form(constraint), deadline)
            except _FormatRefused:
                continue
            self._forms[kind] = self._forms[kind][index:]
            return reply
        reply = self._posted(body, {}, deadline)
        self._forms[kind] = []
        return reply

    def _posted(self, body: dict[str, Any], form: dict[str, Any], deadline: float) -> Any:
        try:
            return self._patient("/chat/completions", body | form, deadline)
        except HTTPError as error:
            refused = form and _refuses_format(error)
            failure = _FormatRefused if refused else InferenceError
            pictures = "; it may take no pictures" if _shows(body) and error.code in _NO_PICTURES else ""
            raise failure(f"{self.name}: {_http_reason(error)}{pictures}") from error

    def _patient(self, path: str, body: dict[str, Any], deadline: float) -> Any:
        """Exchange; where the server asks for patience (RFC 9110, Retry-After), once more if time allows."""
        try:
            return self._exchange(path, body, deadline)
        except HTTPError as error:
            pause_s = _asked_pause_s(error)
            if pause_s is None or time.monotonic() + pause_s >= deadline:
                raise
        time.sleep(pause_s)
        return self._exchange(path, body, deadline)

    def _first_model(self) -> str:
        """Name the server's first model."""
        try:
            reply = self._exchange("/models", None, time.monotonic() + 10.0)
            return str(reply["data"][0]["id"])
        except HTTPError as error:
            raise InferenceError(f"{self.name}/models: {_http_reason(error)}") from error
        except (KeyError, IndexError, TypeError) as error:
            raise InferenceError(f"{self.name} lists no model; name one as {self.name}#MODEL") from error

    def _exchange(self, path: str, body: dict[str, Any] | None, deadline: float) -> Any:
        """Send a request and parse the JSON reply; raise `HTTPError` where the server refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = HttpRequest(self._base + path, data)  # noqa: S310  # http or https: see open_openai
        request.add_header("Content-Type", "application/json")
        key = os.environ.get("OPENAI_API_KEY")
        if key:
            request.add_header("Authorization", f"Bearer {key}")
        reply = self._bounded(request, deadline)
        try:
            return json.loads(reply)
        except (ValueError, RecursionError) as error:
            raise InferenceError(f"{self.name} replied with {reply[:60]!r}, which is not JSON") from error

    def _bounded(self, request: HttpRequest, deadline: float) -> bytes:
        """Run the exchange in a thread of its own: a socket's timeout bounds each step, never their sum."""
        done: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
        threading.Thread(target=_fetch, args=(request, deadline, done), daemon=True).start()
        try:
            result = done.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            result = TimeoutError()
        if isinstance(result, bytes):
            return result
        if isinstance(result, HTTPError):
            raise result
        reason = getattr(result, "reason", result)
        if isinstance(reason, TimeoutError):
            raise DeadlineExpired(f"{self.name} did not answer within the deadline") from result
        why = " ".join(str(reason).split())
        raise InferenceError(f"{self.name} cannot be reached ({why}); is the server running?") from result


class _StaysHere(HTTPRedirectHandler):
    """Follows no redirection: a question would arrive without its text, and the key at another server."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Leave the reply as it is, an error."""


_OPENER = build_opener(_StaysHere)


def _fetch(request: HttpRequest, deadline: float, done: "queue.SimpleQueue[bytes | Exception]") -> None:
    """Put the reply's bytes, or what went wrong, into the queue."""
    try:
        done.put(_reply(request, deadline))
    except (OSError, ValueError, HTTPException) as error:  # URLError and HTTPError are OSErrors
        done.put(error)


def _reply(request: HttpRequest, deadline: float) -> bytes:
    try:
        with _OPENER.open(request, timeout=max(deadline - time.monotonic(), 0.001)) as reply:
            return b"".join(_pieces(reply, deadline))
    except HTTPError as error:
        error.detail = error.read(2000)  # type: ignore[attr-defined]
        raise


def _pieces(reply: Any, deadline: float) -> Iterator[bytes]:
    """Read a reply as it comes, at most to its longest length and until the deadline."""
    left = _LONGEST_REPLY
    while left > 0 and time.monotonic() < deadline:
        piece = reply.read1(left)
        if not piece:
            return
        left -= len(piece)
        yield piece
    raise TimeoutError if left > 0 else ValueError("the reply has no end")


def _refuses_format(error: HTTPError) -> bool:
    """Whether a server may mean the constraint's form; llama-cpp-python's calls that an error of its own."""
    named = any(name in _detail(error) for name in ("response_format", "grammar", "logprobs"))
    return error.code in (400, 404, 422, 501) or named


def _detail(error: HTTPError) -> str:
    return getattr(error, "detail", b"").decode(errors="replace")


def _http_reason(error: HTTPError) -> str:
    remedy = "; set OPENAI_API_KEY" if error.code in (401, 403) else ""
    if error.code in range(300, 400):
        remedy = f"; it sends to {error.headers.get('Location', '')[:200]!r}: name that server"
    elif _asked_pause_s(error) is not None:
        remedy = f"; it asks for {_asked_pause_s(error):g} s of patience"
    return " ".join(plain(f"HTTP {error.code} {error.reason}: {_detail(error)[:200]}{remedy}").split())


def _asked_pause_s(error: HTTPError) -> float | None:
    """Read after how many seconds a server that is busy wants to be asked again; None where it says none."""
    if error.code not in (429, 503):
        return None
    said = (error.headers.get("Retry-After") or "").strip()
    if said.isascii() and said.isdigit():
        return float(said[:9])
    try:  # a date
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _body(request: Request, model: str) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [
            {"role": "system", "content": request.system},
            *_turns(request),
            {"role": "user", "content": _user_content(request)},
        ],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "seed": request.seed,
    }


def _turns(request: Request) -> Iterator[dict[str, str]]:
    for question, answer in request.turns:
        yield {"role": "user", "content": question}
        yield {"role": "assistant", "content": answer}


def _user_content(request: Request) -> Any:
    if not request.images:
        return request.user
    images = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in request.images]
    return [*images, {"type": "text", "text": request.user}]


def _data_url(image: bytes) -> str:
    kind = "jpeg" if image.startswith(_JPEG) else "png"
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


def _shows(body: dict[str, Any]) -> bool:
    """Whether a question has pictures."""
    return not isinstance(body["messages"][-1]["content"], str)


def _json_schema(schema: Schema) -> dict[str, Any]:
    """The form of OpenAI, vLLM, Ollama, llama-server and OpenRouter."""
    wrapped = {"name": "answer", "strict": True, "schema": schema}
    return {"response_format": {"type": "json_schema", "json_schema": wrapped}}


def _json_object(schema: Schema) -> dict[str, Any]:
    """The form of llama-cpp-python's server, and of llama-server."""
    return {"response_format": {"type": "json_object", "schema": schema}}


def _grammar(grammar: str) -> dict[str, Any]:
    """The forms of llama-server and llama-cpp-python, of vLLM, and of older vLLM; each ignores the others."""
    return {"grammar": grammar, "structured_outputs": {"grammar": grammar}, "guided_grammar": grammar}


def _named(content: str) -> str:
    """Read which choice an answer names: as an object, as a JSON string, or as it is."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return content.strip()
    value = value.get("choice") if isinstance(value, dict) else value
    return value if isinstance(value, str) else content.strip()


def _choice_schema(choices: Sequence[str]) -> Schema:
    """A server's schema has to be of an object."""
    choice = {"type": "string", "enum": list(choices)}
    fields = {"type": "object", "properties": {"choice": choice}}
    return {**fields, "required": ["choice"], "additionalProperties": False}


def _choice_grammar(choices: Sequence[str]) -> str:
    """JSON's string literals are GBNF's, with escapes for what is not ASCII."""
    return "root ::= " + " | ".join(json.dumps(choice) for choice in choices)


def _logged(form: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
    """A form that asks for the likeliest tokens too, as many as OpenAI allows."""
    return lambda constraint: {**form(constraint), "logprobs": True, "top_logprobs": 20}


_CHOICES: list[Callable[[Any], dict[str, Any]]] = [
    lambda choices: _json_schema(_choice_schema(choices)),
    lambda choices: _json_object(_choice_schema(choices)),
    lambda choices: _grammar(_choice_grammar(choices)),
]
