"""The virtual robot: a board process of its own, and the port and clock that belong to it."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from llmos.link.clock import LockstepClock
from llmos.link.errors import LinkError
from llmos.link.port import Port, open_port

_START_S = 30.0  # wall time in which a board must have started
_LAST_WORDS_S = 1.0
_END_S = 10.0  # wall time in which it must have finished its log after the host has left


class VirtualBoard:
    """Spawns `llmos board --lockstep`; a context manager that leaves no process behind."""

    port: Port
    clock: LockstepClock

    def __init__(
        self,
        arena: str | Path = "simple",
        robot: str = "cube",
        *,
        seed: int = 0,
        speed: float = 0.0,
        faults: Sequence[str] = (),
        truth_path: str | Path | None = None,
        bits: int = 64,
        firmware: str | Path | None = None,
        camera: bool = False,
    ) -> None:
        """Start the board; `speed` 0 is as fast as possible, `faults` are values such as `cut@1500`.

        With a camera, `camera_url` is where its pictures are: `/capture`, `/stream`, `/status`.

        Raises:
            LinkError: the board did not start; carries its own reason.
        """
        # -P: the working directory is the user's, and what is called llmos there is not this package
        command = [sys.executable, "-P", "-m", "llmos", "board", "--lockstep"]
        command += ["--arena", str(arena), "--robot", robot, "--seed", str(seed)]
        command += ["--speed", str(speed), "--bits", str(bits)]
        command += ["--truth", str(truth_path)] if truth_path else []
        command += ["--firmware", str(firmware)] if firmware else []
        command += ["--camera"] if camera else []
        command += [word for fault in faults for word in ("--fault", fault)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the board
        # A session of its own: Ctrl-C in the terminal reaches the host alone, which stops the robot first.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        atexit.register(self.close)
        try:
            self._connect()
        except BaseException:
            self._kill()
            raise

    def _connect(self) -> None:
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise LinkError("the board has no clock channel; this is a bug")
        greeting = self._greeting(process.stdout.fileno())
        self.camera_url = greeting.get("camera", "")
        self.port = open_port(greeting["pty"], gone=self._reason)
        self.clock = LockstepClock(self.port, process.stdin.fileno(), process.stdout.fileno(), self._reason)

    def _greeting(self, stdout: int) -> dict[str, str]:
        """Return where the board's parts are; `pty` is one of them."""
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([stdout], [], [], _START_S)[0]:
                raise LinkError(f"the board has not started within {_START_S:.0f} s; look at `llmos doctor`")
            data = os.read(stdout, 1)
            if not data:
                raise LinkError(self._reason())
            line += data
        try:
            greeting = {str(name): str(place) for name, place in json.loads(line).items()}
            return {"pty": greeting.pop("pty")} | greeting
        except (ValueError, TypeError, KeyError, AttributeError):
            raise LinkError(f"the board begins with {line[:80]!r}; use one version of LLMos") from None

    def _reason(self) -> str:
        """Why the board is gone, in its own words where it left any."""
        self._drain(_LAST_WORDS_S)
        if self._errors.closed:  # asked late, as by a generator that is collected
            return "the board has been closed"
        self._errors.seek(0)
        lines = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        if lines:
            return f"the board has ended: {lines[-1].removeprefix('llmos: board: ')}"
        return "the board has ended without a word, as when it is killed or the disk is full; start again"

    def _drain(self, seconds: float) -> None:
        """Wait for the end of the board's standard output, which is its own end."""
        stdout = self._process.stdout
        with suppress(OSError, ValueError):
            while stdout and select.select([stdout], [], [], seconds)[0] and os.read(stdout.fileno(), 4096):
                pass

    def __enter__(self) -> "VirtualBoard":
        """Return the board."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the board."""
        self.close()

    def close(self) -> None:
        """End the board: let it finish its log, then make sure; may be called twice."""
        process = self._process
        try:
            if process.returncode is None and process.stdin:
                with suppress(OSError):
                    process.stdin.close()
                self._drain(_END_S)
        finally:
            self._kill()

    def _kill(self) -> None:
        """End the board if it still lives, then its whole process group, whatever it does."""
        atexit.unregister(self.close)
        process = self._process
        try:
            process.terminate()  # it has a folder to remove
            self._drain(_LAST_WORDS_S)
        finally:
            if process.returncode is None:  # not reaped: the group's number is still its own
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if hasattr(self, "port"):
            self.port.close()
        for stream in (process.stdin, process.stdout, self._errors):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
