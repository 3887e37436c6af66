"""From a spec such as `dual` or `smollm2` to the brain that decides."""

from collections.abc import Callable

from llmos.brains.alone import Alone
from llmos.brains.boundary import Boundary, load_boundary
from llmos.brains.dual import Dual
from llmos.brains.planner import Planner, Rates
from llmos.brains.question import Brain
from llmos.brains.solo import Solo
from llmos.inference import Kernel, untaught

DUAL = "dual"
INSTINCT = "instinct"  # the one brain alone
USUAL_MODEL = "smollm2"  # of these, where the spec names none


def model_of(spec: str) -> str:
    """Return the spec of the kernel behind a brain's: `dual:gguf:PATH` is two brains on `gguf:PATH`."""
    name, _, model = spec.partition(":")
    return (model or USUAL_MODEL) if name in (DUAL, INSTINCT) else spec


def untaught_of(spec: str) -> str:
    """Return the spec of the same brain without an adapter.

    Raises:
        AdapterError: its model can have none.
    """
    model, name = untaught(model_of(spec)), spec.partition(":")[0]
    return f"{name}:{model}" if name in (DUAL, INSTINCT) else model


def make_brain(
    spec: str,
    kernel: Kernel,
    boundary: Boundary | None = None,
    *,
    preset: str = "quick",
    rates: Rates | None = None,
    arrived: Callable[[Callable[[], bool]], bool] | None = None,
) -> Brain:
    """Return the brain of a spec.

    Args:
        spec: `dual` or `dual:KERNEL`; `instinct` or `instinct:KERNEL`; or a kernel that decides alone.
        kernel: the opened kernel of `model_of(spec)`.
        boundary: who answers what, of two brains; the one that ships where none is given.
        preset: how much the planner thinks.
        rates: modelled speed of thinking.
        arrived: see `Dual`; None on a simulated clock.
    """
    name = spec.partition(":")[0]
    if name == INSTINCT:
        return Alone(kernel)
    if name != DUAL:
        return Solo(kernel)
    return Dual(kernel, Planner(kernel, preset, rates), boundary or load_boundary(), arrived)
