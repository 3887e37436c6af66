"""Views of a program that fails, `volumes/system/kernel/lenses.md`, and a model's reflection on it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmos.evolution.failures import KINDS
from llmos.evolution.lines import written_rows
from llmos.evolution.operators import OPERATORS, Rows
from llmos.evolution.variants import Pick, Picker, by_weight
from llmos.inference import InferenceError, Kernel, Request
from llmos.kernel.prompt import Rules, read_rules, system_prompt

Weight = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
LIKELY = 4  # how many operators a model chooses from: those that the weights favour
_ELSE = 0.2  # weight of an operator that a view does not name: nothing is impossible


class Lens(BaseModel):
    """A view: how often it is taken, what it makes a model think of, and what it tries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: Weight
    perspective: Annotated[str, Field(min_length=10, max_length=600)]
    operators: dict[str, Weight]


class Lenses(Rules):
    """What breeding tries more often; see the file."""

    crossover: Share
    reflection: Share
    lenses: Annotated[dict[str, Lens], Field(min_length=1)]
    failures: dict[str, dict[str, Weight]]

    @model_validator(mode="after")
    def _known(self) -> "Lenses":
        named = [name for lens in self.lenses.values() for name in lens.operators]
        named += [name for weights in self.failures.values() for name in weights]
        for name in named:
            if name not in OPERATORS:
                raise ValueError(f"operator {name!r} is none of {', '.join(OPERATORS)}")
        for kind in self.failures:
            if kind not in KINDS:
                raise ValueError(f"failure {kind!r} is none of {', '.join(KINDS)}")
        if not any(lens.weight for lens in self.lenses.values()):
            raise ValueError("every lens has the weight 0: one must be taken")
        return self

    def drawn(self, random: Random) -> str:
        """Draw a lens by its weight."""
        return random.choices(list(self.lenses), [lens.weight for lens in self.lenses.values()])[0]

    def weights(self, lens: str, failed: Mapping[str, int]) -> dict[str, float]:
        """Return each operator's weight in a view, given how often each kind of failure was seen."""
        weights = dict.fromkeys(OPERATORS, _ELSE) | dict(self.lenses[lens].operators)
        seen = sum(failed.values())
        for kind, times in failed.items():
            for name, more in self.failures.get(kind, {}).items():
                weights[name] *= 1 + more * times / seen
        return weights


def load_lenses() -> Lenses:
    """Return the views.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("lenses", Lenses)


@dataclass(frozen=True)
class Reflection:
    """A model that looks at a failure through a lens, and chooses what to change and where."""

    kernel: Kernel
    deadline_s: float = 60.0

    def picker(self, weights: Mapping[str, float], perspective: str, faults: Counter[str]) -> Picker:
        """Return who asks the model once, and draws by weight where it fails or has been asked already."""
        chance, asked = by_weight(weights), False

        def pick(rows: Rows, places: Mapping[str, list[int]], random: Random) -> Pick:
            nonlocal asked
            if asked:
                return chance(rows, places, random)
            asked = True
            try:
                return self._chosen(rows, places, weights, perspective, faults)
            except InferenceError:
                return chance(rows, places, random)

        return pick

    def _chosen(
        self,
        rows: Rows,
        places: Mapping[str, list[int]],
        weights: Mapping[str, float],
        perspective: str,
        faults: Counter[str],
    ) -> Pick:
        likely = sorted(places, key=lambda name: -weights.get(name, 0))[:LIKELY]
        program = "\n".join(
            f"{number:02d} {line}" for number, line in enumerate(written_rows(rows).rstrip().split("\n"), 1)
        )
        wrong = "\n".join(f"- {fault} ({times} times)" for fault, times in faults.most_common(4))
        told = f"{perspective}\n\nProgram:\n{program}\n\nWhat went wrong:\n{wrong}\n"
        changes = "\n".join(f"- {name}: {OPERATORS[name].does}" for name in likely)
        name = self._asked(f"{told}\nChanges:\n{changes}\n\nThe change:", likely)
        lines = [f"{place + 1:02d}" for place in places[name]]
        line = self._asked(f"{told}\nThe change is {name}: {OPERATORS[name].does}.\n\nThe line:", lines)
        return name, int(line) - 1, self.kernel.name

    def _asked(self, user: str, choices: list[str]) -> str:
        if len(choices) == 1:
            return choices[0]
        request = Request(
            system_prompt("reflection"),
            user,
            choices=tuple(choices),
            deadline_s=self.deadline_s,
            max_tokens=16,
        )
        return self.kernel(request).text
