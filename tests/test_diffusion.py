import json
import math
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from signgen.config import SchedulerConfig
from signgen.diffusion import (
    FrameNoise,
    NoiseSchedule,
    guidance_coefficients,
    guided,
    sample,
    step_sigma,
)
from signgen.structures import Conditioning, ExitCode, UserError

SCHEDULES = Path(__file__).resolve().parents[1] / ".." / "shared" / "goldens" / "schedules.json"
PUBLISHED = SchedulerConfig(zero_terminal_snr=False, spacing="leading")
EPSILON = SchedulerConfig(prediction_type="epsilon", zero_terminal_snr=False, spacing="leading")
MINI = SchedulerConfig()
ALL = [
    pytest.param(PUBLISHED, id="v-leading"),
    pytest.param(EPSILON, id="epsilon-leading"),
    pytest.param(MINI, id="v-trailing-zero-snr"),
]


def numbered_noise(shape, index):
    return torch.randn(shape, generator=torch.Generator().manual_seed(index))


def toy_denoiser(z, t):
    return torch.tanh(z) * 0.7 + 0.1 * torch.cos(t.float() / 100).view(-1, 1, 1, 1)


def test_published_timesteps():
    assert NoiseSchedule.from_config(PUBLISHED).timesteps(20) == list(range(951, 0, -50))


def test_timesteps_out_of_range():
    schedule = NoiseSchedule.from_config(MINI)
    for steps in (0, 1001):
        with pytest.raises(ValueError, match="expected 1 to 1000"):
            schedule.timesteps(steps)


@pytest.mark.skipif(not SCHEDULES.is_file(), reason="golden numbers are not here")
def test_schedule_equals_published_numbers():
    golden = json.loads(SCHEDULES.read_text())
    schedule = NoiseSchedule.from_config(PUBLISHED)
    for t, value in golden["alphas_cumprod"].items():
        assert float(schedule.alphas_cumprod[int(t)]) == pytest.approx(value, abs=1e-7)
    for steps, timesteps in golden["ddpm_timesteps"].items():
        assert schedule.timesteps(int(steps)) == timesteps
        abars = [float(schedule.alphas_cumprod[t]) for t in timesteps] + [1.0]
        variances = [step_sigma(abars[i], abars[i + 1], 1.0) ** 2 for i in range(len(timesteps))]
        assert variances == pytest.approx(golden["ddpm_variance"][steps], abs=2e-6)


@pytest.mark.parametrize("config", ALL)
def test_eta_1_is_ancestral_ddpm(config):
    schedule = NoiseSchedule.from_config(config)
    noise = numbered_noise((2, 4, 3, 5), 99)
    made = sample(
        toy_denoiser,
        schedule,
        steps=20,
        noise=noise,
        eta=1.0,
        step_noise=lambda i: numbered_noise(noise.shape, i),
    )
    library = DDPMScheduler.from_config(schedule.scheduler.config)
    library.set_timesteps(20)
    z = noise
    for i, t in enumerate(library.timesteps):
        output = toy_denoiser(z, t.expand(2))
        z = library.step(output, t, z, generator=torch.Generator().manual_seed(i)).prev_sample
    assert torch.allclose(made, z, atol=2e-4 if config is EPSILON else 2e-5)


@pytest.mark.parametrize("config", ALL)
def test_eta_0_is_ddim(config):
    schedule = NoiseSchedule.from_config(config)
    noise = numbered_noise((2, 4, 3, 5), 99)

    def no_noise(step):
        raise AssertionError(f"step {step} asked for noise")

    made = sample(toy_denoiser, schedule, steps=20, noise=noise, eta=0.0, step_noise=no_noise)
    # The step after the last is clean here; diffusers calls that set_alpha_to_one.
    library = DDIMScheduler.from_config(schedule.scheduler.config, set_alpha_to_one=True)
    library.set_timesteps(20)
    z = noise
    for t in library.timesteps:
        z = library.step(toy_denoiser(z, t.expand(2)), t, z, eta=0.0).prev_sample
    assert torch.allclose(made, z, atol=2e-4 if config is EPSILON else 2e-5)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
def test_sampler_recovers_a_gaussian(eta, kind):
    zero_snr = kind == "v_prediction"
    config = SchedulerConfig(prediction_type=kind, zero_terminal_snr=zero_snr)
    schedule = NoiseSchedule.from_config(config)
    mean = torch.tensor([0.5, -1.0])
    covariance = torch.tensor([[1.0, 0.6], [0.6, 0.5]])

    def exact(z, t):
        abar = schedule.alphas_cumprod[t[0]]
        signal, spread = abar.sqrt(), (1 - abar).sqrt()
        centred = z[:, :, 0, 0] - signal * mean
        gain = signal * covariance @ torch.linalg.inv(abar * covariance + spread**2 * torch.eye(2))
        clean = (mean + centred @ gain.T)[:, :, None, None]
        direction = (z - signal * clean) / spread
        return direction if kind == "epsilon" else signal * direction - spread * clean

    generator = torch.Generator().manual_seed(0)
    shape = (20_000, 2, 1, 1)
    made = sample(
        exact,
        schedule,
        steps=500 if eta else 100,  # small fixed variance falls short in few steps
        noise=torch.randn(shape, generator=generator),
        eta=eta,
        step_noise=lambda _: torch.randn(shape, generator=generator),
    )[:, :, 0, 0]
    assert torch.allclose(made.mean(dim=0), mean, atol=0.05)
    assert torch.allclose(made.T.cov(), covariance, atol=0.05)


