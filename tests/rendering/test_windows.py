"""Videos of models with motion: windows by number of frame, faded into each other."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from signgen.config.model import MotionConfig, tiny_fpdm
from signgen.config.sampling import Sampling
from signgen.errors import UserError
from signgen.models import FPDM, build_model
from signgen.models.motion import motion_layers
from signgen.rendering.renderer import Renderer
from signgen.rendering.windows import joined, windows
from signgen.structures import PoseSequence

Make = Callable[..., PoseSequence]
MOTION = MotionConfig(4, 2, 4)


@pytest.fixture(scope="module")
def moving(model: FPDM) -> FPDM:
    """Return the tiny model with motion layers that do something."""
    torch.manual_seed(0)
    other = build_model(replace(tiny_fpdm(), motion=MOTION))
    assert isinstance(other, FPDM)
    other.load_state_dict(model.state_dict(), strict=False)
    with torch.no_grad():
        for layer in motion_layers(other.unet):
            for weight in layer.parameters():
                weight.add_(0.2 * torch.randn_like(weight))
    return other.eval()


def rendered(
    renderer: Renderer, source: np.ndarray, poses: PoseSequence, **given: object
) -> np.ndarray:
    return np.stack(list(renderer.render(source, poses, **given))).astype(int)  # type: ignore[arg-type]


@pytest.mark.parametrize("motion", [MotionConfig(16, 4), MotionConfig(4, 2), MotionConfig(3, 0)])
def test_windows_cover_every_frame_and_share_the_overlap(motion: MotionConfig) -> None:
    for count in range(1, 60):
        found = list(windows(motion, count))
        assert [frame for window in found for frame in window[: motion.window]]
        assert (found[0].start, found[-1].stop) == (0, count)
        for one, two in pairwise(found):
            assert len(one) == motion.window
            assert one.stop - two.start == motion.overlap
            assert len(two) > motion.overlap
        # From a frame on: the end of them, with all that the frame is made of
        for start in range(count):
            rest = list(windows(motion, count, start))
            assert rest == found[len(found) - len(rest) :]
            assert [w for w in found if start in w] == [w for w in rest if start in w]


def test_joined_windows_fade_and_hold_every_frame_once() -> None:
    # Each window says its number everywhere
    found = list(windows(MotionConfig(5, 2), 11))
    sampled = [
        (window, torch.full((len(window), 1, 1, 1), float(k))) for k, window in enumerate(found)
    ]
    frames, values = [], []
    for indices, latents in joined(iter(sampled), 2):
        frames += list(indices)
        values += latents.flatten().tolist()
    assert frames == list(range(11))
    third = 1 / 3
    expected = [0, 0, 0, third, 2 * third, 1, 1 + third, 1 + 2 * third, 2, 2, 2]
    assert values == pytest.approx(expected)


def test_a_video_shorter_than_the_overlap_is_a_window() -> None:
    [(indices, latents)] = [
        done for done in joined([(range(1), torch.ones(1, 1, 1, 1))], 2) if len(done[0])
    ]
    assert (indices, len(latents)) == (range(1), 1)


def test_neither_chunk_nor_where_it_goes_on_changes_a_frame(
    moving: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    poses = make_poses(9)
    whole = rendered(Renderer(moving, Sampling(seed=3), chunk=1), source, poses)
    assert whole.shape == (9, *source.shape)
    assert (whole == rendered(Renderer(moving, Sampling(seed=3), chunk=8), source, poses)).all()
    assert (
        whole == rendered(Renderer(moving, Sampling(seed=3), overlap=True), source, poses)
    ).all()
    for start in range(1, 9):
        rest = rendered(Renderer(moving, Sampling(seed=3)), source, poses, start=start)
        assert (whole[start:] == rest).all(), start
    # Frames of windows that are whole do not depend on what comes after
    begun = rendered(Renderer(moving, Sampling(seed=3)), source, poses.frames(slice(0, 6)))
    assert (whole[:4] == begun[:4]).all()


def test_a_frame_depends_on_its_neighbours(
    moving: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    poses = make_poses(4)
    points = poses.keypoints.copy()
    points[3] = points[3, ::-1]
    other = replace(poses, keypoints=points)
    one, two = (rendered(Renderer(moving), source, given) for given in (poses, other))
    assert (one[0] != two[0]).any()


def test_fresh_layers_render_what_the_model_rendered(
    model: FPDM, moving: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    fresh = copy.deepcopy(moving)
    for layer in motion_layers(fresh.unet):
        for weight in layer.proj_out.parameters():
            torch.nn.init.zeros_(weight)
    poses = make_poses(7)
    ours, theirs = (
        rendered(Renderer(each, Sampling(seed=3)), source, poses) for each in (fresh, model)
    )
    # A batch of frames rounds otherwise than one frame
    assert np.abs(ours - theirs).max() <= 1
    assert (rendered(Renderer(moving, Sampling(seed=3)), source, poses) != theirs).any()


def test_no_more_than_a_window_is_ahead(moving: FPDM, source: np.ndarray, make_poses: Make) -> None:
    steps: list[torch.Size] = []
    frames = Renderer(moving, Sampling(steps=1)).render(
        source, make_poses(12), callback=lambda _, __, z: steps.append(z.shape)
    )
    next(frames)
    assert [shape[0] for shape in steps] == [4]
    assert len(list(frames)) == 11
    assert [shape[0] for shape in steps] == [4] * 5


def test_edits_keep_what_is_outside_of_their_mask(
    moving: FPDM, source: np.ndarray, make_poses: Make
) -> None:
    mask = np.zeros(source.shape[:2], bool)
    mask[20:60, 10:50] = True
    frames = rendered(Renderer(moving), source, make_poses(6), mask=mask)
    assert (frames[:, ~mask] == source[~mask]).all()
    assert (frames[:, mask] != source[mask]).any()


def test_noise_of_a_batch_is_refused(moving: FPDM) -> None:
    with pytest.raises(UserError, match="official-noise draws noise by batch"):
        Renderer(moving, Sampling(official_noise=True))
