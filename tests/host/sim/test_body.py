"""The body obeys physics: ways, turns, times, walls, readings."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmos.manifest import load_manifest
from llmos.sim.arena import Arena, clearance, load_arena
from llmos.sim.body import World
from llmos.sim.faults import FaultError, parse_faults
from llmos.sim.ranging import NO_READING

CUBE = load_manifest("cube")
PER_M = CUBE.drive.steps_per_m
BASE = CUBE.drive.wheel_base_m


def room(**keys: object) -> Arena:
    """An empty square room of four metres, the robot in its middle, changed by `keys`."""
    plain = {"name": "room", "size_m": (4, 4), "start": {"x": 0, "y": 0}, "criteria": {"min_coverage": 0.5}}
    return Arena.model_validate({**plain, **keys})


def drive(world: World, left: int, right: int, rate: int = 1024, accel: int = 512) -> int:
    """Drive to the end, 20 ms at a time; returns the time that it took in ms."""
    begun = world.now
    world.drive(left, right, rate, accel)
    rest = world.rest_ms
    while world.moving:
        world.advance(min(world.now + 20, world.rest_ms))
    assert world.now == rest
    return world.now - begun


@pytest.mark.parametrize("steps", [1, 10, 217, 1000, 8192, -5000])
def test_straight_move_is_as_long_as_its_steps(steps: int) -> None:
    """A wheel's way is its steps over steps per metre, and the heading stays."""
    world = World(room(start={"x": 0, "y": 0, "heading_deg": 30}), CUBE)
    drive(world, steps, steps)
    way = steps / PER_M
    assert (world.x, world.y) == pytest.approx((way * math.cos(math.pi / 6), way / 2), abs=1e-12)
    assert world.heading == pytest.approx(math.pi / 6, abs=1e-12)
    assert (world.left_pos, world.right_pos, world.collisions) == (steps, steps, 0)


@pytest.mark.parametrize("angle", [math.pi / 2, -math.pi, 0.1, 12.0])
def test_turn_on_the_spot_turns_by_the_wheels_difference(angle: float) -> None:
    """Half the wheel base times the angle is each wheel's way; a positive angle is counter-clockwise."""
    world = World(room(), CUBE)
    steps = round(angle * BASE / 2 * PER_M)
    drive(world, -steps, steps)
    assert (world.x, world.y) == pytest.approx((0, 0), abs=1e-12)
    assert world.heading == pytest.approx(2 * steps / PER_M / BASE, abs=1e-12)


def test_arc_closes_to_a_circle() -> None:
    """With one wheel twice as fast as the other, a full turn ends where it began."""
    world = World(room(), CUBE)
    inner = round(2 * math.pi * BASE * PER_M)
    drive(world, inner, 2 * inner, rate=500)
    assert world.heading == pytest.approx(2 * math.pi, abs=1e-3)
    assert math.hypot(world.x, world.y) < 1e-3


@pytest.mark.parametrize(
    ("steps", "rate", "accel", "seconds"),
    [
        (4096, 1024, 512, 6.0),  # two seconds to and from top speed over 2048 steps, 2048 steps in two more
        (512, 1024, 512, 2.0),  # never at top speed
        (1000, 100, 1000, 10.1),
        (1, 1024, 512, 2 * math.sqrt(1 / 512)),
    ],
)
def test_time_is_the_trapezoid_s(steps: int, rate: int, accel: int, seconds: float) -> None:
    """n/v + v/a with a plateau, else 2·√(n/a), rounded up to a millisecond."""
    assert drive(World(room(), CUBE), steps, -steps, rate, accel) == math.ceil(seconds * 1000 - 1e-6)


@given(
    st.lists(st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000), st.integers(1, 4000)), max_size=8),
    st.integers(0, 3),
)
def test_speed_and_position_never_jump(legs: list[tuple[int, int, int]], seed: int) -> None:
    """No wheel is ever faster than the top speed, whatever replaces what, and each motion ends exactly."""
    world = World(room(), CUBE, seed)
    for left, right, ms in legs:
        before = world.left_pos, world.right_pos
        world.drive(left, right, 1024, 512)
        goal = before[0] + left, before[1] + right
        until = world.now + ms
        while world.now < until:
            was = world.left_pos, world.right_pos
            world.advance(min(until, world.now + 10))
            assert abs(world.left_pos - was[0]) <= 12
            assert abs(world.right_pos - was[1]) <= 12
        if not world.moving:
            assert (world.left_pos, world.right_pos) == goal


