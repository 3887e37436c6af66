"""A markdown file with YAML front matter: read with its lines, checked against a model, changed in place.

Of YAML what people write in such files: mappings, sequences, and scalars as the core schema of YAML 1.2 has
them, so that `off` and `2026-11-21` are words. Anchors, aliases, own tags and keys given twice are refused.
"""

import hashlib
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from llmos.errors import LlmosError
from llmos.invalid import Invalid, first_invalid
from llmos.text import plain

FENCE = "---"  # the line before and behind the front matter
LARGEST = 1 << 20  # bytes of a file
_DEEPEST = 64  # values within values; libyaml takes time by the square of it, and PyYAML the C stack
_SHOWN = 60  # characters of an offending value
_FIRST = 2  # number of the line behind the fence
_TAG = "tag:yaml.org,2002:"
_SCALARS = (  # YAML 1.2.2, section 10.3.2
    ("null", r"^(?:null|Null|NULL|~|)$", ["n", "N", "~", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", list("-+.0123456789")),
)


_TAGS = {_TAG + kind for kind in ("map", "seq", "str", "null", "bool", "int", "float")}
_LAST = re.compile(r"\d+(?!.*\d)")  # number of a version
_BREAKS = re.compile("[\r\x85\u2028\u2029]")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C where it was built
    """A safe loader that knows the core schema's scalars only."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, Any]]]] = {}


for _name, _pattern, _starts in _SCALARS:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(_pattern), _starts)
_Loader.add_constructor(_TAG + "int", lambda loader, node: int(node.value))
_Loader.add_constructor(_TAG + "float", lambda loader, node: float(node.value))


class DocumentError(LlmosError):
    """A markdown file that cannot be read, or whose front matter is wrong."""


class FrontMatter(BaseModel):
    """Front matter that a model describes; keys that it does not know are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """A markdown file.

    Args:
        path: where it lies, or what its errors call it.
        source: all of it.
        values: its front matter; empty where it has none.
        lines: the line, from 1, of each key, by its path: `tests`, `tests.0.arena`.
        body: the text behind the front matter, as it stands.
        body_line: the line of the file where it begins, from 1.
    """

    path: Path
    source: str
    values: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1

    @cached_property
    def text(self) -> str:
        """The text behind the front matter, without the white space around it."""
        return self.body.strip()

    @property
    def version(self) -> str:
        """What tells it from others of its name; see `version_of`."""
        return version_of(self.source)

    def at(self, *key: str | int) -> str:
        """Return the place of a key, or of the nearest one above it that is there: `path:line`."""
        for length in range(len(key), 0, -1):
            line = self.lines.get(".".join(map(str, key[:length])))
            if line:
                return f"{self.path}:{line}"
        return f"{self.path}:1"

    def checked(self, model: type[_Model]) -> _Model:
        """Return the front matter as a model.

        Raises:
            DocumentError: it breaks the model; the message names line and key.
        """
        try:
            return model.model_validate(dict(self.values))
        except ValidationError as problem:
            wrong = first_invalid(problem, _SHOWN)
            raise DocumentError(f"{self.at(*wrong.loc)}: {_told(wrong)}") from None

    def changed(self, **values: Any) -> "Document":
        """Return the document with other values for top-level keys, each in its place; new ones at the end.

        Comments, order and all that is not named stay as they are; None takes a key away.
        """
        rows = self.source.splitlines(keepends=True)
        if not self.values:
            return parse(written(values, self.body), self.path)
        end = next(index for index, row in enumerate(rows[1:], 1) if row.rstrip() == FENCE)
        starts = [self.lines[key] - 1 for key in self.values]
        parts = rows[: min(starts)]
        for key, start, stop in zip(self.values, starts, [*starts[1:], end], strict=True):
            behind = stop
            while behind > start + 1 and rows[behind - 1].strip()[:1] in ("", "#"):
                behind -= 1  # a comment belongs to the key below it
            own = rows[start:behind]
            parts += [dumped(key, values[key])] if key in values else own
            parts += rows[behind:stop]
        parts += [dumped(key, value) for key, value in values.items() if key not in self.values]
        return parse("".join([*parts, *rows[end:]]), self.path)


def dumped(key: str, value: Any) -> str:
    """Return one key of front matter as YAML; nothing where there is no value."""
    if value is None:
        return ""
    return str(yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=110))


def written(values: Mapping[str, Any], body: str) -> str:
    """Return the source of a document."""
    head = "".join(dumped(key, value) for key, value in values.items())
    return f"{FENCE}\n{head}{FENCE}\n{body.strip()}\n"


def read_document(path: Path) -> Document:
    """Read a markdown file.

    Raises:
        DocumentError: it cannot be read, is no text, is too long, or its front matter is no YAML mapping.
    """
    try:
        return parse(read_text(path), path)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}; name a markdown file") from None


