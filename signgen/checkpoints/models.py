"""Loading a model by name, and writing one as a folder.

MODEL/config.yaml model.safetensors manifest.json README.md      a model, as on the hub
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from signgen.checkpoints.finding import MODEL_FILES, resolve, run_config
from signgen.checkpoints.folders import CARD, State, check_finite, check_whole, verify, write_folder
from signgen.config.fpdm import FPDMConfig
from signgen.config.model import ModelConfig, ParsingGuidedConfig
from signgen.config.train import AFTER_STAGE_2, Stage
from signgen.config.yaml import to_yaml
from signgen.device import named_device
from signgen.files.paths import one_line
from signgen.models import build_model, build_stage
from signgen.models.base import PoseGuidedModel, Trainable, stored_state
from signgen.models.ipf import IPF
from signgen.structures import ExitCode, UserError

STORED = {torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32}
"""Types of weights and buffers that are read."""


def save_pretrained(
    model: PoseGuidedModel, folder: str | Path, *, card: str = "", half: bool = False
) -> Path:
    """Write a model as a folder that `load_model` reads and that can be uploaded to the hub.

    Pretrained parts that are frozen are not in it: they are loaded from where they came.

    Args:
        model: The model.
        folder: Where; an older model there is replaced as a whole.
        card: Model card in Markdown, kept as README.md; none if empty.
        half: Store fp16: half the size, and no longer the exact weights.
    """
    folder = Path(folder)
    _check_replaceable(folder)
    state = stored_state(model)
    if half:
        state = {name: x.half() if x.is_floating_point() else x for name, x in state.items()}
    texts = {"config.yaml": to_yaml(model.config)} | ({CARD: card} if card else {})
    try:
        write_folder(folder, {"model.safetensors": state}, texts)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{folder} cannot be written ({error}); choose another.", ExitCode.CANNOT_CREATE
        ) from None
    return folder


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder with files that no model has: replacing it would delete them."""
    if not folder.exists():
        return
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    others = sorted(names - {*MODEL_FILES, CARD})
    if others or not folder.is_dir():
        raise UserError(
            f"{folder} {f'holds {others[0]}' if others else 'is a file'}; expected a new folder, "
            "or one with a model only, which is replaced.",
            ExitCode.CANNOT_CREATE,
        )


def read_weights(folder: Path, kind: Literal["best", "model", "ema"] = "best") -> State:
    """Read verified weights of a checkpoint or model folder, in 32 bits.

    Args:
        folder: Folder with a manifest.
        kind: `ema` or `model`; `best` is the moving average where there is one.
    """
    files = verify(folder)["files"]
    averaged = kind != "model" and "ema.safetensors" in files
    path = folder / ("ema.safetensors" if averaged else "model.safetensors")
    try:
        state = load_file(path)
    except (OSError, SafetensorError, RuntimeError, ValueError, LookupError, TypeError) as error:
        # Its checksum fits: somebody else wrote it
        raise UserError(
            f"{path} is not a file of weights: {one_line(error)}. Copy the folder again."
        ) from None
    for name, value in state.items():
        if value.dtype not in STORED:
            raise UserError(
                f"{path}: weight {name[:80]!a} is {value.dtype}; expected float32, float16 or "
                "bfloat16, or whole numbers of buffers."
            )
    check_finite(state, path)
    return {name: value.float() for name, value in state.items()}


def load_into(model: Trainable, state: State, where: Path | str) -> None:
    """Copy the weights whose names and shapes the model has."""
    own = model.state_dict()
    for name, value in state.items():
        if name not in own or own[name].shape != value.shape:
            expected = tuple(own[name].shape) if name in own else "no such weight"
            raise UserError(
                f"{where}: weight {name} has shape {tuple(value.shape)}; the model's settings "
                f"expect {expected}. Use the config.yaml that belongs to the weights."
            )
    model.load_state_dict(state, strict=False)


def _check_complete(wanted: State, given: State, folder: Path, what: str, settings: Path) -> None:
    """Refuse weights that leave some of a model random."""
    if missing := sorted(wanted.keys() - given.keys()):
        raise UserError(
            f"{folder} lacks {len(missing)} weights of {what}, such as {missing[0]}; expected all "
            f"that {settings} asks for. Copy both again."
        )


def load_model(
    name: str | Path, device: str | torch.device = "cpu", *, revision: str | None = None
) -> PoseGuidedModel:
    """Build a model and load its weights, in eval mode.

    Weights are verified against the checksums in the folder's manifest, wherever it came from.

    Args:
        name: `mini`, a run folder of stage `fpdm` or one after it, a checkpoint or model
            folder, or a hub id: `owner/name` or `owner/name@revision`.
        device: Where to put it.
        revision: Branch, tag or commit of a hub id; the main branch if not given.
    """
    chosen = named_device(device)
    folder, settings, config = resolve(str(name), revision)
    state = read_weights(folder)
    check_whole(state, config, folder, settings)
    model = build_model(config)
    _check_complete(stored_state(model), state, folder, "this model", settings)
    load_into(model, state, folder / "model.safetensors")
    return model.eval().to(chosen)


