"""The table of kernels, and the one way to open one."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ._types import InferenceError, Kernel

# name -> (module, function from the argument to a kernel, what the argument is).
# An argument may be left out where it is in brackets; where it is empty, the kernel takes none.
# Modules are imported when asked for, so that a rule needs no model runtime.
KERNELS: dict[str, tuple[str, str, str]] = {
    "smollm2": ("llmos.inference._llama", "open_smollm2", "[none|ADAPTER.gguf]"),
    "gguf": ("llmos.inference._llama", "open_gguf", "PATH[+PROJECTOR]"),
    "openai": ("llmos.inference._openai", "open_openai", "URL"),
    "rule": ("llmos.inference._rule", "open_rule", ""),
    "random": ("llmos.inference._random", "open_random", ""),
    "replay": ("llmos.inference._replay", "open_replay", "RUN"),
}


def open_kernel(spec: str) -> Kernel:
    """Open the kernel that a spec such as `smollm2` or `gguf:PATH` names, or raise `InferenceError`."""
    name, colon, argument = spec.partition(":")
    if name not in KERNELS:
        known = ", ".join(_usage(known) for known in KERNELS)
        raise InferenceError(f"kernel {spec!r} is unknown; choose one of {known}")
    module, function, wanted = KERNELS[name]
    fits = bool(wanted) if argument else not colon and wanted[:1] in ("", "[")
    if not fits:
        raise InferenceError(f"kernel {spec!r} is incomplete or has too much; write it as {_usage(name)}")
    opener: Callable[..., Any] = getattr(import_module(module), function)
    kernel: Kernel = opener(argument) if argument else opener()
    return kernel


def _usage(name: str) -> str:
    """Return how a kernel's spec is written."""
    wanted = KERNELS[name][2]
    if wanted.startswith("["):
        return f"{name}[:{wanted[1:]}"
    return f"{name}:{wanted}" if wanted else name


def require(module: str, kernel: str) -> Any:
    """Import an optional package, or raise an `InferenceError` that says how to install it."""
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InferenceError(
            f"{kernel} needs the package {module} ({reason}); install it with: pip install 'llmos[llm]'"
        ) from error
