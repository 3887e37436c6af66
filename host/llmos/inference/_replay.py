"""Answers on file: a recorder around any kernel, and the kernel that gives them again."""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ._types import Answer, DeadlineExpired, InferenceError, Kernel, Request

_FIELDS = {field.name: field.type for field in fields(Answer)}
_FAILURES = {failure.__name__: failure for failure in (InferenceError, DeadlineExpired)}


class Recorder:
    """Passes requests on to a kernel and writes each answer or failure as a line that `replay:FILE` reads."""

    def __init__(self, kernel: Kernel, path: Path) -> None:
        self._kernel = kernel
        self._file = path.open("w", encoding="utf-8")

    @property
    def name(self) -> str:
        """The recorded kernel's name."""
        return self._kernel.name

    @property
    def vision(self) -> bool:
        """Whether the recorded kernel sees."""
        return self._kernel.vision

    def __call__(self, request: Request) -> Answer:
        """Answer as the recorded kernel does."""
        try:
            answer = self._kernel(request)
        except InferenceError as error:
            self._write({"error": type(error).__name__, "message": str(error)})
            raise
        self._write(asdict(answer))
        return answer

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()  # a killed run keeps what it had

    def close(self) -> None:
        """Close the file and the kernel."""
        self._file.close()
        self._kernel.close()


def open_replay(path: str) -> "Replay":
    """Open a file of recorded answers."""
    return Replay(Path(path).expanduser())


class Replay:
    """Gives recorded answers in their order, whatever is asked."""

    vision = False

    def __init__(self, path: Path) -> None:
        self.name = f"replay:{path}"
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InferenceError(f"replay file {path}: {error}; give a file that a recorder wrote") from error
        numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
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
