"""Where a run computes: device and precision, and what environment variables would change of it."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from accelerate import Accelerator, DistributedType
from accelerate.state import AcceleratorState, PartialState
from accelerate.utils import GradientAccumulationPlugin

from signgen.config.model import Precision
from signgen.config.train import TrainConfig
from signgen.device import fastest_precision
from signgen.errors import ExitCode, UserError
from signgen.training.sharding import check_sharding, sharding

__all__ = ["check_device", "check_environment", "choose_precision", "make_accelerator"]

log = logging.getLogger(__name__)
OTHER_LOOPS = (
    *("ACCELERATE_USE_DEEPSPEED", "ACCELERATE_USE_MEGATRON_LM"),
    *("ACCELERATE_USE_PARALLELISM_CONFIG", "ACCELERATE_DYNAMO_BACKEND"),
    "ACCELERATE_DOWNCAST_BF16",
)
"""Variables of accelerate that make another training of it, whatever the settings say."""
NOTHING = {"", "0", "false", "no", "off"}


def check_environment(config: TrainConfig) -> None:
    """Let the settings decide, not the environment: refuse what changes training, name the rest.

    Raises:
        UserError: If a variable asks accelerate for a loop that this one is not.
    """
    for name in OTHER_LOOPS:
        if os.environ.get(name, "").lower() not in NOTHING:
            instead = "has a setting for that, compile"
            if name != "ACCELERATE_DYNAMO_BACKEND":
                instead = "has no such thing, and no setting for it"
            raise UserError(
                f"{name} is {os.environ[name]} in the environment; training here {instead}. "
                "Unset it.",
                ExitCode.USAGE,
            )
    check_sharding(config)
    decided = {
        "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("accumulate", str(config.accumulate)),
        "ACCELERATE_MIXED_PRECISION": ("precision", config.precision),
        "ACCELERATE_GRADIENT_CLIPPING": ("clip_gradient", str(config.clip_gradient)),
    }
    for name, (setting, value) in decided.items():
        given = os.environ.get(name)
        # `accelerate launch` sets the variable of precision to no where nobody asks for any
        if given not in {None, value, "no", "none", "1"}:
            log.warning(
                "%s is %s in the environment and is ignored: %s is %s by the settings.",
                *(name, given, setting, value),
            )


def choose_precision(config: TrainConfig) -> Precision:
    """Return the precision of a run, and check that it is there."""
    gpu = config.device != "cpu" and torch.accelerator.is_available()
    if config.precision == "auto":
        if not gpu:
            # Processes of one run must agree, and measure each for itself
            several = int(os.environ.get("WORLD_SIZE", "1")) > 1
            chosen: Precision = "no" if several else fastest_precision("cpu")
        else:
            chosen = fastest_precision("cuda") if torch.cuda.is_available() else "no"
        log.info("precision auto: %s", chosen)
        return chosen
    check_device(config)
    return config.precision


def check_device(config: TrainConfig) -> None:
    """Refuse a device that is not here, or that does not compute in the precision.

    Raises:
        UserError: If it is fp16 without a GPU, which accelerate would compute in 32 bits.
    """
    if config.device == "mps":
        raise UserError(
            "device is mps, which is for rendering; training expects auto, cpu or cuda.",
            ExitCode.USAGE,
        )
    if config.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "device cuda is not available here; use --device cpu or auto.", ExitCode.UNAVAILABLE
        )
    gpu = config.device != "cpu" and torch.accelerator.is_available()
    if config.precision == "fp16" and not gpu:
        raise UserError(
            "precision is fp16, which needs a GPU; expected bf16 or no here.", ExitCode.UNAVAILABLE
        )


def make_accelerator(config: TrainConfig) -> Accelerator:
    """Return device, precision and processes as the settings say.

    Another run of this process may have had another precision; the processes stay the same.
    """
    check_device(config)
    AcceleratorState._reset_state()
    plugin = sharding()
    accelerator = Accelerator(
        cpu=config.device == "cpu",
        mixed_precision=config.precision,
        log_with=list(config.track) or None,
        project_dir=Path(config.out) / "tensorboard" if config.track else None,
        # Given as a plugin, because a number is overruled by the environment; the loop divides
        gradient_accumulation_plugin=GradientAccumulationPlugin(num_steps=1),
        fsdp_plugin=plugin,
    )
    if plugin is not None:
        # On CPUs accelerate would go on unsharded without a word
        for state in (PartialState(), accelerator.state):
            state.distributed_type = DistributedType.FSDP
        accelerator.state.fsdp_plugin = plugin
    return accelerator
