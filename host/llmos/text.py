"""Text from outside: what a user, a file, a model or a robot wrote."""


def plain(text: str) -> str:
    """Return text on one line, with a blank for each character that is not printable.

    So it can neither command a terminal, break a line's frame, nor spoil a picture or a file: control
    characters, line ends, marks that turn the direction of writing, and halves of characters are gone.
    """
    return "".join(sign if sign.isprintable() else " " for sign in text)


def span(seconds: float) -> str:
    """Return a time for people."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
