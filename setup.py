"""Builds what pyproject.toml cannot say: the Cython twins, and the data that lives outside the packages."""

import shutil
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
DATA = ("firmware", "volumes/system", "volumes/team", "volumes/user")
NOISE = shutil.ignore_patterns(".*", "__pycache__", "*.mpy", "*.pyc", "mypy.ini", "ruff.toml")


def extensions() -> list[Extension]:
    """Every .pyx of both import roots; optional, because each has a plain-Python twin."""
    found = []
    for root in ("bytecode", "host"):
        for path in sorted((ROOT / root).rglob("*.pyx")):
            name = ".".join(path.relative_to(ROOT / root).with_suffix("").parts)
            source = str(path.relative_to(ROOT))
            found.append(Extension(name, [source], optional=True, extra_compile_args=["-O3"]))
    return found


class BuildWithData(build_py):
    """Copies the firmware and the volumes into llmos/_data, where `llmos.resources` finds them."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # a checkout reads its own folders
            return
        for folder in DATA:
            target = Path(self.build_lib, "llmos", "_data", folder)
            shutil.copytree(ROOT / folder, target, ignore=NOISE, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithData}, ext_modules=extensions())
