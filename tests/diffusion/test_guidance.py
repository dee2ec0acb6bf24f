"""Guidance: the cumulative sum, and that no branch is computed that does not count."""

import math
from dataclasses import replace

import pytest
import torch

from signgen.config.model import tiny_fpdm
from signgen.diffusion.guidance import guidance_coefficients, guidance_weights, guided
from signgen.errors import UserError
from signgen.models import build_model
from signgen.structures import Conditioning


def numbered_noise(shape, index):
    return torch.randn(shape, generator=torch.Generator().manual_seed(index))


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
    with pytest.raises(UserError, match="3 branches"):
        guided(lambda z, t, c: z, [conditioning(k) for k in range(3)], (2.0,))


def test_a_model_without_fusion_uses_the_first_weight():
    assert guidance_weights((2.0, 3.0), 3) == (2.0, 3.0)
    assert guidance_weights((2.0, 3.0), 2) == (2.0,)
    assert guidance_weights((2.0, 3.0), 1) == ()
    branches = [conditioning(k) for k in (0, 1)]
    z, t = numbered_noise((2, 1, 1, 1), 0), torch.tensor([3, 7])
    made = guided(lambda z, t, c: z * c.pose, branches, (2.0, 9.0))(z, t)
    assert torch.allclose(made, 2 * z)


# ----- a real model -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    """Return a tiny model none of whose weights is zero, its branches, and noise for 3 samples."""
    torch.manual_seed(0)
    config = tiny_fpdm()
    model = build_model(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
        source, pose = torch.rand(3, 3, *config.size) * 2 - 1, torch.rand(3, 3, *config.size)
        branches = model.branches(model.condition(model.encode_source(source), pose))
    return model, branches, torch.randn(3, *model.latents.shape(config.size))


@pytest.mark.parametrize(
    ("weights", "passes"),
    [((2.0, 2.0), 2), ((2.0, 3.0), 3), ((1.0, 1.0), 1), ((0.0, 0.0), 1), ((1.0, 2.0), 2)],
)
def test_guidance_of_a_real_model(real, weights, passes):
    model, branches, z = real
    t = torch.tensor([20, 500, 951])
    rows = []

    def denoise(z, t, cond):
        rows.append(len(z))
        return model.denoise(z, t, cond)

    with torch.no_grad():
        made = guided(denoise, branches, weights)(z, t)
        nothing, pair, full = (model.denoise(z, t, branch) for branch in branches)
    expected = nothing + weights[0] * (pair - nothing) + weights[1] * (full - pair)
    assert rows == [passes * 3]
    assert torch.allclose(made, expected, atol=1e-5)
    assert min(float((a - b).abs().max()) for a, b in [(nothing, pair), (pair, full)]) > 1e-3


def test_guidance_of_a_real_model_without_fusion():
    torch.manual_seed(0)
    config = replace(tiny_fpdm(), fusion="none")
    model = build_model(config).eval()
    with torch.no_grad():
        source, pose = torch.rand(2, 3, *config.size) * 2 - 1, torch.rand(2, 3, *config.size)
        branches = model.branches(model.condition(model.encode_source(source), pose))
        z, t = torch.randn(2, *model.latents.shape(config.size)), torch.tensor([20, 500])
        made = guided(model.denoise, branches, (2.0, 9.0))(z, t)
        nothing, given = (model.denoise(z, t, branch) for branch in branches)
    assert torch.allclose(made, nothing + 2 * (given - nothing), atol=1e-5)
    assert float((given - nothing).abs().max()) > 1e-4
