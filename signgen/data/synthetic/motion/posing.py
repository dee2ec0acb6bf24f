"""From a motion plan to the articulation of a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, maximum_filter1d
from scipy.spatial.transform import Rotation

from signgen.data.synthetic.body import Articulation, Body, Rest
from signgen.data.synthetic.motion.expression import Expression, draw_expression
from signgen.data.synthetic.motion.hands import Side, finger_joints, finger_turns
from signgen.data.synthetic.motion.reach import ArmPose, ArmRig, reach, rig_arm
from signgen.data.synthetic.motion.signs import MotionPlan, plan_motion, sample_track
from signgen.data.synthetic.motion.space import SigningSpace
from signgen.data.synthetic.motion.surface import Surface, measure_surface

__all__ = ["Motion", "draw_motion", "signing_space"]

Array = NDArray[np.float64]

_SIDES: tuple[Side, Side] = ("left", "right")
_SPINE = ("spine05", "spine04", "spine03", "spine02", "spine01")
_NECK = ("neck01", "neck02", "neck03", "head")
_CLOTH = 0.02
"""What a garment adds to the trunk, metres."""
_THICKNESS = {"finger": 0.008, "palm": 0.014, "forearm": 0.038}
_ROUNDS = 4
"""How often hands are moved out of the way and arms bent again."""


@dataclass(frozen=True)
class Motion:
    """What a signer does in a clip.

    Args:
        articulation: T frames.
        gloss: Names of the signs.
    """

    articulation: Articulation
    gloss: tuple[str, ...]


@dataclass(frozen=True)
class _Hand:
    """One hand's wishes over T frames: palm centres (T, 3), hand axes (T, 3, 3), finger bones."""

    arm: ArmRig
    centres: Array
    axes: Array
    fingers: Mapping[int, Array]
    joints: Array  # (T, 20, 3) from the wrist in hand axes


def signing_space(body: Body, rest: Rest) -> SigningSpace:
    """Measure where a body signs."""
    heads, tails = rest.heads.cpu().numpy().astype(float), rest.tails.cpu().numpy().astype(float)
    arm = rig_arm(body, rest, "right")
    head = body.bone("head")

    def middle(name: str) -> Array:
        return np.asarray((heads[body.bone(f"{name}.L")] + heads[body.bone(f"{name}.R")]) / 2)

    return SigningSpace(
        middle("upperarm01"),
        heads[head],
        middle("upperleg01"),
        sum(arm.lengths),
        float(np.linalg.norm(tails[head] - heads[head])),
        arm.hand.length,
    )


def draw_motion(
    body: Body,
    rest: Rest,
    seed: Sequence[int],
    times: Array,
    *,
    seated: bool,
    right_handed: bool = True,
) -> Motion:
    """Draw the motion of a clip; the same arguments give the same motion.

    Args:
        body: The body.
        rest: Its shape.
        seed: Whole numbers, of the motion.
        times: (T,) seconds from 0 on.
        seated: Whether the legs sit.
        right_handed: Whether the right hand signs alone.
    """
    rng = np.random.default_rng((*seed, 0x516E))
    resting = "lap" if seated else str(rng.choice(["belly", "hanging"]))
    plan = plan_motion(
        rng,
        signing_space(body, rest),
        float(times[-1]) + 0.04,
        dominant="right" if right_handed else "left",
        rest=resting,
    )
    expression = draw_expression(rng, times)
    rotations = _hold_arms(body, rest, plan, times, _trunk(body, expression, plan, times, seated))
    device = body.device
    return Motion(
        Articulation(
            torch.from_numpy(rotations).float().to(device),
            torch.from_numpy(expression.actions).float().to(device),
        ),
        plan.gloss,
    )


