# A firmware of a few lines: it drives a square for ever, and answers each byte with the byte after it.
import struct
import sys

arena_in, arena_out = open(3, "rb"), open(4, "wb")
serial_in, serial_out = sys.stdin.buffer, sys.stdout.buffer
received = sent = now = legs = 0
moving = 0


def ask(op, *numbers):
    arena_out.write(struct.pack("<BBBBiiii", op, 0, 0, 0, *(numbers + (0,) * (4 - len(numbers)))))


while True:
    ask(1, now + 20, sent)
    reply = arena_in.read(44)
    if len(reply) < 44:
        sys.exit(0)
    now, total, left, right, moving = struct.unpack("<IIiiB", reply[:17])
    if total > received:
        data = serial_in.read(total - received)
        received = total
        if data == b"die":
            raise ValueError("told to die")
        if data == b"spin":
            while True:
                pass
        sent += serial_out.write(bytes((byte + 1) & 255 for byte in data))
    if not moving:
        legs += 1
        ask(2, 4346, 4346 if legs % 2 else -4346, 1024, 512)
        ask(4, legs & 255, 0, 0)