@given(st.integers(200, 9000), st.integers(1, 9000), st.floats(-1, 1))
def test_halt_ramps_down_within_the_braking_way(steps: int, after_ms: int, ratio: float) -> None:
    """From a speed v, a halt takes v²/2a steps and v/a seconds, and never passes the motion's own end."""
    world = World(room(), CUBE)
    world.drive(steps, round(steps * ratio), 1024, 512)
    world.advance(after_ms)
    here = world.left_pos
    speed = min(512 * after_ms / 1000, 1024)
    world.halt()
    halted_at = world.now
    while world.moving:
        world.advance(min(world.now + 10, world.rest_ms))
    assert 0 <= world.left_pos - here <= speed * speed / 1024 + 1
    assert world.left_pos <= steps
    assert world.now - halted_at <= speed / 512 * 1000 + 1


def test_halt_at_once_stops_there() -> None:
    """The e-stop's halt lets no more time pass."""
    world = World(room(), CUBE)
    world.drive(4000, 4000, 1024, 512)
    world.advance(3000)
    before = world.left_pos
    world.halt(at_once=True)
    world.advance(5000)
    assert (world.moving, world.left_pos) == (False, before)


ARENAS = [load_arena(name) for name in ("maze", "office", "simple")]


@settings(max_examples=40)
@given(
    st.sampled_from(ARENAS),
    st.lists(
        st.tuples(st.integers(-20000, 20000), st.integers(-20000, 20000), st.integers(1, 60000)), max_size=6
    ),
)
def test_body_is_never_inside_an_obstacle(arena: Arena, legs: list[tuple[int, int, int]]) -> None:
    """Whatever is commanded, the footprint keeps out of walls, discs and border."""
    world = World(arena, CUBE)
    for left, right, ms in legs:
        world.drive(left, right, 1024, 512)
        for until in range(world.now, world.now + ms, 250):
            world.advance(until)
            assert clearance(arena, world.x, world.y) >= CUBE.radius_m - 1e-9


def test_wall_blocks_and_counts_one_contact_until_the_body_has_left_it() -> None:
    """Steps go on while the body stands; pushing again after having moved away is another collision."""
    world = World(room(walls=((0.5, -1, 0.5, 1),)), CUBE)
    drive(world, 20000, 20000)
    assert world.x == pytest.approx(0.5 - CUBE.radius_m, abs=1e-3)
    assert (world.left_pos, world.collisions) == (20000, 1)
    drive(world, 1000, 1000)
    assert world.collisions == 1
    drive(world, -1000, -1000)
    drive(world, 2000, 2000)
    assert world.collisions == 2


@given(st.floats(-1.4, 1.4), st.floats(-1.4, 1.4), st.floats(-math.pi, math.pi), st.integers(0, 5))
def test_ranges_are_distances_to_the_border(x: float, y: float, heading: float, channel: int) -> None:
    """In an empty room each reading is the distance along the sensor's direction to the nearest side."""
    world = World(room(start={"x": x, "y": y, "heading_deg": math.degrees(heading)}, noise_mm=0.0), CUBE)
    angle = heading + CUBE.range_angles[channel]
    dx, dy = math.cos(angle), math.sin(angle)
    sides = [(2 * math.copysign(1, d) - p) / d for p, d in ((x, dx), (y, dy)) if abs(d) > 1e-9]
    assert world.ranges()[channel] == pytest.approx(min(*sides, CUBE.range.max_m, 9e9) * 1000, abs=0.6)


def test_disc_is_seen_at_its_rim() -> None:
    """A ray at a disc's middle ends a radius before it; beside it, it passes."""
    world = World(room(discs=((1.0, 0.0, 0.3),), noise_mm=0.0), CUBE)
    front, front_left, *_ = world.ranges()
    assert (front, front_left) == (700, 2000)


def test_wall_seen_along_its_own_line_is_no_obstacle_at_the_robot() -> None:
    """A ray in a wall's own direction, on its line, is not answered with nothing."""
    world = World(room(walls=((0.5, 0.0, 1.0, 0.0),), noise_mm=0.0), CUBE)
    assert world.ranges()[0] >= 500


def test_noise_has_the_arena_s_width_and_no_bias() -> None:
    """Readings scatter about the true distance with the standard deviation that the arena gives."""
    world = World(room(start={"x": 1.0, "y": 0.0}, noise_mm=8.0), CUBE, seed=3)
    readings = []
    for _ in range(2000):
        world.advance(world.now + CUBE.range.period_ms)
        readings.append(world.ranges()[0])
    assert np.mean(readings) == pytest.approx(1000, abs=1)
    assert np.std(readings) == pytest.approx(8, rel=0.1)


