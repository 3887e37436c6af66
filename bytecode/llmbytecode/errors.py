"""What this package refuses, one line each.

LLMBytecodeError
├── AssemblyError   text that is no program; carries every problem found
├── CompileError    machine code that cannot be made (llmbytecode.native)
├── ProgramError    a number that no block can hold, such as a word of more than 32 bits
└── Refusal         a program or container that breaks a rule of the SPEC
"""

from typing import NamedTuple

from llmbytecode._isa import RULES, Rule


class LLMBytecodeError(Exception):
    """What failed, the value, where, and what to do, in one line."""


class Problem(NamedTuple):
    """One mistake in an assembly text; lines and columns count from 1."""

    filename: str
    line: int
    column: int
    message: str
    hint: str

    def __str__(self) -> str:
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.filename}:{self.line}:{self.column}: {self.message}{hint}"


class AssemblyError(LLMBytecodeError, ValueError):
    """Text that is no program."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


class ProgramError(LLMBytecodeError, ValueError):
    """A number that no block can hold."""

    def __init__(self, what: str, number: int, bits: int) -> None:
        super().__init__(f"{what} is {number}; it must be an unsigned number of {bits} bits")


class Refusal(LLMBytecodeError, ValueError):
    """A broken rule: the word that broke it, its source line (0: unknown), the value and the limit.

    Whoever knows the program may set `remedy`, the smallest change that would pass, to be told for the hint.
    """

    def __init__(self, rule: Rule, word: int, value: int, limit: int, line: int = 0) -> None:
        self.rule, self.word, self.value, self.limit, self.line = rule, word, value, limit, line
        self.remedy = ""
        super().__init__(rule, word, value, limit, line)

    @property
    def message(self) -> str:
        """The two numbers and the rule in words."""
        text = RULES[self.rule]
        return f"{text.value} is {self.value}, {text.limit} is {self.limit}; the rule: {text.holds}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        return RULES[self.rule].hint

    def __str__(self) -> str:
        where = f", line {self.line}" if self.line else ""
        what_to_do = self.remedy or self.hint
        return f"rule {RULES[self.rule].name}, word {self.word}{where}: {self.message}; {what_to_do}"
