"""A taught kernel is the model with its adapter; what cannot be used leaves the untaught one, with a note."""

import ctypes
import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize
from tests.tiny_models import write_adapter, write_card, write_model

from llmos.blackbox._identity import model_files
from llmos.brains.confidence import load_trust
from llmos.brains.opening import untaught_of
from llmos.errors import LlmosWarning
from llmos.evaluation import EvaluationError
from llmos.evaluation._jobs import kept_open
from llmos.inference import AdapterError, Request, note_of, open_kernel
from llmos.inference._adapter import adapter_path, read_adapter, read_card, require_fit
from llmos.inference._session import Session
from llmos.inference._weights import fast_weights, taught_weights

pytest.importorskip("llama_cpp")
ONE = ("blk.0.attn_q",)  # makes the smallest adapter


@pytest.fixture(name="base")
def _base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model in the place of SmolLM2, with a cache and volumes of its own."""
    monkeypatch.setattr("llmos.inference._adapter.system_volume", lambda: tmp_path / "system")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LLMOS_HOME", str(tmp_path / "home"))
    model = write_model(tmp_path / "base.gguf", arch="llama")
    for module in ("_llama", "_weights"):
        monkeypatch.setattr(f"llmos.inference.{module}.packaged_weights", lambda: model)
    monkeypatch.setattr("llmos.blackbox._identity.packaged_weights", lambda: model)
    return model


@pytest.fixture(name="own")
def _own(base: Path, tmp_path: Path) -> Path:
    """The place of a person's own adapter, in which one lies with its card."""
    folder = tmp_path / "home" / "volumes" / "user" / "models"
    folder.mkdir(parents=True)
    adapter = write_adapter(folder / "robot.gguf")
    write_card(adapter, base)
    return adapter


def opened(spec: str = "smollm2") -> tuple[str, str]:
    """The name and note of a kernel that answers."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", LlmosWarning)
        kernel = open_kernel(spec)
    choices = ("c1", "c2")
    answer = kernel(Request("a", "b", choices=choices, deadline_s=300.0))
    kernel.close()
    note = note_of(kernel)
    assert answer.text in choices
    assert [str(one.message) for one in told] == ([f"the untaught model stands in: {note}"] if note else [])
    assert "\n" not in note
    return kernel.name, note


def logits(path: Path, adapter: Path | None = None) -> np.ndarray:
    """What a model says after a text, with an adapter that llama.cpp itself adds."""
    session = Session(path, threads=1)
    if adapter:
        lib = session.lib
        loaded = lib.llama_adapter_lora_init(session._model, os.fsencode(adapter))
        array = (lib.llama_adapter_lora_p_ctypes * 1)(loaded)
        assert lib.llama_set_adapters_lora(session._context, array, 1, (ctypes.c_float * 1)(1.0)) == 0
    said = session.evaluate(session.tokens("the robot drives on")).copy()
    session.close()
    return said


CHANGES = [{}, {"adapter.lora.alpha": 0.5}, {"adapter.lora.alpha": None}, {"rank": 5}]


@pytest.mark.parametrize("changes", CHANGES)
def test_the_adapter_is_added_to_the_weights(base: Path, tmp_path: Path, changes) -> None:
    """Of each, alpha / rank · B · A, to half a step of eight bits."""
    path = write_adapter(tmp_path / "a.gguf", **changes)
    weights, added, taught = map(values, (fast_weights(base), path, taught_weights(base, read_adapter(path))))
    factor = changes.get("adapter.lora.alpha", 1.0) or changes.get("rank", 2)  # without alpha: 1
    for name, before in weights.items():
        a, b = added.get(f"{name}.lora_a"), added.get(f"{name}.lora_b")
        wanted = before if a is None else before + factor / len(a) * b @ a
        steps = np.abs(wanted.reshape(-1, 32)).max(axis=1) / 127
        off = np.abs(taught[name] - wanted).reshape(-1, 32).max(axis=1)
        assert (off <= 0.57 * steps).all(), name  # llama.cpp's steps themselves are rounded to 1/2048
    assert len(added) == 28


def values(path: Path) -> dict[str, np.ndarray]:
    """The numbers in a GGUF file, as the gguf package reads them."""
    return {one.name: dequantize(one.data, one.tensor_type) for one in GGUFReader(path).tensors}


@pytest.mark.parametrize("changes", CHANGES)
def test_the_taught_copy_says_what_llama_cpp_says_with_the_adapter(
    base: Path, tmp_path: Path, changes
) -> None:
    """The weights with the adapter added, against llama.cpp that adds it in each evaluation."""
    path = write_adapter(tmp_path / "a.gguf", **changes)
    fast = fast_weights(base)
    ours, theirs, without = logits(taught_weights(base, read_adapter(path))), logits(fast, path), logits(fast)
    assert np.std(ours - theirs) < 0.25 * np.std(without - theirs)  # random weights magnify what is rounded


def test_who_is_opened_by_which_spec(base: Path, tmp_path: Path, own: Path) -> None:
    """One's own comes before that which ships; `none` leaves it out; to have none is no trouble."""
    other = write_adapter(tmp_path / "other.gguf", seed=9)
    assert opened() == ("smollm2", "")
    assert opened(f"smollm2:{other}") == (f"smollm2:{other}", "")
    assert opened("smollm2:none") == ("smollm2:none", "")
    shipped = tmp_path / "system" / "models" / own.name
    shutil.copytree(own.parent, shipped.parent)
    assert adapter_path() == own
    shutil.rmtree(own.parent)
    assert adapter_path() == shipped
    assert opened() == ("smollm2", "")
    shutil.rmtree(shipped.parent)
    assert opened() == ("smollm2:none", "")


