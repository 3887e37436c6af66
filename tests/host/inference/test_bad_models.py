"""A model file that is damaged, or another than it should be, ends in a sentence and never in a crash."""

import json
import os

import pytest
from tests.host.inference.conftest import record
from tests.tiny_models import write_model, write_projector

from llmos.inference import InferenceError, Request, conforms, open_kernel
from llmos.inference._llama import LlamaKernel, open_session
from llmos.inference._sound import check_file, model_paths
from llmos.inference._trial import attempt

pytest.importorskip("llama_cpp")


@pytest.fixture(autouse=True, name="cache")
def _cache(tmp_path, monkeypatch):
    """A cache of its own, in which no file has passed yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llmos" / "tried"


def refusal(*paths, here=True):
    """The one line that opening a kernel ends in; `here` tries the files without the process around it."""
    for path in paths:
        check_file(path)
    with pytest.raises(InferenceError) as caught:
        attempt(paths) if here else open_kernel("gguf:" + "+".join(map(str, paths)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"arch": "nonsense"}, "unknown model architecture: 'nonsense'"),
        ({"arch": "mamba"}, "key not found"),
        ({"qwen3vl.block_count": 3}, "tensor 'blk.2.attn_norm.weight' not found"),
        ({"tokenizer.ggml.tokens": ["a", "b"]}, "tensor 'token_embd.weight' has wrong shape"),
        ({"tokenizer.ggml.model": "unheard of"}, "unknown tokenizer: 'unheard of'"),
    ],
    ids=str,
)
def test_a_model_that_cannot_be_used_says_why(tmp_path, changes, reason):
    """Of another architecture, of another vocabulary, or at odds with itself."""
    assert reason in refusal(write_model(tmp_path / "m.gguf", **changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"qwen3vl.n_deepstack_layers": 5}, "llama.cpp crashes on it (SIGABRT); fetch it again"),
        ({"tokenizer.ggml.model": "bert"}, "cannot be used: ValueError: could not find"),
    ],
    ids=str,
)
def test_a_model_that_ends_the_process_is_refused_by_its_trial(tmp_path, changes, reason):
    """Whatever it dies of."""
    assert reason in refusal(write_model(tmp_path / "m.gguf", **changes), here=False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"width": 64}, "mismatch between text model (n_embd = 64) and mmproj (n_embd = 128)"),
        ({"clip.projector_type": "unheard of"}, "unknown projector type: unheard of"),
        ({"clip.has_vision_encoder": False}, "is no projector for this model"),
        ({"clip.vision.attention.head_count": 0}, "llama.cpp crashes on it (SIGFPE); fetch it again"),
    ],
    ids=str,
)
def test_a_projector_that_does_not_fit_says_why(tmp_path, changes, reason):
    """Made for another model, or at odds with itself."""
    model, projector = write_model(tmp_path / "m.gguf"), write_projector(tmp_path / "p.gguf", **changes)
    assert reason in refusal(model, projector, here="crashes" not in reason)


def test_model_and_projector_in_the_wrong_places_are_told(tmp_path):
    """Each alone, and the two changed round."""
    model, projector = write_model(tmp_path / "m.gguf"), write_projector(tmp_path / "p.gguf")
    assert "p.gguf is a projector, not a model" in refusal(projector)
    assert "p.gguf is a projector, not a model" in refusal(projector, model)
    assert "m.gguf is a model (qwen3vl), no projector" in refusal(model, model)


@pytest.mark.parametrize("which", ["model", "projector"])
@pytest.mark.parametrize("part", [0.0003, 0.001, 0.02, 0.5, 1.0], ids="cut at {}".format)
def test_a_file_that_is_cut_off_is_refused(tmp_path, which, part):
    """Within the header, the metadata, the tensors, and by the last byte, which llama.cpp would not miss."""
    files = {"model": write_model(tmp_path / "model"), "projector": write_projector(tmp_path / "projector")}
    whole = files[which].read_bytes()
    files[which].write_bytes(whole[: int(part * len(whole)) - (part == 1)])
    message = refusal(files["model"], files["projector"])
    assert "fetch" in message
    if part >= 0.5:
        assert f"is cut off: it has {files[which].stat().st_size} of {len(whole)} bytes" in message


def test_what_is_no_file_is_told_before_anything_is_started(tmp_path, monkeypatch):
    """A folder, nothing, something else, and a file that may not be read, in both places."""
    monkeypatch.setattr("subprocess.run", None)
    model = write_model(tmp_path / "m.gguf")
    (tmp_path / "text.gguf").write_text("hello")
    for name, reason in (("none.gguf", "No such file"), ("", "Is a directory"), ("text.gguf", "b'hell'")):
        for spec in (f"gguf:{tmp_path / name}", f"gguf:{model}+{tmp_path / name}"):
            with pytest.raises(InferenceError, match=reason) as caught:
                open_kernel(spec)
            assert "\n" not in str(caught.value)
    if os.geteuid():
        model.chmod(0)
        with pytest.raises(InferenceError, match="Permission denied"):
            open_kernel(f"gguf:{model}")


def test_a_file_that_has_passed_is_not_tried_again_until_it_changes(tmp_path, cache, monkeypatch):
    """The trial costs a second start; a file that fails is tried each time."""
    path = write_model(tmp_path / "m.gguf")
    open_kernel(f"gguf:{path}").close()
    (mark,) = cache.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.run", None)
        open_kernel(f"gguf:{path}").close()
    write_model(path, **{"qwen3vl.n_deepstack_layers": 5})
    assert "crashes" in refusal(path, here=False)
    assert list(cache.iterdir()) == [mark]


def test_without_a_place_to_remember_it_is_tried_again(tmp_path, monkeypatch):
    """A cache that cannot be written is no error."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    open_kernel(f"gguf:{write_model(tmp_path / 'm.gguf')}").close()


