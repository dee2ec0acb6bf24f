"""Frames: in order, streamed, the same whatever the chunk, of the size asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import signgen
from signgen.checkpoints.models import load_model
from signgen.config.sampling import Sampling
from signgen.errors import UserError
from signgen.models import FPDM
from signgen.models.encoders import clip_pixels
from signgen.pose.drawing.draw import draw_pose
from signgen.rendering.generation import generate
from signgen.rendering.renderer import Renderer
from signgen.rendering.warp import WarpRenderer
from signgen.structures import Conditioning, PoseSequence, SourceFeatures

Make = Callable[..., PoseSequence]


def rendered(renderer: Renderer, source: np.ndarray, poses: PoseSequence) -> np.ndarray:
    return np.stack(list(renderer.render(source, poses))).astype(int)


def test_frames_do_not_depend_on_the_chunk(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    one, three, eight = (
        rendered(Renderer(model, Sampling(seed=3), chunk=chunk), source, make_poses())
        for chunk in (1, 3, 8)
    )
    assert one.shape == (5, *source.shape)
    assert (one == three).all()
    assert (one == eight).all()
    assert np.abs(one[0] - one[1]).mean() > 0


def test_a_frame_depends_on_its_own_pose_only(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    poses = make_poses()
    whole = rendered(Renderer(model), source, poses)
    start = rendered(Renderer(model), source, poses.frames(slice(0, 2)))
    assert (whole[:2] == start).all()


def test_seed_decides_and_repeats(model: FPDM, source: np.ndarray, make_poses: Make) -> None:
    first, again, other = (
        rendered(Renderer(model, Sampling(seed=seed)), source, make_poses(2)) for seed in (1, 1, 2)
    )
    assert (first == again).all()
    assert np.abs(first - other).mean() > 1


def test_settings_reach_the_sampler(model: FPDM, source: np.ndarray, make_poses: Make) -> None:
    base = rendered(Renderer(model, Sampling(steps=3)), source, make_poses(1))
    for changed in (
        Renderer(model, Sampling(steps=2)),
        Renderer(model, Sampling(steps=3, guidance=(4.0, 1.0))),
        Renderer(model, Sampling(steps=3, sampler="ddim")),
        Renderer(model, Sampling(steps=3, sampler="unipc")),
        Renderer(model, Sampling(steps=3, sampler="dpmsolver++")),
        Renderer(model, Sampling(steps=3, official_noise=True)),
        Renderer(model, Sampling(steps=3, precision="bf16")),
    ):
        assert (rendered(changed, source, make_poses(1)) != base).any()


def test_official_noise_depends_on_the_chunk(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    poses = make_poses(4)
    two, again, four = (
        rendered(Renderer(model, Sampling(official_noise=True, seed=7), chunk=chunk), source, poses)
        for chunk in (2, 2, 4)
    )
    assert (two == again).all()
    assert np.abs(two - four).mean() > 1
    # Every chunk begins with the same generator.
    same = rendered(
        Renderer(model, Sampling(official_noise=True, seed=7), chunk=2),
        source,
        poses.frames([0, 1, 0, 1]),
    )
    assert (same[:2] == same[2:]).all()
    assert np.abs(same[0] - same[1]).mean() > 1


def test_settings_of_the_model_hold_unless_given(model: FPDM) -> None:
    sampling = replace(model.config.sampling, sampler="unipc", official_noise=True)
    other = copy.copy(model)
    other.config = replace(model.config, sampling=sampling)
    own, given = Renderer(other), Renderer(other, Sampling(sampler="ddpm", official_noise=False))
    assert (own.sampling.sampler, own.sampling.official_noise) == ("unipc", True)
    assert (given.sampling.sampler, given.sampling.official_noise) == ("ddpm", False)


def test_frames_are_uint8_of_the_size_asked_for(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    renderer = Renderer(model, Sampling(steps=1))
    frame = next(renderer.render(source, make_poses(1)))
    assert (frame.shape, frame.dtype) == (source.shape, np.uint8)
    assert next(renderer.render(source, make_poses(1), (33, 47))).shape == (33, 47, 3)


def test_frames_come_chunk_by_chunk(
    model: FPDM, source: np.ndarray, make_poses: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    original = model.condition

    def counted(features: object, pose: np.ndarray, **given: object) -> object:
        sizes.append(len(pose))
        return original(features, pose, **given)

    monkeypatch.setattr(model, "condition", counted)
    sampling = Sampling(steps=1, official_noise=True)
    frames = Renderer(model, sampling, chunk=2).render(source, make_poses(5))
    next(frames)
    assert sizes == [2]
    assert len(list(frames)) == 4
    assert sizes == [2, 2, 1]
    # Without the noise of a batch, a CPU takes one frame after the other
    del sizes[:]
    list(Renderer(model, Sampling(steps=1), chunk=2).render(source, make_poses(2)))
    assert sizes == [1, 1]


def test_poses_of_another_picture_size_are_fitted(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    small = rendered(Renderer(model), source, make_poses(2))
    large = rendered(Renderer(model), source, make_poses(2, size=(900, 700)))
    # The same poses ten times as large; only the rounding of the drawing differs.
    assert np.abs(small - large).mean() < 2


def test_other_skeleton_is_refused(model: FPDM, source: np.ndarray, make_poses: Make) -> None:
    with pytest.raises(UserError, match=r"openpose-18.*coco-wholebody-133"):
        next(Renderer(model).render(source, make_poses(1, skeleton="openpose-18")))


def test_numbers_out_of_range(model: FPDM) -> None:
    wrong = ({"steps": 0}, {"steps": 1.5}, {"seed": -1}, {"guidance": (float("nan"), 1.0)})
    for changes in wrong:
        with pytest.raises(UserError, match="expected"):
            Sampling(**changes)
    with pytest.raises(UserError, match="steps is 1001"):
        Renderer(model, Sampling(steps=1001))
    with pytest.raises(UserError, match="guidance has 1 weights; expected 2"):
        Renderer(model, Sampling(guidance=(1.0,)))
    for chunk in (0, 2.0):
        with pytest.raises(UserError, match=f"chunk is {chunk}"):
            Renderer(model, chunk=chunk)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(0, 64), (-1, 64), (64.0, 64), (64,)])
def test_a_size_is_two_whole_numbers(
    model: FPDM, source: np.ndarray, make_poses: Make, size: tuple[int, int]
) -> None:
    for renderer in (Renderer(model), WarpRenderer()):
        with pytest.raises(UserError, match="expected \\(height, width\\)"):
            next(renderer.render(source, make_poses(1), size, signer=make_poses(1)))


def test_a_source_is_a_picture_in_one_of_three_forms(
    model: FPDM, source: np.ndarray, make_poses: Make, tmp_path: Path
) -> None:
    renderer, picture = Renderer(model, Sampling(steps=1)), Image.fromarray(source)
    picture.save(tmp_path / "source.png")
    frames = [
        next(renderer.render(form, make_poses(1)))
        for form in (source, picture, tmp_path / "source.png", str(tmp_path / "source.png"))
    ]
    assert all((frame == frames[0]).all() for frame in frames)
    for wrong, message in (
        (source / 255, "float64"),
        (source.astype(np.int32), "int32"),
        (source[..., 0], r"shape \(90, 70\)"),
        (source[:0], r"shape \(0, 70, 3\)"),
        (np.dstack([source, source[..., :1]]), r"shape \(90, 70, 4\)"),
        (picture.convert("RGBA"), "mode RGBA"),
        (picture.convert("L"), "mode L"),
    ):
        with pytest.raises(UserError, match=message):
            next(renderer.render(wrong, make_poses(1)))


def test_every_step_is_reported(model: FPDM, source: np.ndarray, make_poses: Make) -> None:
    for sampler in ("ddpm", "ddim", "unipc"):
        steps: list[tuple[int, int, torch.Size]] = []
        sampling = Sampling(steps=3, sampler=sampler, official_noise=True)
        renderer = Renderer(model, sampling, chunk=2)

        def note(
            step: int, t: int, z: torch.Tensor, steps: list[tuple[int, int, torch.Size]] = steps
        ) -> None:
            steps.append((step, t, z.shape))

        list(renderer.render(source, make_poses(2), callback=note))
        assert [step for step, _, _ in steps] == [0, 1, 2]
        assert [t for _, t, _ in steps] == sorted({t for _, t, _ in steps}, reverse=True)
        assert {shape[0] for _, _, shape in steps} == {2}


def test_public_names(model_folder: Path, source: np.ndarray, make_poses: Make) -> None:
    renderer = signgen.Renderer(signgen.load_model(str(model_folder)), Sampling(steps=1))
    assert len(list(renderer.render(source, make_poses(3)))) == 3
    assert signgen.load_model is load_model


def test_sources_and_drawings_come_in_the_sizes_the_model_wants(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    changes = {"source_size": (40, 56), "resize": "bicubic", "pose_style": "fpdm"}
    canvases = {"pose_canvas": (30, 30), "pose_canvas_render": (130, 100)}
    other = copy.deepcopy(model)
    other.config = replace(model.config, **changes, **canvases)  # type: ignore[arg-type]
    renderer, poses = Renderer(other, Sampling(seed=3)), make_poses(1)
    seen: list[torch.Tensor] = []
    condition = other.condition

    def noting(
        features: SourceFeatures, pose: torch.Tensor, clip: torch.Tensor, guide: None
    ) -> Conditioning:
        seen.append(clip)
        return condition(features, pose, clip, guide=guide)

    other.condition = noting  # type: ignore[method-assign]
    frame = next(renderer.render(source, poses, (64, 48)))

    def pixels(picture: np.ndarray, *sizes: tuple[int, int]) -> torch.Tensor:
        image = Image.fromarray(picture)
        for size in sizes:
            image = image.resize(size, Image.Resampling.BICUBIC)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()

    drawn = draw_pose(
        poses.keypoints[0] * (100 / poses.size[1], 130 / poses.size[0]),
        poses.confidence[0],
        poses.skeleton,
        (130, 100),
        "fpdm",
    )
    with torch.inference_mode():
        features = other.encode_source(pixels(source, (56, 90), (56, 40)) / 127.5 - 1)
    expected = generate(
        other,
        features,
        pixels(drawn, (48, 130), (48, 64)) / 255,
        frames=[0],
        sampling=Sampling(seed=3).resolve(other.config.sampling),
        clip=seen[0],
    )
    side = other.config.ipf.image_size
    straight = clip_pixels(pixels(drawn, (side, 130), (side, side)) / 127.5 - 1, side)
    assert (seen[0] - straight).abs().max() < 0.04, "the tower sees the canvas itself"
    shown = ((expected[0] + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(frame - shown).max() <= 1
    plain = next(Renderer(model, Sampling(seed=3)).render(source, poses, (64, 48)))
    assert np.abs(frame.astype(int) - plain).max() > 1


def test_frames_from_one_on_are_those_of_the_whole(
    model: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    for sampling in (Sampling(steps=1), Sampling(steps=1, official_noise=True)):
        renderer, told = Renderer(model, sampling, chunk=2), []
        whole = list(renderer.render(source, make_poses(5)))
        rest = renderer.render(
            source, make_poses(5), start=3, progress=lambda *at, told=told: told.append(at)
        )
        assert np.array_equal(whole[3:], list(rest))
        assert told == [(1, 2), (2, 2)]


def test_threads_share_a_renderer(model: FPDM, source: np.ndarray, make_poses: Make) -> None:
    for sampler in ("ddpm", "unipc"):
        renderer = Renderer(model, Sampling(steps=2, sampler=sampler))  # type: ignore[arg-type]
        sources = [np.roll(source, shift, 0) for shift in (0, 20, 40)]
        one_by_one = [rendered(renderer, picture, make_poses(3)) for picture in sources]
        with ThreadPoolExecutor(3) as threads:
            together = list(
                threads.map(lambda picture: rendered(renderer, picture, make_poses(3)), sources)  # noqa: B023
            )
        assert np.array_equal(one_by_one, together)
        assert (together[0] != together[1]).any()
