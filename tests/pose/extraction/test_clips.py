"""One clip or picture to poses: numbers, size, rate, boxes, nobody to be seen."""

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.media import open_clip, read_frames
from signgen.pose.extraction.clips import estimate_source, extract_clip
from tests.material.dots import SIZE, DotEstimator, dots, pictures, video


def test_points_are_where_the_dots_are(tmp_path):
    clip = read_frames(video(tmp_path / "a.mp4", dots(6, hands=4)))
    poses = extract_clip(clip, DotEstimator())
    assert (len(poses), poses.size, poses.fps) == (6, SIZE, 12.5)
    assert np.abs(poses.keypoints[:, 0] - [(20 + 2 * t, 24) for t in range(6)]).max() < 1
    assert np.abs(poses.keypoints[:4, 100] - (60, 48)).max() < 1
    assert (poses.confidence[:4, 91:112] > 0).all()
    assert not poses.confidence[4:, 91:112].any()
    assert not poses.keypoints[4:, 91:112].any()


def test_folder_of_pictures_has_the_rate_it_is_given(tmp_path):
    poses = extract_clip(read_frames(pictures(tmp_path / "a", dots(3)), 50), DotEstimator())
    assert (len(poses), poses.fps) == (3, 50)
    assert np.allclose(poses.keypoints[:, 5, 0], [20, 22, 24])


def test_boxes_choose_the_signer(tmp_path):
    frames = dots(2)
    for frame in frames:
        frame[40:60, 40:60] = 255, 0, 0
    clip = read_frames(pictures(tmp_path / "a", frames))
    boxes = [(0, 0, 36, 40), (36, 36, 80, 64)]
    poses = extract_clip(clip, DotEstimator(), boxes)
    assert np.allclose(poses.keypoints[:, 0], [(20, 24), (49.5, 49.5)])


def test_nobody_is_an_error_that_names_clip_and_estimator(tmp_path):
    black = [np.zeros((*SIZE, 3), np.uint8)] * 2
    clip = read_frames(pictures(tmp_path / "dark", black))
    with pytest.raises(UserError, match=r"dark: dots-1 finds nobody in 2 frames"):
        extract_clip(clip, DotEstimator())
    with pytest.raises(UserError, match=r"photo.png: dots-1 finds nobody"):
        estimate_source(black[0], DotEstimator(), name="photo.png")


def test_source_is_one_frame_of_the_picture():
    poses = estimate_source(dots(1, hands=1)[0], DotEstimator())
    assert (len(poses), poses.size) == (1, SIZE)
    assert np.allclose(poses.keypoints[0, [0, 91]], [(20, 24), (60, 48)])


def test_frames_are_not_kept(tmp_path):
    """Only points are: a frame is gone when the next but one is read."""
    alive = []

    def watched(frames):
        import weakref

        for frame in frames:
            alive.append(weakref.ref(frame))
            assert sum(ref() is not None for ref in alive) <= 3
            yield frame

    clip = open_clip(video(tmp_path / "a.mp4", dots(20)))
    assert len(extract_clip(clip, DotEstimator(), wrap=watched)) == 20
