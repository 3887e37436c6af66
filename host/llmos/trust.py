"""How much a model's word counts; who fits it writes it down, who decides reads it."""

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat


class Weights(BaseModel):
    """How much a model's probabilities and the scores count.

    Args:
        model: exponent of the model's probability.
        score: exponent of the score.
        bias: mean log probability of the first, second … candidate of a list; none where it is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: float = Field(ge=0, le=10, allow_inf_nan=False)
    score: float = Field(ge=0, le=50, allow_inf_nan=False)
    bias: tuple[float, ...] = ()


class Trust(BaseModel):
    """A kernel's weights.

    Args:
        instinct: of its instinct.
        plan: of its planner's votes.
        verbs: how much more readily it says a verb than it should where it chooses subgoals in BabyAI, in log
            probability; those that are not named, and all of a kernel that was taught to choose, by nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instinct: Weights
    plan: Weights
    verbs: dict[str, FiniteFloat] = {}
