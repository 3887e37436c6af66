"""What keeps a board from being flashed."""

from llmos.errors import LlmosError


class FlashError(LlmosError):
    """A board that cannot be flashed."""


class NoPort(FlashError):
    """No board is connected."""


class SeveralPorts(FlashError):
    """More than one board is connected, and none is named."""


class PortBusy(FlashError):
    """Another program has the port open."""


class NoAnswer(FlashError):
    """Nothing at the port answers as MicroPython does; `said` is what came instead."""

    def __init__(self, message: str, said: bytes = b"") -> None:
        """Keep what the port said."""
        super().__init__(message)
        self.said = said


class BoardLost(FlashError):
    """The board has stopped answering in the middle."""


class WrongChip(FlashError):
    """The board's chip is none that the firmware runs on."""


class ImageError(FlashError):
    """A file that is no MicroPython for this board."""


class NoRoom(FlashError):
    """The board's file system cannot hold the firmware."""


class ForeignFile(FlashError):
    """A file of somebody else lies where one of the firmware's belongs."""
