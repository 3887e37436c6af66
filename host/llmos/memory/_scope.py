"""What a search is narrowed to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmos.memory._words import clean


@dataclass(frozen=True)
class Scope:
    """Which memories may answer; forgotten ones never do, and traces not before they have ended.

    Args:
        lifecycles: of these.
        kinds: of these kinds; none: of all.
        projects: of these; None: of all, and of nobody.
        since, until: seconds since 1970; None: no bound.
    """

    lifecycles: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    projects: tuple[str, ...] | None = None
    since: float | None = None
    until: float | None = None

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the condition on items, and its values."""
        tests, values = ["forgotten = ''", "status IS NOT 'running'"], dict[str, Any]()

        def one_of(column: str, some: Sequence[str]) -> None:
            names = {f"{column}{index}": value for index, value in enumerate(some)}
            values.update(names)
            tests.append(f"{column} IN ({', '.join(f':{name}' for name in names)})")

        one_of("lifecycle", self.lifecycles)
        if self.kinds:
            one_of("kind", self.kinds)
        if self.projects is not None:
            one_of("project", self.projects)
        for name, sign, value in (("since", ">=", self.since), ("until", "<=", self.until)):
            if value is not None:
                tests.append(f"at {sign} :{name}")
                values[name] = value
        return " AND ".join(tests), clean(values)
