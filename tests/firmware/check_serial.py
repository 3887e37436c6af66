# The link's way to the host: the cable, or the network where a host has paired; never both.
from parts import *

import os

from llmvm.hal import esp32


class Cable:
    def __init__(self):
        self.incoming = self.outgoing = b""
        self.buffer = self.stdin = self.stdout = self

    def ioctl(self, _request, flags):
        return flags if self.incoming else 0

    def readinto(self, buffer, size):
        buffer[:size] = self.incoming[:size]
        self.incoming = self.incoming[size:]
        return size

    def write(self, buffer, size):
        self.outgoing += bytes(buffer[:size])


class Network(Cable):
    paired = False

    def poll(self, now):
        pass

    def readinto(self, buffer):
        size = min(len(buffer), len(self.incoming))
        return super().readinto(buffer, size)


class Bench:
    def __init__(self):
        self.cable = esp32.sys = Cable()
        self.network = Network()
        self.serial = esp32.Serial(self.network)
        self.now = 0
        self.buffer = bytearray(8)

    # What the link reads when both have brought something, and where its answer goes.
    def round(self, cable=b"", network=b""):
        self.cable.incoming += cable
        self.network.incoming += network
        self.cable.outgoing = self.network.outgoing = b""
        self.now += 100
        self.serial.poll(self.now)
        read = b""
        for _ in range(4):
            size = self.serial.readinto(self.buffer)
            read += bytes(self.buffer[:size])
        self.serial.write(b"answer!", 6)
        return read, self.cable.outgoing, self.network.outgoing


ANSWER = b"answer"

bench = Bench()
check("the cable is the link", bench.round(b"one"), (b"one", ANSWER, b""))
check(
    "more than the buffer holds comes in parts", bench.round(b"0123456789ab"), (b"0123456789ab", ANSWER, b"")
)
check("a host in the network that has not paired is not heard", bench.round(b"", b"x"), (b"", ANSWER, b""))
bench.network.incoming = b""
bench.network.paired = True
check("a host that has paired and is silent changes nothing", bench.round(b"two"), (b"two", ANSWER, b""))
check("with its first byte the link is there", bench.round(b"", b"air"), (b"air", b"", ANSWER))
check("the cable is deaf then", bench.round(b"three", b"air"), (b"air", b"", ANSWER))
check("and nothing of it comes later", bench.round(b"", b"air"), (b"air", b"", ANSWER))
for _ in range(8):
    bench.round()
check("also in a short pause of the network", bench.round(b"late"), (b"", b"", ANSWER))
bench.now += 1000
check("and takes the link when that is over", bench.round(b"four"), (b"four", ANSWER, b""))
check("the host that was silent does not get it back", bench.round(b"five", b"air"), (b"five", ANSWER, b""))
bench.network.paired = False
bench.round()
bench.network.paired = True
check("until it pairs again", bench.round(b"", b"new"), (b"new", b"", ANSWER))
bench.network.paired = False
check("when it has gone, the cable is the link", bench.round(b"six"), (b"six", ANSWER, b""))

bench.cable.incoming = b"\r\x04"
bench.serial.give_back(b"\x01\x02")
check("the REPL gets what is given back, and what came since", bytes(os.terminal), b"\x01\x02\r\x04")
finish()
