"""Teaching the model: make examples (`data`), fit an adapter to them (`fit`), put it to use (`export`).

`llmos train` does one after the other in a folder that one process at a time uses. Only `fit`, `model`,
`lessons`, `progress` and `export` need PyTorch.

Errors: `LlmosError` <- `TrainingError`.
"""

from llmos.errors import LlmosError

DATA, FIT, EXPORT = "data", "fit", "export"  # folders of a training


class TrainingError(LlmosError):
    """What training needs is missing or damaged, or its folder cannot be written."""
