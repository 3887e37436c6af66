"""Gets MicroPython's unix port, 64-bit and 32-bit, into the user's cache, unless it is there already.

It is built as the variant in tools/board, a virtual ESP32-S3, whose REPL is a board's.

The source is Debian's, fetched by apt from the mirror that this machine already uses (only the suite differs)
into folders of its own, so no root is needed and nothing on the machine changes. The signature is checked
with the machine's Debian keyring; where that is too old to know the suite's key, the pinned SHA-256 must do.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from llmos.errors import LlmosError
from llmos.micropython import (
    MicroPythonNotFound,
    cached,
    find,
    mpremote_dir,
    overridden,
    version,
    word_size,
)

SUITE = "trixie"
TARBALL = "micropython_1.25.0+ds.orig.tar.xz"
SHA256 = "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea"
KEYRINGS = [Path("/usr/share/keyrings/debian-archive-keyring").with_suffix(end) for end in (".pgp", ".gpg")]
VARIANT = Path(__file__).with_name("board")
ELSEWHERE = "install `micropython` 1.22 or newer (Debian 13, Ubuntu 24.04, Homebrew), then run this again"


def main() -> int:
    """Make sure of both word sizes; 1 where there is no 64-bit MicroPython in the end."""
    wanted = [bits for bits in (64, 32) if not _present(bits)]
    if 32 in wanted and not _compiles_32():
        print("    32-bit: left out, as `gcc -m32` fails (on x86-64 Debian: apt-get install gcc-multilib)")
        wanted.remove(32)
    if not wanted:
        return 0
    try:
        cached(64).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached(64).parent, prefix="build-") as folder:
            source = _unpack(_fetch(Path(folder)), Path(folder))
            for bits in wanted:
                _build(source, bits)
            _keep_mpremote(source)
    except (LlmosError, OSError) as error:
        print(f"tools/micropython.py: {error}", file=sys.stderr)
        return 1 if 64 in wanted else 0
    return 0


def _present(bits: int) -> bool:
    try:
        path = find(bits)
    except MicroPythonNotFound:
        return False
    if not overridden(bits) and (path != cached(bits) or not mpremote_dir().is_dir()):
        return False  # one on PATH serves where ours cannot be built
    if word_size(path) != bits:
        print(f"    {bits}-bit: {path} does not run; building it anew")
        return False
    print(f"    {bits}-bit: MicroPython {version(path)}, {path}")
    return True


def _compiles_32() -> bool:
    program = "#include <stdio.h>\nint main(void) { return 0; }\n"
    with tempfile.TemporaryDirectory() as folder:
        command = ["gcc", "-m32", "-x", "c", "-", "-o", f"{folder}/a"]
        try:
            return subprocess.run(command, input=program, text=True, capture_output=True).returncode == 0
        except OSError:
            return False


def _fetch(folder: Path) -> Path:
    """Download the source package from the first of the machine's mirrors that has it; return its tarball."""
    mirrors = _mirrors()
    if not mirrors:
        raise LlmosError(f"the apt sources of this machine name no Debian mirror; {ELSEWHERE}")
    keyring = next((f"signed-by={path}" for path in KEYRINGS if path.exists()), "trusted=no")
    for mirror in mirrors:
        for option in (keyring, "trusted=yes"):  # the second is for a keyring that is too old
            tarball = _fetch_from(mirror, option, folder)
            if tarball is not None:
                return tarball
    raise LlmosError(f"none of {', '.join(mirrors)} has {SUITE}'s source of micropython; {ELSEWHERE}")


def _mirrors() -> list[str]:
    """The machine's mirrors as apt itself reads them, whatever the format of its sources."""
    row = "$(COMPONENT) $(RELEASE) $(REPO_URI)"
    command = ["apt-get", "indextargets", "--no-release-info", "--format", row]
    try:
        rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return []
    found = [row.split() for row in rows if row.startswith("main ")]
    return list(dict.fromkeys(uri for _, suite, uri in found if suite.isalpha()))  # no -updates, no -security


def _fetch_from(mirror: str, option: str, folder: Path) -> Path | None:
    state = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (state / name).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()
    (state / "sources.list").write_text(f"deb-src [{option}] {mirror} {SUITE} main\n")
    settings = {
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "Dir::Cache": state / "cache",
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
    }
    apt = ["apt-get", "-q", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    unsigned = " by its SHA-256, as the keyring is too old" if option == "trusted=yes" else ""
    print(f"    fetching the source of MicroPython 1.25 from {mirror}{unsigned}", flush=True)
    for command in (["update", "--error-on=any"], ["source", "--download-only", "micropython"]):
        done = subprocess.run([*apt, *command], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            print(f"      {_last_lines(done.stderr, 2)}")
            return None
    return _checked(next(folder.glob("micropython_*.orig.tar.*")), option)


def _checked(tarball: Path, option: str) -> Path:
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if tarball.name == TARBALL and digest != SHA256:
        raise LlmosError(f"{tarball.name} has SHA-256 {digest}, not {SHA256}; use another mirror")
    if tarball.name != TARBALL and option == "trusted=yes":
        raise LlmosError(f"{tarball.name} is unknown and unsigned; install a newer debian-archive-keyring")
    return tarball


def _unpack(tarball: Path, folder: Path) -> Path:
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # 3.11.4 and newer
    with tarfile.open(tarball) as archive:
        archive.extractall(folder / "source", **safely)  # type: ignore[arg-type]
    return next((folder / "source").iterdir())


def _build(source: Path, bits: int) -> None:
    """Build the unix port (10 to 60 s) and put it into the cache in one step."""
    start = time.monotonic()
    print(f"    {bits}-bit: building, about half a minute", flush=True)
    word = ["MICROPY_FORCE_32BIT=1"] if bits == 32 else []
    build = f"build-{bits}"
    make = ["make", f"-j{os.cpu_count()}", "-C", "ports/unix", f"BUILD={build}"]
    variant = [f"VARIANT_DIR={VARIANT}", f"USER_C_MODULES={VARIANT}/usermod", "FROZEN_MANIFEST="]
    command = [*make, *variant, *word]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    if done.returncode:
        raise LlmosError(f"building the {bits}-bit MicroPython failed: {_last_lines(done.stderr, 3)}")
    fresh = cached(bits).with_name(f"{build}.new")
    (source / "ports/unix" / build / "micropython").rename(fresh)
    fresh.rename(cached(bits))
    print(f"    {bits}-bit: built in {time.monotonic() - start:.0f} s: {cached(bits)}")


def _keep_mpremote(source: Path) -> None:
    """Keep the package's mpremote with its test scripts, which our tests run against the virtual board."""
    kept = mpremote_dir()
    if not kept.is_dir():
        fresh = Path(tempfile.mkdtemp(dir=kept.parent, prefix="mpremote-"))
        shutil.copytree(source / "tools/mpremote", fresh, dirs_exist_ok=True)
        fresh.rename(kept)


def _last_lines(text: str, count: int) -> str:
    return " / ".join(text.strip().splitlines()[-count:])


if __name__ == "__main__":
    sys.exit(main())
