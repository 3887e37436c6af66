"""What goes wrong between the host and its robot."""

from llmos.errors import LlmosError


class LinkError(LlmosError, OSError):
    """The port or the robot at its end cannot be used."""

    def __str__(self) -> str:
        """The message alone; OSError would print it as an error number."""
        return str(self.args[0]) if self.args else ""


class LinkTimeout(LinkError, TimeoutError):
    """The robot did not answer in time."""


class HashMismatch(LinkError):
    """Host and robot were made for different SPECs or manifests."""


class BlockRefused(LinkError):
    """The robot's verifier refused a block."""


class RobotFault(LinkError):
    """The robot answered a request with FAULT."""
