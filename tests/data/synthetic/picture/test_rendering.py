"""Pictures of signers: what is where, and what light does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from signgen.data.synthetic.keypoints import body_keypoints, picture_keypoints
from signgen.data.synthetic.picture.background import draw_background
from signgen.data.synthetic.picture.camera import place_camera
from signgen.data.synthetic.picture.rendering import render_frames
from signgen.data.synthetic.picture.scene import build_scene
from signgen.data.synthetic.picture.sensor import expose
from signgen.data.synthetic.signers.appearance import Sensor, View
from signgen.data.synthetic.signers.dressing import dress
from signgen.data.synthetic.signers.population import draw_signer
from signgen.data.synthetic.signers.regions import LABELS, find_landmarks
from signgen.data.synthetic.signers.skin import read_masks

SIZE = (130, 105)
VIEW = View(height=1.1, middle=0.45, side=0.0, distance=2.5, yaw=0.0, pitch=0.0, roll=0.0)
PLAIN = Sensor(exposure=1.0, noise=0.0, blur=0.0, quality=None, gamma=1.0, warmth=1.0)


@pytest.fixture(scope="module")
def studio(body):
    """Render a signer who stands still, as it is or with changes."""
    drawn = replace(draw_signer(4), view=VIEW, sensor=PLAIN)
    rest = body.rest(drawn.shape)
    posed = body.pose(rest, body.still(1))
    camera = place_camera(VIEW, find_landmarks(body, rest).crown, SIZE)
    masks = read_masks(body)

    def render(**changes):
        signer = replace(drawn, **changes)
        scene = build_scene(signer, body, rest, dress(signer, body, rest), masks)
        return render_frames(signer, scene, posed, camera)

    points = body_keypoints(body, posed).numpy().astype(float)
    return render, camera, points, drawn


def test_a_camera_sees_what_it_looks_at_in_the_middle():
    view = replace(VIEW, side=0.1, yaw=0.4, pitch=-0.2, roll=0.05)
    camera = place_camera(view, 1.7, SIZE)
    pixel, distance = camera.project(np.array([0.1, 0.0, 1.7 - 0.45]))
    np.testing.assert_allclose(pixel, [(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
    assert distance == pytest.approx(2.5)
    # The picture's height at that distance is the view's
    level = place_camera(VIEW, 1.7, SIZE)
    ends = np.array([[0, 0, 1.25 + 0.55], [0, 0, 1.25 - 0.55]])
    assert np.ptp(level.project(ends)[0][:, 1]) == pytest.approx(SIZE[0])
    left = level.project(np.array([[0.2, 0, 1.25]]))[0][0, 0]
    assert left > SIZE[1] / 2  # the signer's left is at the right of the picture


def test_the_same_signer_gives_the_same_picture(studio):
    render = studio[0]
    first, again = render(), render()
    for name in ("rgb", "labels", "depth"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))


def test_labels_and_depth_are_those_of_the_joints(studio):
    render, camera, points, _ = studio
    frames = render()
    pixels, distances = camera.project(points)
    for index, name, below in ((0, "face", 0.03), (30 + 23, "face", 0.03), (7, "left_arm", 0.1)):
        x, y = np.rint(pixels[0, index]).astype(int)
        assert frames.labels[0, y, x] == LABELS[name]
        assert 0 <= distances[0, index] - frames.depth[0, y, x] + 0.01 < below
    empty = frames.labels[0] == LABELS["background"]
    assert np.isinf(frames.depth[0])[empty].mean() > 0.97  # the rest are seams of the silhouette
    assert not np.isinf(frames.depth[0])[~empty].any()


def test_key_points_behind_something_are_less_sure(studio):
    render, camera, points, _ = studio
    frames = render()
    pixels, distances = camera.project(points)
    _, seen = picture_keypoints(pixels, distances, frames.depth)
    assert seen[0, 23:91].min() == 1
    _, hidden = picture_keypoints(pixels, distances + 0.5, frames.depth)
    inside = seen[0] > 0
    # The jaw is at the edge of the head: beside it is nothing that hides
    assert (hidden[0, 40:91] == np.float32(0.6)).all()
    assert (hidden[0] > 0).tolist() == inside.tolist()


def test_without_lamps_it_is_darker_and_where_nobody_is_the_wall_shows(studio):
    render, _, _, drawn = studio
    lit, unlit = render(), render(lamps=())
    person = lit.labels[0] > 0
    assert lit.rgb[0][person].mean() > unlit.rgb[0][person].mean() + 10
    wall = expose(draw_background(drawn.background, SIZE), PLAIN, np.random.default_rng(0))
    away = np.isinf(lit.depth[0])
    np.testing.assert_array_equal(lit.rgb[0][away], wall[away])
