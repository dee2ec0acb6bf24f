"""Sizes of FPDM's parts from the libraries' configurations, as published folders have them.

What a configuration leaves out is the library's default. What changes the computation and our
settings cannot say is an error, not a surprise.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signgen.config.model import FPDMConfig
from signgen.config.yaml import did_you_mean, from_mapping
from signgen.errors import UserError
from signgen.files.reading import read_json

if TYPE_CHECKING:
    from signgen.models.fpdm import FPDM

__all__ = ["Parts", "check_parts", "read_parts", "settings_of"]

Parts = Mapping[str, Mapping[str, Any]]
"""The library's configuration of each part."""

_TOWER = {
    "patch_size": "patch_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "mlp_ratio": "mlp_ratio",
}
_CLIP = _TOWER | {"image_size": "image_size"}
_SETTINGS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "clip_vision": {"ipf": _CLIP | {"embedding_width": "projection_dim"}, "source_encoder": _CLIP},
    "dinov2": {"source_encoder": _TOWER | {"table_size": "image_size"}},
    "vae": {
        "autoencoder": {
            "block_channels": "block_out_channels",
            "layers_per_block": "layers_per_block",
            "latent_channels": "latent_channels",
            "norm_groups": "norm_num_groups",
            "scaling_factor": "scaling_factor",
        }
    },
    "unet_fork": {
        "unet": {
            "block_channels": "block_out_channels",
            "layers_per_block": "layers_per_block",
            "cross_attention_width": "cross_attention_dim",
            "head_width": "head_width",
            "norm_groups": "norm_num_groups",
            "attention": "attention",
            "upcast_attention": "upcast_attention",
        }
    },
    "scheduler": {
        "scheduler": {
            "train_steps": "num_train_timesteps",
            "beta_start": "beta_start",
            "beta_end": "beta_end",
            "prediction_type": "prediction_type",
            "zero_terminal_snr": "rescale_betas_zero_snr",
            "spacing": "timestep_spacing",
            "set_alpha_to_one": "set_alpha_to_one",
        }
    },
}
"""By part and section of our settings, our names and the library's."""
_NOTES = frozenset(
    """
    apply_layernorm initializer_factor initializer_range layerscale_value model_type out_features
    out_indices reshape_hidden_states sample_size set_alpha_to_one skip_prk_steps stage_names
    use_mask_token
    """.split()  # noqa: SIM905
)
"""What no forward pass of ours reads, besides what the libraries note of every part."""
_HEADS = "attention_head_dim"
"""The library's name misleads: it is the number of heads, of each level or of all."""


def read_parts(path: Path) -> Parts:
    """Read a JSON file of configurations; parts may be left out."""
    parts = read_json(path, 2**20, "a JSON object of configurations")
    if not isinstance(parts, dict) or not all(isinstance(part, dict) for part in parts.values()):
        raise UserError(
            f"{path} is not a JSON object of configurations; expected {', '.join(_SETTINGS)}."
        )
    for name in parts:
        if name not in _SETTINGS:
            raise UserError(
                f"{path}: {name[:60]!a} is not a part. {did_you_mean(name, list(_SETTINGS))}"
            )
    return parts


def settings_of(parts: Parts, config: FPDMConfig, path: Path) -> FPDMConfig:
    """Return settings with the sizes of the given parts, which come from a file."""
    for name, part in parts.items():
        try:
            given = _complete(name, part)
            if name == "clip_vision":
                given["mlp_ratio"] = given["intermediate_size"] // given["hidden_size"]
            elif name == "unet_fork":
                given["head_width"] = given["block_out_channels"][0] // given[_HEADS][0]
                given["attention"] = [kind[:9] == "CrossAttn" for kind in given["down_block_types"]]
            for section, names in _SETTINGS[name].items():
                base = getattr(config, section)
                if section == "source_encoder" and (base.kind == "clip") != (name == "clip_vision"):
                    continue
                values = {ours: given[theirs] for ours, theirs in names.items()}
                made = from_mapping(type(base), values, f"{path}: {name}", base)
                config = replace(config, **{section: made})
        except (UserError, TypeError, LookupError, ArithmeticError) as error:
            known = isinstance(error, UserError)
            text = str(error) if known else f"{path}: {name} holds no sizes ({error})."
            raise UserError(text) from None
    return config


def check_parts(parts: Parts, model: FPDM, path: Path) -> None:
    """Refuse a configuration whose part our settings cannot make."""
    for name, part in parts.items():
        given, built = _complete(name, part), _built(name, model)
        notes = set(_NOTES)
        if given.get("timestep_spacing") != "leading":
            notes.add("steps_offset")
        if built.get("class_embed_type") is None:
            notes.add("projection_class_embeddings_input_dim")
        for key in sorted(given.keys() - notes) if built else ():
            # Tuples are lists in JSON.
            wanted, value = json.dumps(given[key]), json.dumps(built.get(key))
            if wanted != value and not key.startswith("_"):
                raise UserError(
                    f"{path}: {name}.{key} is {wanted[:80]}; only {value[:80]} can be imported "
                    "beside its other values."
                )


def _complete(name: str, part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration with the library's defaults for what it leaves out."""
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from transformers import CLIPVisionConfig, Dinov2Config, PreTrainedConfig

    if name in {"clip_vision", "dinov2"}:
        kind = CLIPVisionConfig if name == "clip_vision" else Dinov2Config
        defaults = kind().to_dict()
        # Other versions of transformers note more, and all versions what every model has.
        own = defaults.keys() - PreTrainedConfig().to_dict().keys()
        return {key: part.get(key, defaults[key]) for key in own}
    made = {"vae": AutoencoderKL, "unet_fork": UNet2DConditionModel, "scheduler": DDPMScheduler}
    signature = inspect.signature(made[name].__init__).parameters.values()
    given = {p.name: p.default for p in signature if p.default is not p.empty} | dict(part)
    if isinstance(given.get(_HEADS), int):
        given[_HEADS] = [given[_HEADS]] * len(given["block_out_channels"])
    return given


def _built(name: str, model: FPDM) -> dict[str, Any]:
    """Return the configuration of a part of ours; nothing where the model does not have it."""
    match name:
        case "clip_vision" if model.ipf is not None:
            return dict(model.ipf.image_encoder.config.to_dict())
        case "dinov2" if model.config.source_encoder.kind == "dinov2":
            return dict(model.source_encoder.config.to_dict())
        case "vae":
            return dict(model.autoencoder.config)
        case "scheduler":
            return dict(model.schedule.scheduler.config)
        case "unet_fork":
            # FPDM's fork has a class embedding, which is a part of its own here (`FusionMLP`).
            width = None if model.ipf is None or model.fusion_mlp is None else model.ipf.width
            return dict(model.unet.config) | {
                "class_embed_type": None if model.fusion_mlp is None else "mlp",
                "projection_class_embeddings_input_dim": width,
            }
        case _:
            return {}
