"""Kernel files are read as they are written; a wrong line is named."""

import pytest

from llmos.kernel.prompt import PromptError, kernel_path, read_kernel_file, system_prompt


def test_front_matter_is_values_with_their_lines(tmp_path):
    path = tmp_path / "a.md"
    path.write_text("---\nname: a\n\nurl: http://x:1\n---\n\nText\n---\nmore\n", encoding="utf-8")
    file = read_kernel_file(path)
    assert file.values == {"name": "a", "url": "http://x:1"}
    assert file.lines == {"name": 2, "url": 4}
    assert file.text == "Text\n---\nmore"


@pytest.mark.parametrize("text", ["Text", "\nText\n", "----\nText", "a: b"])
def test_front_matter_is_optional(tmp_path, text):
    path = tmp_path / "a.md"
    path.write_text(text, encoding="utf-8")
    assert (read_kernel_file(path).text, read_kernel_file(path).values) == (text.strip(), {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("---\nname: a\nText\n", ":1: the front matter has no end"),
        ("---\nname a\n---\n", ":2: 'name a' is no `key: value`"),
        ("---\nname: a\nkey:\n---\n", ":3: 'key:' is no `key: value`"),
        ("---\n: a\n---\n", ":2: ': a' is no `key: value`"),
        ("---\na: 1\nb: 2\na: 3\n---\n", ":4: a is given on line 2 already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, said):
    path = tmp_path / "a.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PromptError, match=r"^[^\n]+$") as caught:
        read_kernel_file(path)
    assert f"{path}{said}" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, content):
    path = tmp_path / "a.md"
    if content:
        path.write_bytes(content)
    with pytest.raises(PromptError, match="cannot be read"):
        read_kernel_file(path)


def test_every_kernel_file_reads_and_has_a_text():
    files = sorted(kernel_path("navigator").parent.glob("*.md"))
    assert len(files) >= 6
    for path in files:
        assert read_kernel_file(path).values["name"] == path.stem
        assert system_prompt(path.stem)
