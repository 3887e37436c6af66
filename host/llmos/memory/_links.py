"""Where a trace may hang: trace_linking.md, applied."""

from dataclasses import replace

from llmos.memory._errors import IllegalLink
from llmos.memory._items import Trace
from llmos.memory._table import Table
from llmos.memory.rules import Linking


def below(table: Table, rules: Linking, trace: Trace, parent: Trace, link: str) -> Trace:
    """Return a new trace as it hangs below another.

    Raises:
        IllegalLink: it may not hang there.
    """
    _check(table, rules, trace, parent, link)
    depth = parent.depth + (link == "hierarchical")
    if depth >= rules.depth:
        raise IllegalLink(
            f"{_told(trace, parent, link)}: that is depth {depth + 1}, and {rules.depth} is the most"
        )
    return replace(
        trace, parent=parent.id, link=link, depth=depth, project=trace.project or parent.project,
        run=trace.run or parent.run,
    )  # fmt: skip


def hung(table: Table, rules: Linking, trace: Trace, parent: Trace, link: str) -> list[Trace]:
    """Return a trace as it hangs below another, and all below it at their new depths.

    Raises:
        IllegalLink: it may not hang there.
    """
    if trace.parent:
        raise IllegalLink(f"{_told(trace, parent, link)}: it hangs below {trace.parent} already")
    above: Trace | None = parent
    while above:
        if above.id == trace.id:
            raise IllegalLink(f"{_told(trace, parent, link)}: it would hang below itself")
        above = table.trace(above.parent) if above.parent else None
    return _lowered(table, rules, below(table, rules, trace, parent, link))


def _lowered(table: Table, rules: Linking, trace: Trace) -> list[Trace]:
    changed = [trace]
    for child in table.children(trace.id):
        depth = trace.depth + (child.link == "hierarchical")
        if depth >= rules.depth:
            raise IllegalLink(
                f"below {trace.id} trace {child.id} would be at depth {depth + 1}, "
                f"and {rules.depth} is the most"
            )
        changed += _lowered(table, rules, replace(child, depth=depth))
    return changed


def _check(table: Table, rules: Linking, trace: Trace, parent: Trace, link: str) -> None:
    rule = next((one for name, one in rules.links.items() if name == link), None)
    if rule is None:
        raise IllegalLink(f"a link {link!r}: trace_linking.md knows {', '.join(rules.links)}")
    if parent.status not in rule.parent:
        raise IllegalLink(
            f"{_told(trace, parent, link)}: the upper one is {parent.status}, not {' or '.join(rule.parent)}"
        )
    if not rule.allows(parent.kind, trace.kind):
        raise IllegalLink(
            f"{_told(trace, parent, link)}: trace_linking.md allows no {trace.kind} below a {parent.kind}"
        )
    if parent.lifecycle != "active":
        raise IllegalLink(f"{_told(trace, parent, link)}: the upper one is {parent.lifecycle}")
    if table.count_children(parent.id) >= rules.children:
        raise IllegalLink(f"{_told(trace, parent, link)}: it has {rules.children} children, the most")


def _told(trace: Trace, parent: Trace, link: str) -> str:
    return f"{link} link of {trace.kind} {trace.goal[:40]!r} below {parent.kind} {parent.id}"
