"""Renders clips of signers, with exact key points, part labels and hand boxes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.data.synthetic.body import Body
from signgen.data.synthetic.keypoints import body_keypoints, picture_keypoints
from signgen.data.synthetic.motion.posing import draw_motion
from signgen.data.synthetic.picture.camera import place_camera
from signgen.data.synthetic.picture.furniture import place_chair
from signgen.data.synthetic.picture.rendering import render_frames
from signgen.data.synthetic.picture.scene import build_scene
from signgen.data.synthetic.signers.appearance import Signer
from signgen.data.synthetic.signers.assets import open_wardrobe
from signgen.data.synthetic.signers.dressing import dress
from signgen.data.synthetic.signers.population import draw_signer
from signgen.data.synthetic.signers.regions import LABELS, find_landmarks
from signgen.data.synthetic.signers.skin import read_masks
from signgen.pose.skeleton import COCO_WHOLEBODY, SIDES
from signgen.structures import PoseSequence

__all__ = ["LABELS", "RenderedClip", "Studio"]

FPS = 25.0
_SKIRTS = ("female_elegantsuit01",)
"""Garments of makehuman-assets with a skirt."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class RenderedClip:
    """A rendered clip and all that is known about it.

    Args:
        frames: (T, H, W, 3) uint8 RGB.
        labels: (T, H, W) uint8, see `LABELS`.
        poses: (T, 133) key points in pixels of the frames; confidence 1 where seen, 0.6 where
            something hides the point, 0 outside the frame.
        gloss: Names of the signs, blank-separated.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    poses: PoseSequence
    gloss: str

    def hand_boxes(self) -> dict[str, list[Box | None]]:
        """Return for `left` and `right` the box (x0, y0, x1, y1) of what is seen in each frame."""
        return {
            side: [_box(frame == LABELS[f"{side}_hand"]) for frame in self.labels] for side in SIDES
        }


def _box(mask: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


class Studio:
    """Renders clips of any signer; loading takes seconds, a frame about a tenth of one.

    Args:
        assets: A checkout of makehuman-assets; None dresses signers in shells of their bodies.
        device: Where bodies are posed and rays cast.

    Raises:
        UserError: If the extra `synthetic` is not installed, or the assets are not such a folder.
    """

    def __init__(self, assets: Path | None = None, device: str = "cpu") -> None:
        self.body = Body(device)
        self._masks = read_masks(self.body)
        self._wardrobe = None if assets is None else open_wardrobe(assets)

    def render_clip(
        self, signer_seed: int, clip_seed: int, num_frames: int, size: tuple[int, int] = (260, 210)
    ) -> RenderedClip:
        """Render a clip; the same arguments give the same clip.

        Args:
            signer_seed: Seed of the appearance.
            clip_seed: Seed of the motion, together with the signer's.
            num_frames: T, at least 1.
            size: (H, W) of the frames.
        """
        # Who signs, and how
        signer = draw_signer(signer_seed, self._wardrobe)
        rng = np.random.default_rng((signer_seed, 0x5EA7))
        seated = bool(rng.random() < 0.4) and not _wears_skirt(signer)
        right_handed = bool(rng.random() < 0.88)
        rest = self.body.rest(signer.shape)
        motion = draw_motion(
            self.body,
            rest,
            (signer_seed, clip_seed),
            np.arange(num_frames) / FPS,
            seated=seated,
            right_handed=right_handed,
        )
        # The picture
        posed = self.body.pose(rest, motion.articulation)
        dressed = dress(signer, self.body, rest, self._wardrobe)
        chair = place_chair(self.body, posed, signer_seed) if seated else None
        scene = build_scene(signer, self.body, rest, dressed, self._masks, chair)
        camera = place_camera(signer.view, find_landmarks(self.body, rest).crown, size)
        frames = render_frames(signer, scene, posed, camera)
        # The key points
        points = body_keypoints(self.body, posed).cpu().numpy().astype(np.float64)
        keypoints, confidence = picture_keypoints(*camera.project(points), frames.depth)
        poses = PoseSequence(keypoints, confidence, COCO_WHOLEBODY, size, FPS)
        return RenderedClip(frames.rgb, frames.labels, poses, " ".join(motion.gloss))


def _wears_skirt(signer: Signer) -> bool:
    """Whether a seat would tear the cloth: skirts follow the thighs apart."""
    outfit = signer.outfit
    shell = outfit.garment.startswith("shell-")
    return outfit.legs == "skirt" if shell else outfit.garment in _SKIRTS
