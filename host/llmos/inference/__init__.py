"""One function, `Request -> Answer`, behind which any model, rule or record can stand.

Errors: `LlmosError` <- `InferenceError` <- `DeadlineExpired`.
"""

from ._batch import ask_all
from ._registry import KERNELS, open_kernel
from ._scheduler import Client, Scheduler
from ._schema import conforms, violation
from ._types import Answer, Around, DeadlineExpired, Estimating, Inference, InferenceError, Kernel, Request

__all__ = [
    "KERNELS",
    "Answer",
    "Around",
    "Client",
    "DeadlineExpired",
    "Estimating",
    "Inference",
    "InferenceError",
    "Kernel",
    "Request",
    "Scheduler",
    "ask_all",
    "conforms",
    "open_kernel",
    "violation",
]
