"""Skills: markdown files that say what the robot can do, with a program or guidance, and with their tests.

A physical skill holds one LLMBytecode program with parameters, a guide text that an agent follows.

Errors: `LlmosError` <- `SkillError`.
"""

from ._cases import Case, Tried, cases, try_case
from ._front import Physical, Test
from ._load import call_text, find_skill, load_skills, read_shelf
from ._skill import Parameter, Skill, SkillError, program_lines, skill_of

__all__ = [
    "Case",
    "Parameter",
    "Physical",
    "Skill",
    "SkillError",
    "Test",
    "Tried",
    "call_text",
    "cases",
    "find_skill",
    "load_skills",
    "program_lines",
    "read_shelf",
    "skill_of",
    "try_case",
]
