"""The monitor: a robot live in the terminal, with the e-stop under the space bar."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import repeat
from typing import Any, TextIO

from llmbytecode import Outcome
from llmos.instruments import Block, Instruments, one_line, page
from llmos.link import Clock, Robot, RobotFault
from llmos.manifest import Manifest
from llmos.runs import ENDS
from llmos.terminal import Line, Page, keyboard, redraws

HEARTBEAT_MS = 50
LOOK_MS = 20  # longest time between two looks at the keyboard
AGAIN_MS = 100  # after which ESTOP is sent again: it is a datagram, which may be lost
SHOUT_MS = 500  # for which it is repeated at least: what is known of the robot may be older than the key
DRAW_S, TELL_S = 0.1, 1.0  # between two pages, and between two lines where there is no terminal
SLICE_MS = 100
HELP = "space e-stop   c clear   q quit"
HELP_RUN = "space e-stop   c clear   r run again   q quit"
ASKS = "release the e-stop? See that the robot's way is free: y or n"


class _Over(Exception):
    """The user or the time has ended the monitor."""


class _Kept(Exception):
    """The user has stopped the robot again while the e-stop was being released."""


class LookingClock:
    """A clock that lets something be done at least every LOOK_MS while it lets time pass."""

    def __init__(self, clock: Clock, look: Callable[[], None]) -> None:
        """Look with another clock's time."""
        self.simulated = clock.simulated
        self._clock, self._look = clock, look

    def now(self) -> int:
        """Return the time in ms since the clock began."""
        return self._clock.now()

    def wait(self, until_ms: int) -> None:
        """Return at `until_ms`, or earlier when bytes have arrived or it is time to look."""
        self._clock.wait(min(until_ms, self._clock.now() + LOOK_MS))
        self._look()


class Monitor:
    """Shows a connected robot until the user ends it; keys are obeyed within LOOK_MS, whatever it does."""

    def __init__(self, robot: Robot, manifest: Manifest, place: str, block: Block | None = None) -> None:
        """Show a robot; a block is run again and again until it is stopped or does not complete."""
        self._robot = robot
        self._instruments = Instruments(robot, manifest, place)
        self._block, self._rounds = block, 0
        self._repeating = block is not None
        self._keys: Callable[[], str] = lambda: ""
        self._show: Callable[[dict[str, Any]], None] = lambda told: None
        self._shown_s, self._every_s = 0.0, TELL_S
        self._estop_ms: int | None = None  # when the e-stop was asked for; None: not, or the robot has obeyed
        self._again_ms = 0  # when ESTOP is sent again
        self._asking = self._clearing = self._releasing = self._looking = False
        self._until_ms: int | None = None
        self._note = ""

    def watch(self, out: TextIO | None = None, as_json: bool = False, seconds: float | None = None) -> None:
        """Show the robot on `out` until `q` is typed or `seconds` have passed.

        Raises:
            LinkError: the robot is gone.
        """
        out = out or sys.stdout
        clock = self._robot.clock
        self._until_ms = None if seconds is None else clock.now() + int(1000 * seconds)
        with ExitStack() as stack:
            self._keys = stack.enter_context(keyboard())
            if redraws(out) and not as_json:
                self._draw_on(stack.enter_context(Page(out)))
            else:
                self._show = _teller(out, json.dumps if as_json else one_line)
            stack.enter_context(self._looking_clock(clock))
            try:
                while True:
                    self._go_on()
            except _Over:
                pass

    @property
    def ending(self) -> str:
        """How the robot is left."""
        return "its e-stop is latched" if self._robot.latched else "the robot is stopped"

    def _draw_on(self, page_: Page) -> None:
        self._every_s = DRAW_S
        help_ = HELP_RUN if self._block else HELP

        def show(told: dict[str, Any]) -> None:
            asked = Line(ASKS, "1") if self._asking else Line(help_, "7")
            page_.draw([*page(told), Line(self._note, "1"), asked])

        self._show = show

    @contextmanager
    def _looking_clock(self, clock: Clock) -> Iterator[None]:
        self._robot.clock = LookingClock(clock, self._look)
        try:
            yield
        finally:
            self._robot.clock = clock

    def _go_on(self) -> None:
        if self._clearing:
            self._release()
        elif self._repeating and self._block and not self._robot.latched:
            self._repeat(self._block)
        else:
            self._robot.wait(SLICE_MS)

    def _release(self) -> None:
        self._clearing, self._releasing = False, True
        try:
            self._robot.clear()
            self._note = "the e-stop is released"
        except _Kept:
            self._looking = False
        self._releasing = False

    def _repeat(self, block: Block) -> None:
        """Run the block until it does not complete; only the user has it run again then."""
        self._note = ""
        try:
            with closing(self._robot.stream(repeat(block.container))) as ended:
                for done in ended:
                    self._rounds += 1
                    where = f"line {block.program.line(done.pc)}"
                    if done.outcome != Outcome.COMPLETED:
                        self._note = ENDS[Outcome(done.outcome)].format(code=done.code, place=where)
        except RobotFault as fault:
            self._note = str(fault)
        self._repeating = False

    def _look(self) -> None:
        """Obey the keys, and show what is due; what ends the monitor is raised once."""
        if self._looking:
            return
        self._looking = True
        for key in self._keys():
            self._obey(key)
        now = self._robot.clock.now()
        self._insist(now)
        if self._until_ms is not None and now >= self._until_ms:
            raise _Over
        if time.monotonic() >= self._shown_s + self._every_s:
            self._shown_s = time.monotonic()
            self._tell()
        self._looking = False

    def _tell(self) -> None:
        told = self._instruments.read(self._block, self._rounds)
        try:
            self._show(told)
        except OSError:  # nobody reads any more, so nobody could stop the robot
            raise _Over from None

    def _obey(self, key: str) -> None:
        asked, self._asking = self._asking, False
        if key == " ":
            self._estop()
        elif key == "q":
            raise _Over
        elif asked and key == "y":
            self._clearing, self._estop_ms = True, None
        elif key == "c" and self._robot.latched and not self._releasing:
            self._asking = True
        elif key == "r" and self._block and not self._robot.latched:
            self._repeating = True

    def _estop(self) -> None:
        self._robot.shout_estop()
        self._estop_ms = self._robot.clock.now()
        self._again_ms = self._estop_ms + AGAIN_MS
        self._repeating = self._clearing = False
        if self._releasing:  # or the release would go on
            raise _Kept

    def _insist(self, now: int) -> None:
        """Repeat ESTOP until it is certain that the robot has obeyed."""
        if self._estop_ms is None or now < self._again_ms:
            return
        if self._robot.latched and now >= self._estop_ms + SHOUT_MS:
            self._estop_ms = None
        else:
            self._robot.shout_estop()
            self._again_ms = now + AGAIN_MS


def _teller(out: TextIO, text: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], None]:
    def show(told: dict[str, Any]) -> None:
        out.write(text(told) + "\n")
        out.flush()

    return show
