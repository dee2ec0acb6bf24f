"""Who a synthetic signer is: proportions, colours, hair, clothing, background, drawn from a seed.

Lengths are in reference units: 1 unit is 1 pixel of a 260 x 210 (H, W) frame. The reference origin
is the middle of the frame at its top edge; x points right in the picture, y down, z to the viewer.
Left and right in names are the SUBJECT's: the left hand appears at the right of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Colour = tuple[int, int, int]
HairStyle = Literal["short", "long", "bob", "bun", "bald"]
Pattern = Literal["plain", "striped", "lettered"]
Neckline = Literal["round", "v", "collar"]
BackgroundKind = Literal["plain", "vertical", "horizontal", "studio"]

REFERENCE_SIZE = (260, 210)
"""(H, W) of the frame in which one reference unit is one pixel."""

PARTS: dict[str, int] = {
    "background": 0,
    "hair": 1,
    "face": 2,
    "neck": 3,
    "upper_clothing": 4,
    "left_arm": 5,
    "right_arm": 6,
    "left_hand": 7,
    "right_hand": 8,
}
"""Labels of the human-parsing map. `face` includes the ears, `neck` skin in the neckline; an arm
reaches from the shoulder to the wrist, skin or sleeve; `upper_clothing` is the torso."""

_SKINS: tuple[Colour, ...] = (
    (255, 224, 204),
    (246, 208, 180),
    (236, 192, 158),
    (222, 172, 132),
    (205, 152, 112),
    (184, 130, 92),
    (158, 108, 74),
    (130, 86, 58),
    (106, 70, 48),
)
_HAIRS: tuple[Colour, ...] = (
    (28, 24, 26),
    (44, 32, 26),
    (70, 46, 30),
    (104, 66, 36),
    (150, 104, 54),
    (206, 168, 100),
    (146, 60, 34),
    (150, 150, 152),
    (214, 210, 204),
)
_CLOTHES: tuple[Colour, ...] = (
    (26, 27, 32),
    (34, 36, 44),
    (28, 38, 66),
    (20, 60, 68),
    (66, 24, 40),
    (54, 40, 78),
    (28, 66, 48),
    (70, 76, 86),
    (40, 70, 120),
    (120, 34, 44),
    (24, 104, 104),
    (96, 60, 120),
    (228, 228, 224),
)
_BACKGROUNDS: tuple[Colour, ...] = (
    (206, 214, 226),
    (186, 198, 214),
    (222, 220, 214),
    (196, 212, 204),
    (214, 202, 212),
    (160, 180, 204),
    (150, 172, 166),
    (176, 176, 184),
    (104, 130, 160),
    (92, 118, 112),
    (232, 232, 236),
    (120, 112, 136),
)
_LETTERS = ("ABC", "SIGN", "HI", "DGS", "XY", "LIS", "OK", "ASL", "7", "23")


@dataclass(frozen=True)
class Signer:
    """Appearance and proportions of one drawn signer; lengths in reference units, colours RGB.

    Args:
        seed: The seed that it was drawn from.
        skin: Skin colour.
        hair: Hair colour.
        hair_style: Cut of the hair.
        head: Half width and half height of the head without hair.
        jaw: Shape of the jaw, 0.7 (square) to 1 (round).
        brow: Thickness of the brows.
        iris: Eye colour.
        lips: Lip colour.
        glasses: Whether the signer wears glasses.
        cloth: Main colour of the clothing.
        accent: Colour of stripes, letters and buttons.
        pattern: Kind of clothing.
        letters: Text on lettered clothing.
        neckline: Cut of the neckline.
        sleeve: Where the sleeve ends: 0 shoulder, 1 elbow, 2 wrist.
        shoulders: Half distance of the shoulder joints.
        shoulder_height: y of the shoulder joints.
        arm: Lengths of upper arm and forearm.
        arm_width: Factor on the thickness of the arms.
        hand: Length from the wrist to the tip of the stretched middle finger.
        offset: Horizontal place in the frame.
        right_handed: Whether the right hand is the dominant one.
        background: Kind of background.
        background_colours: Two colours of the background.
    """

    seed: int
    skin: Colour
    hair: Colour
    hair_style: HairStyle
    head: tuple[float, float]
    jaw: float
    brow: float
    iris: Colour
    lips: Colour
    glasses: bool
    cloth: Colour
    accent: Colour
    pattern: Pattern
    letters: str
    neckline: Neckline
    sleeve: float
    shoulders: float
    shoulder_height: float
    arm: tuple[float, float]
    arm_width: float
    hand: float
    offset: float
    right_handed: bool
    background: BackgroundKind
    background_colours: tuple[Colour, Colour]

    @property
    def head_centre(self) -> tuple[float, float]:
        """(x, y) of the middle of the head when the signer stands straight."""
        return 0.0, self.shoulder_height - 26.0 - self.head[1]


def tint(colour: Colour, factor: float) -> Colour:
    """Return a colour made darker (factor < 1) or lighter (factor > 1)."""
    if factor <= 1:
        red, green, blue = (round(value * factor) for value in colour)
    else:
        red, green, blue = (round(value + (255 - value) * min(factor - 1, 1)) for value in colour)
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Return the mixture of two colours with `share` in [0, 1] of the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _pick(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
    """Draw a palette colour and shift it a little, so that no two signers share one exactly."""
    base = np.asarray(palette[rng.integers(len(palette))], dtype=np.float64)
    red, green, blue = np.clip(np.rint(base + rng.normal(0, 5, 3)), 0, 255).astype(int).tolist()
    return red, green, blue


def _away_from(
    rng: np.random.Generator,
    palette: tuple[Colour, ...],
    others: tuple[Colour, ...],
    distance: float,
) -> Colour:
    """Draw a colour at least `distance` (Euclidean, RGB) from all others: arms must stand out."""

    def nearest(colour: Colour) -> float:
        return min(float(np.linalg.norm(np.subtract(colour, other))) for other in others)

    drawn = [_pick(rng, palette) for _ in range(24)]
    return next(
        (colour for colour in drawn if nearest(colour) >= distance), max(drawn, key=nearest)
    )


def draw_signer(seed: int) -> Signer:
    """Draw a signer from a seed; the same seed gives the same signer.

    Args:
        seed: Non-negative integer.
    """
    rng = np.random.default_rng((seed, 0x51E))
    place = rng.uniform(0, len(_SKINS) - 1)
    skin = blend(_SKINS[int(place)], _SKINS[min(int(place) + 1, len(_SKINS) - 1)], place % 1)
    cloth = _away_from(rng, _CLOTHES, (skin,), 95)
    first = _away_from(rng, _BACKGROUNDS, (skin, cloth), 60)
    dark = sum(cloth) < 330
    accent = _away_from(
        rng, ((235, 235, 235), (226, 190, 70), (120, 190, 220), (214, 90, 80)), (cloth, skin), 80
    )
    styles: tuple[HairStyle, ...] = ("short", "long", "bob", "bun", "bald")
    patterns: tuple[Pattern, ...] = ("plain", "striped", "lettered")
    necklines: tuple[Neckline, ...] = ("round", "v", "collar")
    backgrounds: tuple[BackgroundKind, ...] = (
        "plain",
        "vertical",
        "vertical",
        "horizontal",
        "studio",
    )
    pattern = patterns[rng.choice(3, p=[0.56, 0.22, 0.22])]
    # Letters need a front without buttons.
    neckline = necklines[rng.integers(2 if pattern == "lettered" else 3)]
    return Signer(
        seed=seed,
        skin=skin,
        hair=_pick(rng, _HAIRS),
        hair_style=styles[rng.choice(5, p=[0.34, 0.22, 0.18, 0.16, 0.1])],
        head=(float(rng.uniform(19.5, 22.5)), float(rng.uniform(26.0, 28.5))),
        jaw=float(rng.uniform(0.72, 0.98)),
        brow=float(rng.uniform(0.9, 1.7)),
        iris=_pick(rng, ((70, 46, 30), (52, 84, 118), (62, 92, 62), (40, 30, 26))),
        lips=blend(skin, (176, 44, 58), float(rng.uniform(0.45, 0.85))),
        glasses=bool(rng.random() < 0.18),
        cloth=cloth,
        accent=accent if dark else tint(accent, 0.55),
        pattern=pattern,
        letters=str(rng.choice(_LETTERS)),
        neckline=neckline,
        sleeve=float(rng.choice([0.7, 1.45, 1.86], p=[0.25, 0.2, 0.55])),
        shoulders=float(rng.uniform(37.0, 43.0)),
        shoulder_height=float(rng.uniform(96.0, 101.0)),
        arm=(float(rng.uniform(61, 67)), float(rng.uniform(54, 59))),
        arm_width=float(rng.uniform(0.88, 1.15)),
        hand=float(rng.uniform(38.5, 42.0)),
        offset=float(rng.uniform(-6, 6)),
        right_handed=bool(rng.random() < 0.85),
        background=backgrounds[rng.integers(len(backgrounds))],
        background_colours=(first, tint(first, float(rng.choice([0.78, 0.86, 1.35])))),
    )
