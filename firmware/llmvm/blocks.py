# The two slots for blocks: an upload goes to one whose block neither runs nor is to run next, and counts only
# when it has been verified.
from array import array
from hashlib import sha256
from struct import calcsize

from llmvm import _isa, vm
from llmvm.native import Native

_HEADER = calcsize(_isa.HEADER_FORMAT)
_HASH = 8


class Slot:
    def __init__(self, capacity):
        self.data = bytearray(capacity)
        self.view = memoryview(self.data)
        self.body = self.view[_HEADER:]
        self.certificate = array("i", [0] * (_isa.CERT_GUARDED + 1))
        self.hash = None  # of the block that may run from here

    # Note what the verifier found out about the accepted block, and what runs it.
    def accept(self, block, verifier, run=vm.run):
        behind = _HEADER + 4 * verifier.words
        self.words = self.view[_HEADER:behind]
        self.constants = self.view[behind : behind + 4 * verifier.constants]
        self.certificate[:] = verifier.certificate
        self.autonomous_ms = verifier.autonomous_ms
        self.hash = block
        self.run = run


class Blocks:
    def __init__(self, limits, verifier):
        self._verifier = verifier
        self.native = Native(limits[_isa.LIM_MAX_NATIVE])
        capacity = _HEADER + 4 * (limits[_isa.LIM_MAX_WORDS] + limits[_isa.LIM_MAX_CONSTANTS])
        self._slots = (Slot(capacity), Slot(capacity))
        self.forget()

    # A new session begins without blocks.
    def forget(self):
        for slot in self._slots:
            slot.hash = None
        self.native.forget()
        self._target = None  # the slot of the upload that is open, or `native`
        self.broken = False  # an upload went wrong, which has been answered: the rest of it is passed over
        self._last = self._slots[1]  # that was accepted or run last, which an upload spares if it can

    # The slot that holds an accepted block, or None.
    def find(self, block):
        for slot in self._slots:
            if slot.hash == block:
                self._last = slot
                return slot
        return None

    # Begin an upload to a slot that is neither `running` nor `queued`. Returns 0, or the fault that forbids
    # it.
    def begin(self, block, size, running, queued):
        self._target = None
        self.broken = True
        slot = None
        for one in self._slots:
            if one is not running and one is not queued and (slot is None or slot is self._last):
                slot = one
        if slot is None:
            return _isa.FAULT_BUSY
        if size > len(slot.data):
            return _isa.FAULT_UPLOAD
        self.broken = False
        slot.hash = None
        self._target, self._block, self._size, self._got = slot, block, size, 0
        return 0

    # Begin an upload of machine code for a block that is held. Returns 0, or the fault that forbids it.
    def begin_native(self, block, size):
        self._target = None
        self.broken = True
        if self.find(block) is None:
            return _isa.FAULT_UNKNOWN_BLOCK
        if not self.native.begin(size):
            return _isa.FAULT_NATIVE
        self.broken = False
        self._target, self._block, self._size, self._got = self.native, block, size, 0
        return 0

    # Whether the upload that is open is machine code.
    @property
    def takes_native(self):
        return self._target is self.native

    # Load the machine code whose hash is `code`. Returns the block that it is for, or None where it cannot be
    # loaded.
    def commit_native(self, code):
        self._target = None
        slot = self.find(self._block)
        if self._got != self._size or slot is None or not self.native.attach(self._block, code):
            return None
        slot.run = self.native.runs(self._block)
        return self._block

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
        if verifier.check(slot.view[: self._size], slot.body) == _isa.RULE_OK:
            slot.accept(block, verifier, self.native.runs(block))
            self._last = slot
        return verifier
