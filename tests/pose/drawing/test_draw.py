"""Both drawing styles: the published one pixel by pixel, the clean one by what it must show."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from signgen.pose.drawing.draw import FPDMDrawing, draw_pose
from signgen.pose.drawing.fpdm import draw_fpdm, fpdm_edges, fpdm_palette
from signgen.pose.formats import read_poses
from signgen.pose.skeleton import HAND_ROOT, SKELETONS
from tests.material import places

GOLDENS = places.GOLDENS / "pose"
DEEPFASHION = places.REAL / "deepfashion_fpdm"
COCO, OPENPOSE = "coco-wholebody-133", "openpose-18"
needs_goldens = pytest.mark.skipif(not GOLDENS.is_dir(), reason="shared goldens are absent")
needs_deepfashion = pytest.mark.skipif(
    not DEEPFASHION.is_dir(), reason="shared DeepFashion sample is absent"
)


def upright() -> tuple[np.ndarray, np.ndarray]:
    """A plain signer of 133 points in a 256x208 frame, both hands open, about 40 pixels long."""
    points = np.zeros((133, 2), np.float32)
    points[5], points[6] = (140, 120), (68, 120)
    points[7], points[8] = (165, 170), (43, 170)
    points[11], points[12] = (130, 240), (78, 240)
    points[0] = (104, 60)
    angles = np.linspace(np.pi, 0, 17)
    points[23:40] = np.stack([104 + 25 * np.cos(angles), 55 + 35 * np.sin(angles)], 1)
    points[40:91] = np.random.default_rng(0).uniform((90, 40), (118, 80), (51, 2))
    for root, x, side in ((91, 150, 1), (112, 58, -1)):
        points[root] = (x, 150)
        points[9 if side > 0 else 10] = (x, 150)
        for finger in range(5):
            for joint in range(4):
                points[root + 1 + 4 * finger + joint] = (
                    x + side * (finger - 2) * (4 + 2.5 * joint),
                    150 - 16 - 8 * joint,
                )
    confidence = np.ones(133, np.float32)
    confidence[[1, 2, 3, 4, *range(13, 23)]] = 0
    return points, confidence


@needs_goldens
def test_fpdm_tables_match_the_published_ones():
    tables = json.loads((GOLDENS / "tables.json").read_text())
    assert [[i + 1 for i in e] for e in fpdm_edges(COCO)] == tables["edges133"]
    assert [[i + 1 for i in e] for e in fpdm_edges(OPENPOSE)] == tables["edges18_drawn"]
    assert [list(c) for c in fpdm_palette(COCO)] == tables["palette133"]
    assert [list(c) for c in fpdm_palette(OPENPOSE)] == tables["palette18"]
    assert list(SKELETONS[OPENPOSE].mirror) == tables["flip_map_18"]


def test_palette_follows_the_seed_and_leaves_the_global_generator_alone():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    fpdm_palette.cache_clear()
    palette = fpdm_palette(COCO)
    assert np.random.random() == expected
    assert palette[0] == (103, 47, 59)
    assert palette[4] == (46, 250, 24)
    assert palette[132] == (80, 3, 249)


@needs_goldens
@pytest.mark.parametrize("drawing", sorted(p.name for p in GOLDENS.glob("*.png")))
def test_fpdm_style_is_pixel_exact(drawing):
    expected = np.asarray(Image.open(GOLDENS / drawing).convert("RGB"))
    kind, index, canvas = Path(drawing).stem.split("_")
    stored = np.load(GOLDENS / "keypoints.npz", allow_pickle=False)
    if kind == "pose133":
        skeleton, options = COCO, FPDMDrawing(radius=2, stick_width=1, swap_red_blue=True)
        points = stored[f"pose133_{index}"]
    else:
        skeleton, options = OPENPOSE, None
        # From the annotation frame, whose content begins at x = 40 and is 176 x 256, to the canvas.
        width, height = map(int, canvas.split("x"))
        frame = stored[f"pose18_{index}_annotation"]
        points = (frame - (40, 0)) * (width / 176, height / 256)
        points[frame == -1] = -1
    drawn = draw_pose(
        points, np.ones(len(points)), skeleton, expected.shape[:2], "fpdm", fpdm=options
    )
    assert (drawn == expected).all()


@needs_deepfashion
@pytest.mark.parametrize("text", sorted(DEEPFASHION.glob("pose/**/*.txt")), ids=lambda p: p.stem)
def test_deepfashion_redraw_matches_the_published_picture(text):
    picture = DEEPFASHION / "pose_img" / text.relative_to(DEEPFASHION / "pose").with_suffix(".jpg")
    expected = np.asarray(Image.open(picture).convert("RGB")).astype(float)
    poses = read_poses(text, size=(1101, 750))
    drawn = draw_pose(poses.keypoints[0], poses.confidence[0], OPENPOSE, (1101, 750), "fpdm")
    assert np.abs(drawn - expected).mean() < 0.5


def test_sticks_are_blended_as_on_the_whole_canvas(monkeypatch):
    def on_the_whole(canvas, corners, width, color):
        (dx, dy), center = corners[0] - corners[1], corners.mean(axis=0)
        half, angle = int(math.hypot(dx, dy) / 2), int(math.degrees(math.atan2(dy, dx)))
        polygon = cv2.ellipse2Poly(tuple(map(int, center)), (half, width), angle, 0, 360, 1)
        layer = canvas.copy()
        cv2.fillConvexPoly(layer, polygon, color)
        canvas[:] = cv2.addWeighted(canvas, 0.4, layer, 0.6, 0)

    rng = np.random.default_rng(5)
    cases = []
    for spread in (1.0, 1.5, 40.0):  # points far outside of the canvas too
        points = (rng.random((133, 2)) - 0.5) * spread * (70, 90) + (35, 45)
        cases.append((points, rng.random(133) > 0.1))
    drawn = [draw_fpdm(points, seen, COCO, (90, 70)) for points, seen in cases]
    monkeypatch.setattr("signgen.pose.drawing.fpdm._blend_stick", on_the_whole)
    for picture, (points, seen) in zip(drawn, cases, strict=True):
        np.testing.assert_array_equal(picture, draw_fpdm(points, seen, COCO, (90, 70)))


def test_fpdm_leaves_out_points_with_one_absent_coordinate():
    points = np.zeros((133, 2))
    points[[9, 7]] = (50, 60), (80, 90)
    points[100] = (0, 40)
    drawn = draw_pose(points, np.ones(133), COCO, (120, 120), "fpdm")
    assert not drawn[35:45, :10].any()
    assert drawn[75, 65].any(), "the stick between the two present points is missing"
    hidden = draw_pose(points, np.zeros(133), COCO, (120, 120), "fpdm")
    assert not hidden.any()


def test_fixed_edges_repair_the_published_list_and_keep_colours():
    official, fixed = fpdm_edges(COCO), fpdm_edges(COCO, "fixed")
    assert (44, 45) in official
    assert (44, 45) not in fixed
    assert all(len(edge) == 2 for edge in fixed)
    assert fixed[-1] == (131, 130)
    changed = [i for i, edge in enumerate(official) if fixed[i] != edge]
    assert len(changed) == 3


def test_fpdm_defaults_follow_what_was_published():
    assert FPDMDrawing.default(OPENPOSE) == FPDMDrawing(4, 4, True)
    assert FPDMDrawing.default(COCO) == FPDMDrawing(1, 1, False)


def test_clean_style_is_deterministic_and_inside_the_frame():
    points, confidence = upright()
    first = draw_pose(points, confidence, COCO, (256, 208))
    assert first.shape == (256, 208, 3)
    assert first.dtype == np.uint8
    assert (first == draw_pose(points, confidence, COCO, (256, 208))).all()
    assert 0.05 < first.any(axis=-1).mean() < 0.6


@pytest.mark.parametrize("root", HAND_ROOT.values())
def test_clean_hands_show_five_colours(root):
    points, confidence = upright()
    drawn = draw_pose(points, confidence, COCO, (256, 208)).astype(int)
    colours = []
    for finger in range(5):
        x, y = (points[root + 2 + 4 * finger] + points[root + 3 + 4 * finger]) / 2
        colours.append(drawn[round(float(y)), round(float(x))])
    assert all(colour.max() > 150 for colour in colours)
    gaps = [np.abs(a - b).sum() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(gaps) > 90


def test_clean_palettes_of_the_hands_differ():
    points, confidence = upright()
    drawn = []
    for side, root in HAND_ROOT.items():
        alone = np.zeros_like(confidence)
        alone[root : root + 21] = 1
        place = points.copy()
        place[root : root + 21] -= points[root] - (104, 150)
        if side == "right":
            place[root : root + 21, 0] = 208 - place[root : root + 21, 0]
        drawn.append(draw_pose(place, alone, COCO, (256, 208)))
    hand = (drawn[0] > 150).any(axis=-1) & (drawn[1] > 150).any(axis=-1)
    assert hand.sum() > 100
    assert np.abs(drawn[0].astype(int) - drawn[1])[hand].mean() > 30


def test_clean_motion_is_sub_pixel():
    points, confidence = upright()
    still = draw_pose(points, confidence, COCO, (256, 208)).astype(int)
    moved = draw_pose(points + 0.25, confidence, COCO, (256, 208)).astype(int)
    change = np.abs(moved - still)
    assert change.any()
    assert change[still.any(axis=-1)].mean() < 40


def test_clean_style_skips_unsure_points_by_threshold():
    points, confidence = upright()
    confidence[91:112] = 0.04
    without = draw_pose(points, confidence, COCO, (256, 208))
    confidence[91:112] = 0
    assert (without == draw_pose(points, confidence, COCO, (256, 208))).all()
    confidence[91:112] = 0.06
    with_hand = draw_pose(points, confidence, COCO, (256, 208))
    assert (with_hand != without).any()


@pytest.mark.parametrize("style", ["clean", "fpdm"])
@pytest.mark.parametrize("skeleton", SKELETONS)
def test_drawing_survives_absent_and_absurd_points(style, skeleton):
    count = SKELETONS[skeleton].num_keypoints
    rng = np.random.default_rng(3)
    assert not draw_pose(np.zeros((count, 2)), np.zeros(count), skeleton, (64, 48), style).any()
    for spread in (100, 5000, 1e6):
        points = rng.normal(0, spread, (count, 2))
        confidence = rng.integers(0, 2, count)
        drawn = draw_pose(points, confidence, skeleton, (64, 48), style)
        assert drawn.shape == (64, 48, 3)
