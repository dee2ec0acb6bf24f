"""Draw signers: appearance, outfit, light, camera and background from a seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from signgen.data.synthetic.body import FEATURES, Shape
from signgen.data.synthetic.signers.appearance import (
    Background,
    Colour,
    Eyes,
    Fabric,
    Hair,
    Lamp,
    Outfit,
    Sensor,
    Signer,
    Skin,
    View,
)
from signgen.data.synthetic.signers.assets import Wardrobe

__all__ = ["draw_signer"]

# sRGB from 0 to 255, as one reads them off photographs
_IRIS = ((72, 44, 26), (96, 62, 34), (58, 36, 24), (112, 88, 52), (86, 104, 84), (92, 122, 150))
_HAIR = (
    ((22, 18, 17), 6.0),
    ((42, 29, 22), 5.0),
    ((72, 47, 31), 4.0),
    ((108, 74, 46), 2.0),
    ((170, 128, 78), 1.5),
    ((206, 172, 120), 1.0),
    ((128, 58, 30), 0.7),
    ((150, 148, 146), 0.8),
)
_DARK_HAIR = 2  # the first so many are common to all
_CLOTH = (
    *((24, 25, 29), (38, 42, 54), (60, 64, 70), (24, 36, 72), (32, 62, 110), (70, 104, 148)),
    *((150, 156, 164), (74, 82, 60)),
    *((112, 82, 58), (176, 150, 116)),
    *((96, 26, 36), (150, 40, 44), (24, 72, 56), (74, 92, 60), (104, 74, 130), (24, 92, 98)),
    *((200, 176, 60), (206, 116, 60), (196, 130, 146), (204, 206, 208), (236, 234, 228)),
)
_SOBER = 8  # the first so many are worn on the legs: none is like skin
_EXPRESSIVE = ("?-eye-", "mouth-angles", "mouth-trans", "eyebrows-", "chin-jaw-drop")
_CARDS = "afro01"  # its flat cards are hair only by the alpha of a picture
_WALLS = (
    *((172, 176, 182), (196, 200, 204), (150, 156, 164), (214, 210, 202), (186, 196, 206)),
    *((132, 142, 150), (202, 190, 172), (168, 186, 178), (110, 122, 138), (222, 222, 224)),
    *((88, 98, 116), (90, 118, 104), (184, 164, 150), (60, 66, 76)),
)


def draw_signer(seed: int, wardrobe: Wardrobe | None = None) -> Signer:
    """Draw a signer.

    Args:
        seed: The same seed and wardrobe give the same signer.
        wardrobe: Assets to wear; none means shells.
    """
    rng = np.random.default_rng([seed, 0x51])
    worn = Wardrobe() if wardrobe is None else wardrobe
    woman = bool(rng.random() < 0.5)
    shape = _draw_shape(rng, woman)
    melanin = _draw_melanin(rng, shape)
    hair = _draw_hair(rng, worn, woman=woman, melanin=melanin, age=shape.age)
    skin = Skin(
        melanin=melanin,
        redness=float(rng.uniform(0.16, 0.42)),
        lips=float(rng.uniform(0.18, 0.4) + (woman and rng.random() < 0.3) * 0.35),
        blotches=float(rng.uniform(0.03, 0.12)),
        freckles=float(max(0.0, rng.uniform(-0.2, 0.12))) if melanin < 0.3 else 0.0,
        gloss=float(rng.uniform(0.15, 0.6)),
        beard=0.0 if woman else float(max(0.0, rng.uniform(-0.4, 0.55))),
    )
    iris = _IRIS[rng.integers(3 if melanin > 0.5 else len(_IRIS))]
    white = float(rng.uniform(0.62, 0.8))
    eyes = Eyes(
        iris=_vary(rng, iris),
        radius=float(rng.uniform(0.47, 0.52)),
        pupil=float(rng.uniform(0.28, 0.5)),
        white=(white, white * 0.96, white * 0.93),
    )
    lamps, ambient = _draw_light(rng)
    return Signer(
        seed=seed,
        shape=shape,
        skin=skin,
        eyes=eyes,
        hair=hair,
        outfit=_draw_outfit(rng, worn, woman=woman),
        lamps=lamps,
        ambient=ambient,
        view=_draw_view(rng),
        background=_draw_background(rng),
        sensor=_draw_sensor(rng),
    )


def _draw_shape(rng: np.random.Generator, woman: bool) -> Shape:
    origins = rng.dirichlet((0.5, 0.5, 0.5))
    # Less at the lids and lips: what is far from the middle there looks like an expression
    scale = [0.1 if name.startswith(_EXPRESSIVE) else 0.22 for name in FEATURES]
    spread = (rng.normal(0, 1, len(FEATURES)) * scale).clip(-0.6, 0.6)
    return Shape(
        gender=float(rng.uniform(0.82, 1) if woman else rng.uniform(0, 0.18)),
        age=float(rng.choice([rng.uniform(0.6, 0.72), rng.uniform(0.72, 0.92)], p=[0.65, 0.35])),
        muscle=float(rng.uniform(0.35, 0.65)),
        weight=min(max(float(rng.normal(0.5, 0.13)), 0.25), 0.85),
        height=float(rng.uniform(0.35, 0.65)),
        proportions=float(rng.uniform(0.45, 0.8)),
        cupsize=float(rng.uniform(0.3, 0.65)),
        firmness=float(rng.uniform(0.4, 0.7)),
        african=float(origins[0]),
        asian=float(origins[1]),
        caucasian=float(origins[2]),
        features=MappingProxyType(dict(zip(FEATURES, spread.tolist(), strict=True))),
    )


def _draw_melanin(rng: np.random.Generator, shape: Shape) -> float:
    """Return melanin: about what people with such faces have, with every combination possible."""
    usual = 1.25 * shape.african + 0.3 * shape.asian + 0.13 * shape.caucasian
    return min(max(usual * math.exp(rng.normal(0, 0.4)), 0.06), 1.9)


def _draw_hair(
    rng: np.random.Generator, worn: Wardrobe, *, woman: bool, melanin: float, age: float
) -> Hair:
    weights = np.array([weight for _, weight in _HAIR])
    if melanin > 0.5:
        weights[_DARK_HAIR:-1] *= 0.03
    weights[-1] *= 6.0 if age > 0.8 else 0.15
    colour = _vary(rng, _HAIR[rng.choice(len(_HAIR), p=weights / weights.sum())][0])
    # Men wear what is short; women anything
    names = [path.stem for path in worn.hair if path.stem != _CARDS]
    short = [name for name in names if name.startswith(("short", "ponytail"))]
    styles = names if woman else short or names
    bald = not woman and rng.random() < 0.06
    style = None if bald else (str(rng.choice(styles)) if styles else "shell-short")
    streak = 1.0 + float(rng.uniform(0.3, 1.4))
    darker = float(rng.uniform(0.45, 0.9))
    return Hair(
        style=style,
        thickness=float(rng.uniform(0.003, 0.03)),
        colour=colour,
        streak=_scale(colour, streak),
        strands=float(rng.uniform(0.4, 0.9)),
        gloss=float(rng.uniform(0.15, 0.6)),
        brows=_choose(rng, worn.brows, "shell-brows"),
        brow_thickness=float(rng.uniform(0.004, 0.007) if woman else rng.uniform(0.006, 0.010)),
        brow_colour=_scale(colour, darker),
        teeth=_choose(rng, worn.teeth, "shell-teeth"),
    )


def _draw_outfit(rng: np.random.Generator, worn: Wardrobe, *, woman: bool) -> Outfit:
    cut = "female_" if woman else "male_"
    names = [path.stem for path in worn.garments if path.stem.startswith(cut)]
    names = [name for name in names if "sport" not in name]  # it ends above the navel
    shells = ["shell-round", "shell-v", "shell-high"]
    # A third wear shells beside assets: more necklines and sleeves than there are assets
    own = not names or rng.random() < 0.33
    sleeve = float(
        rng.choice([rng.uniform(0.3, 0.7), rng.uniform(0.8, 1.6), 2.0], p=[0.3, 0.25, 0.45])
    )
    garment = str(rng.choice(shells if own else names))
    return Outfit(
        garment=garment,
        sleeve=2.0 if "elegant" in garment else sleeve,
        hem=float(rng.uniform(0.6, 1.0)),
        legs="skirt" if woman and rng.random() < 0.3 else "trousers",
        leg_length=float(rng.uniform(1.0, 2.0)),
        upper=_draw_fabric(rng, _CLOTH, plain=0.5),
        lower=_draw_fabric(rng, _CLOTH[:_SOBER], plain=0.85),
    )


def _draw_fabric(
    rng: np.random.Generator, colours: Sequence[tuple[int, int, int]], *, plain: float
) -> Fabric:
    others = (1 - plain) / 4
    pattern = rng.choice(["plain", "knit", "stripes", "checks", "print"], p=[plain, *[others] * 4])
    main, accent = rng.choice(len(colours), 2, replace=False)
    periods = {"stripes": (0.012, 0.06), "checks": (0.02, 0.09), "print": (0.05, 0.15)}
    low, high = periods.get(str(pattern), (0.004, 0.009))
    return Fabric(
        pattern=pattern.item(),
        colour=_vary(rng, colours[main]),
        accent=_vary(rng, colours[accent]),
        period=float(np.exp(rng.uniform(math.log(low), math.log(high)))),
        turn=float(rng.choice([0.0, math.pi / 2, rng.uniform(0, math.pi)], p=[0.55, 0.3, 0.15])),
        folds=float(rng.uniform(0.35, 1.0)),
        weave=float(rng.uniform(0.0, 0.5) if pattern != "knit" else rng.uniform(0.5, 1.0)),
        gloss=float(rng.uniform(0, 0.25)),
        seed=int(rng.integers(2**31)),
    )


# ----- how the picture is taken ------------------------------------------------------------------


def _draw_light(rng: np.random.Generator) -> tuple[tuple[Lamp, ...], Colour]:
    # Shares of a total of about 1: an even studio to a single window
    contrast = float(rng.uniform(0.35, 0.75))
    key_side = float(rng.choice([-1.0, 1.0]))
    key = Lamp(
        _direction(key_side * rng.uniform(5, 60), rng.uniform(20, 60)),
        _scale(_white(rng, 0.12), contrast),
        float(rng.uniform(0.05, 0.45)),
    )
    lamps = [key]
    if rng.random() < 0.7:
        fill = float(rng.uniform(0.1, 0.35))
        lamps.append(
            Lamp(
                _direction(-key_side * rng.uniform(20, 80), rng.uniform(5, 45)),
                _scale(_white(rng, 0.18), fill),
                float(rng.uniform(0.2, 0.5)),
            )
        )
    if rng.random() < 0.35:
        lamps.append(
            Lamp(
                _direction(float(rng.choice([-1.0, 1.0])) * rng.uniform(120, 165), 40.0),
                _scale(_white(rng, 0.2), float(rng.uniform(0.15, 0.5))),
                0.1,
            )
        )
    return tuple(lamps), _scale(_white(rng, 0.1), float(rng.uniform(0.35, 0.6)))


def _draw_view(rng: np.random.Generator) -> View:
    # Most as a corpus of signing: head to hips; some close, some a whole person
    framing = rng.choice(3, p=[0.12, 0.66, 0.22])
    low, high = ((0.7, 0.85), (0.85, 1.25), (1.25, 2.1))[framing]
    height = float(rng.uniform(low, high))
    headroom = float(rng.uniform(0.03, 0.14)) * height
    turned = rng.random() < 0.3
    return View(
        height=height,
        middle=height / 2 - headroom,
        side=float(rng.normal(0, 0.04) * height),
        distance=float(height * rng.uniform(1.7, 3.2)),
        yaw=float(rng.normal(0, 0.25 if turned else 0.05)),
        pitch=float(rng.normal(0.02, 0.05)),
        roll=float(rng.normal(0, 0.012)),
    )


def _draw_background(rng: np.random.Generator) -> Background:
    kind = rng.choice(["studio", "gradient", "room", "noise"], p=[0.4, 0.25, 0.25, 0.1])
    main, accent = rng.choice(len(_WALLS), 2, replace=False)
    return Background(
        kind=kind.item(),
        colour=_vary(rng, _WALLS[main]),
        accent=_vary(rng, _WALLS[accent]),
        distance=float(rng.uniform(0.35, 2.5)),
        seed=int(rng.integers(2**31)),
    )


def _draw_sensor(rng: np.random.Generator) -> Sensor:
    return Sensor(
        exposure=float(np.exp(rng.normal(0.05, 0.13))),
        noise=float(rng.uniform(0.3, 4.0)),
        blur=float(max(0.0, rng.uniform(-0.3, 0.7))),
        quality=int(rng.integers(55, 96)) if rng.random() < 0.7 else None,
        gamma=float(np.exp(rng.normal(0, 0.07))),
        warmth=float(np.exp(rng.normal(0, 0.05))),
    )


# ----- colours and directions --------------------------------------------------------------------


def _linear(value: float) -> float:
    """Return an sRGB value from 0 to 1 as linear light (IEC 61966-2-1)."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _vary(rng: np.random.Generator, srgb: Sequence[int]) -> Colour:
    """Return a linear colour near one of sRGB, 0 to 255."""
    shade = math.exp(rng.normal(0, 0.1))
    red, green, blue = (
        _linear(min(c * shade * math.exp(rng.normal(0, 0.03)), 250) / 255) for c in srgb
    )
    return red, green, blue


def _scale(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _white(rng: np.random.Generator, spread: float) -> Colour:
    """Return light of about white, warmer or colder."""
    warm = float(rng.normal(0, spread))
    return math.exp(warm), 1.0, math.exp(-warm)


def _direction(azimuth: float, elevation: float) -> tuple[float, float, float]:
    """Return the unit vector at degrees to the signer's left of the camera and above."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return math.sin(a) * math.cos(e), -math.cos(a) * math.cos(e), math.sin(e)


def _choose(rng: np.random.Generator, paths: Sequence[Path], shell: str) -> str:
    if not paths:
        return shell
    return paths[int(rng.integers(len(paths)))].stem
