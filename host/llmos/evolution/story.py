"""The story of evolution: what dreams tried, who begot whom, and what the volumes' history has of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmos.evolution.journal import Dreamed, dreams
from llmos.page_style import STYLE
from llmos.plots import Axis, Mark, chart, dots, interval
from llmos.statistics import wilson
from llmos.volumes import Commit, Tier, Volumes
from llmos.world.draw import escaped

_WHO = ("dream", "patterns", "promote", "watch")  # who changes skills but persons and agents
_SUMMARY = {
    "proposed": "proposed as {branch}",
    "merged": "merged from {branch}",
    "refused": "nothing was measurably better",
    "well": "nothing to mend: it does well",
    "untested": "it has no tests, so that nobody can tell better from worse",
}


@dataclass(frozen=True)
class Story:
    """What there is to tell of a skill, or of all.

    Args:
        dreams: the oldest first.
        commits: of the volumes, with their tier: all of a skill, else those that evolution made.
    """

    dreams: Sequence[Dreamed]
    commits: Sequence[tuple[str, Commit]]

    @property
    def changes(self) -> list[str]:
        """The commits, each in a line."""
        return [f"  {tier:<6} {commit.line}" for tier, commit in self.commits]


def story(volumes: Volumes, skill: str = "") -> Story:
    """Collect the story of a skill, or of all."""
    path = f"skills/{skill}.md" if skill else None
    found = [
        (str(tier), commit)
        for tier in Tier
        for commit in volumes.log(tier, path)
        if skill or commit.author in _WHO
    ]
    return Story(dreams(skill), sorted(found, key=lambda pair: pair[1].time_s))


def facts(told: Story) -> dict[str, Any]:
    """Return a story for --json."""
    return {
        "dreams": [
            {"skill": one.skill, "stamp": one.stamp, "journal": str(one.path), "events": one.events}
            for one in told.dreams
        ],
        "commits": [
            {"tier": tier, "id": commit.id, "time_s": commit.time_s, "author": commit.author,
             "subject": commit.subject, "run": commit.run}
            for tier, commit in told.commits
        ],
    }  # fmt: skip


def text(told: Story) -> str:
    """Return a story for a terminal."""
    if not told.dreams and not told.commits:
        return "nothing has evolved yet: `llmos dream` breeds what failed"
    parts = ["\n".join(dream_lines(one)) for one in told.dreams]
    if told.commits:
        parts.append("\n".join(["changes in the volumes:", *told.changes]))
    return "\n\n".join(parts)


def dream_lines(dream: Dreamed) -> list[str]:
    """Return one dream: its generations, the winner's ancestors, the held-out verdicts, the outcome."""
    begin, tried = dream.one("begin"), dream.all("variant")
    lines = [f"{dream.skill}, dream {dream.stamp} of version {begin.get('version', '?')}"]
    failures = dream.one("failures")
    if failures:
        kinds = ", ".join(f"{kind} {times}x" for kind, times in failures["kinds"].items()) or "none"
        again, count = failures["replayed"][1], failures["replayed"][0]
        lines.append(f"  failures: {kinds}" + (f"; {again} of {count} replays failed again" if count else ""))
    for generation in sorted({one["generation"] for one in tried}):
        own = [one for one in tried if one["generation"] == generation]
        best = max(own, key=_rank)
        share = best["fitness"]["success"]
        what = (
            f"{len(own)} variants, the best {best['id'][:6]} by {best['operator']}"
            if generation
            else "original"
        )
        lines.append(f"  generation {generation:>2} {_bar(share)} {share:>4.0%}  {what}")
    if refused := sum(dream.one("refused").get("reasons", {}).values()):
        lines.append(
            f"  {refused} more were refused by the assembler, the verifier or the audit before they ran"
        )
    lines += [_verdict_line(one) for one in dream.all("offered")]
    if winner := _winner(dream):
        lines.append("  begot: " + " > ".join(_named(one) for one in ancestors(dream, winner)))
        lines += [f"    {line}" for line in _variant(dream, winner).get("diff", [])]
    end = dream.one("end")
    how = _SUMMARY.get(end.get("outcome", ""), "it has not ended: it runs still, or was stopped")
    return [*lines, f"  {how.format(branch=end.get('branch', ''))}"]


