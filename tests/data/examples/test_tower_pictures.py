"""What stage 1's tower sees in training: squares from the canvas, coarse sources, whole frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.config.data import DataConfig
from signgen.config.model import FPDMConfig, tiny_fpdm
from signgen.data.dataset import open_dataset
from signgen.data.examples.loading import TripletDataset, collate, to_pixels
from signgen.data.frame_cache.writing import write_cache
from signgen.media.resizing import resize_image
from signgen.models import build_stage
from signgen.models.encoders import clip_pixels
from signgen.models.inputs import PoseDrawing
from signgen.pose.transforms import flip
from signgen.structures import PoseSequence, UserError
from tests.material.places import GOLDENS

SIDE = tiny_fpdm().ipf.image_size
needs_goldens = pytest.mark.skipif(
    not GOLDENS.is_dir(), reason="the published numbers are not beside this checkout"
)


def examples(
    model: FPDMConfig, tower: str = "squash", seed: int = 5, **settings: object
) -> TripletDataset:
    data = DataConfig(workers=0, **settings)  # type: ignore[arg-type]
    return TripletDataset(open_dataset("sample"), data, model, seed, tower=tower)  # type: ignore[arg-type]


def squashed(picture: np.ndarray) -> torch.Tensor:
    """Resize with Pillow as published: an independent reference, up to 1 of 255 by rounding."""
    rows = Image.fromarray(picture).resize((SIDE, picture.shape[0]), Image.Resampling.BICUBIC)
    return to_pixels(np.asarray(rows.resize((SIDE, SIDE), Image.Resampling.BICUBIC)))


def test_the_pose_comes_straight_from_its_canvas() -> None:
    model = replace(tiny_fpdm(), pose_style="fpdm", pose_canvas=(260, 210))
    dataset = examples(model, flip_rate=1.0)
    example = dataset[3]
    assert example.tower_pose is not None
    poses = dataset.adapter.pose(dataset.triplet(3).target)
    canvas = PoseDrawing.of(model, training=True).on_canvas(poses)
    straight = squashed(canvas[:, ::-1])
    # A drawing mirrored is not quite the drawing of mirrored poses, by whole-numbered centres
    assert (example.tower_pose - straight).abs().mean() < 0.03
    unflipped = examples(model)[3].tower_pose
    assert unflipped is not None
    assert (unflipped - squashed(canvas)).abs().max() <= 2 / 255
    twice = clip_pixels(example.pose[None] * 2 - 1, SIDE)
    assert (twice - clip_pixels(example.tower_pose[None], SIDE)).abs().max() > 0.1


def test_a_canvas_of_the_models_size_needs_no_square_of_its_own() -> None:
    example = examples(tiny_fpdm())[0]
    assert example.tower_pose is example.tower_source is example.tower_target is None
    without = replace(tiny_fpdm(), fusion="none", pose_canvas=(260, 210))
    assert examples(without)[0].tower_pose is None


def test_a_coarse_source_is_not_enlarged_before_the_tower_sees_it() -> None:
    dataset = examples(replace(tiny_fpdm(), resize="bicubic"), source_sides=(40,))
    example, frame = dataset[2], dataset.adapter.frame(dataset.triplet(2).source)
    small = Image.fromarray(frame).resize((40, frame.shape[0]), Image.Resampling.BICUBIC)
    coarse = np.asarray(small.resize((40, 40), Image.Resampling.BICUBIC))
    assert example.tower_source is not None
    assert (example.tower_source - squashed(coarse)).abs().max() <= 2 / 255
    jittered = examples(
        replace(tiny_fpdm(), resize="bicubic"), source_sides=(40,), colour_jitter=0.4
    )
    changed = jittered[2].tower_source
    assert changed is not None
    assert (changed - example.tower_source).abs().mean() > 0.02, "it is recoloured as the source is"


def test_stage_1_as_published_crops_frames_as_recorded() -> None:
    model = replace(tiny_fpdm(), ipf=replace(tiny_fpdm().ipf, preprocessing="official"))
    dataset = examples(model, "crop")
    example, pair = dataset[1], dataset.triplet(1)
    for made, ref in ((example.tower_source, pair.source), (example.tower_target, pair.target)):
        photo = to_pixels(dataset.adapter.frame(ref))[None]
        assert made is not None
        expected = clip_pixels(photo, SIDE, crop=True)
        assert torch.allclose(clip_pixels(made[None], SIDE), expected, atol=1e-5)
    stage = build_stage(model, "ipf").eval()
    batch = collate([dataset[i] for i in range(4)])
    small = replace(batch, tower_source=None, tower_target=None)
    assert not torch.isclose(stage.loss(batch)["l1"], stage.loss(small)["l1"], rtol=1e-4)


def test_a_cache_of_small_frames_cannot_show_whole_ones(tmp_path: Path) -> None:
    model = replace(tiny_fpdm(), ipf=replace(tiny_fpdm().ipf, preprocessing="official"))
    sample = open_dataset("sample")
    write_cache(sample, ("train",), tmp_path / "cache", model.size, model.resize)
    with pytest.raises(UserError, match="preprocessing is official"):
        examples(model, "crop", frame_cache=str(tmp_path / "cache"))
    examples(model, "squash", frame_cache=str(tmp_path / "cache"))


@needs_goldens
@pytest.mark.parametrize("case", ["test_keypoint_mode", "train_size512_noflip"])
def test_squares_are_the_published_ones(case: str) -> None:
    """The published loader on its own picture and key points (`goldens/data`)."""
    numbers, known = (np.load(GOLDENS / name) for name in ("data/data.npz", "pose/keypoints.npz"))
    points = known["pose18_0_canvas_375x550"]
    present = (points != -1).all(axis=1)
    if case.startswith("train"):
        points = points + numbers["train_keypoint_noise_seed123"]
    present &= (points >= 0).all(axis=1)
    model = replace(tiny_fpdm(), skeleton="openpose-18", pose_style="fpdm", pose_canvas=(550, 375))
    poses = PoseSequence(
        np.where(present[:, None], points, 0)[None],
        present[None].astype(np.float32),
        "openpose-18",
        (550, 375),
        25.0,
    )
    pose = to_pixels(PoseDrawing.of(model).on_canvas(poses))
    photo = np.asarray(Image.open(GOLDENS / "data" / "src_225x330.png"))
    source = to_pixels(resize_image(photo, (512, 512), "bicubic"))
    for name, picture in (("t_pose", pose), ("s_img", source)):
        published = numbers[f"{case}_fusion_processed_{name}_stride7"]
        made = clip_pixels(picture[None], 224)[0].numpy()[:, ::7, ::7]
        np.testing.assert_allclose(made, published, atol=0.06)
        assert np.abs(made - published).mean() < 1e-3


def test_the_published_mirroring_is_a_column_beside_the_exact_one() -> None:
    model = replace(tiny_fpdm(), pose_style="fpdm", pose_canvas=(260, 210), size=(256, 208))
    exact, official = (
        examples(model, flip_rate=1.0, official_flip=switch)[4] for switch in (False, True)
    )
    assert exact.tower_pose is not None
    assert official.tower_pose is not None
    assert not torch.equal(exact.tower_pose, official.tower_pose)
    assert torch.equal(exact.target, official.target)
    assert torch.equal(exact.hands, official.hands)
    poses = examples(model).adapter.pose(examples(model).triplet(4).target)
    left, right = (flip(poses, official=switch).keypoints for switch in (False, True))
    assert np.allclose((right - left)[flip(poses).visible], (1, 0), atol=1e-4)
