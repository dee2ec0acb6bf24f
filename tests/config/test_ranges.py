"""Every number among the settings of training and models has a range, and is held to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from signgen.config.data import PrepareFolderConfig, PrepareSyntheticConfig
from signgen.config.model import PRESETS
from signgen.config.parsing_guided import tiny_parsing
from signgen.config.ranges import out_of_range
from signgen.config.train import TrainConfig
from signgen.config.yaml import from_mapping, load_config
from signgen.errors import ExitCode, UserError

SETTINGS: tuple[Any, ...] = (
    *(TrainConfig(), TrainConfig(model=tiny_parsing())),
    *(PrepareSyntheticConfig(), PrepareFolderConfig()),
)
ANY = (
    *("guidance", "teacher_guidance", "shoulders", "neck"),
    *("brightness", "contrast", "saturation", "detail"),
)
"""Weights of guidance may be below 0; the others are measured, and say nothing where they lie."""


def numbers(config: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all settings that are numbers or several, with their names."""
    for field in fields(config):
        value, name = getattr(config, field.name), (*path, field.name)
        if is_dataclass(value):
            yield from numbers(value, *name)
            continue
        items = value if isinstance(value, tuple) else (value,)
        if field.name not in ANY and {type(item) for item in items} in ({int}, {float}):
            yield name, value


def changed(config: Any, path: tuple[str, ...], value: Any) -> Any:
    first, *rest = path
    return replace(
        config, **{first: changed(getattr(config, first), tuple(rest), value) if rest else value}
    )


def nested(path: tuple[str, ...], value: object) -> dict[str, object]:
    first, *rest = path
    return {first: nested(tuple(rest), value) if rest else value}


@pytest.mark.parametrize("config", SETTINGS, ids=lambda config: type(config).__name__)
def test_no_number_may_be_anything(config: Any) -> None:
    checked = 0
    for path, value in numbers(config):
        bad: Any = tuple(-1 for _ in value) if isinstance(value, tuple) else type(value)(-1)
        assert len([*out_of_range(changed(config, path, bad))]) == 1, path
        shown = list(bad) if isinstance(bad, tuple) else bad
        with pytest.raises(UserError) as caught:
            from_mapping(type(config), nested(path, shown), "x.yaml", config)
        assert str(caught.value).startswith(f"x.yaml: {'.'.join(path)} is {shown}; expected ")
        assert caught.value.code == ExitCode.USAGE
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("drop_pose", (0.0, 1.0), (1.01, -0.01)),
        ("class_mlp_dropout", (0.0, 0.99), (1.0,)),
        ("timestep_shift", (0.1, 3.0), (0.0, float("inf"), float("nan"))),
        ("hand_weight", (0.0, 9.0), (-1e-9, float("inf"))),
        ("size", ((64, 48),), ((0, 48), (64, -8))),
        ("source_size", (None, (64, 64)), ((64, 0),)),
    ],
)
def test_ends_of_ranges(name: str, good: tuple[object, ...], bad: tuple[object, ...]) -> None:
    model = TrainConfig().model
    for value in good:
        assert not [*out_of_range(replace(model, **{name: value}))]  # type: ignore[arg-type]
    for value in bad:
        assert [*out_of_range(replace(model, **{name: value}))]  # type: ignore[arg-type]


def test_all_sizes_and_recipes_are_within_their_ranges() -> None:
    for presets in PRESETS.values():
        for preset in presets.values():
            assert not [*out_of_range(preset())]
    for recipe in (Path(__file__).parents[2] / "configs").glob("*.yaml"):
        if "stage:" in recipe.read_text():
            load_config(recipe, TrainConfig)
