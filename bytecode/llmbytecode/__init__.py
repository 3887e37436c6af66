"""LLMBytecode: a machine language for small robots whose bounds are proved before it runs. See SPEC.md."""

from llmbytecode._isa import SPEC_HASH, Certificate, Chan, Flag, Limits, Mode, Op, Outcome, Rule
from llmbytecode.assembler import assemble
from llmbytecode.container import Container, block_hash, manifest_hash, read_container, write_container
from llmbytecode.disassembler import disassemble
from llmbytecode.errors import AssemblyError, LLMBytecodeError, Problem, ProgramError, Refusal
from llmbytecode.machine import Machine, World
from llmbytecode.program import Program
from llmbytecode.room import EmptyRoom
from llmbytecode.verify import compiled, verify

__all__ = [
    "SPEC_HASH",
    "AssemblyError",
    "Certificate",
    "Chan",
    "Container",
    "EmptyRoom",
    "Flag",
    "LLMBytecodeError",
    "Limits",
    "Machine",
    "Mode",
    "Op",
    "Outcome",
    "Problem",
    "Program",
    "ProgramError",
    "Refusal",
    "Rule",
    "World",
    "assemble",
    "block_hash",
    "compiled",
    "disassemble",
    "manifest_hash",
    "read_container",
    "verify",
    "write_container",
]
