"""The page can be read: contrasts after WCAG 2.2, in light and in dark mode."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from signgen.evaluation.reports.plots import STYLES

STYLE = (files("signgen.evaluation.reports") / "templates" / "style.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)
TEXTS = ("ink", "soft", "link", "alarm")
GRAPHICS = tuple(f"s{number}" for number in range(STYLES))


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_texts_and_graphics_stand_out() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    for colours in (LIGHT, DARK):
        for ground in ("paper", "band"):
            assert all(contrast(colours[name], colours[ground]) >= 4.5 for name in TEXTS)
            assert all(contrast(colours[name], colours[ground]) >= 3 for name in GRAPHICS)
        assert len({colours[name] for name in GRAPHICS}) == STYLES
    assert all(f".series-{number} " in STYLE for number in range(STYLES))
