"""The table of kernels, and the one way to open one."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ._types import InferenceError, Kernel

# name -> (module, function from the argument to a kernel, what the argument is; empty: takes none).
# Modules are imported when asked for, so that a rule needs no model runtime.
KERNELS: dict[str, tuple[str, str, str]] = {
    "smollm2": ("llmos.inference._llama", "open_smollm2", ""),
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
        known = ", ".join(f"{n}:{a}" if a else n for n, (_, _, a) in KERNELS.items())
        raise InferenceError(f"kernel {spec!r} is unknown; choose one of {known}")
    module, function, wanted = KERNELS[name]
    if bool(wanted) != bool(argument) or (colon and not wanted):
        usage = f"{name}:{wanted}" if wanted else name
        raise InferenceError(f"kernel {spec!r} is incomplete or has too much; write it as {usage}")
    opener: Callable[..., Any] = getattr(import_module(module), function)
    kernel: Kernel = opener(argument) if wanted else opener()
    return kernel


def require(module: str, kernel: str) -> Any:
    """Import an optional package, or raise an `InferenceError` that says how to install it."""
    try:
        return import_module(module)
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InferenceError(
            f"{kernel} needs the package {module} ({reason}); install it with: pip install 'llmos[llm]'"
        ) from error
