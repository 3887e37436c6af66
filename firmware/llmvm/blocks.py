# The two slots for blocks: an upload goes to the one that does not run, and counts only when it has been
# verified.
from array import array
from hashlib import sha256
from struct import calcsize

from llmvm import _isa

_HEADER = calcsize(_isa.HEADER_FORMAT)
_HASH = 8


class Slot:
    def __init__(self, capacity):
        self.data = bytearray(capacity)
        self.view = memoryview(self.data)
        self.certificate = array("i", [0] * (_isa.CERT_GUARDED + 1))
        self.hash = None  # of the block that may run from here

    # Note what the verifier found out about the accepted block.
    def accept(self, block, verifier):
        behind = _HEADER + 4 * verifier.words
        self.words = self.view[_HEADER:behind]
        self.constants = self.view[behind : behind + 4 * verifier.constants]
        self.certificate[:] = verifier.certificate
        self.autonomous_ms = verifier.autonomous_ms
        self.hash = block


class Blocks:
    def __init__(self, limits, verifier):
        self._verifier = verifier
        capacity = _HEADER + 4 * (limits[_isa.LIM_MAX_WORDS] + limits[_isa.LIM_MAX_CONSTANTS])
        self._slots = (Slot(capacity), Slot(capacity))
        self.forget()

    # A new session begins without blocks.
    def forget(self):
        for slot in self._slots:
            slot.hash = None
        self.running = None
        self._target = None  # the slot of the upload that is open
        self.broken = False  # an upload went wrong, which has been answered: the rest of it is passed over
        self._last = self._slots[1]  # the slot that was accepted or run last, which an upload spares

    # The slot that holds an accepted block, or None.
    def find(self, block):
        for slot in self._slots:
            if slot.hash == block:
                self._last = slot
                return slot
        return None

    # Begin an upload. False where it cannot fit.
    def begin(self, block, size):
        self._target = None
        first, second = self._slots
        spared = self.running or self._last
        slot = second if spared is first else first
        self.broken = size > len(slot.data)
        if self.broken:
            return False
        slot.hash = None
        self._target, self._block, self._size, self._got = slot, block, size, 0
        return True

    # Take `size` bytes, those behind all that came before. False where they are not.
    def data(self, offset, view, size):
        slot = self._target
        if slot is None or offset != self._got or offset + size > self._size:
            self._target = None
            self.broken = True
            return False
        slot.data[offset : offset + size] = view
        self._got += size
        return True

    # Check the upload. Returns the verifier, which holds the verdict, or None where the upload is not what
    # was announced.
    def commit(self, block):
        slot, self._target = self._target, None
        if slot is None or self._got != self._size or block != self._block:
            return None
        if sha256(slot.view[: self._size]).digest()[:_HASH] != block:
            return None
        verifier = self._verifier
        if verifier.check(slot.view[: self._size]) == _isa.RULE_OK:
            slot.accept(block, verifier)
            self._last = slot
        return verifier
