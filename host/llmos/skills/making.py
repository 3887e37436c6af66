"""A new skill's file: a template to fill in, or the program that a model makes for a wish."""

import json
from pathlib import Path

from llmbytecode import Outcome
from llmos.evolution.audit import audit
from llmos.inference import Inference
from llmos.manifest import Manifest
from llmos.measures import MEASUREMENTS, Drive
from llmos.trial import try_block
from llmos.volumes import Change, Tier, Volumes, parse
from llmos.writing import make_program

from ._skill import Skill, SkillError, skill_of

TEMPLATE = """\
---
name: {name}
type: physical
category: other
description: Drive a way ahead, then blink.   # people and models choose the skill by this sentence
keywords: [drive, blink]
version: 1.0.0
examples:   # wishes that it fulfils; what `values` leaves out has its default
  - wish: Drive 40 cm ahead and blink.
    values: {{distance_cm: 40}}
tests:   # run them with `llmos skill test {name}`
  - arena: empty   # or a family such as wall, corridor, corner, block, each seed with a room of its own
    seeds: 2
    values: {{distance_cm: 20}}
    check: {{ahead_mm: [185, 215], blue_at_end: [0, 0]}}   # measurement: [least, greatest]
    lights: [blue]
---
# Objective

Say here what it is for.

# How it moves

Say here how. `llmos bytecode explain` tells what the program does.

# Safety

A guard watches the way ahead; something there ends the block with code 1.

# Program

```lasm
; A .const line whose comment gives a range is a parameter; one without a comment is a constant.
.const distance 30cm            ; 5cm..100cm: how far

        GUARD   g0, front < 18cm
        MOVE    distance, 40mm/s
        TRIP    r1
        BEQ     r1, r0, done
        FAIL    1
done:   LED     0, 0, 255
        WAIT    300ms
        LED     0, 0, 0
        END
```
"""
WISHED = """\
---
name: {name}
type: physical
category: other
description: {description}
keywords: []
version: 1.0.0
examples:
  - wish: {quoted}
tests:   # what was measured when it was made; whether it is what was wished, only a person can say
  - arena: {arena}
{ending}    check: {check}
---
# Objective

It was wished: {wish}

# Program

{made}

```lasm
{program}
```
"""
ARENA = "empty"  # where a new skill is tried first
_SPREAD = {"path_mm": 15, "turned_deg": 4, "ahead_mm": 20, "aside_mm": 20}  # what a test allows either way
_SHORTEST = 10  # characters of a description


def template(name: str) -> str:
    """Return a file to fill in, which is a skill already and passes its own test."""
    return TEMPLATE.format(name=name)


def wished(name: str, wish: str, kernel: Inference, manifest: Manifest, *, author: str, way: str) -> str:
    """Return the file of a skill that a model makes for a wish; its test is what the program did at first.

    Args:
        name: the skill's.
        wish: what the robot is to do, in a sentence.
        kernel: who makes the program.
        manifest: the robot.
        author: the kernel, as the file names it.
        way: as `llmos.writing.make_program` takes it.

    Raises:
        SkillError: no program was accepted, or it hits something in an empty room.
        WishError: there is no wish, or it is too long.
        InferenceError: the kernel gives no answer.
    """
    draft = make_program(wish, kernel, manifest, way)
    if draft.program is None:
        raise SkillError(f"skill {name!r}: no program was accepted: {draft.attempts[-1].refusal}")
    trial = try_block(draft.program, arena=ARENA, robot=manifest.name)
    if trial.truth.collisions or trial.done.outcome not in (Outcome.COMPLETED, Outcome.FAILED):
        raise SkillError(f"skill {name!r}: {author} made a program that does not end well; wish it otherwise")
    drive = Drive(trial, manifest.radius_m)
    ending = f"    code: {trial.done.code}\n" if trial.done.outcome == Outcome.FAILED else ""
    ending += f"    lights: [{', '.join(drive.lights)}]\n" if drive.lights else ""
    bounds = {key: (MEASUREMENTS[key](drive), spread) for key, spread in _SPREAD.items()}
    check = {key: [round(value - spread), round(value + spread)] for key, (value, spread) in bounds.items()}
    sentence = draft.wish if len(draft.wish) >= _SHORTEST else f"Do what was wished: {draft.wish}"
    return WISHED.format(
        name=name,
        description=json.dumps(sentence, ensure_ascii=False),
        quoted=json.dumps(draft.wish, ensure_ascii=False),
        wish=draft.wish,
        arena=ARENA,
        ending=ending,
        check=json.dumps(check).replace('"', ""),
        made=f"Made by {author}{f' from {draft.chosen}' if draft.chosen else ''}, accepted by the verifier.",
        program=draft.text.strip("\n"),
    )


def new_skill(volumes: Volumes, source: str, name: str, change: Change, project: str = "") -> Skill:
    """Write a skill's file into the user volume, after the audit that every file has to pass.

    Raises:
        SkillError: there is one of this name, or what was made is no skill or does not pass.
        VolumeError: it cannot be written.
    """
    path = f"projects/{project}/skills/{name}.md" if project else f"skills/{name}.md"
    file = volumes.folder(Tier.USER) / path
    if file.exists():
        raise SkillError(f"skill {name!r} is there already: edit {file}, or choose another name")
    skill = skill_of(parse(source, Path(file)), str(Tier.USER))
    report = audit(skill.document, str(Tier.USER))
    if not report.passed:
        raise SkillError(f"skill {name!r} does not pass the audit: {report.reason}")
    volumes.write(Tier.USER, path, source, change)
    return skill
