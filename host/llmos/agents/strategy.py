"""How an agent is run, by how large its model is: `volumes/system/kernel/model_size.md`."""

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import Field

from llmos.inference import Kernel
from llmos.kernel.prompt import Rules, read_rules

from .agent import STRATEGIES, Agent, Strategy

Parameters = Annotated[int, Field(ge=0, le=10**14)]
Few = Annotated[int, Field(ge=1, le=100)]
Chars = Annotated[int, Field(ge=20, le=4000)]


class ModelSize(Rules):
    """The rules; see the file for what each means."""

    markdown_from: Parameters
    hybrid_from: Parameters
    unknown: Parameters
    sizes: dict[str, Parameters]
    small_tools: Few
    small_chars: Chars
    large_chars: Chars

    def strategy(self, agent: Agent, parameters: int) -> Strategy:
        """Return how an agent is run by a model of so many parameters.

        What the agent itself wants counts where the model is large enough for it.
        """
        able = self._able(parameters)
        wanted = able if agent.mode == "auto" else agent.mode
        chosen = max(able, wanted, key=STRATEGIES.index)  # the one that asks less of the model
        return "simple" if chosen == "hybrid" and not agent.steps else chosen

    def _able(self, parameters: int) -> Strategy:
        if parameters >= self.markdown_from:
            return "markdown"
        return "hybrid" if parameters >= self.hybrid_from else "compiled"

    def parameters(self, kernel: Kernel) -> int:
        """Return the number of a kernel's parameters: its own word, else what the file says of its name."""
        own: int | None = getattr(kernel, "parameters", None)
        if own is not None:
            return own
        return next(
            (size for glob, size in self.sizes.items() if fnmatchcase(kernel.name, glob)), self.unknown
        )


def load_model_size() -> ModelSize:
    """Return the rules.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("model_size", ModelSize)
