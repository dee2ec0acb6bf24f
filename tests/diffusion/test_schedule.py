"""Noise schedules: the library's numbers, noising and its inverse, training timesteps."""

import json

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from signgen.config.model import SchedulerConfig
from signgen.diffusion.samplers import sampling_timesteps
from signgen.diffusion.schedule import NoiseSchedule
from signgen.structures import ExitCode, UserError

PUBLISHED = SchedulerConfig(zero_terminal_snr=False, spacing="leading")
EPSILON = SchedulerConfig(prediction_type="epsilon", zero_terminal_snr=False, spacing="leading")
MINI = SchedulerConfig()
CLEAN = SchedulerConfig(prediction_type="sample")
ALL = [
    pytest.param(PUBLISHED, id="v-leading"),
    pytest.param(EPSILON, id="epsilon-leading"),
    pytest.param(MINI, id="v-trailing-zero-snr"),
    pytest.param(CLEAN, id="sample-trailing-zero-snr"),
]


def numbered_noise(shape, index):
    return torch.randn(shape, generator=torch.Generator().manual_seed(index))


@pytest.mark.parametrize("config", ALL)
def test_clean_and_noise_invert_noising(config):
    schedule = NoiseSchedule.from_config(config)
    z0, noise = numbered_noise((3, 4, 2, 2), 1), numbered_noise((3, 4, 2, 2), 2)
    t = torch.tensor([0, 400, 900])
    z = schedule.add_noise(z0, noise, t)
    target = schedule.training_target(z0, noise, t)
    library = DDPMScheduler.from_config(schedule.scheduler.config)
    assert torch.allclose(z, library.add_noise(z0, noise, t))
    if schedule.prediction_type == "v_prediction":
        assert torch.allclose(target, library.get_velocity(z0, noise, t), atol=1e-6)
    clean, direction = schedule.predict_clean_and_noise(z, target, t)
    assert torch.allclose(clean, z0, atol=1e-4)
    assert torch.allclose(direction, noise, atol=1e-4)


def test_every_prediction_type_tells_the_same_clean_latents_and_noise():
    # What one denoiser believes, told as noise, velocity and clean latents.
    clean, noise = numbered_noise((2, 4, 2, 2), 1), numbered_noise((2, 4, 2, 2), 2)
    t = torch.tensor([100, 800])
    for kind in ("epsilon", "v_prediction", "sample"):
        config = SchedulerConfig(prediction_type=kind, zero_terminal_snr=False)
        schedule = NoiseSchedule.from_config(config)
        z = schedule.add_noise(clean, noise, t)
        output = schedule.training_target(clean, noise, t)
        for found, wanted in zip(
            schedule.predict_clean_and_noise(z, output, t), (clean, noise), strict=True
        ):
            assert torch.allclose(found, wanted, atol=1e-5), kind
    assert torch.equal(output, clean)


def test_zero_terminal_snr_starts_at_pure_noise():
    schedule = NoiseSchedule.from_config(MINI)
    assert float(schedule.alphas_cumprod[-1]) == 0
    assert sampling_timesteps(schedule, "ddpm", 20)[0] == 999
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
    assert sampling_timesteps(schedule, "ddpm", 2) == [999, 0]
    inside = NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path / "scheduler")))
    assert torch.equal(inside.alphas_cumprod, schedule.alphas_cumprod)


def test_missing_pretrained_scheduler(tmp_path):
    with pytest.raises(UserError, match="nowhere") as caught:
        NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path / "nowhere")))
    assert caught.value.code == ExitCode.NO_INPUT
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shift", [1.0, 4.0])
def test_training_timesteps_follow_the_shift(shift):
    schedule = NoiseSchedule.from_config(SchedulerConfig())
    torch.manual_seed(0)
    drawn = schedule.draw_timesteps(100_000, shift, torch.device("cpu"))
    assert 0 <= int(drawn.min()) <= int(drawn.max()) == 999
    for quantile in (0.1, 0.5, 0.9):
        expected = 1000 * shift * quantile / (1 + (shift - 1) * quantile)
        assert float(drawn.double().quantile(quantile)) == pytest.approx(expected, abs=10)


@pytest.mark.parametrize("kind", [DDIMScheduler, DDPMScheduler])
def test_ddim_ends_where_the_pretrained_scheduler_says(tmp_path, kind):
    ends = []
    for given in ({}, {"set_alpha_to_one": False}):
        kind(beta_schedule="scaled_linear").save_pretrained(tmp_path / "scheduler")
        file = tmp_path / "scheduler" / "scheduler_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | given))
        schedule = NoiseSchedule.from_config(SchedulerConfig(pretrained=str(tmp_path)))
        ends.append((schedule.set_alpha_to_one, schedule.ddim_end))
    assert ends == [(True, 1.0), (False, float(schedule.alphas_cumprod[0]))]


def test_ddim_ends_where_the_settings_say():
    schedule = NoiseSchedule.from_config(SchedulerConfig(set_alpha_to_one=False))
    assert schedule.ddim_end == float(schedule.alphas_cumprod[0]) < 1
    assert NoiseSchedule.from_config(SchedulerConfig()).ddim_end == 1


def test_leading_spacing_with_zero_terminal_snr_warns(caplog):
    NoiseSchedule.from_config(SchedulerConfig(spacing="leading"))
    assert "spacing leading never begins at the last timestep" in caplog.text
    caplog.clear()
    for config in (SchedulerConfig(), PUBLISHED):
        NoiseSchedule.from_config(config)
    assert not caplog.text


def test_betas_that_fall_are_refused() -> None:
    with pytest.raises(UserError, match=r"beta_start is 0\.02, more than beta_end, 0\.012"):
        NoiseSchedule.from_config(SchedulerConfig(beta_start=0.02))