def load_stage1(name: str, device: str | torch.device = "cpu") -> tuple[IPF, ModelConfig]:
    """Build stage 1 alone and load its weights, in eval mode; beside it the whole settings.

    Args:
        name: What `load_model` takes, a run folder of stage `ipf`, a folder that holds stage 1
            alone, or a training YAML file with `ipf.loss` none, whose pretrained tower is taken as
            it is (A1 of FPDM's Table 2).
        device: Where to put it.
    """
    chosen = named_device(device)
    if Path(name).is_file():
        config = run_config(Path(name)).model
        if config.ipf.loss != "none" or not config.ipf.pretrained:
            raise UserError(
                f"{name}: model.ipf.loss is {config.ipf.loss}, model.ipf.pretrained "
                f"{config.ipf.pretrained or 'none'}; expected loss none and a pretrained tower, "
                "because a training file holds no weights. Name the run folder it trained."
            )
        return cast(IPF, build_stage(config, "ipf")).eval().to(chosen), config
    folder, settings, config = resolve(name)
    weights = {k: v for k, v in read_weights(folder).items() if k.startswith("ipf.")}
    if not weights:
        raise UserError(
            f"{folder} holds no stage 1 (no weights of ipf.); expected a run of stage ipf or a "
            f"whole model. See stage in {settings}."
        )
    stage = cast(IPF, build_stage(config, "ipf"))
    _check_complete(stored_state(stage), weights, folder, "stage 1", settings)
    load_into(stage, {k[4:]: v for k, v in weights.items()}, folder / "model.safetensors")
    return stage.eval().to(chosen), config


def _check_finished(folder: Path, settings: Path) -> None:
    """Refuse an autoencoder in training: the scale of its latents is measured at the end.

    Raises:
        UserError: If the checkpoint is of a run of stage vae that has steps to do.
    """
    if folder.parent.name != "checkpoints":
        return
    run, step = run_config(settings), int(folder.name.removeprefix("step-"))
    if run.stage == "vae" and step < run.steps:
        raise UserError(
            f"{folder} is an autoencoder at step {step} of {run.steps}, whose scaling_factor is "
            "measured after the last; expected a finished run. Finish it with `signgen train "
            f"{settings}`.",
            ExitCode.USAGE,
        )


def start_from(
    names: tuple[str, ...], config: ModelConfig, stage: Stage
) -> tuple[ModelConfig, State]:
    """Collect the parts that earlier runs trained; a later one's takes the place of an earlier's.

    Args:
        names: Run, checkpoint or model folders, or hub ids.
        config: Settings of the model that starts.
        stage: What is trained: `fpdm` and what comes after it take the denoiser too, and it must
            be theirs.

    Returns:
        The settings with the sections of the adopted parts taken from the runs that trained them
        (the autoencoder's scaling factor is measured there), and the weights. Stages after
        stage 2 take all settings of the model but their own (`with_own_of`); and all take the
        pictures that a whole model knows. For `distill` the denoiser is there a second time, as
        its teacher.

    Raises:
        UserError: If one has another number of U-Nets than the settings.
    """
    state: State = {}
    for name in names:
        folder, settings, other = resolve(name)
        _check_finished(folder, settings)
        weights = read_weights(folder)
        parts = {key.split(".", 1)[0] for key in weights}
        denoiser = (other if stage in AFTER_STAGE_2 else config).denoiser
        whole = any(key.startswith(denoiser) for key in weights)
        if whole and stage in AFTER_STAGE_2:
            config = with_own_of(stage, other, config)
            weights = _twice(weights, denoiser, "teacher.") if stage == "distill" else weights
        elif whole and stage == "fpdm" and _starts_both(config, other):
            weights = _twice(weights, denoiser, "source_net.")
        elif whole and stage == "fpdm":
            _check_pair(config, other, folder)
        if whole:
            config = replace(config, pictures=other.pictures)
        for part in parts.intersection(config.trained_apart):
            config = replace(config, **{part: getattr(other, part)})
            # Another tower or decoder takes the whole place of an earlier one's
            state = {key: value for key, value in state.items() if key.split(".", 1)[0] != part}
        state.update(weights)
    return config, state


def with_own_of(stage: Stage, model: ModelConfig, config: ModelConfig) -> ModelConfig:
    """Return the settings of a model with those of others that a stage has of its own.

    The weights of losses; but for `signer` and `motion` how samples are made, of `distill` also how
    those of the teacher are; of `motion` the windows of its layers.
    """
    names = ["hand_weight", "face_weight", "perceptual_weight", "ssim_weight"]
    if stage not in {"signer", "motion"}:
        names += ["sampling"]
    if stage == "motion":
        names += ["motion"]
    if stage == "distill":
        names += ["distillation"]
        spacing = config.scheduler.spacing
        model = replace(model, scheduler=replace(model.scheduler, spacing=spacing))
    return replace(model, **{name: getattr(config, name) for name in names})


def _check_pair(config: ModelConfig, other: ModelConfig, folder: Path) -> None:
    """Refuse a denoiser of one U-Net for one of two, and the other way: half would be random."""
    wanted, given = (_unets(one) for one in (config, other))
    if wanted != given:
        raise UserError(
            f"{folder} holds {given}; the settings ask for {wanted}. Start from a run with the "
            "same model.kind and model.reference.tied."
        )


def _starts_both(config: ModelConfig, other: ModelConfig) -> bool:
    """Whether FPDM's U-Net is what both U-Nets of a parsing-guided model start from."""
    return isinstance(config, ParsingGuidedConfig) and type(other) is FPDMConfig


def _twice(weights: State, unet: str, second: str) -> State:
    """Return weights with those of the U-Net a second time, under names that begin otherwise."""
    again = {
        second + name.removeprefix(unet): value
        for name, value in weights.items()
        if name.startswith(unet)
    }
    return {**weights, **again}


def _unets(config: ModelConfig) -> str:
    if not isinstance(config, ParsingGuidedConfig):
        return f"a denoiser of kind {config.kind}"
    tied = config.reference.tied
    return (
        "one U-Net for source and target (tied)" if tied else "a U-Net each for source and target"
    )
