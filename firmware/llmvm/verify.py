# numbers of the SPEC, written by tools/gen.py
# end of the SPEC's numbers
from array import array
from binascii import crc32
from struct import unpack_from
from llmvm import _isa
class Verifier:
    def __init__(self, limits, manifest):
        self.certificate = array("i", [0] * 10)
    def check(self, data):
        h = unpack_from(_isa.HEADER_FORMAT, data, 0)
        self.autonomous_ms = h[3]; self.words = h[6]; self.constants = h[7]
        for i in range(10): self.certificate[i] = h[8 + i]
        self.rule = self.word = self.value = self.limit = 0
        return 0
