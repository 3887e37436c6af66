"""Trials: what comes back from a block that ran on the virtual robot, and the trace that is drawn from it."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.generate import valid

from llmbytecode import EmptyRoom, Machine, Op, Outcome, Refusal, assemble, verify
from llmbytecode.container import pack_container
from llmos.link import BlockRefused, Event, Robot, VirtualBoard
from llmos.manifest import load_manifest, manifest_hash
from llmos.micropython import find
from llmos.resources import firmware_dir, system_volume
from llmos.runs import certified, run_blocks
from llmos.sim.arena import load_arena
from llmos.sim.inline import InlineBoard
from llmos.sim.judge import between, nearest_m, read_truth
from llmos.sim.rig import Setting
from llmos.trace import ACTS, Way, follow, trace
from llmos.trial import try_block, try_blocks

LIMITS = load_manifest().limits
ANGLED = """
        LED     0, 255, 0
        LOOP    2
        MOVE    5cm, 40mm/s
        CALL    corner
        ENDLOOP
        SENSE   r1, front
        LDI     r2, 2
        LOOPR   r2, max 5
        REPORT  1, r1
        WAIT    300ms
        ENDLOOP
        LED     0, 0, 0
        END
corner: PROC
        TURN    -45deg, 40deg/s
        RET
"""


@pytest.mark.parametrize(("bits", "native"), [(64, "auto"), (32, "auto"), (64, "always"), (32, "always")])
def test_a_trial_knows_what_was_proved_used_said_and_done(bits: int, native: str) -> None:
    """Interpreted or as machine code: the certificate holds, and the truth is where the block leads."""
    trial = try_block(assemble(ANGLED), bits=bits, native=native)
    assert Outcome(trial.done.outcome) is Outcome.COMPLETED
    assert all(used <= getattr(trial.certificate, name) for name, used in trial.used.items())
    assert (trial.used["fuel"], trial.used["reports"]) == (25, 2)
    assert trial.events == [Event(1, 2000)] * 2
    end = trial.truth.samples[-1]
    place = 0.05 * (1 + 0.5**0.5), -0.05 * 0.5**0.5, -1.5708
    assert (end.x, end.y, end.heading) == pytest.approx(place, abs=0.005)
    assert next(sample.led for sample in trial.truth.samples if sample.moving) == [0, 255, 0]
    assert trial.truth.collisions == 0
    assert trial.nearest_mm == int(1000 * (3 - max(x for x, _ in trial.truth.way) - 0.075))


def test_a_trace_is_what_the_block_did() -> None:
    """Each act at its time, for the words that were executed: a procedure, two kinds of loop, reports."""
    trial = try_block(assemble(ANGLED), heartbeat_ms=20)
    acts = trace(trial)
    codes = [Op(trial.program.words[act.word] & 0xFF).name for act in acts]
    once = ["MOVE", "TURN"]
    assert codes == ["LED", *once, *once, "REPORT", "WAIT", "REPORT", "WAIT", "LED", "END"]
    assert all(act.sure for act in acts)
    assert [act.report for act in acts if act.report is not None] == [2000, 2000]
    assert (acts[0].ms, acts[-1].ms) == (0, trial.done.ms)
    assert sum(act.took_ms for act in acts) == trial.done.ms
    edges = [sample for sample in trial.truth.samples if not sample.moving][1:]
    turned = [act for act in acts if act.took_ms > 1000][1]
    assert any(abs(edge.ms - turned.ms - turned.took_ms) <= 60 for edge in edges)


def test_a_trace_says_what_ended_a_move() -> None:
    """A wall ahead: the guard's number, or that of the reflex."""
    wall = "GUARD g2, front < 50cm\nMOVE 1m, 40mm/s\nUNGUARD g2\nMOVE 1m, 40mm/s\nTRIP r1\nREPORT 1, r1\nEND"
    trial = try_block(assemble(wall), arena="narrow_corridor", heartbeat_ms=20)
    assert [act.trip for act in trace(trial) if act.took_ms] == [3, 5]
    assert trial.events == [Event(1, 5)]
    assert trial.truth.collisions == 0


