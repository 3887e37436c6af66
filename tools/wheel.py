"""Builds sdist, the wheel from that sdist, installs it into a clean environment and looks at what arrived.

Usage: tools/wheel.py FOLDER [--expect-twins]   (the option: without a compiler, as under CC=false)
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Built from a copy: a build leaves nothing in the checkout, and takes nothing old from it.
LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info", "*.so", "*.c")
ARRIVED = """
import importlib.util, sys
from importlib.machinery import EXTENSION_SUFFIXES
from llmos.doctor import EXTENSIONS
from llmos.resources import firmware_dir, seed_volume, system_volume
expected_files = [
    (firmware_dir(), ["boot.py", "main.py", "llmvm"]),
    (system_volume(), ["robots", "arenas"]),
    (seed_volume("user"), ["README.md"]),
]
for folder, names in expected_files:
    missing = [name for name in names if not (folder / name).exists()]
    if "_data" not in folder.parts or missing:
        sys.exit(f"{folder}: {missing} did not arrive")
specs = map(importlib.util.find_spec, EXTENSIONS)
compiled = [spec.name for spec in specs if spec and spec.origin.endswith(tuple(EXTENSION_SUFFIXES))]
print("compiled:", *compiled)
expected = [] if "--expect-twins" in sys.argv else list(EXTENSIONS)
sys.exit(0 if compiled == expected else f"expected the extensions {expected}, found {compiled}")
"""


def main() -> int:
    """Build into FOLDER and check; the status of the first step that failed."""
    target, twins = Path(sys.argv[1]).resolve(), sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        source = shutil.copytree(ROOT, Path(folder, "source"), ignore=LEFT_BEHIND)
        _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, source)
        wheel = max(target.glob("*.whl"), key=lambda path: path.stat().st_mtime)
        python = _clean_environment(Path(folder, "clean"), wheel)
        _run(python.with_name("llmos"), "--version", cwd=folder)
        _run(python, "-c", ARRIVED, *twins, cwd=folder)
        _run(python.with_name("llmos"), "doctor", cwd=folder, check=False)
    print(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB, complete")
    return 0


def _clean_environment(folder: Path, wheel: Path) -> Path:
    """An environment with the wheel; its dependencies are borrowed from this one, its packages are not."""
    _run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    _run(sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-deps", "--no-index", wheel)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    borrowed = folder / "lib" / version / "site-packages" / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")  # a .pth within that folder has no effect
    return python


def _run(*command: object, cwd: str | None = None, check: bool = True) -> None:
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=environment)
    if check and done.returncode:
        sys.exit(f"tools/wheel.py: {Path(str(command[0])).name} {command[1]}: exit {done.returncode}")


if __name__ == "__main__":
    sys.exit(main())
