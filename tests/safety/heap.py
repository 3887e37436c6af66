"""How much of the heap the firmware takes, and with how little it drives."""

import tempfile
from pathlib import Path
from random import Random

from llmbytecode import Outcome
from llmos.resources import firmware_dir
from llmos.sim.child import FirmwareDied

from .cuts import random_moves
from .stage import Host, Scene, play, random_arena

MOST = 100 * 1024
BLOCKS = 6
MAIN = """
import gc, json, sys
gc.collect()
first = gc.mem_alloc()
from llmvm import hal, supervisor

class Watched(supervisor.Supervisor):
    round = 0

    def step(self):
        super().step()
        self.round += 1
        if self.round % 20 == 1:
            gc.collect()
            print("HEAP", gc.mem_alloc(), file=sys.stderr)

gc.collect()
code = gc.mem_alloc()
with open("robot.json") as file:
    config = json.load(file)
robot = Watched(hal.open(config), config["limits"], config["angles_mrad"])
gc.collect()
print("START", first, code, gc.mem_alloc(), file=sys.stderr)
robot.run()
"""


def used(bits: int) -> tuple[int, int, int, int]:
    """Return the bytes in use before the firmware, with its code, at rest, and the most while it drives."""
    with tempfile.TemporaryDirectory(prefix="llmos-heap-") as name:
        folder = Path(name)
        (folder / "main.py").write_text(MAIN)
        (folder / "llmvm").symlink_to(firmware_dir() / "llmvm")
        played = play(Scene(random_arena(Random(4)), _drive, 1, firmware=folder, bits=bits))
    lines = [line.split() for line in played.stderr.splitlines()]
    first, code, rest = next(map(int, words[1:]) for words in lines if words[0] == "START")
    return first, code, rest, max(int(words[1]) for words in lines if words[0] == "HEAP")


def drives(bits: int, heap_kb: int) -> bool:
    """Whether the firmware, unchanged, boots and drives with so little memory."""
    try:
        played = play(Scene(random_arena(Random(4)), _drive, 1, bits=bits, heap_kb=heap_kb))
    except FirmwareDied:
        return False
    return any("drove" in note for note in played.notes)


def least_kb(bits: int) -> int:
    """The least heap in KB with which it boots and drives."""
    low, high = 32, 512
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if drives(bits, middle) else (middle, high)
    return high


def _drive(host: Host) -> None:
    robot, random = host.robot, Random(1)
    robot.connect()
    blocks = [random_moves(random) for _ in range(BLOCKS)]
    ended = [robot.run(block).outcome for block in blocks]
    ended += [done.outcome for done in robot.stream(blocks)]
    if ended == [Outcome.COMPLETED] * 2 * BLOCKS:
        host.note(drove=True)
