"""Ask under the grammar, assemble, verify; where the program is refused, say why and ask again."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llmbytecode import AssemblyError, Certificate, Limits, Program, Refusal, assemble, verify
from llmbytecode.grammar import closed, grammar
from llmbytecode.remedy import remedy
from llmos.inference import Answer, Inference, Request
from llmos.manifest import Manifest

from ._prompt import clean_wish, complaint, nearest, writer_prompt

MAX_TOKENS = 300  # of a program, about 24 lines
LONGEST_TEXT = 4000  # characters; what a model without a grammar says beyond them is dropped
WARMTH = 0.7  # temperature of the attempts after the first
EXAMPLES = 3  # shown before the first attempt: more confuse a small model
FEWER = 1  # shown before later ones, where the refused program needs the room

_FENCED = re.compile(r"```\w*\n(.*?)```", re.DOTALL)  # how chat models wrap code where no grammar holds them


@dataclass(frozen=True)
class Attempt:
    """One program as it was written, and why it was refused; the refusal is empty where it was accepted."""

    text: str
    program: Program | None
    certificate: Certificate | None
    refusal: str
    answer: Answer

    @property
    def well_formed(self) -> bool:
        """Whether it is a program at all."""
        return self.program is not None


@dataclass(frozen=True)
class Draft:
    """What came of a wish: all attempts; the last one is accepted, or none is."""

    wish: str
    attempts: tuple[Attempt, ...]
    chosen: str = ""  # the skill with its numbers, where one was chosen

    @property
    def accepted(self) -> bool:
        """Whether there is a program that the robot takes."""
        return self.certificate is not None

    @property
    def text(self) -> str:
        """The last program's text."""
        return self.attempts[-1].text

    @property
    def program(self) -> Program | None:
        """The accepted program."""
        return self.attempts[-1].program if self.accepted else None

    @property
    def certificate(self) -> Certificate | None:
        """The accepted program's certificate."""
        return self.attempts[-1].certificate

    @property
    def seconds(self) -> float:
        """How long the model wrote, in all."""
        return sum(attempt.answer.seconds for attempt in self.attempts)


def write_program(
    wish: str,
    kernel: Inference,
    manifest: Manifest,
    *,
    attempts: int = 3,
    seed: int = 0,
    max_tokens: int = MAX_TOKENS,
    deadline_s: float = 120.0,
) -> Draft:
    """Have a kernel write a program for a wish, and mend it until the verifier accepts it.

    Args:
        wish: what the robot is to do, in a sentence.
        kernel: who writes.
        manifest: the robot; its parts and ranges are in the grammar, its budgets in the verifier.
        attempts: how many programs may be written.
        seed: fixes the kernel's choices; each attempt has its own.
        max_tokens: longest program; a longer one is cut off and closed.
        deadline_s: longest time for each attempt.

    Raises:
        WishError: there is no wish, or it is too long.
        InferenceError: the kernel gives no answer.
    """
    wish, limits = clean_wish(wish), manifest.limits

    def asked(made: Sequence[Attempt]) -> Request:
        turns, question = nearest(wish, FEWER if made else EXAMPLES), wish
        if made:
            turns, question = (*turns, (wish, made[-1].text)), complaint(made[-1].refusal)
        return Request(
            writer_prompt(limits),
            question,
            turns=turns,
            grammar=grammar(limits),
            deadline_s=deadline_s,
            seed=seed + len(made),
            max_tokens=max_tokens,
            temperature=WARMTH if made else 0.0,
        )

    return drafted(wish, kernel, limits, attempts, asked)


def drafted(
    wish: str,
    kernel: Inference,
    limits: Limits,
    attempts: int,
    asked: Callable[[Sequence[Attempt]], Request],
) -> Draft:
    """Ask for a program until the verifier accepts one; `asked` makes a request from the attempts before."""
    made: list[Attempt] = []
    while len(made) < max(attempts, 1) and not (made and not made[-1].refusal):
        made.append(checked(kernel(asked(made)), limits))
    return Draft(wish, tuple(made))


def checked(answer: Answer, limits: Limits) -> Attempt:
    """Return an answer as a program with its verdict."""
    text = program_text(answer)
    program = None
    try:
        program = assemble(text, "program")
        return Attempt(text, program, verify(program, limits), "", answer)
    except AssemblyError as error:
        return Attempt(text, program, None, str(error), answer)
    except Refusal as refusal:
        if program is not None:
            refusal.remedy = remedy(program, limits, refusal)
        return Attempt(text, program, None, str(refusal), answer)


def program_text(answer: Answer) -> str:
    """Return the program in an answer: out of its fence, closed where it was cut off."""
    fenced = _FENCED.search(answer.text)
    text = (fenced[1] if fenced else answer.text)[:LONGEST_TEXT]
    return closed(text) if answer.cut else text
