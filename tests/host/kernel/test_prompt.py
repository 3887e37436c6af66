"""Kernel files are read as they are written; a person's own takes the place of the one that ships."""

import pytest

from llmos.kernel.prompt import PromptError, Rules, kernel_path, read_rules, system_prompt
from llmos.volumes import DocumentError, read_document


class Pace(Rules):
    """Rules as a test has them."""

    steps: int


def own(state_folder, name, text):
    path = state_folder / "volumes" / "user" / "kernel" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_of_a_persons_own_takes_the_place_of_the_one_that_ships(state_folder):
    shipped = system_prompt("goal")
    path = own(state_folder, "goal", "Say place.")
    assert (kernel_path("goal"), system_prompt("goal")) == (path, "Say place.")
    path.unlink()
    assert system_prompt("goal") == shipped


def test_rules_are_checked_and_a_wrong_one_is_named(tmp_path):
    path = tmp_path / "pace.md"
    path.write_text("---\nname: pace\nsteps: 3\n---\nProse.\n", encoding="utf-8")
    assert read_rules("pace", Pace, path).steps == 3
    path.write_text("---\nname: pace\n\nsteps: many\n---\n", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"pace\.md:4: key steps: .* not 'many'"):
        read_rules("pace", Pace, path)
    path.write_text("---\nname: pace\nsteps: 3\nstep: 4\n---\n", encoding="utf-8")
    with pytest.raises(DocumentError, match=r"pace\.md:4: key step is unknown here"):
        read_rules("pace", Pace, path)


def test_a_prompt_without_text_is_refused(state_folder):
    own(state_folder, "goal", "---\nname: goal\n---\n\n")
    with pytest.raises(PromptError, match="no text behind its front matter"):
        system_prompt("goal")


def test_every_kernel_file_reads_and_has_a_text():
    files = sorted(kernel_path("navigator").parent.glob("*.md"))
    assert len(files) >= 6
    for path in files:
        assert read_document(path).values["name"] == path.stem
        assert system_prompt(path.stem)
