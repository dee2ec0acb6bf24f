"""The guided decoder: what it may never change, and that size and frames beside do not matter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from signgen.config.autoencoder import DecoderConfig
from signgen.config.model import SchedulerConfig, tiny_fpdm
from signgen.config.sampling import Sampling
from signgen.models import build_model, build_stage
from signgen.models.guided.decoder import GuidedDecoder
from signgen.models.guided.painting import Painting
from signgen.rendering.generation import generate
from signgen.structures import Batch, Guide, UserError

SMALL = DecoderConfig(kind="guided", channels=(8, 8, 16, 16))


def smooth(channels: int, size: tuple[int, int], seed: int) -> Tensor:
    """Return planes (1, C, H, W) in [0, 1] that look alike at every size."""
    coarse = torch.rand(1, channels, 4, 3, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size, mode="bilinear")


def guide_of(size: tuple[int, int]) -> Guide:
    source, warped = (smooth(3, size, seed) * 2 - 1 for seed in (1, 2))
    return Guide(warped, source, smooth(1, size, 3), smooth(3, size, 4))


def painting_of(size: tuple[int, int]) -> Painting:
    flow = torch.nn.functional.interpolate(smooth(2, size, 7), (size[0] // 4, size[1] // 4))
    return Painting(smooth(3, size, 5) * 2 - 1, smooth(3, size, 6).softmax(dim=1), flow * 4 - 2)


def decoder(embedding: int = 0) -> GuidedDecoder:
    torch.manual_seed(0)
    made = GuidedDecoder(SMALL, 8, 8, embedding)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return made.eval()


@pytest.mark.parametrize("size", [(64, 48), (97, 61), (250, 190)])
def test_what_did_not_move_is_the_source_to_the_byte(size: tuple[int, int]) -> None:
    pixels = torch.randint(256, (1, 3, *size), dtype=torch.uint8)
    source = pixels.float() / 127.5 - 1
    moved = torch.zeros(1, 1, *size)
    moved[..., : size[1] // 2] = 1
    mixed = painting_of((64, 48)).mix(guide_of(size).warped, source, moved)
    still = moved.expand_as(mixed) == 0
    back = ((mixed + 1) * 127.5).round().byte()
    assert torch.equal(mixed[still], source[still])
    assert torch.equal(back[still], pixels[still])
    assert not torch.equal(mixed, source)


def test_a_gate_without_flow_copies_exactly_one_picture() -> None:
    size, guide = (32, 24), guide_of((32, 24))
    painted = torch.rand(1, 3, *size)
    for number, wanted in enumerate((painted, guide.warped, guide.source)):
        gate = torch.zeros(1, 3, *size)
        gate[:, number] = 1
        painting = Painting(painted, gate, torch.zeros(1, 2, 8, 6))
        mixed = painting.mix(guide.warped, guide.source, torch.ones(1, 1, *size))
        assert torch.allclose(mixed, wanted, atol=1e-5)


def test_flow_is_told_in_pixels_of_the_painting() -> None:
    gate = torch.zeros(1, 3, 32, 24)
    gate[:, 1] = 1
    flow = torch.zeros(1, 2, 8, 6)
    flow[:, 0], flow[:, 1] = 2, -1
    painting = Painting(torch.zeros(1, 3, 32, 24), gate, flow)
    picture = torch.rand(1, 3, 64, 72)  # twice as high, three times as wide
    mixed = painting.mix(picture, torch.zeros_like(picture), torch.ones(1, 1, 64, 72))
    assert torch.allclose(mixed[..., 2:, :-6], picture[..., :-2, 6:], atol=1e-4)


def test_mixing_at_another_size_agrees() -> None:
    small, large = (64, 48), (192, 144)
    painting = painting_of(small)
    one, other = (
        painting.mix(guide.warped, guide.source, guide.moved)
        for guide in (guide_of(small), guide_of(large))
    )
    shrunk = torch.nn.functional.interpolate(other, small, mode="area")
    assert float((shrunk - one).abs().max()) < 0.02


def test_flow_stays_within_its_bound_and_shares_sum_to_one() -> None:
    guide = guide_of((64, 48))
    with torch.no_grad():
        painting = decoder()(torch.randn(1, 8, 8, 6), 50 * smooth(3, (64, 48), 8), guide)
    assert painting.flow.shape == (1, 2, 16, 12)
    assert 0 < float(painting.flow.abs().max()) <= SMALL.max_flow
    assert torch.allclose(painting.gate.sum(dim=1), torch.ones(1, 64, 48))


def test_everything_given_changes_the_painting_and_frames_do_not_see_each_other() -> None:
    made, guide = decoder(embedding=5), guide_of((64, 48)).expand(2)
    latents, drawing, code = torch.randn(2, 8, 8, 6), torch.rand(2, 3, 64, 48), torch.randn(2, 5)
    with torch.no_grad():
        base = made(latents, drawing, guide, code).rgb
        for other in (
            made(None, drawing, guide, code),
            made(latents, 1 - drawing, guide, code),
            made(latents, drawing, guide, None),
            made(latents, drawing, Guide(guide.source, guide.warped, guide.moved, guide.masks)),
        ):
            assert float((other.rgb - base).abs().max()) > 1e-3
        alone = made(latents[1:], drawing[1:], guide_of((64, 48)), code[1:]).rgb
    assert torch.allclose(alone, base[1:], atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_weights(dtype: torch.dtype) -> None:
    guide, drawing = guide_of((64, 48)), smooth(3, (64, 48), 8)
    latents, code = torch.randn(1, 8, 8, 6), torch.randn(1, 5)
    made = decoder(embedding=5)
    with torch.inference_mode():
        full, half = (
            one(latents, drawing, guide, code).mix(guide.warped, guide.source, guide.moved)
            for one in (made, decoder(embedding=5).to(dtype))
        )
    assert half.dtype == torch.float32
    assert float((full - half).abs().mean()) < 0.05


def test_too_few_channels_are_refused() -> None:
    with pytest.raises(UserError, match=r"decoder.channels has 2 entries; expected at least 3"):
        GuidedDecoder(DecoderConfig(kind="guided", channels=(8, 8)), 8, 8)


def test_a_guided_model_learns_one_example(batch: Batch) -> None:
    """Sampled from noise and decoded, it is nearer to the truth than the moved source."""
    config = replace(
        tiny_fpdm(),
        decoder=DecoderConfig(kind="guided", channels=(8, 16, 16), drop_latents=0.0),
        scheduler=SchedulerConfig(prediction_type="sample"),
        offset_noise=0.0,
    )
    ramp = torch.linspace(-1, 1, 48).expand(2, 3, 64, 48)
    moved = torch.zeros_like(batch.hands)
    moved[..., 16:48, 8:40] = 1
    guide = Guide(-batch.source, batch.source, moved, moved.expand(-1, 3, -1, -1))
    batch = replace(batch, guide=guide, target=torch.where(moved > 0, ramp, batch.source))

    def fit(stage: torch.nn.Module, steps: int) -> None:
        trained = [weight for weight in stage.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=3e-3)
        for _ in range(steps):
            stage.loss(batch)["loss"].backward()  # type: ignore[operator]
            optimizer.step()
            optimizer.zero_grad()

    # Autoencoder and decoder, then the denoiser
    vae = build_stage(config, "vae")
    fit(vae, 60)  # type: ignore[arg-type]
    model = build_model(config)
    model.load_state_dict(vae.state_dict(), strict=False)
    fit(model.train(), 60)  # type: ignore[arg-type]
    model.eval()

    # From noise
    sampling = Sampling(steps=2, guidance=(1.0, 1.0), sampler="ddim").resolve(config.sampling)
    picture = generate(
        model,
        model.encode_source(batch.source),
        batch.pose,
        frames=range(2),
        sampling=sampling,
        guide=guide,
    )

    def error(made: Tensor) -> float:
        return float((moved * (made - batch.target).abs()).sum().detach())

    assert error(picture) < 0.5 * error(guide.warped)
    still = (moved == 0).expand_as(picture)
    assert torch.equal(picture[still], batch.source[still])

    # A larger guide gives a larger picture of the same
    large = guide.resized((128, 96))
    other = generate(
        model,
        model.encode_source(batch.source),
        batch.pose,
        frames=range(2),
        sampling=sampling,
        guide=large,
    )
    assert other.shape == (2, 3, 128, 96)
    inside = slice(24, 40), slice(16, 32)
    shrunk = torch.nn.functional.interpolate(other, (64, 48), mode="area")
    assert float((shrunk - picture)[..., *inside].abs().mean()) < 0.1

    # Without a guide it says what is missing
    with pytest.raises(ValueError, match="needs a guide"):
        generate(
            model, model.encode_source(batch.source), batch.pose, frames=range(2), sampling=sampling
        )


def test_the_denoiser_departs_from_the_latents_of_the_moved_source(batch: Batch) -> None:
    config = replace(
        tiny_fpdm(), decoder=SMALL, scheduler=SchedulerConfig(prediction_type="sample")
    )
    model = build_model(config).eval()
    first, second = (guide_of(config.size), guide_of(config.size))
    second = replace(second, warped=second.warped.flip(-1))
    with torch.no_grad():
        features = model.encode_source(batch.source)
        for guide in (first, second):
            made = model.condition(features, batch.pose, guide=guide)
            # Before anything is learned, the prediction is those latents
            expected = model.latents.encode(guide.warped, sample=False).expand(2, -1, -1, -1)
            noise = torch.randn(expected.shape)
            torch.testing.assert_close(
                model.denoise(noise, torch.tensor([900, 10]), made), expected
            )
    with pytest.raises(ValueError, match="needs a guide"):
        model.condition(features, batch.pose)