@pytest.mark.parametrize("config", ALL)
def test_clean_and_noise_invert_noising(config):
    schedule = NoiseSchedule.from_config(config)
    z0, noise = numbered_noise((3, 4, 2, 2), 1), numbered_noise((3, 4, 2, 2), 2)
    t = torch.tensor([0, 400, 900])
    z = schedule.add_noise(z0, noise, t)
    target = schedule.training_target(z0, noise, t)
    library = DDPMScheduler.from_config(schedule.scheduler.config)
    assert torch.allclose(z, library.add_noise(z0, noise, t))
    if config is not EPSILON:
        assert torch.allclose(target, library.get_velocity(z0, noise, t), atol=1e-6)
    clean, direction = schedule.predict_clean_and_noise(z, target, t)
    assert torch.allclose(clean, z0, atol=1e-4)
    assert torch.allclose(direction, noise, atol=1e-4)


def test_zero_terminal_snr_starts_at_pure_noise():
    schedule = NoiseSchedule.from_config(MINI)
    assert float(schedule.alphas_cumprod[-1]) == 0
    assert schedule.timesteps(20)[0] == 999
    t = torch.tensor([999])
    z0, noise = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 2.0)
    assert torch.equal(schedule.add_noise(z0, noise, t), noise)
    assert torch.equal(schedule.training_target(z0, noise, t), -z0)


def test_epsilon_with_zero_terminal_snr_is_refused():
    with pytest.raises(UserError, match="zero_terminal_snr") as caught:
        NoiseSchedule.from_config(SchedulerConfig(prediction_type="epsilon"))
    assert caught.value.code == ExitCode.USAGE


def test_pretrained_scheduler_keeps_its_own_values(tmp_path):
    DDPMScheduler(
        beta_schedule="scaled_linear", prediction_type="epsilon", timestep_spacing="linspace"
    ).save_pretrained(tmp_path / "scheduler")
    schedule = NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path)))
    assert schedule.prediction_type == "epsilon"
    assert schedule.timesteps(2) == [999, 0]
    inside = NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path / "scheduler")))
    assert torch.equal(inside.alphas_cumprod, schedule.alphas_cumprod)


def test_missing_pretrained_scheduler(tmp_path):
    with pytest.raises(UserError, match="nowhere") as caught:
        NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path / "nowhere")))
    assert caught.value.code == ExitCode.NO_INPUT
    assert "\n" not in str(caught.value)


# ----- guidance -----------------------------------------------------------------------------------


def conditioning(value, batch=2):
    return Conditioning(
        pose=torch.full((batch, 1, 1, 1), float(value)),
        tokens=torch.full((batch, 1, 1), float(value)),
        embedding=torch.full((batch, 1), float(value)),
    )


@pytest.mark.parametrize("weights", [(2.0, 3.0), (2.0, 2.0), (1.0, 4.0), (1.0, 1.0), (0.0, 0.0)])
def test_guidance_is_the_cumulative_sum(weights):
    branches = [conditioning(k) for k in (0, 1, 5)]
    sizes = []

    def denoise(z, t, cond):
        sizes.append(len(z))
        return z * cond.pose + t.view(-1, 1, 1, 1) * cond.embedding[:, :, None, None]

    z, t = numbered_noise((2, 4, 3, 3), 0), torch.tensor([3, 7])
    made = guided(denoise, branches, weights)(z, t)
    calls = len(sizes)
    e = [denoise(z, t, branch) for branch in branches]
    expected = e[0] + weights[0] * (e[1] - e[0]) + weights[1] * (e[2] - e[1])
    assert torch.allclose(made, expected, atol=1e-5)
    assert calls == 1
    assert sizes[0] == 2 * sum(factor != 0 for factor in guidance_coefficients(weights))


def test_equal_weights_skip_the_middle_branch():
    assert guidance_coefficients((2.0, 2.0)) == [-1.0, 0.0, 2.0]
    assert guidance_coefficients((1.0, 1.0)) == [0.0, 0.0, 1.0]
    assert math.isclose(sum(guidance_coefficients((1.3, 4.7))), 1)


def test_wrong_number_of_weights():
    with pytest.raises(ValueError, match="3 branches"):
        guided(lambda z, t, c: z, [conditioning(k) for k in range(3)], (2.0,))


# ----- randomness per frame -----------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_chunk_size_changes_nothing(chunk):
    schedule = NoiseSchedule.from_config(MINI)
    noise = FrameNoise(5)
    shape = (4, 3, 2)

    def render(frames):
        return sample(
            toy_denoiser,
            schedule,
            steps=8,
            noise=noise.initial(frames, shape),
            eta=1.0,
            step_noise=lambda i: noise.step(frames, i, shape),
        )

    frames = list(range(6))
    parts = [render(frames[i : i + chunk]) for i in range(0, 6, chunk)]
    assert torch.equal(torch.cat(parts), render(frames))


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


@pytest.mark.parametrize("shift", [1.0, 4.0])
def test_training_timesteps_follow_the_shift(shift):
    schedule = NoiseSchedule.from_config(SchedulerConfig())
    torch.manual_seed(0)
    drawn = schedule.draw_timesteps(100_000, shift, torch.device("cpu"))
    assert 0 <= int(drawn.min()) <= int(drawn.max()) == 999
    for quantile in (0.1, 0.5, 0.9):
        expected = 1000 * shift * quantile / (1 + (shift - 1) * quantile)
        assert float(drawn.double().quantile(quantile)) == pytest.approx(expected, abs=10)


def test_eta_out_of_range():
    schedule = NoiseSchedule.from_config(MINI)
    with pytest.raises(ValueError, match="eta"):
        sample(
            toy_denoiser,
            schedule,
            steps=2,
            noise=torch.zeros(1, 1, 1, 1),
            eta=1.5,
            step_noise=lambda _: torch.zeros(1),
        )