@settings(max_examples=60)
@given(seed=st.integers(0, 2**64 - 1), every=st.integers(1, 9))
def test_a_trace_that_is_sure_is_right(seed: int, every: int) -> None:
    """Whatever a program does: told its word and fuel now and then, the ways kept hold what it did."""
    program = valid(seed, LIMITS)
    machine = Machine(program, LIMITS, EmptyRoom(LIMITS))
    walked = []
    while machine.outcome is Outcome.RUNNING and machine.fuel < 400:
        walked.append(machine.pc)
        machine.step()
    tags = [Event(tag, value) for tag, value in machine.reports]
    ways = {Way(-1, 0): ((), True)}
    for at in range(0, len(walked), every):
        part = walked[at : at + every]
        ways = follow(program, ways, len(part), part[-1], tags)
        true = tuple(word for word in part if program.words[word] & 0xFF in ACTS)
        if not ways:
            return  # too many ways: it says that it is lost
        if all(found == (next(iter(ways.values()))[0], True) for found in ways.values()):
            assert next(iter(ways.values()))[0] == true
        ways = dict.fromkeys(ways, ((), True))


def test_blocks_follow_each_other_and_each_has_its_own_part_of_the_truth() -> None:
    """The second begins where the first ended, without a stop; one that fails is the last."""
    step = assemble("MOVE 10cm, 40mm/s\nEND")
    first, second, third = try_blocks([step, step, assemble("REPORT 2, r0\nFAIL 3"), step])
    assert second.truth.samples[0].x == first.truth.samples[-1].x == pytest.approx(0.1, abs=0.005)
    assert second.truth.samples[-1].x == pytest.approx(0.2, abs=0.002)
    assert first.truth.samples[-1].moving == 1
    assert [act.word for act in trace(first)] == [act.word for act in trace(second)] == [0, 1]
    assert (first.events, second.events, third.events) == ([], [], [Event(2, 0)])
    assert (third.done.outcome, third.done.code) == (Outcome.FAILED, 3)


def test_what_is_refused_does_not_run() -> None:
    """By the host's verifier where it is a program, by the robot's where it is a container."""
    fast = assemble("MOVE 10cm, 200mm/s\nEND")
    with pytest.raises(Refusal, match="speed"):
        try_block(fast)
    certificate = verify(assemble("MOVE 10cm, 40mm/s\nEND"), LIMITS)
    with pytest.raises(BlockRefused, match="rule speed at word 0"):
        try_block(pack_container(fast, certificate, LIMITS))


def test_a_tone_is_noted(tmp_path: Path) -> None:
    """The arena makes no sound; its log says which one, how long and when."""
    text = (system_volume() / "robots" / "cube.toml").read_text()
    robot = tmp_path / "singer.toml"
    robot.write_text(text.replace('name = "cube"', 'name = "singer"\ntone_pin = 38'))
    trial = try_block(assemble("WAIT 1s\nTONE 440Hz, 200ms\nEND"), robot=str(robot))
    assert [(event["tone_hz"], event["tone_ms"]) for event in trial.truth.events] == [(440, 200)]
    assert 1000 <= trial.truth.events[0]["ms"] <= trial.ended_ms


def test_how_near_the_body_came() -> None:
    """To the wall that it drove to."""
    trial = try_block(assemble("MOVE 1m, 40mm/s\nEND"), arena="narrow_corridor")
    arena = load_arena("narrow_corridor")
    assert trial.nearest_mm == int(1000 * nearest_m(trial.truth, arena, 0.075))
    assert 50 <= trial.nearest_mm <= 300


@pytest.mark.parametrize("bits", [64, 32])
def test_a_board_in_this_process_makes_the_run_that_one_of_its_own_makes(tmp_path: Path, bits: int) -> None:
    """To the byte on the line and the truth, so that nothing depends on which of them a trial has."""
    manifest, said = load_manifest(), {"own": BytesIO(), "inline": BytesIO()}
    block = certified(assemble("GUARD g0, front < 60cm\nMOVE 1m, 45mm/s\nTURN 40deg, 30deg/s\nEND"), LIMITS)
    logs = {name: tmp_path / name for name in said}
    place = load_arena("simple")
    setting = Setting(
        place, manifest, firmware_dir(), find(bits), seed=3, speed=0.0, truth=str(logs["inline"])
    )
    code = manifest_hash(manifest.limits)
    with (
        VirtualBoard("simple", seed=3, truth_path=logs["own"], bits=bits) as board,
        Robot(board.port, board.clock, code, seed=3, transcript=said["own"]) as robot,
    ):
        robot.connect()
        theirs = run_blocks(robot, [block])
    with (
        InlineBoard(setting) as inline,
        Robot(inline.port, inline, code, seed=3, transcript=said["inline"]) as robot,
    ):
        robot.connect()
        ours = run_blocks(robot, [block])
    assert ours == theirs
    assert said["inline"].getvalue() == said["own"].getvalue()
    own = read_truth(logs["own"])
    assert between(own, 0, ours[-1].ended_ms) == between(read_truth(logs["inline"]), 0, ours[-1].ended_ms)
