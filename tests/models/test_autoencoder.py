from dataclasses import replace

import pytest
import torch

from signgen.config.autoencoder import AutoencoderConfig, DecoderConfig
from signgen.config.model import tiny_fpdm
from signgen.errors import UserError
from signgen.evaluation.metrics.pixels.ssim import ssim
from signgen.models import build_stage
from signgen.models.autoencoder import AutoencoderStage, build_autoencoder, reconstruction_loss
from signgen.models.base import LatentSpace
from signgen.structures import Guide

SMALL = tiny_fpdm().autoencoder


def test_stage_learns_one_picture(batch):
    x, y = torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 64)
    picture = torch.stack([x + 0 * y[:, None], 0 * x + y[:, None], 0.5 * x - 0.5 * y[:, None]])
    batch = replace(batch, target=picture.expand(2, -1, -1, -1))
    stage = build_stage(tiny_fpdm(), "vae")
    optimizer = torch.optim.AdamW(stage.parameters(), lr=3e-3)
    values = []
    for _ in range(30):
        losses = stage.loss(batch)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        values.append(float(losses["l1"].detach()))
    assert values[-1] < 0.6 * values[0]


def test_hand_weight_moves_the_loss_to_the_hands(batch):
    stage = AutoencoderStage(tiny_fpdm())
    torch.manual_seed(1)
    plain = stage.loss(batch)
    stage.config = replace(stage.config, hand_weight=1e6)
    torch.manual_seed(1)
    weighted = stage.loss(batch)
    torch.manual_seed(1)
    made = stage.autoencoder.decode(
        stage.autoencoder.encode(batch.target).latent_dist.sample()
    ).sample
    error = (made - batch.target).abs()
    assert torch.allclose(plain["l1"], error.mean(), atol=1e-6)
    inside = (error * batch.hands).sum() / (3 * batch.hands.sum())
    assert torch.allclose(weighted["l1"], inside, atol=1e-5)
    assert torch.equal(plain["kl"], weighted["kl"])


def test_face_weight_adds_to_that_of_the_hands(batch):
    stage = AutoencoderStage(replace(tiny_fpdm(), face_weight=1e6))
    face = torch.zeros_like(batch.hands)
    face[..., 40:56, 24:40] = 1
    losses = {}
    for name, given in (("face", replace(batch, face=face)), ("hands", replace(batch, hands=face))):
        stage.config = replace(tiny_fpdm(), **{f"{name.removesuffix('s')}_weight": 1e6})
        torch.manual_seed(1)
        losses[name] = stage.loss(given)["l1"]
    assert torch.allclose(losses["face"], losses["hands"])


def test_guided_decoder_paints_one_picture(batch):
    config = replace(
        tiny_fpdm(), decoder=DecoderConfig(kind="guided", channels=(8, 16, 16), drop_latents=0.0)
    )
    moved = torch.zeros_like(batch.hands)
    moved[..., 16:48, 8:40] = 1
    # What did not move is the source; where it moved, the moved source shows something else
    ramp = torch.linspace(-1, 1, 48).expand(2, 3, 64, 48)
    target = torch.where(moved > 0, ramp, batch.source)
    guide = Guide(-batch.source, batch.source, moved, moved.expand(-1, 3, -1, -1))
    batch = replace(batch, target=target, guide=guide)
    stage = build_stage(config, "vae")
    optimizer = torch.optim.AdamW(stage.parameters(), lr=3e-3)
    values = []
    for _ in range(60):
        losses = stage.loss(batch)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
        values.append(float(losses["l1"].detach()))
    assert values[-1] < 0.5 * values[0]
    with torch.no_grad():
        latents = stage.autoencoder.encode(target).latent_dist.mode()
        picture, painting = stage.reconstruct(batch, latents)
    still = (moved == 0).expand_as(picture)
    assert torch.equal(picture[still], batch.source[still])
    assert float((moved * painting.gate)[:, 0].sum() / moved.sum()) > 0.5, "it paints"


def test_edge_distance_sees_edges_only(batch):
    stage = AutoencoderStage(tiny_fpdm())
    constant = replace(batch, target=torch.zeros_like(batch.target))
    torch.nn.init.zeros_(stage.autoencoder.decoder.conv_out.weight)
    torch.nn.init.constant_(stage.autoencoder.decoder.conv_out.bias, 0.25)
    with torch.no_grad():
        losses = stage.loss(constant)
    assert float(losses["edges"]) == 0
    assert float(losses["l1"]) == pytest.approx(0.25)


def test_what_ssim_lacks_is_counted_where_it_has_a_weight(batch):
    torch.manual_seed(2)
    made = (batch.target + 0.2 * torch.randn_like(batch.target)).clamp(-1, 1)
    config = tiny_fpdm()
    plain = reconstruction_loss(made, batch, config, 8)
    weighted = reconstruction_loss(made, batch, replace(config, ssim_weight=0.5), 8)
    assert "structure" not in plain
    # Windows over mirrored borders count here and not there, so in bytes of a larger picture
    pixels = [
        ((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy() for x in (made, batch.target)
    ]
    assert float(weighted["structure"]) == pytest.approx(1 - ssim(*pixels).mean(), abs=0.02)
    assert torch.allclose(weighted["loss"], plain["loss"] + 0.5 * weighted["structure"])
    equal = reconstruction_loss(batch.target, batch, replace(config, ssim_weight=0.5), 8)
    assert float(equal["structure"]) == pytest.approx(0, abs=1e-5)


def test_latent_space_scales_and_clamps(batch):
    autoencoder = build_autoencoder(replace(SMALL, scaling_factor=2.0)).eval()
    latents = LatentSpace(autoencoder, 2.0)
    assert (latents.factor, latents.channels) == (8, 4)
    with torch.no_grad():
        z = latents.encode(batch.target, sample=False)
        plain = LatentSpace(autoencoder, 1.0).encode(batch.target, sample=False)
        assert tuple(z.shape[1:]) == latents.shape((64, 48)) == (4, 8, 6)
        assert torch.equal(z, 2 * plain)
        pixels = latents.decode(z)
        raw = autoencoder.decode(plain).sample
    assert torch.allclose(pixels, raw.clamp(-1, 1), atol=1e-6)
    assert float(latents.decode(1e4 * z).abs().max().detach()) <= 1


def test_sampling_uses_the_global_generator(batch):
    latents = LatentSpace(build_autoencoder(SMALL), 1.0)
    torch.manual_seed(3)
    first = latents.encode(batch.target)
    assert not torch.equal(first, latents.encode(batch.target))
    torch.manual_seed(3)
    assert torch.equal(first, latents.encode(batch.target))


def test_size_must_fit_the_factor():
    with pytest.raises(ValueError, match="multiple of 8"):
        LatentSpace(build_autoencoder(SMALL), 1.0).shape((64, 50))


def test_latent_space_owns_nothing():
    autoencoder = build_autoencoder(SMALL)
    holder = torch.nn.Module()
    holder.latents = LatentSpace(autoencoder, 1.0)
    assert not list(holder.parameters())


def test_stable_diffusion_size():
    with torch.device("meta"):
        model = build_autoencoder(
            AutoencoderConfig(
                block_channels=(128, 256, 512, 512), layers_per_block=2, norm_groups=32
            )
        )
    assert len(model.state_dict()) == 248
    assert sum(p.numel() for p in model.parameters()) == 83_653_863


def test_channels_that_groups_do_not_divide_are_refused():
    with pytest.raises(UserError, match=r"block_channels is \[8, 16\]; expected multiples of .*3"):
        build_autoencoder(AutoencoderConfig(block_channels=(8, 16), norm_groups=3))
