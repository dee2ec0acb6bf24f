"""A second model, made of one settings class and one module, goes through every command.

Nothing outside `signgen.models` and `signgen.config` is told of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest
import torch
from torch import Tensor, nn

import signgen.checkpoints.finding
import signgen.config.model
import signgen.config.train
import signgen.models
from signgen.checkpoints.models import load_model
from signgen.cli.main import main
from signgen.config.autoencoder import AutoencoderConfig
from signgen.config.data import DataConfig
from signgen.config.model import (
    FPDMConfig,
    MotionConfig,
    SamplingConfig,
    SchedulerConfig,
    tiny_fpdm,
)
from signgen.config.pictures import PicturesConfig
from signgen.config.train import TrainConfig
from signgen.data.dataset import bundled_sample
from signgen.diffusion.schedule import NoiseSchedule
from signgen.models.autoencoder import build_autoencoder
from signgen.models.base import LatentSpace, PoseGuidedModel
from signgen.structures import Batch, Conditioning, Guide, SourceFeatures
from signgen.training.loop import train


@dataclass(frozen=True)
class ToyConfig:
    """Settings of the toy."""

    kind: ClassVar[str] = "toy"
    title: ClassVar[str] = "a toy"
    trained_apart: ClassVar[tuple[str, ...]] = ("autoencoder",)
    denoiser: ClassVar[str] = "mix."
    parts: ClassVar[tuple[str, ...]] = ("scheduler", "autoencoder")
    branches: ClassVar[int] = 2
    guided: ClassVar[bool] = False
    regions: ClassVar[tuple[str, ...]] = ()
    motion: ClassVar[MotionConfig] = MotionConfig()
    size: tuple[int, int] = (64, 48)
    source_size: tuple[int, int] | None = None
    resize: Literal["area", "bicubic"] = "area"
    pose_style: Literal["clean", "fpdm"] = "clean"
    pose_canvas: tuple[int, int] | None = None
    pose_canvas_render: tuple[int, int] | None = None
    skeleton: str = "coco-wholebody-133"
    pictures: PicturesConfig = field(default_factory=PicturesConfig)
    hand_weight: float = 0.0
    width: int = 4
    autoencoder: AutoencoderConfig = tiny_fpdm().autoencoder
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(steps=2))


class Toy(nn.Module):
    """Predicts latents from noisy ones, the shrunk pose and the mean colour of the source."""

    prefix, external = "", ()

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.schedule = NoiseSchedule.from_config(config.scheduler)
        self.autoencoder = build_autoencoder(config.autoencoder).requires_grad_(False)
        self.mix = nn.Conv2d(4 + 3 + 3, 4, 1)

    @property
    def latents(self) -> LatentSpace:
        return LatentSpace(self.autoencoder, 1.0)

    def enable_gradient_checkpointing(self) -> None:
        raise AssertionError("nobody asked for it")

    def encode_source(self, source: Tensor, parts: Tensor | None = None) -> SourceFeatures:
        return SourceFeatures(source.mean((2, 3))[:, None])

    def condition(
        self,
        source: SourceFeatures,
        pose: Tensor,
        clip: Tensor | None = None,
        *,
        guide: Guide | None = None,
    ) -> Conditioning:
        tokens = source.tokens.expand(len(pose), -1, -1)
        return Conditioning(nn.functional.avg_pool2d(pose, self.latents.factor), tokens)

    def branches(self, conditioning: Conditioning) -> list[Conditioning]:
        return [conditioning.null("pose", "tokens"), conditioning]

    def denoise(self, z: Tensor, t: Tensor, conditioning: Conditioning) -> Tensor:
        colour = conditioning.tokens.mean(1)[:, :, None, None].expand_as(conditioning.pose)
        return self.mix(torch.cat([z, conditioning.pose, colour], 1))

    def decode(
        self,
        latents: Tensor,
        conditioning: Conditioning,
        guide: Guide | None = None,
        *,
        clamp: bool = True,
    ) -> Tensor:
        return self.latents.decode(latents, clamp=clamp)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        z0 = self.latents.encode(batch.target)
        noise, t = torch.randn_like(z0), torch.randint(1000, (len(z0),))
        conditioning = self.condition(self.encode_source(batch.source), batch.pose)
        output = self.denoise(self.schedule.add_noise(z0, noise, t), t, conditioning)
        return {"loss": (output - self.schedule.training_target(z0, noise, t)).square().mean()}


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ToyConfig:
    """Tell `signgen.config` and `signgen.models` of the toy."""
    # An edit of `ModelConfig` reaches whoever imports it; a patch must be made where it was bound.
    for module in (signgen.config.model, signgen.config.train, signgen.checkpoints.finding):
        monkeypatch.setattr(module, "ModelConfig", FPDMConfig | ToyConfig)
    monkeypatch.setattr(signgen.models, "_build", Toy)
    return ToyConfig()


def test_a_second_model_needs_nothing_but_itself(
    toy: ToyConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(Toy(toy), PoseGuidedModel)
    run = tmp_path / "run"
    config = TrainConfig(
        stage="fpdm",
        model=toy,
        out=str(run),
        data=DataConfig(root="sample"),
        steps=4,
        device="cpu",
        stop_at=2,
        sample_every=2,
        seed=3,
    )
    # Trains, and resumes to what an uninterrupted run computes
    train(config)
    train(replace(config, stop_at=0))
    train(replace(config, stop_at=0, out=str(tmp_path / "whole")))
    resumed, whole = load_model(run), load_model(tmp_path / "whole")
    assert torch.equal(resumed.mix.weight, whole.mix.weight)
    assert replace(resumed.config, pictures=toy.pictures) == toy
    assert (run / "samples" / "step-000002.png").is_file()

    # Is exported, renders from the export, and is scored
    demo = bundled_sample() / "demo"
    words = ["--license", "apache-2.0", "--data", "synthetic"]
    assert main(["export", str(run), "--to-hub-folder", str(tmp_path / "hub"), *words]) == 0
    assert "a toy" in (tmp_path / "hub" / "README.md").read_text()
    out = tmp_path / "out.mp4"
    inputs = ["--source", str(demo / "source.png"), "--poses", str(demo / "poses.json")]
    model = ["--model", str(tmp_path / "hub"), "--device", "cpu"]
    assert main(["render", *inputs, *model, "--out", str(out), "--no-compare"]) == 0
    capsys.readouterr()
    assert main(["eval", *model, "--data", "sample", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"ssim", "psnr"} <= {metric["name"] for metric in report["metrics"]}
