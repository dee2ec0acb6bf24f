"""Backgrounds: what is behind a known person, and that persons are found."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from signgen.config.render import RenderConfig
from signgen.errors import Stopped, UserError
from signgen.media import read_image, read_video, save_image, write_video
from signgen.media.alpha import read_alpha
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.warping import Figure
from signgen.rendering.command import render_files
from signgen.rendering.finishing.backgrounds import Background, open_background
from signgen.rendering.finishing.masks import by_key_points
from signgen.rendering.provenance.description import describe
from signgen.rendering.provenance.record import is_made_of
from tests.material.sample_clips import sample_clip
from tests.rendering.test_command import config_of
from tests.rendering.test_partial import Stop

DEMO = Path(__file__).parents[3] / "signgen" / "assets" / "sample" / "demo"
SIZE = (60, 40)


def in_the_middle(picture: np.ndarray, figure: Figure) -> np.ndarray:
    person = np.zeros(picture.shape[:2], np.float32)
    person[20:40, 10:30] = 1
    return person


def put(name: str, frames: list[np.ndarray], source: np.ndarray, start: int = 0) -> Any:
    background = open_background(RenderConfig(background=name))
    assert background is not None
    background = replace(background, find=in_the_middle)
    poses = sample_clip(0, 12).poses
    return list(background.put(frames, poses, source, poses, start))


def plain(*grey: int) -> list[np.ndarray]:
    return [np.full((*SIZE, 3), value, np.uint8) for value in grey]


def test_a_colour_the_source_or_nothing_is_behind_the_person() -> None:
    frames, (source,) = plain(90, 120), plain(200)
    for frame, made in zip(frames, put("#00ff00", frames, source), strict=True):
        assert np.array_equal(made[22:38, 12:28], frame[22:38, 12:28])
        assert (made[:15] == (0, 255, 0)).all()
    for frame, made in zip(frames, put("keep", frames, source), strict=True):
        assert np.array_equal(made[20:40, 10:30], frame[20:40, 10:30])
        assert np.array_equal(made[:15], source[:15])
    for frame, made in zip(frames, put("alpha", frames, source), strict=True):
        assert made.shape == (*SIZE, 4)
        assert (made[22:38, 12:28, 3] == 255).all()
        assert (made[:15, :, 3] == 0).all()
        assert np.array_equal(made[22:38, 12:28, :3], frame[22:38, 12:28])


def test_a_picture_covers_the_frame_and_keeps_its_shape(tmp_path: Path) -> None:
    wide = np.zeros((30, 100, 3), np.uint8)
    wide[:, 40:60] = 255  # the middle fifth: half of what is seen
    save_image(tmp_path / "wide.png", wide)
    made = put(str(tmp_path / "wide.png"), plain(90), plain(200)[0])[0]
    assert (made[:15, 2:38] == 255).all()
    save_image(tmp_path / "wide.png", np.ascontiguousarray(wide[:, 30:70]))
    made = put(str(tmp_path / "wide.png"), plain(90), plain(200)[0])[0]
    assert (made[:15, 12:28] == 255).all()


def test_a_video_goes_on_again_and_again_and_from_any_frame(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", plain(10, 80, 160, 240), 25)
    shown = [frame[5, 5, 0] for frame in read_video(tmp_path / "v.mp4")]
    frames = plain(*[90] * 10)
    whole = put(str(tmp_path / "v.mp4"), frames, plain(200)[0])
    assert [made[5, 5, 0] for made in whole] == [*shown, *shown, *shown[:2]]
    rest = put(str(tmp_path / "v.mp4"), frames[7:], plain(200)[0], 7)
    assert all(np.array_equal(a, b) for a, b in zip(whole[7:], rest, strict=True))


def test_key_points_and_colours_find_the_person_with_legs() -> None:
    picture, poses = read_image(DEMO / "source.png"), read_poses(DEMO / "poses.json")
    figure = Figure.of(poses.keypoints[0], poses.confidence[0], poses.skeleton)
    person = by_key_points(picture, figure)
    assert (person[:20] == 0).all()
    assert (person[:, :20] == 0).all()
    assert (person[100:140, 95:130] == 1).all(), "the trunk"
    assert person[220:250, 80:100].mean() > 0.9, "a leg, of which the key points know nothing"
    assert 0.25 < person.mean() < 0.45


def test_who_is_gone_for_a_while_is_where_they_were() -> None:
    poses = sample_clip(0, 5).poses
    confidence = poses.confidence.copy()
    confidence[[0, 3]] = 0
    seen: list[np.ndarray] = []

    def find(picture: np.ndarray, figure: Figure) -> np.ndarray:
        seen.append(figure.points)
        return in_the_middle(picture, figure)

    gone = replace(poses, confidence=confidence)
    frames = plain(1, 2, 3, 4, 5)
    list(islice(Background(find, "alpha").put(frames, gone, frames[0], None), 5))
    assert np.array_equal(seen[0], seen[1])
    assert np.array_equal(seen[3], seen[2])
    assert not np.array_equal(seen[4], seen[3])


def warp_config(work: Any, name: str, **changes: Any) -> RenderConfig:
    poses = read_poses(DEMO / "poses.json").frames(list(range(0, 20, 4)))
    write_poses(poses, work.poses)
    source, motion = str(DEMO / "source.png"), str(DEMO / "poses.json")
    files = {"source": source, "source_poses": motion, "poses": str(work.poses)}
    return RenderConfig(**files, out=str(work.out / name), model="warp", **changes)


def test_opacity_reaches_the_file_and_a_stopped_render_goes_on(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("command", "partial"):
        monkeypatch.setattr(f"signgen.rendering.{module}.SEGMENT", 2)
    changes = {"background": "alpha", "steady": True}
    result = render_files(warp_config(work, "whole.webm", **changes))
    assert result.provenance.settings["background"] == "alpha"
    config = warp_config(work, "a.webm", **changes)

    def stop() -> None:
        raise Stopped(15, "here")

    with pytest.raises(Stopped):
        render_files(config, progress=Stop(4, stop))
    part = work.out / "a.webm.part"
    assert len(list(read_alpha(part / "video.webm"))) == 3, "what a kill would leave"
    render_files(config)
    for end in (".webm", ".compare.mp4", ".sheet.png"):
        files = [(work.out / f"{name}{end}").read_bytes() for name in ("a", "whole")]
        assert files[0] == files[1]
    frames = list(read_alpha(work.out / "a.webm"))
    assert len(frames) == 5
    for frame in frames:
        assert frame[110:140, 95:130, 3].min() > 240
        assert frame[:20, :, 3].max() < 10


def test_opacity_as_pictures_goes_on_and_is_replaced_as_a_whole(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("command", "partial"):
        monkeypatch.setattr(f"signgen.rendering.{module}.SEGMENT", 2)
    whole = render_files(warp_config(work, "whole", background="alpha"))
    config = warp_config(work, "a", background="alpha")

    def stop() -> None:
        raise Stopped(15, "here")

    with pytest.raises(Stopped):
        render_files(config, progress=Stop(4, stop))
    assert len(list((work.out / "a.part" / "video").iterdir())) == 3, "what a kill would leave"
    assert not (work.out / "a").exists()
    result = render_files(config)
    names = [f"{number:06d}.png" for number in range(5)]
    assert sorted(path.name for path in (work.out / "a").iterdir()) == names
    for name in names:
        assert (work.out / "a" / name).read_bytes() == (work.out / "whole" / name).read_bytes()
        with Image.open(work.out / "a" / name) as picture:
            assert "trainedAlgorithmicMedia" not in picture.info["XML:com.adobe.xmp"]
            assert "compositeSynthetic" in picture.info["XML:com.adobe.xmp"]
            frame = np.asarray(picture)
        assert frame.shape[2] == 4
        assert frame[110:140, 95:130, 3].min() > 240
        assert frame[:20, :, 3].max() < 10
    assert is_made_of(work.out / "a", result.provenance.content_sha256)
    assert describe(work.out / "a")["frames"] == "5 of {} x {}".format(*frame.shape[:2])

    # Replaced as a whole, but never what somebody else put there
    (work.out / "a" / "000005.png").write_bytes(b"of a longer render")
    render_files(replace(config, smooth=True))
    assert sorted(path.name for path in (work.out / "a").iterdir()) == names
    (work.out / "a" / "mine.txt").write_text("x")
    with pytest.raises(UserError, match=r"a holds mine\.txt, which no render wrote"):
        render_files(config)
    with pytest.raises(UserError, match="a folder of pictures, which has no sound"):
        render_files(warp_config(work, "b", background="alpha", audio="x.wav"))
    assert whole.files[0] == str(work.out / "whole")
    assert not list(work.out.glob(".*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"background": "alpha"}, r"a\.mp4: MP4 has no opacity; .* \.webm"),
        ({"background": "grxx"}, "--background is grxx; expected keep, alpha, a colour"),
        ({"background": "none.png"}, "there is no such file"),
        ({"person_mask": "poses"}, "--person-mask finds the signer for --background"),
        ({"background": "red", "person_mask": "parsing"}, "--person-mask parsing needs a network"),
    ],
)
def test_bad_backgrounds_are_refused(work: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        render_files(config_of(work, **changes))
    assert work.left() == []
