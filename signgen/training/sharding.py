"""Weights, gradients and moments in shards on all processes: FSDP2, as `accelerate` asks for it.

The weights of a stage are one group: each process holds its part of them between steps, and all of
them while it computes. Checkpoints are those of any run, whole and from the first process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from accelerate.utils import FullyShardedDataParallelPlugin
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy
from torch.distributed.tensor import DTensor, distribute_tensor

from signgen.config.train import TrainConfig
from signgen.diffusion.processes import whole
from signgen.errors import ExitCode, UserError

__all__ = ["as_shard", "check_sharding", "gathered", "sharding", "whole_state"]


def check_sharding(config: TrainConfig) -> None:
    """Refuse what shards otherwise than here, or nothing.

    Raises:
        UserError: If the environment asks for shards that there are not.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return
    problems = {
        f"FSDP_VERSION is {os.environ.get('FSDP_VERSION', '1')}; expected 2": (
            os.environ.get("FSDP_VERSION") != "2"
        ),
        "there is one process; expected several": int(os.environ.get("WORLD_SIZE", "1")) < 2,
        "precision is fp16; expected bf16 or no": config.precision == "fp16",
        "compile is true; expected false": config.compile,
    }
    for variable, wanted in (
        ("FSDP_OFFLOAD_PARAMS", "false"),
        ("FSDP_ACTIVATION_CHECKPOINTING", "false"),
        ("FSDP_AUTO_WRAP_POLICY", "no_wrap"),
    ):
        given = os.environ.get(variable, wanted)
        problems[f"{variable} is {given}; expected {wanted}"] = given.lower() != wanted
    for problem, there in problems.items():
        if there:
            raise UserError(
                f"ACCELERATE_USE_FSDP is true in the environment, and {problem}. Launch with "
                "--use_fsdp --fsdp_version 2, or without both.",
                ExitCode.USAGE,
            )


def sharding() -> FullyShardedDataParallelPlugin | None:
    """Return how weights are sharded, or None where nobody asks for it.

    Numbers are 32 bits in shards and between processes; mixed precision is autocast, as without.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() != "true":
        return None
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        auto_wrap_policy="no_wrap",
        mixed_precision_policy=MixedPrecisionPolicy(),
        state_dict_type="FULL_STATE_DICT",
        cpu_ram_efficient_loading=False,
    )


@contextmanager
def gathered(module: nn.Module) -> Iterator[None]:
    """Hold all weights on this process inside the block, in which nothing is trained."""
    if not isinstance(module, FSDPModule):
        yield
        return
    module.unshard()
    try:
        yield
    finally:
        module.reshard()


def whole_state(state: Any) -> Any:
    """Return nested dictionaries and lists with shards made whole; all processes call it."""
    if isinstance(state, dict):
        return {name: whole_state(value) for name, value in state.items()}
    if isinstance(state, list):
        return [whole_state(value) for value in state]
    return whole(state) if isinstance(state, Tensor) else state


def as_shard(value: Any, like: Tensor) -> Any:
    """Return the shard of a tensor of a weight's shape; what has none stays as it is."""
    if isinstance(like, DTensor) and isinstance(value, Tensor) and value.shape == like.shape:
        local = value.to(like.device)
        return distribute_tensor(local, like.device_mesh, like.placements, src_data_rank=None)
    return value
