"""Poses drawn beforehand: the frames of the key points that were drawn, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.config.model import tiny_fpdm
from signgen.media import read_video
from signgen.models import FPDM
from signgen.models.encoders import clip_pixels
from signgen.models.inputs import PoseDrawing
from signgen.pose.drawing.drawn import read_drawn_poses
from signgen.pose.formats import read_poses
from signgen.rendering.renderer import Renderer


def draw(work: Any, canvas: tuple[int, int]) -> Path:
    """Draw the poses of a workplace as files, one of which sorts last by letters only."""
    poses, config = read_poses(work.poses), tiny_fpdm()
    drawing = PoseDrawing(config.size, canvas, config.pose_style, config.resize)
    folder = work.folder / "drawn"
    folder.mkdir()
    for index in range(len(poses)):
        Image.fromarray(drawing.on_canvas(poses, index)).save(folder / f"{index + 8}.png")
    return folder


def test_drawings_render_the_frames_of_their_key_points(work: Any, model: FPDM) -> None:
    folder = draw(work, model.config.size)
    assert work.render("--seed", 3) == 0
    again = {"poses": folder, "out": work.out / "b.mp4", "pose-fps": 12.5}
    assert work.render("--seed", 3, **again) == 0
    both = [list(read_video(work.out / name)) for name in ("a.mp4", "b.mp4")]
    np.testing.assert_array_equal(*map(np.stack, both))
    assert work.left() == sorted(
        f"{name}{end}" for name in "ab" for end in (".mp4", ".compare.mp4", ".sheet.png")
    )


def test_the_tower_sees_drawings_as_they_are(work: Any, model: FPDM, source: np.ndarray) -> None:
    drawn = read_drawn_poses(draw(work, (180, 140)), fps=10)
    assert (len(drawn), drawn.size, drawn.fps) == (5, (180, 140), 10)
    chosen = drawn.frames([1, 3])
    np.testing.assert_array_equal(chosen.picture(1), drawn.picture(3))

    # Pixels that only the full drawing has, which shrinking to the model's size takes away
    seen: list[torch.Tensor] = []
    encoder = model.ipf.image_encoder
    hook = encoder.register_forward_hook(
        lambda _, inputs, kept, output: seen.append(kept.get("pixel_values", *inputs[:1])),
        with_kwargs=True,
    )
    frames = list(Renderer(model).render(source, chosen))
    hook.remove()
    assert [frame.shape for frame in frames] == [source.shape] * 2
    full = torch.from_numpy(drawn.picture(1)).movedim(-1, 0)[None] / 255
    expected = clip_pixels(full * 2 - 1, model.config.ipf.image_size)
    assert any(one.shape == expected.shape and torch.equal(one, expected) for one in seen)


def test_what_needs_key_points_is_refused(work: Any) -> None:
    folder = draw(work, (60, 48))
    for flags in (["--smooth"], ["--align", "limb"], ["--model", "warp"], ["--fill-gaps", "2"]):
        assert work.render("--dry-run", *flags, poses=folder) == 2
        assert f"{flags[0]}" in (line := work.only_line())
        assert "needs key points" in line
    assert work.render("--dry-run", poses=folder, model="mini") == 65
    assert "moves the source by key points" in work.only_line()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: Image.new("RGB", (48, 60), "grey").save(folder / "8.png"), "0% of it is"),
        (lambda folder: Image.new("RGB", (50, 60)).save(folder / "10.png"), "another size than"),
        (lambda folder: (folder / "9.png").write_bytes(b"torn"), "9.png is no picture"),
    ],
)
def test_bad_drawings_are_one_line(work: Any, change: Any, said: str) -> None:
    folder = draw(work, (60, 48))
    change(folder)
    assert work.render("--dry-run", poses=folder) == 65
    assert said in work.only_line()