def test_readings_are_refreshed_by_the_period_and_age_between() -> None:
    """A reading stays until the next period, and its age says how old it is."""
    world = World(room(start={"x": 1.0, "y": 0.0}), CUBE)
    period = CUBE.range.period_ms
    world.advance(3 * period)
    first = world.ranges()
    world.advance(3 * period + period - 1)
    assert (world.ranges(), world.ages()) == (first, [period - 1] * 6)
    world.advance(4 * period)
    assert world.ages() == [0] * 6
    assert world.ranges() != first


def test_blind_sensor_has_no_reading_and_a_growing_age() -> None:
    """The other sensors go on."""
    world = World(room(), CUBE, faults=parse_faults(["blind=left@1000"]))
    world.advance(990)
    assert NO_READING not in world.ranges()
    world.advance(1500)
    assert [reading == NO_READING for reading in world.ranges()] == [False, False, False, True, False, False]
    assert world.ages()[3] >= 500
    assert world.ages()[0] < CUBE.range.period_ms


def test_stuck_sensor_repeats_itself() -> None:
    """It looks fresh and never changes."""
    world = World(room(start={"x": 1, "y": 0}), CUBE, faults=parse_faults(["stuck=front@500"]))
    world.advance(450)
    last = world.ranges()[0]
    for _ in range(20):
        world.advance(world.now + 100)
        assert (world.ranges()[0], world.ages()[0]) == (last, world.now % CUBE.range.period_ms)
    assert world.ranges()[1] != last


def test_slip_shortens_the_way_but_not_the_steps() -> None:
    """With a slip of up to a half, about three quarters of the way are left."""
    world = World(room(), CUBE, faults=parse_faults(["slip=0.5"]))
    drive(world, 10000, 10000)
    assert world.left_pos == 10000
    assert math.hypot(world.x, world.y) == pytest.approx(0.75 * 10000 / PER_M, rel=0.1)


def test_same_seed_same_life() -> None:
    """Everything that the robot can know repeats; another seed gives other noise."""

    def life(seed: int) -> list[object]:
        world = World(load_arena("office"), CUBE, seed, parse_faults(["slip=0.1"]))
        seen: list[object] = []
        for leg in range(6):
            drive(world, 3000, 3000 - 700 * leg)
            seen += [world.ranges(), world.ages(), world.battery_mv, (world.x, world.y, world.heading)]
        return seen

    assert life(1) == life(1)
    assert life(1) != life(2)


def test_battery_drains_faster_while_driving() -> None:
    """Ten minutes of driving cost more than ten minutes of rest."""
    resting, driving = World(room(), CUBE), World(room(), CUBE)
    resting.advance(600_000)
    while driving.now < 600_000:
        drive(driving, 2000, -2000)
    assert driving.battery_mv < resting.battery_mv < CUBE.battery.full_mv


def test_power_cycle_forgets_positions_and_keeps_the_pose() -> None:
    """The body stays where it is; what it counted is gone."""
    world = World(room(), CUBE)
    world.drive(5000, 5000, 1024, 512)
    world.advance(2000)
    x = world.x
    world.power_cycle()
    world.advance(4000)
    assert (world.left_pos, world.moving, world.x) == (0, False, x)


@given(st.floats(40, 80), st.floats(60, 140))
def test_true_wheels_drive_the_body_whatever_the_manifest_says(wheel: float, base: float) -> None:
    """A move is longer by the wheels' ratio; a turn grows with it, and shrinks with the wheels' distance."""
    faults = parse_faults([f"wheel={wheel}", f"base={base}"])
    world = World(room(), CUBE, faults=faults)
    drive(world, 4096, 4096)
    assert world.x == pytest.approx(math.pi * wheel / 1000)
    drive(world, -500, 500)
    assert world.heading == pytest.approx(1000 / 4096 * math.pi * wheel / base)


def test_a_stalled_wheel_is_the_pivot() -> None:
    """It is stepped and does not turn: the body swings about it from that moment on."""
    world = World(room(), CUBE, faults=parse_faults(["stall=left@0"]))
    drive(world, 1000, 1000)
    assert world.left_pos == world.right_pos == 1000
    assert world.heading == pytest.approx(1000 / PER_M / BASE)
    late = World(room(), CUBE, faults=parse_faults(["stall=right@999999"]))
    drive(late, 1000, 1000)
    assert late.heading == 0


@pytest.mark.parametrize(
    "text", ["wheel=0", "base=-1", "wheel=1001", "stall=front@1", "stall=left", "base=x"]
)
def test_no_wheel_is_without_size(text: str) -> None:
    """Nor is there a third one."""
    with pytest.raises(FaultError, match=r"write (wheel=MM|base=MM|stall=WHEEL@MS)"):
        parse_faults([text])
