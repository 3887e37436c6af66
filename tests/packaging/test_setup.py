"""What the set-up says on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALWAYS_THERE = ("bash", "cat", "cksum", "dirname", "mkdir", "sleep", "tail", "tr", "uname", "git", "make")


class Machine:
    """A copy of the set-up on a machine whose PATH holds only what a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "bin"
        (folder / "tools").mkdir(parents=True)
        self.path.mkdir()
        for name in ("tools/setup.sh", "Makefile", "pyproject.toml", "setup.py"):
            shutil.copy(ROOT / name, folder / name)
        for name in ALWAYS_THERE:
            (self.path / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")

    def program(self, name: str, script: str) -> None:
        """Put a program on the PATH."""
        (self.path / name).write_text(f"#!{self.path / 'bash'}\n{script}\n")
        (self.path / name).chmod(0o755)

    def setup(self) -> subprocess.CompletedProcess[str]:
        """Run the set-up; it must not need anything else from the environment."""
        environment = {"PATH": str(self.path), "HOME": str(self.folder)}
        command = [str(self.path / "bash"), "tools/setup.sh"]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without Python, without a compiler and without a package manager."""
    bare = Machine(tmp_path / "checkout")
    bare.program("id", "echo 1000")
    return bare


def test_a_user_is_told_the_very_line(machine: Machine) -> None:
    """Not root: the exact apt-get line, and nothing was touched."""
    machine.program("apt-get", "echo called >&2; exit 99")
    done = machine.setup()
    assert done.returncode == 1
    assert "sudo apt-get install python3 python3-venv python3-dev gcc libc6-dev g++ cmake" in done.stderr
    assert "called" not in done.stderr
    assert not (machine.folder / ".venv").exists()


def test_without_apt_the_names_are_given(machine: Machine) -> None:
    """No apt: what is missing is named, for whatever package manager there is."""
    done = machine.setup()
    assert done.returncode == 1
    assert done.stderr.startswith("setup: install what Debian calls python3 ")


def test_root_installs_what_is_missing_and_says_so(machine: Machine) -> None:
    """Root: apt-get is run with no question asked, and its failure ends the set-up with its last words."""
    machine.program("id", "echo 0")
    machine.program("apt-get", 'echo "apt-get $*"; [ "$1" = update ]')
    done = machine.setup()
    assert done.returncode == 1
    assert "==> updating the package lists" in done.stdout
    assert "==> installing python3 python3-venv python3-dev gcc" in done.stdout
    assert "apt-get install -y --no-install-recommends python3" in done.stderr
    assert os.path.basename(done.stderr.strip().rpartition(" ")[2]) == "apt-install.log"
