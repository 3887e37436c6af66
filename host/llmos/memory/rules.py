"""What the kernel's markdown says of memory: memory_schema.md, query_memory.md and trace_linking.md."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from llmos.kernel.prompt import Rules, read_rules

Count = Annotated[int, Field(gt=0, le=10**6)]
Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=100)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
Words = Annotated[tuple[Word, ...], Field(min_length=1)]


class Required(BaseModel):
    """The fields that each kind of memory must fill."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trace: tuple[Word, ...]
    experience: tuple[Word, ...]
    fact: tuple[Word, ...]


class Schema(Rules):
    """What memory holds; see the file for what each key means."""

    traces: Words
    statuses: Words
    required: Required
    text_chars: Count
    data_bytes: Count
    short_items: Count
    keep_above: Share
    consolidate_after: Count
    min_occurrences: Count
    archive_days: Annotated[float, Field(ge=0, le=36_500)]


class Query(Rules):
    """How memory is searched."""

    limit: Annotated[int, Field(gt=0, le=1000)]
    least: Share
    least_meaning: Share
    words: Weight
    meaning: Weight
    rank: Count
    depth: Annotated[int, Field(gt=0, le=10_000)]
    matches: Count
    query_words: Annotated[int, Field(gt=0, le=256)]
    lifecycles: tuple[Literal["active", "consolidated", "archived"], ...]
    similar_projects: Annotated[int, Field(ge=0, le=1000)]
    similar_least: Share


class Link(BaseModel):
    """What one kind of link asks of the trace above and the trace below."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parent: Words
    below: Literal["any"] | dict[Word, tuple[Word, ...]]

    def allows(self, parent: str, child: str) -> bool:
        """Whether a trace of one kind may have one of another below it."""
        return self.below == "any" or child in self.below.get(parent, ())


class Linking(Rules):
    """Which traces may hang below which."""

    depth: Count
    children: Count
    links: dict[Literal["hierarchical", "sequential", "dependency", "parallel"], Link]
    running_children: Literal["running", "cancelled", "failure"]


def load_schema() -> Schema:
    """Return what memory holds.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("memory_schema", Schema)


def load_query() -> Query:
    """Return how memory is searched.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("query_memory", Query)


def load_linking() -> Linking:
    """Return which traces may hang below which.

    Raises:
        DocumentError: the file is wrong.
    """
    return read_rules("trace_linking", Linking)
