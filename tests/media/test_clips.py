"""What counts as a clip below a path."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from signgen.errors import ExitCode, UserError
from signgen.media import find_clips, open_clip, save_image

GREY = np.full((6, 8, 3), 99, np.uint8)


def touched(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_tree_names_clips_by_their_way(tmp_path: Path) -> None:
    for name in ("b.mp4", "a/x.MKV", "a/deep/y/images0001.png", "a/z/1.jpg", ".no/c.mp4", "n.txt"):
        touched(tmp_path / name)
    assert find_clips(tmp_path) == {
        "a/deep/y": tmp_path / "a" / "deep" / "y",
        "a/x": tmp_path / "a" / "x.MKV",
        "a/z": tmp_path / "a" / "z",
        "b": tmp_path / "b.mp4",
    }
    assert find_clips(tmp_path / "a" / "z") == {"z": tmp_path / "a" / "z"}
    assert find_clips(tmp_path / "n.txt") == {"n": tmp_path / "n.txt"}


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touched(tmp_path / "data" / "a.mp4")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "train").symlink_to(tmp_path / "data")
    (tmp_path / "data" / "up").symlink_to(tmp_path / "tree")
    assert list(find_clips(tmp_path / "tree")) == ["train/a"]


def test_what_is_not_clear_is_refused(tmp_path: Path) -> None:
    for number, (names, message) in enumerate(
        (
            (("a.mp4", "a.mkv"), "same name"),
            (("a.mp4", "thumbnail.png"), "pictures and videos"),
            (("x/a.mp4", "x/a.png"), "pictures and videos"),
            (("notes.txt",), "holds no clips"),
        )
    ):
        for name in names:
            touched(tmp_path / str(number) / name)
        with pytest.raises(UserError, match=message):
            find_clips(tmp_path / str(number))
    with pytest.raises(UserError) as caught:
        find_clips(tmp_path / "none")
    assert caught.value.code == ExitCode.NO_INPUT


def test_a_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", GREY)
    clip = open_clip(tmp_path / "a.png", 10)
    assert (clip.fps, clip.info.size, clip.info.num_frames) == (10, (6, 8), 1)
    assert [frame.shape for frame in clip] == [(6, 8, 3)]
    assert len(list(open_clip(tmp_path))) == 1
