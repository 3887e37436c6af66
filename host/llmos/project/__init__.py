"""Projects: a goal that goes through eight phases, with a staff of agents, and is remembered.

Errors: `LlmosError` <- `ProjectError`.
"""

from .phases import Phase, ProjectError, Work, summary
from .run import run_project

__all__ = ["Phase", "ProjectError", "Work", "run_project", "summary"]
