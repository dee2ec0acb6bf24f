"""What face, head and trunk do while the hands sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from signgen.data.synthetic.body import FACIAL_ACTIONS

__all__ = ["Expression", "draw_expression"]

Array = NDArray[np.float64]

# Mouth shapes of speech and of mouth gestures, after ARKit's actions.
_MOUTHS: tuple[dict[str, float], ...] = (
    {},
    {"jawOpen": 0.45, "mouthLowerDown": 0.3, "mouthUpperUp": 0.2},
    {"jawOpen": 0.25, "mouthStretch": 0.35, "mouthSmile": 0.2, "mouthLowerDown": 0.3},
    {"jawOpen": 0.12, "mouthSmile": 0.35, "mouthUpperUp": 0.25, "mouthLowerDown": 0.35},
    {"jawOpen": 0.3, "mouthFunnel": 0.7},
    {"jawOpen": 0.1, "mouthPucker": 0.85, "mouthFunnel": 0.25},
    {"mouthPress": 0.6, "mouthRollLower": 0.35, "mouthRollUpper": 0.35},
    {"mouthRollLower": 0.6, "mouthUpperUp": 0.3, "jawOpen": 0.06},
    {"jawOpen": 0.2, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15, "tongueOut": 0.35},
    {"cheekPuff": 0.7, "mouthPress": 0.4},
    {"mouthFrown": 0.5, "mouthShrugLower": 0.5},
)
_MOUTH_WEIGHTS = np.array([0.18, 0.15, 0.12, 0.14, 0.1, 0.1, 0.08, 0.05, 0.03, 0.02, 0.03])
# Faces held over a phrase: neutral, question, doubt, stress, joy.
_MOODS: tuple[dict[str, float], ...] = (
    {},
    {"browInnerUp": 0.6, "browOuterUp": 0.7, "eyeWide": 0.35},
    {"browDown": 0.75, "eyeSquint": 0.4},
    {"browDown": 0.45, "cheekSquint": 0.3, "noseSneer": 0.3},
    {"mouthSmile": 0.45, "cheekSquint": 0.35, "browInnerUp": 0.15},
)
_BLINK = np.array([0.0, 0.7, 1.0, 0.85, 0.4, 0.1, 0.0])
"""A blink by 40 ms."""


@dataclass(frozen=True)
class Expression:
    """Face, head and trunk over T frames.

    Args:
        actions: (T, 52) facial actions, columns as `FACIAL_ACTIONS`.
        head: (T, 3) rotation vectors of head and neck together.
        trunk: (T, 3) those of the spine.
        gaze: (T, 3) those of both eyes in the head.
    """

    actions: Array
    head: Array
    trunk: Array
    gaze: Array


def draw_expression(rng: np.random.Generator, times: Array) -> Expression:
    """Draw what face, head and trunk do.

    Args:
        rng: Drawn from.
        times: (T,) seconds from 0 on.
    """
    actions = np.zeros((len(times), len(FACIAL_ACTIONS)))
    # Mouthing, about five mouth shapes a second; some signers hardly mouth
    strength = float(rng.choice([0.25, 0.8, 1.0]))
    for name, value in _sequence(rng, times, _MOUTHS, _MOUTH_WEIGHTS, (0.12, 0.28)).items():
        _add(actions, name, strength * value)
    weights = np.array([0.45, 0.2, 0.15, 0.08, 0.12])
    for name, value in _sequence(rng, times, _MOODS, weights, (0.5, 1.4)).items():
        _add(actions, name, value)
    # Gaze drifts, lids follow it, blinks come every few seconds
    gaze = np.stack(
        [wander(rng, times, 0.7, 0.07), np.zeros_like(times), wander(rng, times, 0.7, 0.12)], -1
    )
    _add(actions, "eyeLookDown", np.clip(gaze[:, 0] * 2.5, 0, 1))
    _add(actions, "eyeLookUp", np.clip(-gaze[:, 0] * 2.5, 0, 1))
    start = rng.uniform(0.0, 2.0)
    while start < times[-1]:
        phase = (times - start) / 0.04
        _add(actions, "eyeBlink", np.interp(phase, np.arange(len(_BLINK)), _BLINK))
        start += rng.uniform(1.2, 4.0)
    # Head: sway, nods and shakes; the trunk leans along
    head = np.stack([wander(rng, times, 0.5, size) for size in (0.06, 0.05, 0.09)], -1)
    if rng.random() < 0.4:
        axis = int(rng.choice([0, 2], p=[0.6, 0.4]))
        pace, size = rng.uniform(1.2, 2.2), rng.uniform(0.05, 0.13)
        envelope = np.sin(np.pi * np.clip((times - rng.uniform(0, 0.5)) / 1.2, 0, 1)) ** 2
        head[:, axis] += size * envelope * np.sin(2 * np.pi * pace * times)
    head += rng.normal(0, [0.05, 0.04, 0.07])
    trunk = np.stack([wander(rng, times, 0.8, size) for size in (0.025, 0.03, 0.04)], -1)
    return Expression(np.clip(actions, 0, 1), head, trunk, gaze)


def wander(rng: np.random.Generator, times: Array, period: float, size: float) -> Array:
    """Smooth noise of a standard deviation `size` that turns about every `period` seconds."""
    knots = np.arange(-2, int(times[-1] / period) + 4)
    return np.asarray(CubicSpline(knots * period, rng.normal(0, size, len(knots)))(times))


def _sequence(
    rng: np.random.Generator,
    times: Array,
    states: tuple[dict[str, float], ...],
    weights: Array,
    lengths: tuple[float, float],
) -> dict[str, Array]:
    """Smooth tracks of actions through random states of random lengths in seconds."""
    knots, chosen = [-0.2], [0]
    while knots[-1] < times[-1] + 0.5:
        knots.append(knots[-1] + float(rng.uniform(*lengths)))
        chosen.append(int(rng.choice(len(states), p=weights / weights.sum())))
    names = sorted({name for state in states for name in state})
    index = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    start, end = np.array(knots)[index], np.array(knots)[index + 1]
    share = np.clip((times - start) / np.minimum(end - start, 0.2), 0, 1)
    share = share * share * (3 - 2 * share)
    tracks = {}
    for name in names:
        values = np.array([states[state].get(name, 0.0) for state in chosen])
        tracks[name] = values[index] + share * (values[index + 1] - values[index])
    return tracks


def _add(actions: Array, name: str, value: Array) -> None:
    """Add to an action, on both sides where it has sides."""
    columns = (
        [FACIAL_ACTIONS.index(name)]
        if name in FACIAL_ACTIONS
        else [FACIAL_ACTIONS.index(f"{name}{side}") for side in ("Left", "Right")]
    )
    for column in columns:
        actions[:, column] += value