def broken(name: str, keys: dict, change: Callable[[Path], object] = lambda path: None):
    """A case: a part of the note; what adapter and card are made with; what becomes of them then."""
    return pytest.param(name, keys, change, id=name)


def swap(path: Path) -> None:
    """Change the last byte, and no length."""
    path.write_bytes(path.read_bytes()[:-1] + b"\1")


def as_folder(path: Path) -> None:
    """Put a folder into a file's place."""
    path.unlink()
    path.mkdir()


def as_pipe(path: Path) -> None:
    """Put a pipe into a file's place, which would never end."""
    path.unlink()
    os.mkfifo(path)


def as_dead_link(path: Path) -> None:
    """Put a link into a file's place that leads nowhere."""
    path.unlink()
    path.symlink_to("gone")


BAD = {"model": -1, "score": 1}
BROKEN = [
    broken("its SHA-256 is ", {}, swap),
    broken(" bytes, and ", {}, lambda path: path.write_bytes(path.read_bytes()[:-1])),
    broken("robot.gguf: it is no regular file", {}, as_folder),
    broken("robot.gguf: it is no regular file; name", {}, as_pipe),
    broken("robot.gguf: No such file or directory", {}, as_dead_link),
    broken("robot.md is missing", {}, lambda path: path.with_suffix(".md").unlink()),
    broken("robot.md is no regular file", {}, lambda path: as_pipe(path.with_suffix(".md"))),
    broken("robot.md is no UTF-8 text", {}, lambda path: path.with_suffix(".md").write_bytes(b"\xff")),
    broken("key name is missing", {}, lambda path: path.with_suffix(".md").write_text("no front matter")),
    broken("key colour is unknown here", {"card": {"colour": "red"}}),
    broken("robot.md:13: key base.sha256", {"card": {"base": {
        "name": "x", "architecture": "llama", "layers": 2, "width": 32, "sha256": "0123"
    }}}),
    broken("key calibration.instinct.model", {"card": {"calibration": {"instinct": BAD}}}),
    broken("it was made for other of SHA-256 ", {"card": {"base": {
        "name": "other", "architecture": "llama", "layers": 2, "width": 32, "sha256": "0" * 64
    }}}),
    broken("its general.type is 'model'", {"general.type": "model"}),
    broken("its adapter.type is None", {"adapter.type": None}),
    broken("its adapter.lora.alpha is inf", {"adapter.lora.alpha": float("inf")}),
    broken("it is for the architecture qwen3, not llama", {"arch": "qwen3"}),
    broken("of the shape (64, 64), which the model has with the shape (32, 32)", {"width": 64}),
    broken("it changes nothing", {"names": ("nothing",)}),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "keys", "change"), BROKEN)
def test_what_cannot_be_used_leaves_the_untaught_model(
    base: Path, own: Path, reason: str, keys, change
) -> None:
    """The robot drives on all the same, and what is wrong is told in one line that says what to do."""
    keys = dict(keys)
    card = keys.pop("card", {})
    write_adapter(own, **keys)
    write_card(own, base, **card)
    change(own)
    name, note = opened()
    assert name == "smollm2:none"
    assert reason in note
    assert "; " in note


