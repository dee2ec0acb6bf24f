"""Noise for sampling: independent of the batch, or exactly that of a batch."""

import pytest
import torch

from signgen.config.model import SchedulerConfig
from signgen.diffusion.noise import BatchNoise, FrameNoise, training_noise
from signgen.diffusion.samplers import sample
from signgen.diffusion.schedule import NoiseSchedule

SHAPE = (4, 3, 2)


def render(noise, frames):
    def denoise(z, t):
        return torch.tanh(z) * 0.7 + 0.1 * torch.cos(t.float() / 100).view(-1, 1, 1, 1)

    return sample(
        denoise,
        NoiseSchedule.from_config(SchedulerConfig()),
        sampler="ddpm",
        steps=8,
        noise=noise.initial(frames, SHAPE),
        step_noise=lambda i: noise.step(frames, i, SHAPE),
    )


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_chunk_size_changes_nothing(chunk):
    noise, frames = FrameNoise(5), list(range(6))
    parts = [render(noise, frames[i : i + chunk]) for i in range(0, 6, chunk)]
    assert torch.equal(torch.cat(parts), render(noise, frames))


def test_noise_of_a_batch_depends_on_the_batch():
    pair, first = render(BatchNoise(5), [0, 1]), render(BatchNoise(5), [0])
    assert torch.equal(render(BatchNoise(5), [7, 3]), pair), "only their number matters"
    assert not torch.allclose(pair[:1], first, atol=0.1)
    assert not torch.allclose(pair, render(BatchNoise(6), [0, 1]), atol=0.1)


def test_noise_of_a_batch_is_one_generator_in_order():
    noise, generator = BatchNoise(7), torch.Generator().manual_seed(7)
    drawn = [noise.initial([0, 1, 2], SHAPE), *(noise.step([0, 1, 2], i, SHAPE) for i in range(2))]
    assert torch.equal(
        torch.stack(drawn),
        torch.stack([torch.randn((3, *SHAPE), generator=generator) for _ in range(3)]),
    )


def test_frame_noise_is_standard_normal_and_never_repeats():
    noise = FrameNoise(1)
    shape = (4, 32, 32)
    draws = torch.cat(
        [
            noise.initial(range(8), shape),
            noise.step(range(8), 0, shape),
            noise.step(range(8), 1, shape),
            FrameNoise(2).initial(range(8), shape),
        ]
    ).flatten(1)
    assert draws.dtype == torch.float32
    assert abs(float(draws.mean())) < 0.01
    assert float(draws.std()) == pytest.approx(1, abs=0.01)
    correlation = torch.corrcoef(draws) - torch.eye(32)
    assert float(correlation.abs().max()) < 0.08


def test_seed_of_any_sign_and_size():
    FrameNoise(-1).initial([0], (1,))
    FrameNoise(2**70).initial([10**9], (1,))


def test_the_layout_of_memory_does_not_change_training_noise() -> None:
    plain = torch.zeros(2, 4, 6, 5)
    drawn = []
    for latents in (plain, plain.to(memory_format=torch.channels_last)):
        torch.manual_seed(3)
        drawn.append(training_noise(latents, 0.1))
    assert torch.equal(*drawn)
    torch.manual_seed(3)
    expected = torch.randn_like(plain) + 0.1 * torch.randn(2, 4, 1, 1)
    assert torch.equal(drawn[0], expected)
