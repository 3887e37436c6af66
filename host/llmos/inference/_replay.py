"""The kernel that gives answers from a file: a run's record, or a few lines written by hand."""

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from llmos.blackbox import RecordError, content, find_record, read_record
from llmos.errors import LlmosError

from ._types import Answer, DeadlineExpired, Estimating, InferenceError, Request

_FIELDS = {field.name: field.type for field in fields(Answer)}
_FAILURES = {failure.__name__: failure for failure in (InferenceError, DeadlineExpired)}


def open_replay(run: str) -> "Replay":
    """Open the record of a run, by its name or path, or a file with an answer's JSON in each line."""
    try:
        return Replay(find_record(run))
    except InferenceError:
        raise
    except LlmosError as error:
        raise InferenceError(f"replay:{run}: {error}") from None


class Replay(Estimating):
    """Gives recorded answers in their order, whatever is asked."""

    vision = False

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path}"
        try:
            lines = content(path).decode("utf-8").splitlines()
        except (RecordError, UnicodeDecodeError) as error:
            raise InferenceError(f"replay file {path}: {error}; give the record of a run") from error
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
        if lines and lines[0].startswith('{"kind":"run"'):
            numbered = [(number, json.dumps(answer)) for number, answer in enumerate(_answers(path), 1)]
        for number, line in numbered[:1]:  # a file of another kind is refused before a robot moves
            self._read(number, line)
        self._records: Iterator[tuple[int, str]] = iter(numbered)

    def __call__(self, request: Request) -> Answer:
        """Give the next answer, or raise the failure that was recorded."""
        number, line = next(self._records, (0, ""))
        if not number:
            raise InferenceError(f"{self.name}: no answer is left in the file; record a longer run")
        record = self._read(number, line)
        if "error" in record:
            failure = _FAILURES.get(record["error"], InferenceError)
            raise failure(str(record.get("message", "recorded without a reason")))
        record["probabilities"] = tuple(record.get("probabilities", ()))
        return Answer(**{"tokens_in": 0, "tokens_out": 0, "tokens_cached": 0, "seconds": 0.0, **record})

    def _read(self, number: int, line: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise InferenceError(f"{self.name}, line {number}: {error}; record the run again") from error
        if not isinstance(record, dict) or ("text" in record) == ("error" in record):
            raise InferenceError(f"{self.name}, line {number}: neither an answer with a text nor an error")
        if "text" in record:
            self._check(number, record)
        return record

    def _check(self, number: int, record: dict[str, Any]) -> None:
        for key, value in record.items():
            if key not in _FIELDS or not _fits(value, _FIELDS[key]):
                raise InferenceError(f"{self.name}, line {number}: {key!r} is unknown or has the wrong type")

    def close(self) -> None:
        """Nothing is held."""


def _fits(value: Any, field: Any) -> bool:
    """Tell whether a recorded value has a field's type."""
    if field is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if field in (int, bool, str):
        return type(value) is field  # to isinstance, a bool is an int
    return isinstance(value, list) and all(_fits(item, float) for item in value)  # the probabilities


def _answers(path: Path) -> Iterator[dict[str, Any]]:
    """Return a run's answers and failures, in the order in which they came."""
    for line in read_record(path).all("answer"):
        yield line["answer"] if "answer" in line else {name: line[name] for name in ("error", "message")}
