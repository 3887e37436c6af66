# `make demo` shows LLMos at work, `make test` proves it; both set up what is missing first.
PY := .venv/bin/python

.PHONY: help setup demo test lint gen bench fuzz exhaustive safety campaigns wheel clean

help:
	@echo "make setup       the virtual environment, compiled parts, MicroPython"
	@echo "make demo        a virtual robot drives to a corner"
	@echo "make test        every test"
	@echo "make lint        ruff, mypy, sizes, generated files"
	@echo "make gen         the files that are generated from SPEC.md"
	@echo "make bench       every benchmark, against a named peer"
	@echo "make fuzz        a million programs on every machine (FUZZ=\"--minutes 5\")"
	@echo "make exhaustive  every small program in every world (EXHAUSTIVE=\"--only loops\")"
	@echo "make safety      cut cables, killed hosts, pushed boxes and e-stops by the thousand (SAFETY=\"soak\")"
	@echo "make campaigns   a million damaged frames, a flash killed at each step, the stepper drive against its model, the eyes, killed writers, changed records"
	@echo "make wheel       wheels in dist/"
	@echo "make clean       remove what was built"

setup:
	@tools/setup.sh

demo: setup
	.venv/bin/llmos run "drive to the far corner" --arena simple

test: setup
	LLMOS_REQUIRE_MICROPYTHON=1 $(PY) -m pytest -q -n auto --dist worksteal

lint: setup
	.venv/bin/ruff check .
	.venv/bin/mypy
	$(PY) tools/firmware_types.py
	$(PY) tools/size.py
	$(PY) tools/gen.py --check

gen: setup
	$(PY) tools/gen.py

bench:
	@tools/setup.sh bench
	$(PY) tools/bench.py

# A million programs on every machine; it goes on where the last call stopped (FUZZ="--minutes 5", --seeds 0:1000).
fuzz: setup
	$(PY) tools/fuzz.py $(FUZZ)

# About a million small programs: no run of any in any world exceeds its certificate.
exhaustive: setup
	$(PY) tools/exhaustive.py $(EXHAUSTIVE)

safety: setup
	$(PY) tools/safety.py $(SAFETY)

campaigns: setup
	$(PY) tools/campaign_link.py
	$(PY) tools/campaign_flash.py
	$(PY) tools/campaign_drive.py --count 2500 --top 1024
	$(PY) tools/campaign_eyes.py
	$(PY) tools/campaign_volumes.py
	$(PY) tools/campaign_dream.py
	$(PY) tools/campaign_blackbox.py
	$(PY) tools/firmware_size.py

wheel: setup
	$(PY) tools/wheel.py dist

clean:
	rm -rf build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find bytecode host \( -name '*.so' -o -name '_*.c' \) -delete
	rm -f .venv/stamps/extensions
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
