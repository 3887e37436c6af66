"""The numbers of evolution: `volumes/system/kernel/evolution.md`, which says what each means."""

from typing import Annotated

from pydantic import Field, model_validator

from llmos.kernel.prompt import Rules, read_rules

Count = Annotated[int, Field(gt=0, le=10**6)]
Share = Annotated[float, Field(ge=0, le=1)]
Inside = Annotated[float, Field(gt=0, lt=1)]
Points = Annotated[float, Field(ge=0, le=100)]
Weight = Annotated[float, Field(ge=0, le=10)]


class Evolution(Rules):
    """What becomes a skill, moves up, stays there, and is bred; see the file for what each means."""

    least_occurrences: Count
    least_pattern_success: Share
    least_confidence: Share

    team_uses: Count
    team_success: Inside
    system_uses: Count
    system_success: Inside
    bound_confidence: Inside
    fresh_seeds: Count

    audit_user: Points
    audit_team: Points
    audit_system: Points
    weight_structure: Weight
    weight_safety: Weight
    weight_permissions: Weight
    weight_injection: Weight
    weight_evidence: Weight
    weight_quality: Weight
    cost_critical: Points
    cost_error: Points
    cost_warning: Points
    cost_note: Points
    most_warnings: Annotated[int, Field(ge=0, le=1000)]

    watch_worse: Inside
    watch_odds: Annotated[float, Field(gt=1, le=1e9)]
    probation_uses: Count
    probation_odds: Annotated[float, Field(gt=1, le=1e9)]

    failures: Count
    training: Count
    held_out: Count
    offers: Count
    generations: Count
    population: Annotated[int, Field(ge=2, le=1000)]
    mutation: Share
    elite: Annotated[int, Field(ge=0, le=1000)]
    tournament: Count
    stop: Share
    alpha: Inside
    least_gain: Share

    @model_validator(mode="after")
    def _fits(self) -> "Evolution":
        if self.elite >= self.population:
            raise ValueError(f"elite is {self.elite}: fewer than the population of {self.population}")
        if not any(getattr(self, f"weight_{name}") for name in CATEGORIES):
            raise ValueError("every weight_… is 0: one category must count")
        return self


CATEGORIES = ("structure", "safety", "permissions", "injection", "evidence", "quality")


def load_evolution() -> Evolution:
    """Return the numbers of evolution.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("evolution", Evolution)
