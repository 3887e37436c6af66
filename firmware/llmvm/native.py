# Machine code of blocks: it is loaded from memory, never from flash, and kept until the next restart.
import sys
from hashlib import sha256
from io import BytesIO

import vfs

from llmvm import _isa, vm

_NAME = "llmblock"
_FOLDER = "/llmblock"
_STACK = vm.STATE - vm.STACK


# A file system with one file, whose bytes are in memory.
class _Memory:
    def __init__(self, data):
        self._data = data

    def mount(self, _readonly, _mkfs):
        pass

    def umount(self):
        pass

    def stat(self, path):
        if path != "/" + _NAME + ".mpy":
            raise OSError(2)
        return (0x8000, 0, 0, 0, 0, 0, len(self._data), 0, 0, 0)

    def open(self, _path, _mode):
        return BytesIO(self._data)


# The function `run` of a compiled module, or None where it cannot be loaded.
def _load(data):
    vfs.mount(_Memory(data), _FOLDER)
    sys.path.insert(0, _FOLDER)
    try:
        return __import__(_NAME).run
    except (ValueError, ImportError, AttributeError, MemoryError, OSError):
        return None
    finally:
        sys.path.remove(_FOLDER)
        sys.modules.pop(_NAME, None)
        vfs.umount(_FOLDER)


class Native:
    # `most`: bytes that may be loaded between two restarts, since what is loaded is not freed before; 0 takes
    # none.
    def __init__(self, most):
        self.kind = getattr(sys.implementation, "_mpy", 0) & 0xFFFF if most else 0
        self._left = most
        self._loaded = {}  # hash of machine code -> its function
        self.data = b""  # of the upload
        self.forget()

    # A new session begins with no block's machine code; what is loaded stays, so that it need not be loaded
    # again.
    def forget(self):
        self._functions = {}  # by block

    # Make room for an upload. False where it can never be loaded.
    def begin(self, size):
        if not self.kind or size > self._left:
            return False
        try:
            self.data = bytearray(size)
        except MemoryError:
            return False
        return True

    # Load what has been uploaded, unless it is loaded already. False where its hash is not `code`, or where
    # it is no machine code for this robot.
    def attach(self, block, code):
        data, self.data = self.data, b""
        if sha256(data).digest()[: len(code)] != code:
            return False
        if code not in self._loaded:
            self._left -= len(data)  # whether it can be loaded or not
            self._loaded[code] = _load(data)
        self._functions[block] = self._loaded[code]
        return self._functions[block] is not None

    # What runs a block.
    def runs(self, block):
        return self._functions.get(block) or vm.run


# Whether machine code kept its contract in a call that was granted `budget` at `fuel`, and returned `code`.
# The instruction that it stopped at is executed once more, by the interpreter: what the supervisor is asked
# for is what the verified word says.
def kept(state, slot, senses, code, fuel, budget):
    left, pc = state[vm.BUDGET], state[vm.PC]
    if not 0 <= left <= budget or state[vm.FUEL] != fuel + budget - left:
        return False
    if not 0 <= state[vm.DEPTH] <= _STACK or not 0 <= pc <= len(slot.words) // 4:
        return False
    if code == 0:
        return pc < len(slot.words) // 4
    if left == budget or pc == 0 or slot.words[4 * pc - 4] != code or _isa.OP_FAIL < code < _isa.OP_MOVE:
        return False
    state[vm.PC] = pc - 1
    state[vm.FUEL] -= 1
    state[vm.BUDGET] = 1
    again = vm.run(state, slot.words, slot.constants, senses)
    state[vm.BUDGET] = left
    return again == code
