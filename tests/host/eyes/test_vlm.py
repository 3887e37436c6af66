"""The eyes of a model: a picture goes in, a vision frame comes out, and what fails has seen nothing."""

import io
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.tiny_models import write_model, write_projector

from llmos.camera import Picture
from llmos.eyes import Eyes, Lens
from llmos.eyes.vision_frame import LABEL, VisionFrame, read_vision
from llmos.eyes.vlm import COLOUR, ModelDetector, in_our_units, make_detector, open_kernel_that_sees, schema
from llmos.inference import Answer, DeadlineExpired, InferenceError, conforms
from llmos.inference._llama import LlamaKernel, open_session
from llmos.world.grid import Grid

THING = {"label": "red box", "bbox": [100, 400, 300, 900], "confidence": 80, "depth_cm": 45}
SCENE = {"openings": [], "blocked": [], "floor_percent": 40, "environment": "room", "surface": "wood"}


def jpeg(seed=0, size=(320, 240)):
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


PICTURE = jpeg()


class Says:
    """A kernel that gives one answer, or fails, and keeps what it was asked."""

    name, vision = "says", True

    def __init__(self, answer):
        self.answer, self.asked = answer, []

    def __call__(self, request):
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer, 1, 1, 0, 0.0)

    def close(self):
        """Nothing is held."""


def look(answer, wanted="", picture=None):
    """What the detector makes of an answer, and the request that it made for it."""
    kernel = Says(answer if isinstance(answer, str | Exception) else json.dumps(answer))
    frame = ModelDetector(kernel)(Picture(PICTURE if picture is None else picture, 0.0), wanted, 3.0)
    return frame, kernel.asked


def said(*things, **scene):
    return {"detections": list(things), "scene": SCENE | scene}


def blind(frame):
    """Whether a frame says that nothing was seen: no thing, and no ground that is free."""
    return not (frame.detections or frame.scene.openings or frame.floor_m) and bool(frame.problem)


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory):
    """A model of random weights with the structure of Qwen3-VL."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llmos.inference._session.usable_cores", lambda: 1)
        paths = [write_model(folder / "model.gguf"), write_projector(folder / "mmproj.gguf")]
        kernel = LlamaKernel("tiny", open_session(paths))
    yield kernel
    kernel.close()


def test_the_whole_way_from_a_picture_to_a_frame(model):
    """Picture, tokens, an answer held to the schema, a frame: random weights speak nonsense in good form."""
    kept = []

    class Kept(Says):
        def __call__(self, request):
            kept.append(model(request))
            return kept[-1]

    detector = ModelDetector(Kept(""))
    frames = [detector(Picture(jpeg(seed), 0.0), "red box", 300.0) for seed in range(3)]
    for frame, answer in zip(frames, kept, strict=True):
        assert frame.problem == ""
        assert frame.image_size == (320, 240)
        assert conforms(json.loads(answer.text), schema())
        assert VisionFrame.model_validate_json(frame.model_dump_json()) == frame
    assert kept[1].tokens_cached > 1000 > kept[1].tokens_in - kept[1].tokens_cached  # the prompt is long


def test_nonsense_in_good_form_passes_the_eyes_and_frees_nothing(model):
    """From the camera to places in the map: the measured cells stay to the bit, whatever is claimed."""
    grid = Grid((4, 4))
    grid.update((0, 0, 0), [1.5], [0.0], 2.0, 0)
    before = grid.logodds.copy()
    pictures = iter([jpeg(seed) for seed in range(3)])
    eyes = Eyes(lambda: (next(pictures), 0, ""), ModelDetector(model), Lens(), grid, "red box", 300.0)
    for now_ms in (0, 1000, 2000):
        assert eyes.shoot(now_ms) == ""
        seen = eyes.study((0.0, 0.0, 0.1), now_ms)
        assert seen.frame is not None
        assert seen.problem == ""
    assert eyes.count == 3
    assert np.array_equal(grid.logodds, before)


def test_a_model_that_is_late_has_seen_nothing(model):
    """And says so."""
    frame = ModelDetector(model)(Picture(jpeg(), 0.0), "", 0.0)
    assert blind(frame)
    assert "deadline" in frame.problem


def test_an_answer_is_taken_into_our_units():
    """Thousandths to shares, percent to shares, cm as they are."""
    frame, (request,) = look(said(THING, openings=["left"], blocked=["right"]), wanted="red box")
    (thing,) = frame.detections
    assert (thing.label, thing.confidence, thing.bbox) == ("red box", 0.8, (0.1, 0.4, 0.3, 0.9))
    assert (thing.estimated_depth_cm, thing.depth_method, thing.region) == (45, "vlm_estimate", "left")
    assert (frame.scene.openings, frame.scene.blocked) == (("left",), ("right",))
    assert frame.scene.floor_visible_percent == 40
    assert (request.temperature, request.deadline_s, len(request.images)) == (0.2, 3.0, 1)
    assert "red box" in request.user


@pytest.mark.parametrize(
    "answer",
    [
        "I see a red box.",
        "",
        "[]",
        "null",
        '{"detections": [',
        "[" * 100_000,
        InferenceError("HTTP 500"),
        DeadlineExpired("late"),
    ],
    ids=lambda answer: str(answer)[:20],
)
def test_what_cannot_be_read_is_nothing_seen(answer):
    """Never free ground; the reason is told."""
    assert blind(look(answer)[0])


@pytest.mark.parametrize("picture", [b"", b"no picture", jpeg()[:200]], ids=["empty", "text", "cut"])
def test_a_picture_that_cannot_be_read_is_nothing_seen(picture, model):
    """Whoever finds out."""
    assert blind(ModelDetector(model)(Picture(picture, 0.0), "", 300.0))


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"confidence": 29}, 0),
        ({"confidence": 30}, 1),
        ({"depth_cm": 2}, 5),
        ({"depth_cm": 99_999}, 1000),
        ({"bbox": [300, 400, 100, 900]}, 0),
        ({"bbox": [0, 0, 0, 0]}, 0),
        ({"bbox": [0, 0, 2000, 900]}, 0),
        ({"label": " \t"}, 0),
    ],
    ids=str,
)
def test_a_detection_that_cannot_be_is_left_out_or_clamped(changes, kept):
    """The other one stays."""
    things = look(said(THING, THING | changes))[0].detections
    if "depth_cm" in changes:
        assert things[1].estimated_depth_cm == kept
    else:
        assert len(things) == 1 + kept


def test_a_third_that_is_open_and_blocked_is_blocked():
    """Caution first."""
    scene = look(said(openings=["left", "center"], blocked=["center"]))[0].scene
    assert (scene.openings, scene.blocked) == (("left",), ("center",))


@given(st.text())
def test_a_label_is_data(label):
    """One line of printable text of bounded length, whatever stands in the picture."""
    for thing in read_vision(in_our_units(json.dumps(said(THING | {"label": label})))).detections:
        assert thing.label.isprintable()
        assert 0 < len(thing.label) <= LABEL


words = st.sampled_from(["detections", "scene", *THING, *SCENE])
leaves = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9)
shapes = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=12)


@settings(max_examples=50)
@given(shapes)
def test_no_answer_makes_the_detector_fail(answer):
    """JSON of any shape."""
    assert isinstance(look(answer)[0], VisionFrame)


def test_a_kernel_that_cannot_see_is_refused():
    """Before the robot is spoken to."""
    with pytest.raises(InferenceError, match=r"'rule' cannot see; eyes are colour, gguf:MODEL\.gguf\+PROJ"):
        open_kernel_that_sees("rule")
    assert make_detector(None, None).name == COLOUR