@pytest.mark.filterwarnings("ignore::llmos.errors.LlmosWarning")
def test_nobody_is_evaluated_in_the_place_of_another(base: Path, own: Path) -> None:
    swap(own)
    with pytest.raises(EvaluationError, match=r"would be evaluated untaught: .* its SHA-256 is"):
        kept_open("smollm2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_an_adapter_that_may_not_be_read(base: Path, own: Path) -> None:
    own.chmod(0)
    assert "Permission denied" in opened()[1]


def test_a_weight_that_the_model_does_not_have_is_told(base: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other.gguf", arch="qwen3vl")
    path = write_adapter(tmp_path / "a.gguf", arch="qwen3vl")
    require_fit(read_adapter(path), other)
    data = path.read_bytes().replace(b"blk.1.ffn_up", b"blk.7.ffn_up")
    path.write_bytes(data)
    with pytest.raises(AdapterError, match=r"blk.7.ffn_up.weight .* which the model does not have"):
        require_fit(read_adapter(path), other)


def test_cut_off_at_any_byte_it_is_refused(tmp_path: Path) -> None:
    """Whoever has no card has no hash: the format alone tells."""
    path = write_adapter(tmp_path / "a.gguf", names=ONE)
    whole = path.read_bytes()
    read_adapter(path)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(AdapterError, match=r"cut off|starts with") as caught:
            read_adapter(path)
        assert "\n" not in str(caught.value)


def test_changed_at_any_byte_it_is_read_or_refused(base: Path, tmp_path: Path) -> None:
    """Never anything else, and nothing that takes long."""
    path = write_adapter(tmp_path / "a.gguf", names=ONE)
    whole, refusals = path.read_bytes(), []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            require_fit(read_adapter(path), base)
        except AdapterError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert [one for one in refusals if "\n" in one] == []


def test_a_spoilt_copy_is_made_anew_and_few_are_kept(base: Path, tmp_path: Path) -> None:
    """The cache holds what was used last."""
    specs = [f"smollm2:{write_adapter(tmp_path / f'{seed}.gguf', seed=seed)}" for seed in range(6)]
    for spec in specs:
        assert opened(spec) == (spec, "")
    copies = list((tmp_path / "cache" / "llmos").glob("*.taught.gguf"))
    assert len(copies) == 4
    assert not list((tmp_path / "cache" / "llmos").glob("*.part"))
    for path in copies:
        path.write_bytes(path.read_bytes()[:1000])
    assert opened(specs[-1]) == (specs[-1], "")


def test_without_room_for_the_copy_the_untaught_model_decides(
    base: Path, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    name, note = opened()
    assert name == "smollm2:none"
    assert "cannot be written: Not a directory; make room, or set XDG_CACHE_HOME" in note


def test_the_word_of_a_taught_kernel_is_worth_what_its_card_says(
    base: Path, own: Path, tmp_path: Path
) -> None:
    """And that of one without a card, or that was not measured, as much as that of any model."""
    found = load_trust("smollm2")
    assert (found.instinct.model, found.instinct.score, found.plan.score) == (0.5, 0.25, 2.0)
    assert load_trust(f"smollm2:{own}") == found
    assert load_trust("smollm2:none") not in (found, load_trust("gguf:any"))
    other = write_adapter(tmp_path / "other.gguf")
    assert load_trust(f"smollm2:{other}") == load_trust("gguf:any")
    write_card(own, base, calibration=None)
    assert read_card(own).calibration is None
    assert load_trust("smollm2") == load_trust("gguf:any")


def test_a_record_knows_the_adapter_by_its_content(base: Path, own: Path) -> None:
    before = model_files("smollm2")
    assert [one["name"] for one in before] == ["base.gguf", "robot.gguf", "robot.md"]
    assert [one["name"] for one in model_files("smollm2:none")] == ["base.gguf"]
    swap(own)
    assert [old == new for old, new in zip(before, model_files("smollm2"), strict=True)] == [
        True,
        False,
        True,
    ]
    shutil.rmtree(own.parent)
    assert model_files("smollm2") == before[:1]


@pytest.mark.parametrize(("spec", "bare"), [
    ("dual", "dual:smollm2:none"),
    ("dual:smollm2", "dual:smollm2:none"),
    ("dual:smollm2:a:b.gguf", "dual:smollm2:none"),
    ("smollm2", "smollm2:none"),
    ("smollm2:a.gguf", "smollm2:none"),
    ("smollm2:none", "smollm2:none"),
])  # fmt: skip
def test_a_spec_without_its_adapter(spec: str, bare: str) -> None:
    assert untaught_of(spec) == bare


@pytest.mark.parametrize("spec", ["rule", "random", "gguf:smollm2", "dual:rule", "replay:smollm2"])
def test_what_has_no_adapter_to_leave_out(spec: str) -> None:
    with pytest.raises(AdapterError, match="only smollm2 can be taught"):
        untaught_of(spec)