def _trunk(
    body: Body, expression: Expression, plan: MotionPlan, times: Array, seated: bool
) -> Array:
    """Rotations (T, J, 3, 3) of all but the arms."""
    rotations = np.tile(np.eye(3), (len(times), len(body.bones), 1, 1))
    for chain, turn in ((_SPINE, expression.trunk), (_NECK, expression.head)):
        share = Rotation.from_rotvec(turn / len(chain)).as_matrix()
        rotations[:, [body.bone(name) for name in chain]] = share[:, None]
    gaze = Rotation.from_rotvec(expression.gaze).as_matrix()
    rotations[:, [body.bone("eye.L"), body.bone("eye.R")]] = gaze[:, None]
    for side in _SIDES:
        end, outward = ("L", 1.0) if side == "left" else ("R", -1.0)
        if seated:
            for name, angle in (("upperleg01", -85.0), ("lowerleg01", 85.0)):
                turn = Rotation.from_euler("x", angle, degrees=True).as_matrix()
                rotations[:, body.bone(f"{name}.{end}")] = turn
        # A raised hand lifts the collar bone
        centre = sample_track(getattr(plan, side), times, side)[0]
        first = getattr(plan, side)[0]
        lift = 0.2 * np.clip((centre[:, 2] - first.centre[2]) / 0.5 + 0.2, 0, 1)
        lift = gaussian_filter1d(lift, 2, mode="nearest")
        shrug = np.stack([0 * lift, -outward * lift, 0 * lift], -1)
        rotations[:, body.bone(f"clavicle.{end}")] = Rotation.from_rotvec(shrug).as_matrix()
    return rotations


def _hold_arms(body: Body, rest: Rest, plan: MotionPlan, times: Array, rotations: Array) -> Array:
    """Add arms and hands to the rotations (T, J, 3, 3) of the trunk."""
    # The trunk without arms
    armless = torch.from_numpy(rotations).float().to(body.device)
    turned, heads = body.place_bones(rest, armless)
    still = Articulation(armless, body.still(len(times)).actions)
    surface = measure_surface(_trunk_vertices(body, rest, still))
    hands = {side: _wish(body, rest, plan, times, side) for side in _SIDES}
    joints = heads.cpu().numpy().astype(float)
    shoulders = {side: joints[:, hand.arm.bones[0]] for side, hand in hands.items()}
    arms = _keep_apart(hands, shoulders, surface, plan.dominant)
    # From turns in space to turns after the parent's
    spatial = turned.cpu().numpy().astype(float)
    moved: list[int] = []
    for side, arm in arms.items():
        turns = arm.turns | _hand_turns(body, hands[side], arm)
        for bone, turn in turns.items():
            spatial[:, bone] = turn
        moved += turns
    for bone in moved:
        rotations[:, bone] = np.swapaxes(spatial[:, body.parents[bone]], -1, -2) @ spatial[:, bone]
    return rotations


def _keep_apart(
    hands: Mapping[Side, _Hand], shoulders: Mapping[Side, Array], surface: Surface, dominant: Side
) -> dict[Side, ArmPose]:
    """Bend arms, move hands out of the body and out of each other, and bend them again."""
    shifts = {side: np.zeros_like(hand.centres) for side, hand in hands.items()}
    axes = {side: hand.axes for side, hand in hands.items()}
    arms: dict[Side, ArmPose] = {}
    for attempt in range(_ROUNDS):
        for side, hand in hands.items():
            # Where a wrist does not bend as wished, the palm still is where it should
            wrists = hand.centres + shifts[side] - axes[side] @ hand.arm.hand.palm
            arms[side] = reach(hand.arm, shoulders[side], wrists, hand.axes, surface.depth)
            axes[side] = arms[side].axes
        if attempt == _ROUNDS - 1:
            break
        for side, hand in hands.items():
            shifts[side][:, 1] -= _way_out(hand, arms[side], surface)
        shifts[dominant] += _way_apart(hands, arms, dominant)
    return arms


def _hand_turns(body: Body, hand: _Hand, arm: ArmPose) -> dict[int, Array]:
    """Turns (T, 3, 3) in space of fingers and palm bones; the latter follow the wrist."""
    wrist = hand.arm.bones[-1]
    palm = [bone for bone, parent in enumerate(body.parents) if parent == wrist]
    turns = dict.fromkeys(palm, arm.turns[wrist])
    return turns | {
        bone: arm.axes @ turn @ hand.arm.hand.axes.T for bone, turn in hand.fingers.items()
    }


