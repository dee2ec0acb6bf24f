"""MediaPipe Holistic on a photograph that scikit-image ships; `make test-mediapipe` runs these."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import signgen
from signgen.cli.main import main
from signgen.errors import ExitCode, UserError
from signgen.media import VideoWriter, read_frames
from signgen.pose.estimators import open_estimator
from signgen.pose.extraction.clips import extract_clip
from signgen.pose.formats import read_poses

needs_mediapipe = pytest.mark.skipif(
    importlib.util.find_spec("mediapipe") is None,
    reason="mediapipe is not installed; run `make test-mediapipe`",
)
NOSE, LEFT_EYE, RIGHT_EYE, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 2, 5, 6
FACE, HANDS = slice(23, 91), slice(91, 133)
NOSE_AT = (223, 128)


@pytest.fixture(scope="module")
def photo():
    """A portrait, 512 x 512; both shoulders and the face are seen, no hand is."""
    return np.asarray(pytest.importorskip("skimage.data").astronaut())


@pytest.fixture
def estimator():
    return open_estimator("mediapipe")


def first(estimator, frame, box=None):
    ((points, confidence),) = estimator.estimate([frame], None if box is None else [box])
    return points, confidence


@needs_mediapipe
def test_points_of_the_photograph(estimator, photo):
    points, confidence = first(estimator, photo)
    assert points.shape == (133, 2)
    assert points.dtype == confidence.dtype == np.float32
    assert np.abs(points[NOSE] - NOSE_AT).max() < 8
    # Left and right are hers: her left side is on the right of the picture.
    assert points[LEFT_EYE, 0] > points[NOSE, 0] > points[RIGHT_EYE, 0]
    assert points[LEFT_SHOULDER, 0] > points[RIGHT_SHOULDER, 0] + 100
    assert (confidence[[NOSE, LEFT_EYE, LEFT_SHOULDER]] > 0.9).all()
    assert confidence.max() <= 1
    assert confidence[[15, 16]].max() < 0.5  # the feet, guessed far below the picture
    # The face: all there, chin (8) below the mouth's corner (48), that below the eye (36).
    assert (confidence[FACE] == 1).all()
    face = points[FACE]
    assert face[8, 1] > face[48, 1] > face[36, 1]
    assert np.abs(face[30] - points[NOSE]).max() < 12  # tip of the nose
    assert face[0, 0] < face[16, 0]  # the jaw begins at the left of the picture
    assert not confidence[HANDS].any()
    assert not points[HANDS].any()


@needs_mediapipe
def test_drawn_signers_have_their_points_where_they_were_drawn(estimator):
    """The bundled sample knows its points exactly: all parts, left and right, at once."""
    sample = Path(signgen.__file__).parent / "assets" / "sample"
    for name in ("dev/Signer036_clip001", "test/Signer040_clip001"):
        drawn = read_poses(sample / "keypoints" / f"{name}.json")
        clip = read_frames(sample / "features" / "fullFrame-210x260px" / name)
        poses = extract_clip(clip, estimator)
        assert (len(poses), poses.size) == (len(drawn), drawn.size)
        distance = np.linalg.norm(poses.keypoints - drawn.keypoints, axis=-1)
        both = poses.visible & drawn.visible
        # Within a few of 210 x 260 pixels; drawn shoulders are where a tailor has them.
        for part, limit in (((5, 11), 8), ((23, 91), 3), ((91, 112), 4), ((112, 133), 4)):
            chosen = slice(*part)
            assert both[:, chosen].mean() > 0.7, part
            assert np.median(distance[:, chosen][both[:, chosen]]) < limit, part


@needs_mediapipe
def test_points_follow_a_clip_that_shifts(estimator, photo):
    shifts = [0, 6, 12, 18, 24, 30]
    frames = [np.roll(photo, shift, axis=1) for shift in shifts]
    people = list(estimator.estimate(frames))
    assert len(people) == len(frames)
    moved = np.array([points[FACE].mean(axis=0) for points, _ in people])
    assert np.abs(moved[:, 0] - moved[0, 0] - shifts).max() < 3
    assert np.abs(moved[:, 1] - moved[0, 1]).max() < 3


@needs_mediapipe
def test_every_clip_starts_anew(estimator, photo):
    frames = [photo, np.roll(photo, 9, axis=1)]
    once = list(estimator.estimate(frames))
    unfinished = estimator.estimate([photo[:, ::-1]] * 3)
    next(unfinished)
    again = list(estimator.estimate(frames))
    for (points, confidence), (same, sure) in zip(once, again, strict=True):
        assert np.array_equal(points, same)
        assert np.array_equal(confidence, sure)


@needs_mediapipe
def test_a_box_shows_only_the_signer(estimator, photo):
    wide = np.zeros((700, 1400, 3), np.uint8)
    wide[100:612, 40:552] = photo
    wide[100:612, 800:1312] = photo
    for left in (40, 800):
        box = (left + 60, 110, left + 360, 600)
        points, _ = first(estimator, wide, box)
        assert np.abs(points[NOSE] - (NOSE_AT[0] + left, NOSE_AT[1] + 100)).max() < 12
    outside = (-500.0, -500.0, 3000.0, 3000.0)
    assert np.array_equal(first(estimator, photo, outside)[0], first(estimator, photo)[0])
    with pytest.raises(ValueError, match="shorter"):
        list(estimator.estimate([photo, photo], [None]))
    whole = list(estimator.estimate([photo], [None]))
    assert np.array_equal(whole[0][0], first(estimator, photo)[0])


@needs_mediapipe
def test_nobody_is_missing_not_invented(estimator):
    grey = np.full((120, 90, 3), 128, np.uint8)
    for points, confidence in estimator.estimate([grey, grey]):
        assert not points.any()
        assert not confidence.any()


@needs_mediapipe
def test_squashed_frames(photo):
    squashed = cv2.resize(photo, (512, round(512 * 260 / 300)), interpolation=cv2.INTER_AREA)
    points, _ = first(open_estimator("mediapipe", aspect=300 / 260), squashed)
    assert np.abs(points[NOSE] - (NOSE_AT[0], NOSE_AT[1] * 260 / 300)).max() < 8


@needs_mediapipe
def test_its_log_stays_off_stderr_and_ours_does_not(estimator, photo, capfd):
    people = estimator.estimate([photo] * 3)
    for _ in people:
        os.write(2, b"ours\n")
    captured = capfd.readouterr()
    assert captured.err == "ours\n" * 3
    assert captured.out == ""


@needs_mediapipe
def test_from_video_to_poses(photo, tmp_path, capfd):
    clip = tmp_path / "clips" / "portrait.mp4"
    clip.parent.mkdir()
    with VideoWriter(clip, 20, (256, 256)) as writer:
        for shift in range(0, 40, 5):
            small = cv2.resize(np.roll(photo, shift, axis=1), (256, 256))
            writer.write(np.asarray(small))
    out = tmp_path / "poses"
    words = ["pose", "extract", str(clip.parent), "--out", str(out), "--format", "json", "--json"]
    assert main([*words, "--estimator", "mediapipe"]) == 0
    captured = capfd.readouterr()
    report = json.loads(captured.out)
    assert captured.err.count("\n") == 1  # the counts
    assert report["estimator"].startswith("mediapipe-")
    assert (report["done"], report["frames"]) == (1, 8)
    assert report["coverage"] == {"body": 1.0, "face": 1.0, "left_hand": 0.0, "right_hand": 0.0}
    poses = read_poses(out / "portrait.json")
    assert (len(poses), poses.size, poses.fps) == (8, (256, 256), 20.0)
    nose = poses.keypoints[:, NOSE]
    expected = [((NOSE_AT[0] + 5 * t) / 2, NOSE_AT[1] / 2) for t in range(8)]
    assert np.abs(nose - expected).max() < 6
    assert main([*words, "--estimator", "mediapipe"]) == 0
    assert json.loads(capfd.readouterr().out)["skipped"] == 1


def test_weights_are_refused():
    with pytest.raises(UserError, match=r"--weights is w\.pth; mediapipe has its weights"):
        open_estimator("mediapipe", weights="w.pth")


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match="make pose-mediapipe") as caught:
        open_estimator("mediapipe")
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert "pip install --no-deps mediapipe==0.10.21" in str(caught.value)


@needs_mediapipe
def test_the_person_of_the_photograph(photo):
    from signgen.pose.estimators.mediapipe import MediaPipePerson

    person = MediaPipePerson().find(photo)
    assert person.shape == photo.shape[:2]
    assert person[128, 223] > 0.9, "her face"
    assert person[480, 220] > 0.9, "her suit"
    assert person[20, 20] < 0.2
