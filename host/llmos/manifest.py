"""The robot's manifest: what the robot is, and the integer limits that its verifier works with."""

import json
import math
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from llmbytecode import Chan, Limits, manifest_hash
from llmos.errors import LlmosError
from llmos.eyes.lens import Lens
from llmos.resources import system_volume
from llmos.tables import read_table

__all__ = [
    "Camera",
    "Manifest",
    "ManifestError",
    "camera_of",
    "find_manifest",
    "load_manifest",
    "manifest_hash",
    "robot_json",
]

Positive = Annotated[float, Field(gt=0, le=1e6, strict=True)]
Count = Annotated[int, Field(gt=0, lt=2**30 - 1, strict=True)]
Pixels = Annotated[int, Field(ge=64, le=1600, strict=True)]
Pin = Annotated[int, Field(ge=0, le=48, strict=True)]  # of an ESP32-S3
Pins = Annotated[list[Pin], Field(min_length=4, max_length=4)]
RangePins = Annotated[list[Pin], Field(min_length=1, max_length=2)]
RangeChannel = Literal["front", "front_left", "front_right", "left", "right", "rear"]
Degrees = Annotated[float, Field(ge=-360, le=360, strict=True)]

RANGE_CHANNELS: tuple[RangeChannel, ...] = get_args(RangeChannel)
RESERVED = {19: "USB", 20: "USB"} | dict.fromkeys(range(22, 33), "its flash, or nothing")
POSE_CHANNELS = (Chan.X, Chan.Y, Chan.HEADING, Chan.CLOCK, Chan.TRAVELLED, Chan.AGE)


class ManifestError(LlmosError):
    """A manifest that cannot be read or does not describe a robot."""


class Part(BaseModel):
    """A table of the manifest; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Drive(Part):
    """Two stepper wheels on one axle."""

    wheel_diameter_m: Positive
    wheel_base_m: Positive
    steps_per_turn: Count
    max_steps_s: Count
    accel_steps_s2: Count
    pins_left: Pins
    pins_right: Pins

    @property
    def steps_per_m(self) -> float:
        """Half-steps per metre of a wheel's way."""
        return self.steps_per_turn / (math.pi * self.wheel_diameter_m)


class Range(Part):
    """Range sensors at the robot's centre; angles counter-clockwise from straight ahead.

    `pins` has for each sensor its shutdown pin (vl53l0x, on the I2C bus), or trigger and echo (hc_sr04).
    """

    driver: Literal["vl53l0x", "hc_sr04"] = "vl53l0x"
    pins: dict[RangeChannel, RangePins] = {}
    max_m: Positive
    stale_ms: Count
    period_ms: Count
    angles_deg: dict[RangeChannel, Degrees]  # a channel that is left out has no sensor


class I2c(Part):
    """The bus of rangers and IMU."""

    sda: Pin
    scl: Pin
    hz: Annotated[int, Field(ge=10_000, le=1_000_000, strict=True)] = 400_000


class Battery(Part):
    """Battery voltages; `divider` is the battery's voltage over the voltage at the ADC's pin."""

    pin: Pin | None = None
    divider: Annotated[float, Field(ge=1, le=100, strict=True)] = 1.0
    full_mv: Count
    min_mv: Count


class Imu(Part):
    """An inertial measurement unit on the I2C bus; the heading then comes from its gyroscope."""

    driver: Literal["mpu6050"]


class Wifi(Part):
    """A second way to the robot; its password and pairing key are given to `llmos flash`, never here."""

    ssid: Annotated[str, Field(min_length=1, max_length=32)]
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = 3333


class Led(Part):
    """The LED."""

    pin: Pin


class Camera(Part):
    """A camera at the robot's middle that looks ahead: how it sees, and where a real one is in the network.

    `url` is its stream (`http://HOST:81/stream`) or gives one picture each time (`http://HOST/capture`).
    """

    url: Annotated[str, Field(pattern="^https?://", max_length=200)] | None = None
    fov_deg: Annotated[float, Field(ge=20, le=120, strict=True)] = 60.0
    height_m: Annotated[float, Field(ge=0.02, le=0.7, strict=True)] = 0.12
    tilt_deg: Annotated[float, Field(ge=0, le=45, strict=True)] = 10.0  # downwards
    size: tuple[Pixels, Pixels] = (320, 240)

    @property
    def lens(self) -> Lens:
        """Its geometry."""
        return Lens(math.radians(self.fov_deg), self.height_m, -math.radians(self.tilt_deg), self.size)


