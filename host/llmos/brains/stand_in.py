"""The rule in a model's place: what the robot does while its model gives nothing that can be used."""

from llmos.brains.question import Question, Thought
from llmos.inference import DeadlineExpired, InferenceError, Request, open_kernel

_RULE = open_kernel("rule")


def rule_decides(question: Question, failure: InferenceError | None = None) -> Thought:
    """Return the rule's decision; `failure` is why it stands in for a model, None where it is its turn."""
    request = Request(system="", user=question.text, schema=question.schema)
    note = "deadline" if isinstance(failure, DeadlineExpired) else str(failure or "")
    answer = _RULE(request)
    return Thought(answer.text, _RULE.name, calls=(answer,), stand_in=failure is not None, note=note)
