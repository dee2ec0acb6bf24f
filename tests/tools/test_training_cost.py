"""What `tools/training_cost.py` computes, against sums by hand and against a real run."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from signgen.config.model import (
    DistillationConfig,
    MotionConfig,
    SamplingConfig,
    full_fpdm,
    tiny_fpdm,
    tiny_parsing,
)
from signgen.config.train import TrainConfig
from signgen.models import build_stage
from signgen.structures import Batch, UserError
from signgen.training.cost import cost, measure, without_weights
from tests.material.tools import load_tool

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_tool("training_cost")


def points(count: int) -> Batch:
    pixels = torch.empty(count, 3, 1, 1, device="meta")
    return Batch(pixels, pixels, pixels, pixels[:, :1])


class Layers(nn.Module):
    """Frozen 3 -> 16, normalisation of 16, trained 16 -> 4, squared."""

    def __init__(self, normalised: bool) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 16).requires_grad_(False)
        self.norm = nn.LayerNorm(16) if normalised else nn.Identity()
        self.trained = nn.Linear(16, 4)

    def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            inner = self.frozen(batch.source.flatten(1))
        return {"loss": self.trained(self.norm(inner)).square().mean()}


@pytest.mark.parametrize("mixed", [False, True])
def test_linear_layers_by_hand(tool: ModuleType, mixed: bool) -> None:
    with torch.device("meta"):
        stage = Layers(normalised=False)
    found = measure(stage, points(5), mixed=mixed)
    assert (found.parameters, found.trained) == (3 * 16 + 16 + 16 * 4 + 4, 16 * 4 + 4)
    assert found.forward == 2 * 5 * (3 * 16 + 16 * 4)
    # Of the input nothing is asked, so only the gradient of the trained weight is a product.
    assert found.backward == 2 * 5 * 16 * 4
    # Kept: the input of the trained layer, and its output for the square.
    assert found.activations == (2 if mixed else 4) * 5 * (16 + 4)


def test_normalisation_is_kept_in_32_bits(tool: ModuleType) -> None:
    with torch.device("meta"):
        stage = Layers(normalised=True)
    found = measure(stage, points(5), mixed=True)
    # Its input, with a mean and a deviation each; then the input and the output of the last layer.
    assert found.activations == 4 * 5 * (16 + 2) + 2 * 5 * (16 + 4)


def test_attention_keeps_no_scores(tool: ModuleType) -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(8))

        def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
            tokens = torch.empty(1, 1, len(batch.source), 8, device="meta") * self.scale
            return {"loss": F.scaled_dot_product_attention(tokens, tokens, tokens).mean()}

    with torch.device("meta"):
        stage = Attention()
    small, large = (measure(stage, points(n), mixed=True) for n in (512, 1024))
    assert large.activations < 2.1 * small.activations
    assert small.forward == 2 * 2 * 512 * 512 * 8
    assert large.forward == 4 * small.forward


@pytest.mark.parametrize("stage", ["vae", "ipf", "fpdm", "distill", "motion"])
def test_operations_of_a_stage_are_those_of_the_real_one(tool: ModuleType, stage: str) -> None:
    few = SamplingConfig(steps=2, guidance=(1.0, 1.0), sampler="ddim")
    model = replace(tiny_fpdm(), sampling=few, distillation=DistillationConfig(4))
    if stage == "motion":
        model = replace(model, motion=MotionConfig(2, 0))
    config = TrainConfig(stage=stage, model=model)  # type: ignore[arg-type]
    found = tool.cost(config)
    real = build_stage(config.model, config.stage).train()
    weights = list(real.parameters())
    assert found.parameters == sum(weight.numel() for weight in weights)
    assert found.trained == sum(weight.numel() for weight in weights if weight.requires_grad)
    height, width = config.model.size
    pixels = torch.rand(config.clip, 3, height, width)
    # The counter does not know the CPU's fused attention.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        real.loss(Batch(pixels, pixels, pixels, pixels[:, :1]))  # type: ignore[operator]
    # All of stage 1 but the product of B x B embeddings.
    left_out = 0.001 if stage == "ipf" else 0
    total = counter.get_total_flops() / config.clip
    assert found.forward == pytest.approx(total, rel=left_out, abs=0)
    assert found.backward > 0
    assert found.activations > 0


def test_table_adds_up(tool: ModuleType) -> None:
    config = TrainConfig(steps=10, batch_size=2, accumulate=3, precision="bf16", ema=0.9)
    one = tool.Cost(
        parameters=2**28, trained=2**27, forward=10**15, backward=10**15, activations=2**28
    )
    text = tool.table(config, one, 0.5)
    lines = {line[:32].strip(): line[32:] for line in text.splitlines()}
    assert lines["steps, examples in all"] == "10 / 60"
    assert lines["PFLOP in all"] == "120"
    assert lines["hours on one A100"] == f"{120e15 / (0.5 * 312e12) / 3600:.1f}"
    # 4 bytes a weight and 2 a trained one; 4 for gradient and average and 8 for AdamW of those.
    assert lines["GiB of weights"] == "1.2"
    assert lines["GiB of activations, batch 2"] == "0.5"
    assert lines["GiB in all, at least"] == "3.8"


def test_parts_add_up(tool: ModuleType) -> None:
    config = TrainConfig(stage="fpdm", model=tiny_parsing())
    rows = [line.split() for line in tool.parts(config).splitlines()[1:]]
    trained, frozen = (sum(int(row[i].replace(",", "")) for row in rows) for i in (1, 2))
    one = cost(config)
    assert (trained, trained + frozen) == (one.trained, one.parameters)
    named = {row[0]: row[1:] for row in rows}
    assert named["autoencoder"][0] == "0"
    assert named["unet"][1] == "0"
    assert named["source_net"][1] != "0"


def test_nothing_pretrained_is_left(tool: ModuleType) -> None:
    model = without_weights(full_fpdm())
    assert model == full_fpdm(base=None, clip=None, dino=None)


def test_command_prints_the_table(
    tool: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training_cost.py", str(ROOT / "configs/smoke-ipf.yaml")])
    tool.main()
    assert "hours on one H200" in capsys.readouterr().out


def test_decoder_stage_is_refused(tool: ModuleType) -> None:
    with pytest.raises(UserError, match="stage is decoder"):
        tool.cost(TrainConfig(stage="decoder", model=tiny_fpdm()))
