"""Renders posed signers: a mesh before a camera, light, background, sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from signgen.data.synthetic.body import Posed
from signgen.data.synthetic.picture import casting, materials, shading
from signgen.data.synthetic.picture.background import draw_background
from signgen.data.synthetic.picture.camera import Camera
from signgen.data.synthetic.picture.scene import Scene
from signgen.data.synthetic.picture.sensor import expose
from signgen.data.synthetic.signers.appearance import Fabric, Signer

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
    vertices = scene.follow(posed).float().contiguous()  # (T, v, 3)
    stage = _Stage(signer, scene, camera, vertices[0])
    wall = draw_background(signer.background, camera.size)
    rng = np.random.default_rng((signer.seed, 0x5E45))
    pictures, labels, depths = [], [], []
    for frame in vertices:
        colour, empty, label, depth = stage.show(frame)
        pictures.append(expose(colour + empty * wall, signer.sensor, rng))
        labels.append(label[..., 0].copy())
        depths.append(depth[..., 0].copy())
    return Frames(np.stack(pictures), np.stack(labels), np.stack(depths))


class _Stage:
    """A signer before a camera; shows one frame after another in the same memory."""

    def __init__(self, signer: Signer, scene: Scene, camera: Camera, points: torch.Tensor) -> None:
        self.camera = camera
        self.device = wp.device_from_torch(points.device)
        self.surface, self.settings = _surface(scene), _settings(signer, camera)
        self.surface.points = wp.from_torch(points.clone(), dtype=wp.vec3)
        self.surface.normals = self._new(len(points), wp.vec3)
        self.mesh = wp.Mesh(points=self.surface.points, indices=self.surface.faces.flatten())
        self.around = _faces_around(scene.faces, len(points))
        pixels = camera.size[0] * camera.size[1]
        self.samples = self._new(4 * pixels, wp.int64)
        self.light, self.guide, self.smooth = (self._new(pixels, wp.vec4) for _ in range(3))
        self.seen = [self._new(pixels, kind) for kind in (wp.vec3, float, wp.uint8, float)]

    def show(self, points: torch.Tensor) -> tuple[NDArray[Any], ...]:
        """Return light (H, W, 3), the share of a pixel that is empty, label and depth (H, W, 1)."""
        height, width = self.camera.size
        pixels, faces = height * width, self.surface.faces.shape[0]
        # Move the mesh
        wp.copy(self.surface.points, wp.from_torch(points.contiguous(), dtype=wp.vec3))
        self.mesh.refit()
        self._launch(
            casting.find_normals, len(points), [self.surface, *self.around], [self.surface.normals]
        )
        self.surface.screen = wp.from_torch(_samples(self.camera, points), dtype=wp.vec3)
        # Draw it, find the light, and light what is seen
        self.samples.fill_(_NOTHING)
        given = [self.surface, self.samples, *self.settings]
        found = [self.light, self.guide]
        self._launch(
            casting.draw_triangles, faces, [self.surface, 2 * width, 2 * height], [self.samples]
        )
        self._launch(casting.find_light, pixels, [self.mesh.id, *given], found)
        self._launch(casting.smooth_light, pixels, [*found, width, height], [self.smooth])
        self._launch(shading.light_pixels, pixels, [*given, self.smooth, self.guide], self.seen)
        return tuple(array.numpy().reshape(height, width, -1) for array in self.seen)

    def _new(self, length: int, kind: Any) -> Any:
        return wp.zeros(length, dtype=kind, device=self.device)

    def _launch(self, kernel: Any, count: int, inputs: list[Any], outputs: list[Any]) -> None:
        wp.launch(kernel, dim=count, inputs=inputs, outputs=outputs, device=self.device)


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
    surface = materials.Surface()
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
    look, lamps, eye = materials.Look(), casting.Lamps(), materials.Eye()
    look.skin_gloss = signer.skin.gloss
    look.iris_radius, look.pupil = signer.eyes.radius, signer.eyes.pupil
    look.iris, look.white = wp.vec3(*signer.eyes.iris), wp.vec3(*signer.eyes.white)
    look.streak, look.strands = wp.vec3(*signer.hair.streak), signer.hair.strands
    look.hair_gloss, look.ambient = signer.hair.gloss, wp.vec3(*signer.ambient)
    look.upper, look.lower = _cloth(signer.outfit.upper), _cloth(signer.outfit.lower)
    three = (*signer.lamps, *signer.lamps, *signer.lamps)[:3]
    lamps.count = len(signer.lamps)
    lamps.directions = wp.mat33(*(value for lamp in three for value in lamp.direction))
    lamps.colours = wp.mat33(*(value for lamp in three for value in lamp.colour))
    lamps.softness = wp.vec3(*(lamp.softness for lamp in three))
    eye.position, eye.axes = wp.vec3(*camera.position), wp.mat33(*camera.axes.flatten())
    eye.focal, (eye.height, eye.width) = camera.focal, camera.size
    return look, lamps, eye


def _cloth(fabric: Fabric) -> Any:
    cloth = materials.Cloth()
    cloth.pattern, cloth.period = _PATTERNS.index(fabric.pattern), fabric.period
    cloth.turn, cloth.folds, cloth.weave = fabric.turn, fabric.folds, fabric.weave
    cloth.gloss, cloth.seed = fabric.gloss, fabric.seed % 100003
    cloth.accent = wp.vec3(*fabric.accent)
    return cloth
