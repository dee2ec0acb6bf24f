"""Samplers: diffusers' own loops step by step, and a Gaussian whose every answer is known."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from signgen.config.model import SchedulerConfig
from signgen.diffusion.noise import BatchNoise
from signgen.diffusion.samplers import sample, sampling_timesteps, step_sigma
from signgen.diffusion.schedule import NoiseSchedule

SCHEDULES = Path(__file__).resolve().parents[2] / ".." / "shared" / "goldens" / "schedules.json"
PUBLISHED = SchedulerConfig(zero_terminal_snr=False, spacing="leading", set_alpha_to_one=False)
EPSILON = SchedulerConfig(prediction_type="epsilon", zero_terminal_snr=False, spacing="leading")
TRAILING = SchedulerConfig(prediction_type="epsilon", zero_terminal_snr=False)
MINI = SchedulerConfig()
CLEAN = SchedulerConfig(prediction_type="sample")
ALL = [
    pytest.param(PUBLISHED, id="v-leading"),
    pytest.param(EPSILON, id="epsilon-leading"),
    pytest.param(TRAILING, id="epsilon-trailing"),
    pytest.param(MINI, id="v-trailing-zero-snr"),
    pytest.param(CLEAN, id="sample-trailing-zero-snr"),
]
LEADING = {
    5: [801, 601, 401, 201, 1],
    10: [901, 801, 701, 601, 501, 401, 301, 201, 101, 1],
    20: [
        *(951, 901, 851, 801, 751, 701, 651, 601, 551, 501),
        *(451, 401, 351, 301, 251, 201, 151, 101, 51, 1),
    ],
    50: [
        *(981, 961, 941, 921, 901, 881, 861, 841, 821, 801, 781, 761, 741, 721, 701, 681, 661),
        *(641, 621, 601, 581, 561, 541, 521, 501, 481, 461, 441, 421, 401, 381, 361, 341, 321),
        *(301, 281, 261, 241, 221, 201, 181, 161, 141, 121, 101, 81, 61, 41, 21, 1),
    ],
}
SHAPE = (2, 4, 3, 5)


def no_noise(step):
    raise AssertionError(f"step {step} asked for noise")


def toy_denoiser(z, t):
    return torch.tanh(z) * 0.7 + 0.1 * torch.cos(t.float() / 100).view(-1, 1, 1, 1)


class Watched:
    """A denoiser that keeps the latents and timesteps it is given."""

    def __init__(self, denoise=toy_denoiser):
        self.denoise, self.latents, self.timesteps = denoise, [], []

    def __call__(self, z, t):
        self.latents.append(z)
        self.timesteps.append(int(t[0]))
        return self.denoise(z, t)


# ----- timesteps ----------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", LEADING)
@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
def test_published_timesteps(sampler, steps):
    assert (
        sampling_timesteps(NoiseSchedule.from_config(PUBLISHED), sampler, steps) == LEADING[steps]
    )


@pytest.mark.parametrize(
    ("sampler", "config", "steps"),
    [("ddpm", PUBLISHED, 1000), ("unipc", PUBLISHED, 1000), ("dpmsolver++", PUBLISHED, 999)]
    + [(sampler, MINI, steps) for sampler in ("ddim", "unipc") for steps in (0, 1001)],
)
def test_too_many_steps_for_the_schedule(sampler, config, steps):
    with pytest.raises(ValueError, match=rf"^steps is {steps}; expected "):
        sampling_timesteps(NoiseSchedule.from_config(config), sampler, steps)


def test_unknown_sampler():
    with pytest.raises(ValueError, match="sampler is euler; expected one of ddpm, ddim, unipc"):
        sampling_timesteps(NoiseSchedule.from_config(MINI), "euler", 5)


@pytest.mark.skipif(not SCHEDULES.is_file(), reason="golden numbers are not here")
def test_schedule_equals_published_numbers():
    golden = json.loads(SCHEDULES.read_text())
    schedule = NoiseSchedule.from_config(PUBLISHED)
    for t, value in golden["alphas_cumprod"].items():
        assert float(schedule.alphas_cumprod[int(t)]) == pytest.approx(value, abs=1e-7)
    for steps, timesteps in golden["ddpm_timesteps"].items():
        assert sampling_timesteps(schedule, "ddpm", int(steps)) == timesteps
        abars = [float(schedule.alphas_cumprod[t]) for t in timesteps] + [1.0]
        variances = [step_sigma(before, after) ** 2 for before, after in pairwise(abars)]
        assert variances == pytest.approx(golden["ddpm_variance"][steps], abs=2e-6)
        assert variances[-1] == pytest.approx(golden["ddpm_variance"][steps][-1], rel=1e-6)


# ----- the library's loops ------------------------------------------------------------------------


def library_loop(library, steps, noise, **settings):
    """Return the latents before every step and after the last of a diffusers scheduler."""
    library.set_timesteps(steps)
    trajectory = [noise]
    for t in library.timesteps:
        output = toy_denoiser(trajectory[-1], t.expand(len(noise)))
        trajectory.append(library.step(output, t, trajectory[-1], **settings).prev_sample)
    return trajectory


def assert_same_steps(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("steps", [5, 20, 50])
@pytest.mark.parametrize("config", ALL)
def test_ddpm_with_the_noise_of_a_batch_is_the_published_loop(config, steps):
    schedule = NoiseSchedule.from_config(config)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(SHAPE, generator=generator)
    library = DDPMScheduler.from_config(schedule.scheduler.config)
    theirs = library_loop(library, steps, noise, generator=generator)
    drawn, denoise, asked = BatchNoise(7), Watched(), []

    def step_noise(step):
        asked.append(step)
        return drawn.step(range(2), step, SHAPE[1:])

    made = sample(
        denoise,
        schedule,
        sampler="ddpm",
        steps=steps,
        noise=drawn.initial(range(2), SHAPE[1:]),
        step_noise=step_noise,
    )
    assert asked == list(range(steps)), "the last step draws too"
    assert_same_steps([*denoise.latents, made], theirs)
    following = torch.randn(SHAPE, generator=generator)
    assert torch.equal(drawn.initial(range(2), SHAPE[1:]), following), "as many draws"


@pytest.mark.parametrize("steps", [5, 20, 50])
@pytest.mark.parametrize("to_one", [True, False])
@pytest.mark.parametrize("config", ALL)
def test_ddim_is_the_library_loop(config, to_one, steps):
    schedule = NoiseSchedule.from_config(config)
    schedule = NoiseSchedule(
        schedule.alphas_cumprod, schedule.prediction_type, schedule.scheduler, to_one
    )
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(99))
    denoise = Watched()
    made = sample(denoise, schedule, sampler="ddim", steps=steps, noise=noise, step_noise=no_noise)
    library = DDIMScheduler.from_config(schedule.scheduler.config, set_alpha_to_one=to_one)
    assert_same_steps([*denoise.latents, made], library_loop(library, steps, noise, eta=0.0))


@pytest.mark.parametrize("sampler", ["unipc", "dpmsolver++"])
def test_solvers_have_no_memory_between_calls(sampler):
    schedule = NoiseSchedule.from_config(MINI)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))

    def run(start):
        return sample(
            toy_denoiser, schedule, sampler=sampler, steps=6, noise=start, step_noise=no_noise
        )

    first = run(noise)
    run(noise + 1)
    assert torch.equal(run(noise), first)


@pytest.mark.parametrize("sampler", ["unipc", "dpmsolver++"])
def test_one_step_of_a_solver_is_one_step_of_ddim(sampler):
    schedule = NoiseSchedule.from_config(TRAILING)
    noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0))
    one, other = (
        sample(toy_denoiser, schedule, sampler=name, steps=1, noise=noise, step_noise=no_noise)
        for name in (sampler, "ddim")
    )
    assert torch.allclose(one, other, rtol=1e-4)


# ----- a Gaussian ---------------------------------------------------------------------------------

MEAN = torch.tensor([0.5, -1.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.5]], dtype=torch.float64)
EYE = torch.eye(2, dtype=torch.float64)


def power(matrix, exponent):
    values, vectors = torch.linalg.eigh(matrix)
    return vectors @ torch.diag(values**exponent) @ vectors.T


class Gaussian:
    """The exact denoiser of Gaussian data, and what its probability-flow ODE does to noise."""

    def __init__(self, config):
        self.schedule = NoiseSchedule.from_config(config)

    def marginal(self, t):
        """Return mean, covariance and (signal, spread) of noisy data at a timestep."""
        abar = float(self.schedule.alphas_cumprod[t])
        covariance = abar * COVARIANCE + (1 - abar) * EYE
        return math.sqrt(abar) * MEAN, covariance, math.sqrt(abar), math.sqrt(1 - abar)

    def posterior(self, z, t):
        """Return the mean of data and of noise given noisy values (B, 2); both are linear."""
        mean, covariance, signal, spread = self.marginal(t)
        whitened = (z - mean) @ torch.linalg.inv(covariance)
        return MEAN + signal * whitened @ COVARIANCE, spread * whitened

    def denoise(self, z, t):
        clean, noise = self.posterior(z[:, :, 0, 0].double(), int(t[0]))
        if self.schedule.prediction_type == "v_prediction":
            _, _, signal, spread = self.marginal(int(t[0]))
            noise = signal * noise - spread * clean
        if self.schedule.prediction_type == "sample":
            noise = clean
        return noise[:, :, None, None].float()

    def solution(self, noise, timesteps):
        """Return what an exact solver of the ODE makes of noise, with one last step to clean data.

        From the first timestep to the last the ODE keeps every value's place in the bell.
        """
        mean, covariance, _, _ = self.marginal(timesteps[0])
        place = (noise[:, :, 0, 0].double() - mean) @ power(covariance, -0.5)
        mean, covariance, _, _ = self.marginal(timesteps[-1])
        return self.posterior(mean + place @ power(covariance, 0.5), timesteps[-1])[0]

    def sample(self, sampler, steps, noise, step_noise=no_noise):
        made = sample(
            self.denoise,
            self.schedule,
            sampler=sampler,
            steps=steps,
            noise=noise,
            step_noise=step_noise,
        )
        return made[:, :, 0, 0]

    def error(self, sampler, steps, noise):
        """Return the largest distance of a deterministic sampler's results from the solution."""
        timesteps = sampling_timesteps(self.schedule, sampler, steps)
        made = self.sample(sampler, steps, noise)
        return float((made - self.solution(noise, timesteps)).abs().max())


