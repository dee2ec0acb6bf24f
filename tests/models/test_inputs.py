"""Drawings for models: on the canvas of training or rendering, then squashed to their size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.config.model import FPDMConfig, full_fpdm, tiny_fpdm
from signgen.models.inputs import PoseDrawing, source_size
from signgen.pose.drawing.draw import draw_pose
from signgen.pose.formats import read_poses
from signgen.structures import PoseSequence, UserError

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
TEXTS = sorted((SHARED / "real" / "deepfashion_fpdm").glob("pose/**/*.txt"))
NATIVE, CANVAS = (1101, 750), (550, 375)


def fashion_model() -> FPDMConfig:
    return replace(
        full_fpdm(),
        size=(512, 352),
        skeleton="openpose-18",
        pose_canvas=CANVAS,
        pose_canvas_render=NATIVE,
    )


def standing() -> PoseSequence:
    """A person who stands upright and fills the picture, as in DeepFashion; no ears."""
    unit = [
        *((0.5, 0.14), (0.5, 0.23), (0.38, 0.24), (0.33, 0.38), (0.3, 0.52)),
        *((0.62, 0.24), (0.67, 0.38), (0.7, 0.52), (0.43, 0.52), (0.42, 0.73)),
        *((0.41, 0.92), (0.57, 0.52), (0.58, 0.73), (0.59, 0.92), (0.47, 0.12)),
        *((0.53, 0.12), (0, 0), (0, 0)),
    ]
    points = np.array(unit, np.float32)[None] * (NATIVE[1], NATIVE[0])
    confidence = np.array([[1] * 16 + [0] * 2], np.float32)
    return PoseSequence(points.astype(np.float32), confidence, "openpose-18", NATIVE, 1.0)


def share(drawn: np.ndarray) -> float:
    """The share of pixels that are not black, leaving out the faint rim of the filter."""
    return float((drawn.max(axis=-1) > 20).mean())


def test_drawn_on_the_canvas_then_shrunk_with_pillow() -> None:
    poses, model = standing(), fashion_model()
    for training, canvas in ((True, CANVAS), (False, NATIVE)):
        points = poses.keypoints[0] * (canvas[1] / NATIVE[1], canvas[0] / NATIVE[0])
        large = draw_pose(points, poses.confidence[0], "openpose-18", canvas, "fpdm")
        small = Image.fromarray(large).resize((352, 512), Image.Resampling.BICUBIC)
        drawn = PoseDrawing.of(model, training=training).draw(poses)
        assert np.array_equal(drawn, np.asarray(small))


def test_lines_of_a_larger_canvas_come_out_half_as_thick() -> None:
    poses, model = standing(), fashion_model()
    thick, thin = (share(PoseDrawing.of(model, training=t).draw(poses)) for t in (True, False))
    assert 0.036 < thick < 0.068
    assert 0.020 < thin < 0.036
    assert 1.6 < thick / thin < 2.2


@pytest.mark.skipif(not TEXTS, reason="the genuine DeepFashion sample is not on this machine")
def test_genuine_poses_are_as_thick_as_published() -> None:
    drawings = [PoseDrawing.of(fashion_model(), training=training) for training in (True, False)]
    poses = [read_poses(text, size=NATIVE) for text in TEXTS]
    thick, thin = ([share(drawing.draw(p)) for p in poses] for drawing in drawings)
    assert (min(thick), max(thick)) == pytest.approx((0.036, 0.068), abs=0.004)
    assert (min(thin), max(thin)) == pytest.approx((0.020, 0.036), abs=0.004)


def test_canvases_default_to_each_other_and_to_the_size() -> None:
    model = tiny_fpdm()
    for training in (True, False):
        assert PoseDrawing.of(model, training=training).canvas == model.size
    one = replace(model, pose_canvas=(30, 20))
    assert [PoseDrawing.of(one, training=t).canvas for t in (True, False)] == [(30, 20)] * 2
    other = replace(model, pose_canvas_render=(30, 20))
    assert [PoseDrawing.of(other, training=t).canvas for t in (True, False)] == [
        model.size,
        (30, 20),
    ]


def test_without_a_canvas_it_is_drawn_at_the_size_itself() -> None:
    model = replace(tiny_fpdm(), skeleton="openpose-18")
    poses = standing()
    points = poses.keypoints[0] * (model.size[1] / NATIVE[1], model.size[0] / NATIVE[0])
    expected = draw_pose(points, poses.confidence[0], "openpose-18", model.size)
    assert np.array_equal(PoseDrawing.of(model).draw(poses), expected)


def test_the_pose_asked_for_is_drawn() -> None:
    poses = standing()
    two = replace(
        poses,
        keypoints=np.concatenate([poses.keypoints, poses.keypoints[:, ::-1]]),
        confidence=np.concatenate([poses.confidence, poses.confidence]),
    )
    drawing = PoseDrawing.of(fashion_model())
    assert np.array_equal(drawing.draw(two, 0), drawing.draw(poses))
    assert np.array_equal(drawing.draw(two, 1), drawing.draw(two.frames([1])))
    assert not np.array_equal(drawing.draw(two, 1), drawing.draw(two, 0))


def test_sources_have_the_models_size_or_their_own() -> None:
    assert source_size(tiny_fpdm()) == tiny_fpdm().size
    assert source_size(fashion_model()) == (512, 512)


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("source_size", source_size),
        ("pose_canvas", PoseDrawing.of),
        ("pose_canvas_render", PoseDrawing.of),
    ],
)
def test_sizes_of_nothing_are_refused(name: str, use: Callable[[FPDMConfig], object]) -> None:
    model = replace(tiny_fpdm(), **{name: (0, 48)})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=rf"model: {name} is 0 48; expected"):
        use(model)


def test_limbs_whose_centres_are_whole_numbers_are_drawn_where_64_bits_put_them(
    tmp_path: Path,
) -> None:
    """Whole numbers of the annotation's frame, as FPDM's program maps them: times (W / 176)."""
    rng, differ = np.random.default_rng(0), 0
    model = replace(fashion_model(), size=NATIVE, pose_canvas=NATIVE, pose_canvas_render=None)
    for number in range(40):
        whole = np.stack([rng.integers(40, 216, 18), rng.integers(0, 256, 18)], axis=1)
        points = (whole - (40.0, 0)) * (750 / 176, 1101 / 256)
        published = draw_pose(points, np.ones(18), "openpose-18", NATIVE, "fpdm")
        short = draw_pose(points.astype(np.float32), np.ones(18), "openpose-18", NATIVE, "fpdm")
        differ += not np.array_equal(published, short)
        file = tmp_path / f"{number}.txt"
        file.write_text("".join(f"{x} {y}\n" for x, y in whole))
        for size in (None, NATIVE):
            drawn = PoseDrawing.of(model).draw(read_poses(file, size=size))
            assert np.array_equal(drawn, published)
    assert differ, "no drawing at all needs 64 bits"