def _trunk_vertices(body: Body, rest: Rest, articulation: Articulation) -> Array:
    """Vertices (T, N, 3) of trunk, neck and head."""
    posed = body.pose(rest, articulation).vertices
    owner = body.bone_indices.gather(1, body.bone_weights.argmax(1, keepdim=True))[:, 0]
    sided = [f"{name}.{end}" for name in ("clavicle", "shoulder01", "pelvis") for end in "LR"]
    bones = [body.bone(name) for name in (*_SPINE, *_NECK, "root", *sided)]
    wanted = torch.isin(owner, torch.tensor(bones, device=owner.device))
    # Not the helpers of garments, which no face uses
    skin = torch.zeros_like(wanted)
    skin[body.faces.flatten()] = True
    return posed[:, wanted & skin].cpu().numpy().astype(float)


def _wish(body: Body, rest: Rest, plan: MotionPlan, times: Array, side: Side) -> _Hand:
    arm = rig_arm(body, rest, side)
    centres, shapes, axes = sample_track(getattr(plan, side), times, side)
    fingers = finger_turns(arm.hand, shapes)
    return _Hand(arm, centres, axes, fingers, finger_joints(arm.hand, fingers))


def _samples(hand: _Hand, arm: ArmPose) -> tuple[Array, Array]:
    """Points of forearm and hand (T, N, 3), and how thick the body is around them (N,)."""
    joints = arm.wrists[:, None] + np.einsum("tij,tnj->tni", arm.axes, hand.joints)
    knuckles = joints[:, [4, 8, 12, 16]]
    palm = np.concatenate(
        [knuckles, (knuckles + arm.wrists[:, None]) / 2, arm.wrists[:, None]], axis=1
    )
    fingers = joints[:, [1, 2, 3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19]]
    shares = np.array([0.45, 0.65, 0.85])[:, None]
    forearm = arm.elbows[:, None] * (1 - shares) + arm.wrists[:, None] * shares
    points = np.concatenate([fingers, palm, forearm], axis=1)
    counts = [fingers.shape[1], palm.shape[1], forearm.shape[1]]
    return points, np.repeat([_THICKNESS[part] for part in ("finger", "palm", "forearm")], counts)


def _way_out(hand: _Hand, arm: ArmPose, surface: Surface) -> Array:
    """How far a hand must come forward to leave the body (T,)."""
    points, thickness = _samples(hand, arm)
    neck = surface.corner[1] + 0.015 * surface.front.shape[2] - 0.27
    cloth = np.where(points[..., 2] < neck, _CLOTH, 0.0)
    way = surface.way_out(points + np.array([0, 1, 0]) * cloth[..., None], thickness)
    return np.asarray(_envelope(way.max(1)))


def _way_apart(hands: Mapping[Side, _Hand], arms: Mapping[Side, ArmPose], dominant: Side) -> Array:
    """How the dominant hand must move to leave the other one (T, 3)."""
    other: Side = "left" if dominant == "right" else "right"
    here, thick = _samples(hands[dominant], arms[dominant])
    there, other_thick = _samples(hands[other], arms[other])
    gaps = np.linalg.norm(here[:, :, None] - there[:, None], axis=-1)
    overlap = (thick[:, None] + other_thick - gaps).max((1, 2)).clip(0, None)
    direction = here[:, :24].mean(1) - there[:, :24].mean(1)
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    direction = direction + np.array([0.0, -0.6, 0.0])
    moved = _envelope(1.2 * overlap)[:, None] * direction
    return np.asarray(gaussian_filter1d(moved, 1.5, axis=0, mode="nearest"))


def _envelope(values: Array) -> Array:
    """Smooth over time without falling below."""
    highest = maximum_filter1d(values, 7, mode="nearest")
    return np.asarray(gaussian_filter1d(highest, 1.8, mode="nearest"))
