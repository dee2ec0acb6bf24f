"""Renders posed signers: rays, light, background, and what the camera's sensor does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from signgen.data.synthetic.body import Posed
from signgen.data.synthetic.picture import casting
from signgen.data.synthetic.picture.background import draw_background
from signgen.data.synthetic.picture.camera import Camera
from signgen.data.synthetic.picture.scene import Scene
from signgen.data.synthetic.signers.appearance import Fabric, Sensor, Signer

__all__ = ["Frames", "render_frames"]

_NOTHING = 2**63 - 1
"""Of a sample that sees no triangle."""

_PATTERNS = ("plain", "knit", "stripes", "checks", "print")


@dataclass(frozen=True)
class Frames:
    """Rendered frames.

    Args:
        rgb: (T, H, W, 3) uint8.
        labels: (T, H, W) uint8, see `regions.LABELS`.
        depth: (T, H, W) float32 metres along the camera's axis; infinite where nothing is.
    """

    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth: NDArray[np.float32]


def render_frames(signer: Signer, scene: Scene, posed: Posed, camera: Camera) -> Frames:
    """Render a clip; the same arguments give the same frames.

    Args:
        signer: How they look, and the light.
        scene: Of that signer.
        posed: T frames.
        camera: With the size of the frames.
    """
    device = wp.device_from_torch(posed.vertices.device)
    vertices = scene.follow(posed).float().contiguous()  # (T, v, 3)
    height, width = camera.size
    surface, settings = _surface(scene), _settings(signer, camera)
    surface.points = wp.from_torch(vertices[0].clone(), dtype=wp.vec3)
    mesh = wp.Mesh(points=surface.points, indices=surface.faces.flatten())
    surface.normals = wp.zeros(vertices.shape[1], dtype=wp.vec3, device=device)
    first, around = _faces_around(scene.faces, vertices.shape[1])
    samples = wp.zeros(4 * height * width, dtype=wp.int64, device=device)
    light, guide, smooth = (
        wp.zeros(height * width, dtype=wp.vec4, device=device) for _ in range(3)
    )
    seen = [
        wp.zeros(height * width, dtype=kind, device=device)
        for kind in (wp.vec3, float, wp.uint8, float)
    ]
    wall = draw_background(signer.background, camera.size)
    rng = np.random.default_rng((signer.seed, 0x5E45))
    pictures, labels, depths = [], [], []
    for frame in vertices:
        # Move the mesh
        wp.copy(surface.points, wp.from_torch(frame.contiguous(), dtype=wp.vec3))
        mesh.refit()
        wp.launch(
            casting.find_normals,
            dim=len(frame),
            inputs=[surface, first, around],
            outputs=[surface.normals],
            device=device,
        )
        surface.screen = wp.from_torch(_samples(camera, frame), dtype=wp.vec3)
        # Draw it, then light what is seen
        samples.fill_(_NOTHING)
        wp.launch(
            casting.draw_triangles,
            dim=len(scene.faces),
            inputs=[surface, 2 * width, 2 * height],
            outputs=[samples],
            device=device,
        )
        wp.launch(
            casting.find_light,
            dim=height * width,
            inputs=[mesh.id, surface, samples, *settings],
            outputs=[light, guide],
            device=device,
        )
        wp.launch(
            casting.smooth_light,
            dim=height * width,
            inputs=[light, guide, width, height],
            outputs=[smooth],
            device=device,
        )
        wp.launch(
            casting.light_pixels,
            dim=height * width,
            inputs=[surface, samples, *settings, smooth, guide],
            outputs=seen,
            device=device,
        )
        colour, empty, label, depth = (a.numpy().reshape(height, width, -1) for a in seen)
        pictures.append(_expose(colour + empty * wall, signer.sensor, rng))
        labels.append(label[..., 0].copy())
        depths.append(depth[..., 0].copy())
    return Frames(np.stack(pictures), np.stack(labels), np.stack(depths))


def _faces_around(faces: torch.Tensor, vertices: int) -> tuple[Any, Any]:
    """Return where the faces of each vertex begin (v + 1,), and those faces (3 F,)."""
    corners = faces.flatten()
    around = torch.argsort(corners, stable=True) // 3
    counts = torch.bincount(corners, minlength=vertices)
    first = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    return wp.from_torch(first.int()), wp.from_torch(around.int())


def _samples(camera: Camera, points: torch.Tensor) -> torch.Tensor:
    """Where vertices (v, 3) fall among the samples: (v, 3) x, y and metres from the camera."""
    axes, position = points.new_tensor(camera.axes), points.new_tensor(camera.position)
    seen = (points - position) @ axes.T
    height, width = camera.size
    middle = points.new_tensor([width - 0.5, height - 0.5])
    flat = middle + 2 * camera.focal * seen[:, :2] / seen[:, 2:]
    return torch.cat([flat, seen[:, 2:]], 1).contiguous()


def _surface(scene: Scene) -> Any:
    surface = casting.Surface()
    surface.faces = wp.from_torch(scene.faces.int().contiguous())
    surface.colours, surface.places = (
        wp.from_torch(values.float().contiguous(), dtype=wp.vec3)
        for values in (scene.colours, scene.places)
    )
    surface.roughness = wp.from_torch(scene.roughness.float().contiguous(), dtype=wp.vec4)
    surface.materials, surface.labels = (
        wp.from_torch(values.int().contiguous()) for values in (scene.materials, scene.labels)
    )
    return surface


def _settings(signer: Signer, camera: Camera) -> tuple[Any, ...]:
    """Appearance, lamps and camera for the kernels."""
    look, lamps, eye = casting.Look(), casting.Lamps(), casting.Eye()
    look.skin_gloss = signer.skin.gloss
    look.iris_radius, look.pupil = signer.eyes.radius, signer.eyes.pupil
    look.iris, look.white = wp.vec3(*signer.eyes.iris), wp.vec3(*signer.eyes.white)
    look.streak, look.strands = wp.vec3(*signer.hair.streak), signer.hair.strands
    look.hair_gloss, look.ambient = signer.hair.gloss, wp.vec3(*signer.ambient)
    three = (*signer.lamps, *signer.lamps, *signer.lamps)[:3]
    lamps.count = len(signer.lamps)
    lamps.directions = wp.mat33(*(value for lamp in three for value in lamp.direction))
    lamps.colours = wp.mat33(*(value for lamp in three for value in lamp.colour))
    lamps.softness = wp.vec3(*(lamp.softness for lamp in three))
    eye.position, eye.axes = wp.vec3(*camera.position), wp.mat33(*camera.axes.flatten())
    eye.focal, (eye.height, eye.width) = camera.focal, camera.size
    return look, _cloth(signer.outfit.upper), _cloth(signer.outfit.lower), lamps, eye


def _cloth(fabric: Fabric) -> Any:
    cloth = casting.Cloth()
    cloth.pattern, cloth.period = _PATTERNS.index(fabric.pattern), fabric.period
    cloth.turn, cloth.folds, cloth.weave = fabric.turn, fabric.folds, fabric.weave
    cloth.gloss, cloth.seed = fabric.gloss, fabric.seed % 100003
    cloth.accent = wp.vec3(*fabric.accent)
    return cloth


def _expose(
    light: NDArray[np.float32], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Turn linear light (H, W, 3) into a picture as a camera would."""
    warm = np.array([sensor.warmth**0.5, 1.0, sensor.warmth**-0.5], np.float32)
    light = np.clip(light * (sensor.exposure * warm), 0, 2)
    # Highlights roll off, then the curve of sRGB
    levels = np.linspace(0, 2, 2048, dtype=np.float32) ** 2 / 2
    soft = np.where(levels > 0.7, 0.7 + 0.3 * np.tanh((levels - 0.7) / 0.3), levels)
    curve = np.where(soft <= 0.0031308, 12.92 * soft, 1.055 * soft ** (1 / 2.4) - 0.055)
    index = np.sqrt(light * 2) * (2047 / 2)
    tone: NDArray[Any] = (255 * curve**sensor.gamma).astype(np.float32)[index.astype(np.int32)]
    if sensor.blur > 0.15:
        tone = np.asarray(cv2.GaussianBlur(tone, (0, 0), sensor.blur))
    tone = tone + sensor.noise * rng.standard_normal(tone.shape, np.float32)
    picture = np.clip(np.rint(tone), 0, 255).astype(np.uint8)
    if sensor.quality is None:
        return np.asarray(picture)
    packed = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, sensor.quality])[1]
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(unpacked[..., ::-1])
