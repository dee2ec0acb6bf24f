"""From the libraries' configurations of FPDM's parts, as published folders have them, to ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

from signgen.config.model import (
    AutoencoderConfig,
    FPDMConfig,
    SchedulerConfig,
    SourceEncoderConfig,
    UNetConfig,
)
from signgen.config.yaml import did_you_mean
from signgen.errors import UserError
from signgen.files.reading import read_json

__all__ = ["PARTS", "Part", "Parts", "read_parts", "settings_of"]

Part = Mapping[str, Any]
"""The library's configuration of one part."""
Parts = Mapping[str, Part]
"""Configurations by the names in `PARTS`."""

PARTS = ("clip_vision", "dinov2", "vae", "unet_fork", "scheduler")
_MAX_BYTES = 2**20


def read_parts(path: Path) -> Parts:
    """Read a JSON file of configurations by the names in `PARTS`; parts may be left out.

    Raises:
        UserError: If it cannot be read (66), is not such a file, or names another part (65).
    """
    document = read_json(path, _MAX_BYTES, "a JSON object of configurations")
    if not isinstance(document, dict) or not all(isinstance(p, dict) for p in document.values()):
        raise UserError(
            f"{path} is not a JSON object of configurations; expected {', '.join(PARTS)}."
        )
    for name in document:
        if name not in PARTS:
            raise UserError(
                f"{path}: {name[:60]!a} is not a part. {did_you_mean(name, list(PARTS))}"
            )
    return cast("Parts", document)


# ----- from the library's to ours -----------------------------------------------------------------


class _Reader:
    """Takes values of one part, each of the expected type."""

    def __init__(self, path: Path, name: str, part: Part) -> None:
        self._what, self._part = f"{path}: {name}", part

    def whole(self, key: str, default: int) -> int:
        value = self._part.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**16:
            raise self.refused(key, "a whole number above 0")
        return value

    def number(self, key: str, default: float) -> float:
        value = self._part.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.refused(key, "a number")
        return float(value)

    def true(self, key: str, *, default: bool) -> bool:
        value = self._part.get(key, default)
        if not isinstance(value, bool):
            raise self.refused(key, "true or false")
        return value

    def wholes(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self._part.get(key, list(default))
        if not isinstance(value, list) or not value:
            raise self.refused(key, "a list of whole numbers")
        if not all(type(item) is int and 0 < item < 2**16 for item in value):
            raise self.refused(key, "a list of whole numbers")
        return tuple(value)

    def one_of(self, key: str, default: str, known: tuple[str, ...]) -> str:
        value = self._part.get(key, default)
        if value not in known:
            raise self.refused(key, " or ".join(known))
        return str(value)

    def ratio(self, key: str, default: int, base: str, base_default: int) -> int:
        wide, narrow = self.whole(key, default), self.whole(base, base_default)
        if wide % narrow:
            raise self.refused(key, f"a multiple of {base} {narrow}")
        return wide // narrow

    def refused(self, key: str, expected: str) -> UserError:
        shown = json.dumps(self._part.get(key))[:80]
        return UserError(f"{self._what}.{key} is {shown}; expected {expected}.")


def settings_of(parts: Parts, published: FPDMConfig, path: Path) -> FPDMConfig:
    """Return settings with the sizes of the given parts.

    Args:
        parts: From `read_parts`.
        published: Settings for the parts that are not given.
        path: Where they come from, for messages.

    Raises:
        UserError: If a value has another type than it should have.
    """
    config = published
    readers = {name: _Reader(path, name, part) for name, part in parts.items()}
    if "clip_vision" in readers:
        tower = _tower(readers["clip_vision"])
        width = readers["clip_vision"].whole("projection_dim", 512)
        config = replace(config, ipf=replace(config.ipf, **tower, embedding_width=width))
        if config.source_encoder.kind == "clip":
            config = replace(config, source_encoder=replace(config.source_encoder, **tower))
    if "dinov2" in readers and config.source_encoder.kind == "dinov2":
        encoder = _dinov2(readers["dinov2"], config.source_encoder)
        config = replace(config, source_encoder=encoder)
    if "vae" in readers:
        config = replace(config, autoencoder=_autoencoder(readers["vae"], config.autoencoder))
    if "unet_fork" in readers:
        config = replace(config, unet=_unet(readers["unet_fork"], parts["unet_fork"], config.unet))
    if "scheduler" in readers:
        config = replace(config, scheduler=_scheduler(readers["scheduler"], config.scheduler))
    return config


def _tower(part: _Reader) -> dict[str, Any]:
    return {
        "image_size": part.whole("image_size", 224),
        "patch_size": part.whole("patch_size", 32),
        "width": part.whole("hidden_size", 768),
        "layers": part.whole("num_hidden_layers", 12),
        "heads": part.whole("num_attention_heads", 12),
        "mlp_ratio": part.ratio("intermediate_size", 3072, "hidden_size", 768),
    }


def _dinov2(part: _Reader, config: SourceEncoderConfig) -> SourceEncoderConfig:
    return replace(
        config,
        table_size=part.whole("image_size", 224),
        patch_size=part.whole("patch_size", 14),
        width=part.whole("hidden_size", 768),
        layers=part.whole("num_hidden_layers", 12),
        heads=part.whole("num_attention_heads", 12),
        mlp_ratio=part.whole("mlp_ratio", 4),
    )


def _autoencoder(part: _Reader, config: AutoencoderConfig) -> AutoencoderConfig:
    return replace(
        config,
        block_channels=part.wholes("block_out_channels", (64,)),
        layers_per_block=part.whole("layers_per_block", 1),
        latent_channels=part.whole("latent_channels", 4),
        norm_groups=part.whole("norm_num_groups", 32),
        scaling_factor=part.number("scaling_factor", 0.18215),
    )


def _unet(part: _Reader, given: Part, config: UNetConfig) -> UNetConfig:
    channels = part.wholes("block_out_channels", (320, 640, 1280, 1280))
    heads = given.get("attention_head_dim", 8)
    first = heads[0] if isinstance(heads, list) and heads else heads
    if type(first) is not int or first < 1 or channels[0] % first:
        raise part.refused("attention_head_dim", "numbers of heads that divide block_out_channels")
    kinds = given.get("down_block_types", [])
    return replace(
        config,
        block_channels=channels,
        layers_per_block=part.whole("layers_per_block", 2),
        cross_attention_width=part.whole("cross_attention_dim", 1280),
        head_width=channels[0] // first,
        norm_groups=part.whole("norm_num_groups", 32),
        attention=tuple(str(kind).startswith("CrossAttn") for kind in kinds)
        if isinstance(kinds, list)
        else (),
        upcast_attention=part.true("upcast_attention", default=False),
    )


def _scheduler(part: _Reader, config: SchedulerConfig) -> SchedulerConfig:
    prediction = part.one_of("prediction_type", "epsilon", ("v_prediction", "epsilon"))
    spacing = part.one_of("timestep_spacing", "leading", ("leading", "trailing", "linspace"))
    return replace(
        config,
        train_steps=part.whole("num_train_timesteps", 1000),
        beta_start=part.number("beta_start", 0.0001),
        beta_end=part.number("beta_end", 0.02),
        prediction_type=cast('Literal["v_prediction", "epsilon"]', prediction),
        zero_terminal_snr=part.true("rescale_betas_zero_snr", default=False),
        spacing=cast('Literal["leading", "trailing", "linspace"]', spacing),
        set_alpha_to_one=part.true("set_alpha_to_one", default=True),
    )