def test_another_vocabulary_is_constrained_alike(tmp_path):
    """One of pieces with bytes to fall back on, as Llama 2's: schema, grammar and choices hold."""
    path = write_model(tmp_path / "m.gguf", arch="llama", vocabulary="pieces")
    kernel = LlamaKernel("tiny", open_session([path]))
    schema = record(colour={"enum": ["rot", "grün"]}, far={"type": "integer", "minimum": 0, "maximum": 99})
    ask = {"system": "You see.", "user": "Wo?", "deadline_s": 300.0, "temperature": 1.0}
    for seed in range(4):
        assert conforms(json.loads(kernel(Request(**ask, seed=seed, schema=schema)).text), schema)
        assert kernel(Request(**ask, seed=seed, grammar='root ::= "grün" | "blau"')).text in ("grün", "blau")
        chosen = kernel(Request(**ask, seed=seed, choices=("c1", "c2", "grün")))
        assert chosen.text in ("c1", "c2", "grün")
        assert sum(chosen.probabilities) == pytest.approx(1)
    session = kernel._session
    assert session.text(session.tokens("the grün ☃ <s> </s>")).strip() == "the grün ☃ <s> </s>"
    kernel.close()


@pytest.mark.parametrize(
    ("argument", "names"),
    [
        ("a.gguf", ["a.gguf"]),
        ("a.gguf+b.gguf", ["a.gguf", "b.gguf"]),
        ("/x+y/a+b.gguf", ["/x+y/a+b.gguf"]),
        ("/x+y/a+b.gguf+/x+y/mmproj+f16.gguf", ["/x+y/a+b.gguf", "/x+y/mmproj+f16.gguf"]),
        ("no ending", ["no ending"]),
    ],
)
def test_the_two_files_of_a_spec(argument, names):
    """A plus sign parts them only behind the model's ending."""
    assert [str(path) for path in model_paths(argument)] == names
