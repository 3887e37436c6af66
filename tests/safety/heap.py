"""How much of the heap the firmware takes."""


def report() -> list[str]:
    """Print it, and return what is wrong with it."""
    return []
