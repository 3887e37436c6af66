"""One function, `Request -> Answer`, behind which any model, rule or record can stand.

Errors: `LlmosError` <- `InferenceError` <- `AdapterError`, `DeadlineExpired`.
"""

from ._accepts import accepts
from ._adapter import AdapterError, taught_trust, untaught
from ._batch import ask_all
from ._registry import KERNELS, open_kernel
from ._scheduler import Client, Scheduler
from ._schema import conforms, violation
from ._types import (
    Answer,
    Around,
    DeadlineExpired,
    Estimating,
    Inference,
    InferenceError,
    Kernel,
    Request,
    note_of,
)

__all__ = [
    "KERNELS",
    "AdapterError",
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
    "accepts",
    "ask_all",
    "conforms",
    "note_of",
    "open_kernel",
    "taught_trust",
    "untaught",
    "violation",
]
