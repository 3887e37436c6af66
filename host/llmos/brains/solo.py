"""One kernel alone, asked for a full decision in every cycle; the rule stands in where it fails."""

from llmos.brains.question import Question, Thought
from llmos.brains.stand_in import rule_decides
from llmos.inference import InferenceError, Kernel, Request
from llmos.kernel.prompt import system_prompt


class Solo:
    """Asks a kernel for the whole decision, with its explanation."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

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
        except InferenceError as failure:
            return rule_decides(question, failure)
        return Thought(answer.text, self._kernel.name, calls=(answer,), prompt=request.user)

    def close(self) -> None:
        """Nothing is held."""
