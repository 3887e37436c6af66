"""The black box: what a run took in from outside, and what it made of it, line by line as it happened.

A mind is a function of what comes in from outside, and that passes few places: the robot, the kernels, and
what is asked through `Box.outside`. A record keeps it all (the tape) with every step that was derived from
it, so that the run can be replayed by the same code without robot or model, and each step compared.

The file, `record.jsonl`: one JSON object a line, its `kind` first. Readers leave out kinds and fields that
they do not know; `version` changes where that is not enough. A text longer than 80 characters stands once in
a line `text {id, text}`, before the first line with `{"$": id}` in its place.

    run        version, llmos, code, spec, files: digests of prompts and skills; order, began. The first line.
    setting    arena, manifest, goal
    kernel     name, note, vision, batch, files: name, bytes and digest of the ends of each; one line a kernel
    body       simulated
    ask        key, request; a line before the kernel is asked, from any thread
    answer     key, answer; or key, error, message
    now        ms                              these ten are the tape: the mind's dealings with the
    telemetry  columns                         robot and the world, in their order
    block      container
    heard      count, columns: the changes of each field of the telemetry, frame by frame
    done       done, events, ended_ms
    streamed   (a stream of blocks has ended)
    wait       ms
    think
    outside    name, value
    raised     where, error, message: a failure, or KeyboardInterrupt
    call       name, arguments, by: a tool, and the agent that calls it
    called     name, success, digest, length: of its result as JSON
    step       step, wall_s                    derived: compared in a replay, but for fields named seconds
    program    program: a behaviour's
    ending     outcome, reason, sim_s, cut: the step under way; interrupted
    end        outcome, reason, summary: the judge's word, which needs the truth and is not replayed

Each line's last field, `#`, is its tag in a chain, see `_chain`; version 1 had none. A record that is closed
has its SHA-256 in the index of the runs, see `index`; old ones are compressed and leave by the rules of
`rotation`; `check` tells one that was changed, and `export` writes it for other programs.

Every line goes to the operating system before the run goes on: a run that is killed keeps all of it but the
last second of telemetry, and at worst the last line is torn. Where no line can be written any more, none is,
`Box.trouble` says why, and the run goes on.
"""

from ._box import Box
from ._data import data
from ._file import (
    MALFORMED,
    NAME,
    Record,
    RecordError,
    content,
    find_record,
    malformed,
    read_record,
    record_in,
)
from ._player import Differs, Player, RecordEnds
from ._recorder import Recorder

__all__ = [
    "MALFORMED",
    "NAME",
    "Box",
    "Differs",
    "Player",
    "Record",
    "RecordEnds",
    "RecordError",
    "Recorder",
    "content",
    "data",
    "find_record",
    "malformed",
    "read_record",
    "record_in",
]
