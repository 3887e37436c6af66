"""What the robot's frames say, as tuples with the SPEC's names; and the payloads of the host's."""

import struct
from typing import NamedTuple

from llmbytecode._isa import FRAMES, FrameType
from llmos.link.frames import Frame

_PAYLOADS = {code: struct.Struct(row.format) for code, row in FRAMES.items()}


class Hello(NamedTuple):
    """The robot's answer to IDENTIFY."""

    nonce: int
    spec_hash: int
    manifest_hash: int
    major: int
    minor: int
    clear: int
    native: int  # the low bits of the robot's sys.implementation._mpy; 0: it loads no machine code


class Telemetry(NamedTuple):
    """The robot's newest state: mm, mrad, ms, mV; `state`, `trip` and `flags` as in the SPEC's tables."""

    ms: int
    x_mm: int
    y_mm: int
    heading_mrad: int
    front: int
    front_left: int
    front_right: int
    left: int
    right: int
    rear: int
    age: int
    battery: int
    state: int
    mode: int
    trip: int
    flags: int
    pc: int
    fuel: int
    clear: int


class Verdict(NamedTuple):
    """The robot's verifier on an uploaded block: rule 0 is accepted."""

    block: bytes
    rule: int
    word: int
    value: int
    limit: int


class Done(NamedTuple):
    """How a block ended, and what it used."""

    block: bytes
    outcome: int
    code: int
    pc: int
    fuel: int
    ms: int
    path_mm: int
    rotation_mrad: int
    trip: int


class Event(NamedTuple):
    """A REPORT instruction."""

    tag: int
    value: int


class FaultNotice(NamedTuple):
    """A request that the robot could not meet."""

    code: int
    value: int


Message = Hello | Telemetry | Verdict | Done | Event | FaultNotice

MESSAGES: dict[int, type[Message]] = {
    FrameType.HELLO: Hello,
    FrameType.TELEMETRY: Telemetry,
    FrameType.VERDICT: Verdict,
    FrameType.DONE: Done,
    FrameType.EVENT: Event,
    FrameType.FAULT: FaultNotice,
}


def unpack(frame: Frame) -> Message | None:
    """Return what a frame from the robot says; None for an ACK and for frames that only a host sends."""
    message = MESSAGES.get(frame.type)
    return message._make(_PAYLOADS[frame.type].unpack(frame.payload)) if message else None


def pack(type_: FrameType, *values: int | bytes, tail: bytes = b"") -> bytes:
    """Return the payload of a frame; `tail` is DATA's bytes."""
    return _PAYLOADS[type_].pack(*values) + tail
