"""Type-checks the robot's ports against the stubs of MicroPython on the ESP32 (part of `make lint`).

The stubs stand in for Python's own standard library, so they get a folder of their own, and mypy runs apart
from the one that checks the host. The firmware carries no annotations but viper's: mypy looks into every
function, and takes what it cannot know for anything.
"""

import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

ROOT = Path(__file__).parents[1]
STUBS = ROOT / "build/firmware_stubs"
PACKAGES = ("micropython-esp32-stubs", "micropython-stdlib-stubs")
CHECKED = ("firmware/llmvm/hal",)


def link_stubs() -> None:
    """Link the installed stubs: `stdlib` as a typeshed has it, the modules beside it."""
    for package in PACKAGES:
        for file in files(package) or ():
            if file.suffix == ".pyi" or file.name == "VERSIONS":
                link = STUBS / (file if file.parts[0] in ("stdlib", "stubs") else Path("modules") / file)
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink():
                    link.symlink_to(Path(file.locate()).resolve())


def main() -> None:
    """Exit with mypy's answer."""
    link_stubs()
    command = [sys.executable, "-m", "mypy", "--config-file", "firmware/mypy.ini", *CHECKED]
    paths = {"MYPYPATH": f"{STUBS / 'modules'}:{ROOT / 'firmware'}"}
    sys.exit(subprocess.run(command, cwd=ROOT, env=os.environ | paths, check=False).returncode)


if __name__ == "__main__":
    main()
