"""What a board gets, by its own words."""

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from llmos.flashing.errors import FlashError
from llmos.flashing.files import compiled, needed, wanted_files
from llmos.flashing.probe import Board
from llmos.manifest import load_manifest
from llmos.resources import firmware_dir

CUBE = load_manifest("cube")
REAL = Board("port", "ESP32-S3", mpy=0x2B06 | 3 << 8)  # xtensawin, 6.3
VIRTUAL = Board("port", "ESP32-S3", mpy=0xB06, virtual=True)


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def test_each_board_gets_its_own_ports() -> None:
    """The arena's for a virtual board, the hardware's for a real one; robot.json says which."""
    real, virtual = wanted_files(REAL, CUBE, {}), wanted_files(VIRTUAL, CUBE, {})
    hal = "/llmvm/hal/"
    assert {path for path in virtual if path.startswith(hal)} == {f"{hal}__init__.mpy", f"{hal}arena.mpy"}
    assert f"{hal}arena.mpy" not in real
    sources = {path.stem for path in (firmware_dir() / "llmvm/hal").glob("*.py")} - {"arena"}
    assert {path for path in real if path.startswith(hal)} == {f"{hal}{name}.mpy" for name in sources}
    assert json.loads(real["/robot.json"])["hal"] == "esp32"
    assert json.loads(virtual["/robot.json"])["hal"] == "arena"
    assert real["/main.py"] == (firmware_dir() / "main.py").read_bytes()
    assert not needed(PurePosixPath("ruff.toml.py"), "esp32")


def test_machine_code_is_the_boards() -> None:
    """The .mpy header names the architecture; a board that loads no .mpy of version 6 gets the sources."""
    assert REAL.arch == "xtensawin"
    assert wanted_files(REAL, CUBE, {})["/llmvm/vm.mpy"][2] >> 2 == 10
    assert wanted_files(VIRTUAL, CUBE, {})["/llmvm/vm.mpy"][2] >> 2 == 2
    old = wanted_files(Board("port", mpy=5), CUBE, {})
    assert old["/llmvm/vm.py"] == (firmware_dir() / "llmvm/vm.py").read_bytes()
    assert not any(path.endswith(".mpy") for path in old)


def test_secrets_are_a_file_of_their_own() -> None:
    """Never in robot.json; none where none are given."""
    secrets = {"wifi_password": "open sesame", "pairing_key": "0123456789abcdef"}
    files = wanted_files(VIRTUAL, CUBE, secrets)
    assert json.loads(files["/secrets.json"]) == secrets
    assert b"sesame" not in files["/robot.json"]
    assert "/secrets.json" not in wanted_files(VIRTUAL, CUBE, {})


def test_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache serves the second time; another source, name or machine is another file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = compiled(b"x = 1\n", "a.py", "x64", 3)
    made = list(tmp_path.rglob("*.mpy"))
    assert [path.read_bytes() for path in made] == [first]
    made[0].write_bytes(b"from the cache")
    assert compiled(b"x = 1\n", "a.py", "x64", 3) == b"from the cache"
    assert compiled(b"x = 2\n", "a.py", "x64", 3) != first
    viper = b"@micropython.viper\ndef f(x: int) -> int:\n    return x\n"
    headers = {
        compiled(viper, "a.py", *target)[2] for target in (("x64", 3), ("xtensawin", 3), ("xtensawin", 2))
    }
    assert headers == {2 << 2 | 3, 10 << 2 | 3, 10 << 2 | 2}


def test_what_mpy_cross_refuses() -> None:
    """Its words, in a sentence."""
    with pytest.raises(FlashError, match=r"refuses firmware/a\.py for x64: .*SyntaxError"):
        compiled(b"x = = 1\n", "a.py", "x64", 3)
    with pytest.raises(FlashError, match=r"6\.9 is not installed"):
        compiled(b"", "a.py", "x64", 9)