@pytest.mark.parametrize(
    "config",
    [EPSILON, TRAILING, MINI, CLEAN],
    ids=["leading", "trailing", "v-zero-snr", "sample-zero-snr"],
)
@pytest.mark.parametrize(
    ("sampler", "few", "many"),
    [("ddim", 0.3, 0.02), ("unipc", 0.02, 0.002), ("dpmsolver++", 0.02, 0.002)],
)
def test_deterministic_samplers_solve_the_ode(sampler, config, few, many):
    gaussian = Gaussian(config)
    noise = torch.randn((200, 2, 1, 1), generator=torch.Generator().manual_seed(0))
    assert gaussian.error(sampler, 20, noise) < few
    assert gaussian.error(sampler, 500, noise) < many


@pytest.mark.parametrize(
    "config", [EPSILON, MINI, CLEAN], ids=["epsilon-leading", "v-zero-snr", "sample-zero-snr"]
)
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "unipc", "dpmsolver++"])
def test_samplers_recover_mean_and_covariance(sampler, config):
    generator = torch.Generator().manual_seed(0)
    shape = (20_000, 2, 1, 1)
    made = Gaussian(config).sample(
        sampler,
        500 if sampler == "ddpm" else 100,  # the small fixed variance falls short in few steps
        torch.randn(shape, generator=generator),
        lambda _: torch.randn(shape, generator=generator),
    )
    assert torch.allclose(made.mean(dim=0), MEAN.float(), atol=0.05)
    assert torch.allclose(made.T.cov(), COVARIANCE.float(), atol=0.05)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "unipc", "dpmsolver++"])
def test_predicting_clean_latents_samples_what_predicting_velocity_does(sampler):
    noise = torch.randn((50, 2, 1, 1), generator=torch.Generator().manual_seed(0))
    clean, velocity = (
        Gaussian(config).sample(sampler, 10, noise, lambda _: torch.zeros_like(noise))
        for config in (CLEAN, MINI)
    )
    assert torch.allclose(clean, velocity, atol=2e-3)


def test_solvers_need_fewer_steps():
    gaussian = Gaussian(MINI)
    noise = torch.randn((200, 2, 1, 1), generator=torch.Generator().manual_seed(0))
    slow, *fast = (gaussian.error(name, 20, noise) for name in ("ddim", "unipc", "dpmsolver++"))
    assert max(fast) < slow / 5
