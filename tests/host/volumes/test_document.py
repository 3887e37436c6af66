"""Markdown with front matter: read with its lines, checked by a model, changed in place, refused by name."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.volumes import Document, DocumentError, FrontMatter, parse, read_document, written

PATH = Path("skills/x.md")
SAMPLE = """---
# a comment on top
name: square
tests:          # of the arena
  - arena: wall
    seeds: 3
  - {arena: corner, seeds: 2}
# about the size
size: 40
day: 2026-11-21
light: off
text: |
  two
  lines
---
# Square

Drives a square.
"""


class Row(FrontMatter):
    """A row of `tests:`."""

    arena: str
    seeds: int


class Front(FrontMatter):
    """What the sample says."""

    name: str
    tests: list[Row]
    size: int


def test_values_lines_and_text() -> None:
    """Keys have their lines, also nested ones; the text stands behind."""
    document = parse(SAMPLE, PATH)
    assert document.values["tests"] == [{"arena": "wall", "seeds": 3}, {"arena": "corner", "seeds": 2}]
    assert (document.values["size"], document.values["text"]) == (40, "two\nlines\n")
    assert [document.lines[key] for key in ("name", "tests", "tests.0.seeds", "tests.1.seeds", "size")] == [
        3,
        4,
        6,
        7,
        9,
    ]
    assert document.body.startswith("# Square")
    assert document.source.split("\n")[document.body_line - 1] == "# Square"
    assert document.at("tests", 1, "seeds", "deeper") == "skills/x.md:7"


def test_scalars_are_those_of_the_core_schema() -> None:
    """Words that YAML 1.1 reads as something else stay words."""
    values = parse(
        "---\na: off\nb: 2026-11-21\nc: no\nd: 0o17\ne: 1_000\nf: 12:30\ng: ~\nh: true\n---\n", PATH
    ).values
    assert values == {
        "a": "off",
        "b": "2026-11-21",
        "c": "no",
        "d": "0o17",
        "e": "1_000",
        "f": "12:30",
        "g": None,
        "h": True,
    }


def test_a_model_names_line_and_key() -> None:
    """What breaks the model is told with file, line, key and value; unknown keys are kept."""
    front = parse(SAMPLE, PATH).checked(Front)
    assert (front.tests[1].arena, front.model_extra and front.model_extra["light"]) == ("corner", "off")
    wrong = parse(SAMPLE.replace("seeds: 2", "seeds: many"), PATH)
    with pytest.raises(DocumentError, match=r"skills/x\.md:7: key tests\.1\.seeds: .*, not 'many'"):
        wrong.checked(Front)
    with pytest.raises(DocumentError, match=r"skills/x\.md:1: key name is missing"):
        parse("just text", PATH).checked(Front)


REFUSED = {
    "no end": ("---\nname: x\n", r":1: the front matter has no end"),
    "no mapping": ("---\n- a\n---\n", r":2: the front matter is no mapping"),
    "a word": ("---\njust words\n---\n", r":2: the front matter is no mapping"),
    "a tab": ("---\na:\n\tb: 1\n---\n", r":3: this is no YAML"),
    "twice": ("---\na: 1\nb: 2\na: 3\n---\n", r":4: a is given on line 2 already"),
    "twice below": ("---\na:\n  b: 1\n  b: 2\n---\n", r":4: b is given on line 3 already"),
    "an alias": ("---\na: &x [1]\nb: *x\n---\n", r":2: an alias stands here"),
    "a tag": ("---\na: !!python/object/apply:os.system [ls]\n---\n", r":2: the tag .*python"),
    "a tag that does not fit": ("---\na: !!int many\n---\n", r":2: many is no value of its kind"),
    "a number without end": ("---\na: " + "9" * 5000 + "\n---\n", r":2: 9{60} is no value of its kind"),
    "a line separator": ("---\na: 1\nb: x\u2028y\n---\n", r":3: a line separator that is no line feed"),
    "an own tag": ("---\na: !mine 1\n---\n", r":2: the tag !mine means nothing"),
    "two documents": ("---\na: 1\n--- \nb: 2\n---\n", None),
    "a key that is a list": ("---\n? [a]\n: 1\n---\n", r":2: a key is no word"),
    "nested deeply": (
        "---\na: " + "[" * 200_000 + "]" * 200_000 + "\n---\n",
        r":2: the front matter nests too deeply",
    ),
    "nested deeply in blocks": (
        "---\n" + "".join(f"{' ' * depth}k:\n" for depth in range(100)) + "---\n",
        r":66: the front matter nests too deeply",
    ),
    "billion laughs": (
        "---\na: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n---\n",
        r": an alias stands here",
    ),
    "an escape": ("---\na: \x1b[31m\n---\n", r":2: this is no YAML"),
    "an unclosed quote": ('---\na: "open\n---\n', r": this is no YAML"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_front_matter(case: str) -> None:
    """Each is refused in one line that names the place, or read as what it says."""
    source, message = REFUSED[case]
    if message is None:
        assert parse(source, PATH).values == {"a": 1}
        return
    with pytest.raises(DocumentError, match=message) as told:
        parse(source, PATH)
    assert "\n" not in str(told.value)
    assert str(told.value).isprintable()


def test_files_that_are_no_documents(tmp_path: Path) -> None:
    """Binary files, huge ones, folders and pipes are refused by name."""
    for name, data, message in (
        ("binary.md", b"\xff\xfe\x00", "no UTF-8 text"),
        ("zero.md", b"a\0b", "holds a zero byte"),
        ("huge.md", b"x" * (2 << 20), "longer than"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DocumentError, match=f"{name}.*{message}"):
            read_document(tmp_path / name)
    with pytest.raises(DocumentError, match="no regular file"):
        read_document(tmp_path)
    with pytest.raises(DocumentError, match="cannot be read"):
        read_document(tmp_path / "none.md")


def test_windows_line_ends_and_marks_are_read(tmp_path: Path) -> None:
    """A file from another editor is read as it is meant."""
    (tmp_path / "x.md").write_bytes(b"\xef\xbb\xbf---\r\nname: x\r\n---\r\ntext\r\n")
    document = read_document(tmp_path / "x.md")
    assert (dict(document.values), document.text) == ({"name": "x"}, "text")


def test_changing_keeps_comments_and_order() -> None:
    """Only the named keys differ, each in its place; None takes one away, a new one stands at the end."""
    changed = parse(SAMPLE, PATH).changed(size=55, light=None, version="2", tests=[])
    assert changed.source == (
        SAMPLE.replace("size: 40\n", "size: 55\n")
        .replace("light: off\n", "")
        .replace("lines\n---", "lines\nversion: '2'\n---")
        .replace(SAMPLE[SAMPLE.index("tests:") : SAMPLE.index("# about")], "tests: []\n")
    )
    assert parse("only text\n", PATH).changed(name="x").source == "---\nname: x\n---\nonly text\n"


KEYS = st.sampled_from(["name", "size", "tests", "notes", "off", "über", "a b", "x-y", "1"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
FRONTS = st.dictionaries(KEYS, VALUES.filter(lambda value: value is not None), min_size=1, max_size=6)
BODIES = st.lists(
    st.sampled_from(["", "text", "---", "# a heading", "```lasm", "HALT", "  deeper"]), max_size=8
).map("\n".join)


@settings(max_examples=60)
@given(FRONTS, BODIES)
def test_what_is_written_is_read(values: dict[str, Any], body: str) -> None:
    """Front matter and text come back as they were given."""
    document = parse(written(values, body), PATH)
    assert dict(document.values) == values
    assert document.text == body.strip()


@settings(max_examples=60)
@given(FRONTS, BODIES, st.dictionaries(KEYS, VALUES, max_size=3), st.data())
def test_changing_keeps_everything_else(
    values: dict[str, Any], body: str, new: dict[str, Any], data: st.DataObject
) -> None:
    """The other keys, the comments above them and the text stay, byte by byte."""
    rows = written(values, body).split("\n")
    lines = sorted(parse("\n".join(rows), PATH).lines[key] - 1 for key in values)
    for line in reversed(data.draw(st.lists(st.sampled_from(lines), unique=True).map(sorted))):
        rows.insert(line, "# a comment")
    before = parse("\n".join(rows), PATH)
    after = before.changed(**new)
    expected = {**values, **new}
    assert dict(after.values) == {key: value for key, value in expected.items() if value is not None}
    assert after.body == before.body
    assert after.source.count("# a comment\n") == before.source.count("# a comment\n")
    kept = [key for key in values if key not in new]
    assert [part(after, key) for key in kept] == [part(before, key) for key in kept]


def part(document: Document, key: str) -> str:
    """Return the lines of a top-level key, without comments of their own line."""
    rows, start = document.source.split("\n"), document.lines[key]
    end = next(
        row for row in range(start, len(rows)) if rows[row] == "---" or re.match(r"[^\s#-]", rows[row])
    )
    return "\n".join(row for row in rows[start - 1 : end] if row != "# a comment")
