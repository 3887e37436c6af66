"""What long campaigns share: options, and a state that goes on where the last call stopped.

A state belongs to the sources that it was counted with; where they have changed, the campaign begins anew.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def options(doc: str | None) -> argparse.Namespace:
    """Read --seeds, --jobs and --minutes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=_span, metavar="FROM:TO", help="these seeds; without it, go on")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--minutes", type=float, default=60 * 24, help="stop after so long")
    return parser.parse_args()


def _span(text: str) -> tuple[int, int]:
    first, _, last = text.partition(":")
    return int(first), int(last)


def fingerprint(patterns: Iterable[str]) -> str:
    """A hash of the files that match, by patterns from the checkout's root."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def resumed(path: Path, code: str) -> dict[str, Any] | None:
    """The state that was saved for these sources; None where there is none."""
    try:
        state: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if state["sources"] != code:
        print("the sources have changed since the last call: this campaign begins anew")
        return None
    return state


def save(path: Path, code: str, **state: Any) -> None:
    """Keep a state; a kill at any moment leaves the old one or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"sources": code, **state}))
    fresh.replace(path)
