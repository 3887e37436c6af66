"""What an audit finds: one thing in one line, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "error", "warning", "note"]
Category = Literal["structure", "safety", "permissions", "injection", "evidence", "quality"]
BLOCKING: tuple[Severity, ...] = ("critical", "error")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a file.

    Args:
        check: the name of the check that found it.
        line: of the file, from 1; 0 where it is about the whole file.
        text: what is wrong, with the value.
        remedy: what to do about it.
    """

    category: Category
    check: str
    severity: Severity
    line: int
    text: str
    remedy: str

    @property
    def blocks(self) -> bool:
        """Say whether this alone refuses the file."""
        return self.severity in BLOCKING

    def __str__(self) -> str:
        where = f"line {self.line}" if self.line else "whole file"
        return f"{self.severity:<8} {self.category:<11} {where:<10} {self.text}: {self.remedy}"
