"""What goes wrong between the host and its robot."""

from typing import TYPE_CHECKING

from llmbytecode._isa import Fault
from llmos.errors import LlmosError

if TYPE_CHECKING:
    from llmos.link.messages import Hello

_FAULTS: dict[int, str] = {
    Fault.UNKNOWN_BLOCK: "it does not hold the block; upload it again",
    Fault.BUSY: "a block is running already; stop it first",
    Fault.BATTERY: "its battery is at {value} mV, too low to start; charge it",
    Fault.UPLOAD: "the uploaded bytes do not fit their announcement; upload the block again",
    Fault.INTERNAL: "its firmware failed ({value}) and has latched; connect again, and report this bug",
    Fault.LATCHED: "its e-stop is latched; see that the way is free, then clear it",
    Fault.NOT_COMPLETED: "the block before has not completed; run this one by itself",
}


class LinkError(LlmosError, OSError):
    """The port or the robot at its end cannot be used."""

    def __str__(self) -> str:
        """The message alone; OSError would print it as an error number."""
        return str(self.args[0]) if self.args else ""


class LinkTimeout(LinkError, TimeoutError):
    """The robot did not answer in time."""


class RobotRestarted(LinkTimeout):
    """The robot lost its power, or was reset, and knows nothing of us."""


class HashMismatch(LinkError):
    """Host and robot were made for different SPECs or manifests; `hello` is what the robot says of itself."""

    def __init__(self, message: str, hello: "Hello") -> None:
        """Keep the robot's HELLO."""
        super().__init__(message)
        self.hello = hello


class BlockRefused(LinkError):
    """The robot's verifier refused a block."""


class RobotFault(LinkError):
    """The robot answered a request with FAULT."""


def robot_fault(code: int, value: int) -> RobotFault:
    """Return the error that a FAULT frame stands for."""
    text = _FAULTS.get(code, "fault {code}, which this version does not know; use one version of LLMos")
    return RobotFault(f"the robot refuses: {text.format(code=code, value=value)}")
