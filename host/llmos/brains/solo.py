"""One kernel alone, asked for a full decision in every cycle; the rule stands in where it fails."""

from llmos.brains.question import Question, Thought
from llmos.inference import DeadlineExpired, InferenceError, Kernel, Request, open_kernel
from llmos.kernel.prompt import system_prompt


class Solo:
    """Asks a kernel for the whole decision, with its explanation."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._rule = open_kernel("rule")

    @property
    def vision(self) -> bool:
        """Whether the kernel sees."""
        return self._kernel.vision

    def __call__(self, question: Question) -> Thought:
        """Decide; see `Brain`."""
        request = Request(
            system=system_prompt(),
            user=question.text,
            images=question.images if self.vision else (),
            deadline_s=question.deadline_s,
            schema=question.schema,
            seed=question.seed,
        )
        try:
            answer = self._kernel(request)
        except InferenceError as error:
            note = "deadline" if isinstance(error, DeadlineExpired) else str(error)
            answer = self._rule(request)
            return Thought(
                answer.text, self._rule.name, calls=(answer,), prompt=request.user, stand_in=True, note=note
            )
        return Thought(answer.text, self._kernel.name, calls=(answer,), prompt=request.user)

    def close(self) -> None:
        """Nothing is held."""
