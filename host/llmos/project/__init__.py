"""Projects: a goal that goes through eight phases, with a staff of agents, and is remembered."""

from llmos.kernel.orchestration import PHASES, Orchestration, load_orchestration

from .phases import AUTHOR, Agree, Halt, Phase, ProjectError, Tell, Work, go, summary
from .run import run_project
from .staff import Post, staff

__all__ = [
    "AUTHOR",
    "PHASES",
    "Agree",
    "Halt",
    "Orchestration",
    "Phase",
    "Post",
    "ProjectError",
    "Tell",
    "Work",
    "go",
    "load_orchestration",
    "run_project",
    "staff",
    "summary",
]
