"""Every benchmark, one after the other: `make bench`, or `tools/bench.py NAME…` for some."""

import argparse
import importlib
import sys

from benchlib import print_table

# name -> (module, title); each module has `run() -> list[Row]`
BENCHMARKS = {
    "vm": ("bench_vm", "Interpreter: viper against the same code in plain MicroPython"),
    "native": ("bench_native", "Machine code of blocks: against the interpreter, and against viper by hand"),
    "verify": ("bench_verify", "Verifier: Cython against its plain twin"),
    "validate": ("bench_validate", "Verifier: against wasmtime's, and on the robot"),
    "wasm": ("bench_wasm", "Interpreter and machine code against wasm3"),
    "stream": ("bench_stream", "Pauses between moves, in simulated time"),
    "link": ("bench_link", "Goodput at 921,600 baud, in simulated time"),
    "wire": ("bench_wire", "Bytes on the wire for a square drive"),
    "astar": ("bench_astar", "A*, one query, median over seeded maps"),
    "inference": ("bench_inference", "One decision by SmolLM2"),
    "volumes": ("bench_volumes", "Volumes: commits against git's program, listings against reading"),
    "rollouts": ("bench_rollouts", "Rollouts of skills"),
    "memory": ("bench_memory", "Memory: one question to 100,000 memories, median"),
    "drive": ("bench_drive", "The whole system"),
}


def main() -> int:
    """Run the benchmarks that are asked for; 1 where a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}: choose from {', '.join(BENCHMARKS)}")
    tables = [BENCHMARKS[name] for name in names]
    kept = [print_table(title, importlib.import_module(module).run()) for module, title in tables]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