def _rank(event: dict[str, Any]) -> tuple[bool, list[float]]:
    return event["whole"], list(event["fitness"].values())


def _bar(share: float) -> str:
    return ("#" * round(20 * share)).ljust(20, ".")


def _verdict_line(offered: dict[str, Any]) -> str:
    verdict = "accepted" if not offered["refused"] else f"refused: {offered['refused']}"
    return (
        f"  held-out {offered['id'][:6]}: {offered['before']:.0%} -> {offered['after']:.0%} "
        f"of {offered['cases']}, "
        f"{offered['mended']} mended, {offered['broken']} broken, p {offered['corrected']:.1g} "
        f"({offered['of']} offered): {verdict}"
    )


def _winner(dream: Dreamed) -> str:
    """Return the identifier of the variant that was accepted; the best of several."""
    accepted = [one for one in dream.all("offered") if not one["refused"]]
    return str(max(accepted, key=lambda one: float(one["after"]))["id"]) if accepted else ""


def _variant(dream: Dreamed, name: str) -> dict[str, Any]:
    return next((one for one in dream.all("variant") if one["id"] == name), {})


def ancestors(dream: Dreamed, name: str) -> list[dict[str, Any]]:
    """Return a variant and those it is from, the original first; of two parents the one that leads."""
    line: list[dict[str, Any]] = []
    while found := _variant(dream, name):
        line.append(found)
        name = found["parents"][0] if found["parents"] else ""
    return line[::-1]


def _named(event: dict[str, Any]) -> str:
    by = f" by {event['by']}" if event["by"] not in ("", "chance") else ""
    lens = f" ({event['lens']})" if event["lens"] else ""
    return f"{event['id'][:6]} {event['operator']}{lens}{by} {event['fitness']['success']:.0%}"


def page(told: Story) -> str:
    """Return a story as one page of HTML, without scripts and without anything from elsewhere."""
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>',
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>Evolution</title><style>{STYLE}</style></head><body><h1>Evolution</h1>",
        *(_section(one) for one in told.dreams),
        f"<h2>Changes in the volumes</h2><pre>{escaped(chr(10).join(told.changes))}</pre>",
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _section(dream: Dreamed) -> str:
    body = escaped("\n".join(dream_lines(dream)[1:]))
    title = escaped(f"{dream.skill}, dream {dream.stamp}")
    drawn = "".join(plots(dream))
    return f'<h2>{title}</h2><div class="plots">{drawn}</div><pre>{body}</pre>'


def plots(dream: Dreamed) -> list[str]:
    """Return the plots of a dream: success by generation, and before and after on the held-out runs."""
    tried, drawn = dream.all("variant"), []
    if tried:
        rows: dict[str, Sequence[Mark]] = {
            f"generation {generation}" if generation else "original": [
                dots([one["fitness"]["success"] for one in tried if one["generation"] == generation])
            ]
            for generation in sorted({one["generation"] for one in tried})
        }
        drawn.append(chart("Success of each variant on its training runs", "share of runs", Axis(0, 1), rows))
    if offered := dream.all("offered"):
        first, count = offered[0]["before"], offered[0]["cases"]
        shares = {"original": first} | {one["id"][:6]: one["after"] for one in offered}
        marks: dict[str, Sequence[Mark]] = {name: [_share(share, count)] for name, share in shares.items()}
        title = f"Success on {count} held-out runs, with its 95 % interval"
        drawn.append(chart(title, "share of runs", Axis(0, 1), marks))
    return drawn


def _share(share: float, count: int) -> Mark:
    low, high = wilson(round(share * count), count)
    return interval(low, share, high, f"{share:.0%}")
