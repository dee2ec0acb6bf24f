"""Who a rendered signer is and how the picture is taken.

A `Signer` is plain numbers and names: nothing here knows meshes or pictures. Colours are RGB
reflectances or light, linear, from 0 to 1 unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.data.synthetic.body import Shape

__all__ = [
    "Background",
    "Colour",
    "Eyes",
    "Fabric",
    "Hair",
    "Lamp",
    "Outfit",
    "Sensor",
    "Signer",
    "Skin",
    "View",
]

Colour = tuple[float, float, float]
Pattern = Literal["plain", "knit", "stripes", "checks", "print"]


@dataclass(frozen=True)
class Skin:
    """Skin by its pigments.

    Args:
        melanin: Optical depth at red, 0.05 (very light) to 2 (very dark).
        redness: Optical depth of blood at green, 0.15 to 0.5.
        lips: Redness added at the lips.
        blotches: Depth of slow changes of colour, as a share.
        freckles: Share of the face that they cover, 0 to 0.15.
        gloss: Strength of the highlight, 0 to 1.
        beard: Darkness of stubble, 0 to 0.6.
    """

    melanin: float
    redness: float
    lips: float
    blotches: float
    freckles: float
    gloss: float
    beard: float


@dataclass(frozen=True)
class Eyes:
    """Eyes.

    Args:
        iris: Its colour.
        radius: Of the iris as a share of the eyeball's.
        pupil: Radius as a share of the iris.
        white: Colour of the white.
    """

    iris: Colour
    radius: float
    pupil: float
    white: Colour


@dataclass(frozen=True)
class Hair:
    """Hair, brows and what else is on the head.

    Args:
        style: Name of an asset, or `shell-short`; none is bald.
        thickness: Metres, of a shell.
        colour: Of most strands.
        streak: Of the lightest strands.
        strands: Contrast of strands, 0 to 1.
        gloss: Strength of the highlight, 0 to 1.
        brows: Name of an asset, or `shell-brows`.
        brow_thickness: Metres, of a shell.
        brow_colour: Of the brows.
        teeth: Name of an asset, or `shell-teeth`.
    """

    style: str | None
    thickness: float
    colour: Colour
    streak: Colour
    strands: float
    gloss: float
    brows: str
    brow_thickness: float
    brow_colour: Colour
    teeth: str


@dataclass(frozen=True)
class Fabric:
    """Cloth.

    Args:
        pattern: What is on it.
        colour: Main colour.
        accent: Second colour of stripes, checks and prints; other pieces of the same garment.
        period: Width of a stripe, check or print, metres.
        turn: Direction of stripes and checks, radians.
        folds: Depth of folds in the shading, 0 to 1.
        weave: Depth of the weave or knit in the shading, 0 to 1.
        gloss: Strength of the highlight, 0 to 1.
        seed: Of its noise.
    """

    pattern: Pattern
    colour: Colour
    accent: Colour
    period: float
    turn: float
    folds: float
    weave: float
    gloss: float
    seed: int


@dataclass(frozen=True)
class Outfit:
    """What is worn.

    Args:
        garment: Name of an asset, or `shell-round`, `shell-v`, `shell-high`.
        sleeve: Where the sleeve ends at most: 0 shoulder, 1 elbow, 2 wrist.
        hem: Of a shell, share of the way from waist to hips.
        legs: Of a shell: `trousers` or `skirt`.
        leg_length: Of a shell: 0 hips, 1 knees, 2 ankles.
        upper: Cloth of the upper garment.
        lower: Cloth of the lower garment.
    """

    garment: str
    sleeve: float
    hem: float
    legs: Literal["trousers", "skirt"]
    leg_length: float
    upper: Fabric
    lower: Fabric


@dataclass(frozen=True)
class Lamp:
    """A distant lamp.

    Args:
        direction: (3,) unit vector to it; x to the signer's left, -y to the camera, z up.
        colour: Of its light, times its strength.
        softness: Half angle of its disc, radians; 0 casts hard shadows.
    """

    direction: tuple[float, float, float]
    colour: Colour
    softness: float


@dataclass(frozen=True)
class View:
    """Where the camera is and what it sees.

    Args:
        height: Of the picture at the signer, metres: 0.75 head and shoulders, 2 a whole person.
        middle: Height of the middle of the picture below the crown, metres.
        side: Shift of the picture's middle, metres to the signer's left.
        distance: To the signer, metres.
        yaw: Of the camera around the signer, radians.
        pitch: Of the camera, radians; above 0 looks down.
        roll: Radians.
    """

    height: float
    middle: float
    side: float
    distance: float
    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Background:
    """What is behind the signer.

    Args:
        kind: `studio` is even with a soft light, `room` boxes along a wall.
        colour: Main colour.
        accent: Second colour.
        distance: To the wall behind the signer, metres; near walls show shadows.
        seed: Of its noise or boxes.
    """

    kind: Literal["studio", "gradient", "room", "noise"]
    colour: Colour
    accent: Colour
    distance: float
    seed: int


@dataclass(frozen=True)
class Sensor:
    """What a camera does to a picture.

    Args:
        exposure: Factor on light.
        noise: Standard deviation at mid grey, of 255.
        blur: Standard deviation in pixels.
        quality: Of JPEG, 1 to 95; none leaves it out.
        gamma: Of the tone curve, about 1.
        warmth: Factor on red over blue, about 1.
    """

    exposure: float
    noise: float
    blur: float
    quality: int | None
    gamma: float
    warmth: float


@dataclass(frozen=True)
class Signer:
    """A signer and how the picture is taken.

    Args:
        seed: What it was drawn from.
        shape: Of the body.
        skin: Of the body.
        eyes: Of the body.
        hair: With brows and teeth.
        outfit: What is worn.
        lamps: One to three; the first is the strongest.
        ambient: Light from all sides.
        view: Of the camera.
        background: Behind the signer.
        sensor: Of the camera.
    """

    seed: int
    shape: Shape
    skin: Skin
    eyes: Eyes
    hair: Hair
    outfit: Outfit
    lamps: tuple[Lamp, ...]
    ambient: Colour
    view: View
    background: Background
    sensor: Sensor