class Link(Part):
    """The lease: ramp down after `lease_ms` without a valid frame, latch after `latch_ms`."""

    lease_ms: Annotated[int, Field(ge=100, le=5000, strict=True)]
    latch_ms: Annotated[int, Field(ge=100, le=60000, strict=True)]


class Budget(Part):
    """What one block may cost at worst."""

    words: Annotated[int, Field(gt=0, le=4096, strict=True)]
    constants: Annotated[int, Field(ge=0, le=256, strict=True)]
    fuel: Count
    ms: Count
    path_m: Positive
    rotation_deg: Positive
    reports: Annotated[int, Field(ge=0, le=65535, strict=True)]
    autonomous_ms: Annotated[int, Field(ge=0, le=65535, strict=True)]
    instruction_us: Count
    tick_ms: Count
    native_bytes: Annotated[int, Field(ge=0, le=65535, strict=True)] = 0


class Manifest(Part):
    """One robot."""

    name: Annotated[str, Field(min_length=1, max_length=40)]
    description: Annotated[str, Field(max_length=200)] = ""
    radius_m: Positive
    stop_m: Positive
    drive: Drive
    range: Range
    battery: Battery
    i2c: I2c | None = None
    imu: Imu | None = None
    led: Led | None = None
    tone_pin: Pin | None = None
    wifi: Wifi | None = None
    camera: Camera | None = None
    link: Link
    budget: Budget

    @model_validator(mode="after")
    def _computable(self) -> "Manifest":
        """Refuse what the verifier would divide by zero with, and what does not fit its 32 bits."""
        limits = self.limits
        for name in ("top_speed", "accel", "turn_accel", "base_mm", "steps_per_m", "steps_per_10rad"):
            if getattr(limits, name) < 1:
                raise ValueError(f"drive: {name} rounds to less than 1: give a faster or wider drive")
        for name, value in limits._asdict().items():
            if value >= 2**31:
                raise ValueError(f"{name} comes to {value}, more than 32 bits hold: look at drive and budget")
        return self

    @model_validator(mode="after")
    def _wired(self) -> "Manifest":
        """Refuse two wires on one pin, and pins that an ESP32-S3 needs itself."""
        pins = self._pins()
        for pin, name in pins:
            twice = [other for number, other in pins if number == pin]
            if len(twice) > 1:
                raise ValueError(f"pin {pin} serves {' and '.join(twice)}: give each its own")
            if pin in RESERVED:
                raise ValueError(
                    f"{name}: pin {pin} is the ESP32-S3's own, for {RESERVED[pin]}; take another"
                )
        wanted = {"vl53l0x": 1, "hc_sr04": 2}[self.range.driver]
        for channel, numbers in self.range.pins.items():
            if len(numbers) != wanted:
                raise ValueError(
                    f"range.pins.{channel}: {numbers} are not the {wanted} of {self.range.driver}"
                )
        return self

    def _pins(self) -> list[tuple[int, str]]:
        """Every pin with the name of what it serves."""
        drive, named = self.drive, [("tone_pin", self.tone_pin), ("battery.pin", self.battery.pin)]
        named += [("drive.pins_left", pin) for pin in drive.pins_left]
        named += [("drive.pins_right", pin) for pin in drive.pins_right]
        named += [(f"range.pins.{name}", pin) for name, pins in self.range.pins.items() for pin in pins]
        named += [("i2c.sda", self.i2c.sda), ("i2c.scl", self.i2c.scl)] if self.i2c else []
        named += [("led.pin", self.led.pin)] if self.led else []
        return [(pin, name) for name, pin in named if pin is not None]

    @property
    def range_angles(self) -> tuple[float, ...]:
        """The range channels' directions in rad, in channel order, counter-clockwise from straight ahead.

        A channel without a sensor has 0; its readings are never valid.
        """
        return tuple(math.radians(self.range.angles_deg.get(name, 0.0)) for name in RANGE_CHANNELS)

    @property
    def top_speed_m_s(self) -> float:
        """Fastest wheel speed."""
        return self.drive.max_steps_s / self.drive.steps_per_m

    @property
    def accel_m_s2(self) -> float:
        """Acceleration of a wheel."""
        return self.drive.accel_steps_s2 / self.drive.steps_per_m

    @property
    def channels(self) -> int:
        """Bit n is set for each channel that the robot has."""
        ranges = sum(1 << Chan[name.upper()] for name in self.range.angles_deg)
        return ranges | 1 << Chan.BATTERY | sum(1 << channel for channel in POSE_CHANNELS)

    @property
    def limits(self) -> Limits:
        """The integers that host and robot verify with, each rounded to the safe side."""
        steps, base = self.drive.steps_per_m, self.drive.wheel_base_m
        return Limits(
            max_words=self.budget.words,
            max_constants=self.budget.constants,
            max_fuel=self.budget.fuel,
            max_ms=self.budget.ms,
            max_path_mm=int(self.budget.path_m * 1000),
            max_rotation_mrad=int(math.radians(self.budget.rotation_deg) * 1000),
            max_reports=self.budget.reports,
            max_autonomous_ms=self.budget.autonomous_ms,
            top_speed=int(self.top_speed_m_s * 1000),
            top_rate=int(self.top_speed_m_s * 2000 / base),
            accel=int(self.accel_m_s2 * 1000),
            turn_accel=int(self.accel_m_s2 * 2000 / base),
            base_mm=int(base * 1000),
            instruction_us=self.budget.instruction_us,
            tick_ms=self.budget.tick_ms,
            channels=self.channels,
            actuators=1 | (2 if self.led else 0) | (4 if self.tone_pin is not None else 0),
            steps_per_m=round(steps),
            steps_per_10rad=round(steps * base * 5),
            max_steps_s=self.drive.max_steps_s,
            accel_steps_s2=self.drive.accel_steps_s2,
            radius_mm=math.ceil(self.radius_m * 1000),
            stop_mm=math.ceil(self.stop_m * 1000),
            range_max_mm=int(self.range.max_m * 1000),
            stale_ms=self.range.stale_ms,
            battery_min_mv=self.battery.min_mv,
            lease_ms=self.link.lease_ms,
            latch_ms=self.link.latch_ms,
            max_native=self.budget.native_bytes,
        )