def read_text(path: Path) -> str:
    """Return the text of a regular file of sensible size.

    Raises:
        OSError: it cannot be read.
        DocumentError: it is no text, or too long.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe or a device might never end
        raise DocumentError(f"{path} is no regular file; name a markdown file")
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    return decoded(data, path)


def decoded(data: bytes, path: Path) -> str:
    """Return the text that a file's bytes are, its lines ended by line feeds.

    Raises:
        DocumentError: they are no text, or too many.
    """
    if len(data) > LARGEST:
        raise DocumentError(f"{path} is longer than {LARGEST} bytes; a document is shorter than that")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"{path} is no UTF-8 text (byte {error.start}): write it as such") from None
    if "\0" in text:
        raise DocumentError(f"{path} is no text: it holds a zero byte; name a markdown file")
    return text.replace("\r\n", "\n")


def version_of(source: str) -> str:
    """Return a text's version: the first 16 hex digits of its SHA-256, whose lines end by line feeds."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def next_version(version: str) -> str:
    """Return the version, as an author writes it, behind one: its last number is one more."""
    match = _LAST.search(version)
    if match is None:
        return f"{version}.1" if version else "1"
    return f"{version[: match.start()]}{int(match[0]) + 1}{version[match.end() :]}"


def parse(source: str, path: Path) -> Document:
    """Return a document from its source; front matter is optional.

    Raises:
        DocumentError: the front matter has no end, or is no YAML mapping that is allowed here.
    """
    rows = source.split("\n")
    if rows[0].rstrip() != FENCE:
        return Document(path, source, body=source)
    end = next((index for index, row in enumerate(rows[1:], 1) if row.rstrip() == FENCE), None)
    if end is None:
        raise DocumentError(f"{path}:1: the front matter has no end: put a line {FENCE} behind it")
    reader = _Reader(path)
    values = reader.read("".join(f"{row}\n" for row in rows[1:end]))
    body = "\n".join(rows[end + 1 :])
    return Document(path, source, values, reader.lines, body, end + _FIRST)


class _Reader:
    """Reads front matter and keeps the lines of its keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self._seen: set[int] = set()
        self._loader: Any = None

    def read(self, head: str) -> dict[str, Any]:
        """Return the mapping that a text is."""
        if odd := _BREAKS.search(head):  # YAML would count a line there, and no editor does
            line = head.count("\n", 0, odd.start()) + _FIRST
            raise DocumentError(f"{self.path}:{line}: a line separator that is no line feed: remove it")
        try:
            self._shallow(head)
            self._loader = _Loader(head)
            node = self._loader.get_single_node()
            if node is None:
                return {}
            if not isinstance(node, yaml.MappingNode):
                raise self._error(node, "the front matter is no mapping: write a line `key: value` for each")
            found: dict[str, Any] = self._value(node, "")
            return found
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = (mark.line if mark else 0) + _FIRST
            problem = plain(str(getattr(error, "problem", None) or error))[:_SHOWN]
            raise DocumentError(f"{self.path}:{line}: this is no YAML: {problem}") from None

    def _shallow(self, head: str) -> None:
        """Refuse what nests too deeply, before anything goes down into it."""
        depth = 0
        for event in yaml.parse(head, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise self._error(event, f"the front matter nests too deeply: {_DEEPEST} levels at most")

    def _value(self, node: Any, key: str) -> Any:
        if id(node) in self._seen:
            raise self._error(node, "an alias stands here: write the value out")
        self._seen.add(id(node))
        if node.tag not in _TAGS:
            raise self._error(node, f"the tag {plain(node.tag)[:_SHOWN]} means nothing here: leave it out")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key)
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return [
                self._value(self._marked(item, f"{key}.{index}"), f"{key}.{index}") for index, item in items
            ]
        try:
            return self._loader.construct_object(node)
        except (
            ValueError,
            KeyError,
        ):  # a tag that its value does not fit, or a number of thousands of digits
            raise self._error(node, f"{plain(node.value)[:_SHOWN]} is no value of its kind") from None

    def _mapping(self, node: Any, key: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                raise self._error(name, "a key is no word")
            below = f"{key}.{name.value}" if key else name.value
            if name.value in found:
                was = self.lines[below]
                raise self._error(
                    name, f"{plain(name.value)[:_SHOWN]} is given on line {was} already: keep one"
                )
            self._marked(name, below)
            found[name.value] = self._value(value, below)
        return found

    def _marked(self, node: Any, key: str) -> Any:
        self.lines[key] = node.start_mark.line + _FIRST
        return node

    def _error(self, node: Any, problem: str) -> DocumentError:
        return DocumentError(f"{self.path}:{node.start_mark.line + _FIRST}: {problem}")


def _told(wrong: Invalid) -> str:
    """Return what is wrong with front matter: key, reason and value."""
    key = wrong.key[:_SHOWN]
    if wrong.kind == "missing":
        return f"key {key} is missing: add it to the front matter"
    if wrong.kind == "extra_forbidden":
        return f"key {key} is unknown here: correct or remove it"
    return f"key {key}: {wrong.reason}, not {wrong.value}" if key else wrong.reason
