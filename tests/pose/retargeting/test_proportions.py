"""Measuring one signer against another."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.pose.retargeting.proportions import bridged, measure
from signgen.pose.transforms import crop, flip, resize
from tests.material.pose_figures import WHOLEBODY, Build, figure, waving

PARTS = ("torso", "neck", "head", "upper_arm", "forearm", "hand")


@pytest.mark.parametrize("part", PARTS)
def test_each_part_is_measured_relative_to_the_shoulders(part):
    build = Build()
    longer = replace(build, **{part: 1.1 * getattr(build, part)})
    found = measure(figure(build, waving()), figure(longer, waving(1, seed=4)))
    assert found.scale == pytest.approx(1, rel=1e-5)
    for name in PARTS:
        wanted = 1.1 if name == part else 1.0
        assert found.measured[name] == pytest.approx(wanted, rel=1e-4), name
    assert found.used[part] == pytest.approx(1.1, rel=1e-3)


def test_scale_is_that_of_the_shoulders_and_the_frame_is_compared():
    driving = figure(Build(), waving())
    source = crop(resize(driving, (250, 250)), (0, 0, 250, 500))
    found = measure(driving, source)
    assert found.scale == pytest.approx(0.5, rel=1e-5)
    assert found.fitted == 0.5
    assert all(ratio == pytest.approx(1, rel=1e-4) for ratio in found.measured.values())
    assert found.warnings("none") == ()
    numbers = found.as_json()
    assert json.loads(json.dumps(numbers)) == numbers
    assert numbers["scale"] == 0.5
    near = crop(resize(driving, (1000, 1000)), (200, 100, 900, 800))
    warned = measure(driving, near).warnings
    lines = warned("none")
    assert any("shoulders" in line and "mode affine or limb adapts it" in line for line in lines)
    assert warned("affine") == ()
    assert warned("limb") == ()


def test_a_foreshortened_limb_does_not_shorten_the_driver():
    driving, source = figure(Build(), waving(20)), figure(Build(), waving(1))
    both, one = driving.keypoints.copy(), driving.keypoints.copy()
    for wrist, elbow in ((9, 7), (10, 8)):  # both forearms, most of the time
        both[:15, wrist] = 0.5 * (both[:15, elbow] + both[:15, wrist])
    one[:, 9] = 0.5 * (one[:, 7] + one[:, 9])  # one of them, all the time
    glitch = driving.keypoints.copy()
    glitch[4, 9] -= 200  # and one wrist that an estimator lost does not lengthen it
    for points in (both, one, glitch):
        found = measure(replace(driving, keypoints=points), source)
        assert found.measured["forearm"] == pytest.approx(1, rel=1e-4)


def test_limits_hold_what_one_frame_mismeasures():
    build = Build()
    short = replace(build, upper_arm=0.4 * build.upper_arm, hand=2.0 * build.hand)
    found = measure(figure(build, waving()), figure(short, waving(1)))
    assert found.measured["upper_arm"] == pytest.approx(0.4, rel=1e-4)
    assert found.used["upper_arm"] == 0.75
    assert found.used["hand"] == pytest.approx(1.1, rel=1e-4)
    lines = found.warnings("limb")
    assert any("upper arm of the source: 0.40" in line and "0.75" in line for line in lines)
    assert any("hand of the source: 2.00" in line and "1.10" in line for line in lines)


def test_a_hand_follows_the_forearm():
    build = Build()
    source = figure(replace(build, forearm=1.2 * build.forearm), waving(1))
    confidence = source.confidence.copy()
    confidence[:, 91:] = 0
    hidden = replace(
        source,
        keypoints=np.where(confidence[..., None] > 0, source.keypoints, 0),
        confidence=confidence,
    )
    found = measure(figure(build, waving()), hidden)
    assert found.measured["hand"] is None
    assert found.used["hand"] == found.used["forearm"] == pytest.approx(1.2, rel=1e-4)


def test_what_lies_outside_the_frame_or_is_doubtful_counts_as_hidden():
    build = Build()
    driving, source = figure(build, waving()), figure(build, waving(1))
    assert measure(driving, source).measured["torso"] is not None
    cut = crop(source, (0, 0, 500, 300))  # hips are at 330
    assert measure(driving, cut).measured["torso"] is None
    assert measure(driving, cut).used["torso"] == 1.0
    doubtful = replace(source, confidence=source.confidence * np.float32(0.2))
    with pytest.raises(UserError, match="source poses cannot be aligned"):
        measure(driving, doubtful)


def test_views_that_no_scaling_makes_one_are_refused():
    driving, source = figure(Build(), waving()), figure(Build(), waving(1))
    # Mirrored back without swapping sides: the picture of a mirror.
    points = flip(source).keypoints
    unswapped = replace(source, keypoints=points[:, list(WHOLEBODY.mirror)])
    with pytest.raises(UserError, match="mirrored, or seen from behind"):
        measure(driving, unswapped)
    with pytest.raises(UserError, match=r"source poses cannot be aligned.*sideways"):
        measure(driving, figure(replace(Build(), shoulders=20.0), waving(1)))
    with pytest.raises(UserError, match=r"driving poses cannot be aligned.*sideways"):
        measure(figure(replace(Build(), shoulders=40.0), waving(1)), source)
    knees = driving.keypoints.copy()
    knees[:, 13:15, 1] -= 0.7 * Build().torso
    with pytest.raises(UserError, match="one sat and the other stood"):
        measure(replace(driving, keypoints=knees), source)


def test_bridged_draws_lines_and_holds_ends():
    points = np.zeros((6, 2, 2))
    points[1, 0], points[4, 0] = (1, 10), (4, 40)
    seen = np.zeros((6, 2), bool)
    seen[[1, 4], 0] = True
    filled = bridged(points, seen)
    np.testing.assert_allclose(filled[:, 0, 0], [1, 1, 2, 3, 4, 4])
    np.testing.assert_allclose(filled[:, 0, 1], [10, 10, 20, 30, 40, 40])
    assert (filled[:, 1] == 0).all()
    np.testing.assert_array_equal(points[0], 0)