def robot_json(manifest: Manifest, hal: Literal["arena", "esp32"]) -> str:
    """What the firmware must know of its robot: the contents of `robot.json`.

    `limits` are the verifier's integers in their order, `angles_mrad` the range channels' directions, `parts`
    the manifest's tables about hardware, as they stand there.
    """
    angles = [round(angle * 1000) for angle in manifest.range_angles]
    parts = {"drive", "range", "battery", "i2c", "imu", "led", "tone_pin", "wifi"}
    robot = {"name": manifest.name, "hal": hal, "limits": list(manifest.limits), "angles_mrad": angles}
    return json.dumps(robot | {"parts": manifest.model_dump(include=parts)})


def load_manifest(name: str = "cube") -> Manifest:
    """Return the manifest of a robot by name, or by path where the name ends in .toml.

    Raises:
        ManifestError: the file is missing, is no TOML, or describes no robot.
    """
    return read_table(find_manifest(name), Manifest, f"robot {name!r}", ManifestError)


def camera_of(manifest: Manifest) -> Camera:
    """Return a robot's camera.

    Raises:
        ManifestError: it has none.
    """
    if manifest.camera is None:
        raise ManifestError(f"robot {manifest.name!r} has no camera: add a table [camera] to its manifest")
    return manifest.camera


def find_manifest(name: str) -> Path:
    """Return the file of a robot's manifest, by the robot's name or by path.

    Raises:
        ManifestError: no robot of this name ships.
    """
    if name.endswith(".toml"):
        return Path(name)
    robots = {path.stem: path for path in sorted((system_volume() / "robots").glob("*.toml"))}
    if name not in robots:
        raise ManifestError(f"robot {name!r}: unknown; name one of {', '.join(robots)}, or a .toml file")
    return robots[name]
