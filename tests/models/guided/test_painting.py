import pytest
import torch
from torch import Tensor

from signgen.models.guided.painting import with_detail
from signgen.structures import Guide

H, W = 256, 208


def guide_of(warped: Tensor, hole: float = 0.0, valid: float = 1.0, moved: float = 1.0) -> Guide:
    plane = torch.ones(1, 1, H, W)
    masks = torch.cat([hole * plane, plane, valid * plane], dim=1)
    return Guide(warped, torch.zeros_like(warped), moved * plane, masks)


@pytest.fixture
def stripes() -> Tensor:
    """Stripes of two pixels, whose mean colour is 0.1."""
    return (0.1 + 0.6 * (torch.arange(W) // 2 % 2 * 2.0 - 1)).expand(1, 3, H, W)


def test_stripes_that_were_painted_as_their_mean_come_back(stripes: Tensor) -> None:
    blurred = torch.full_like(stripes, 0.1)
    picture = with_detail(blurred, guide_of(stripes))
    inside = (..., slice(16, -16), slice(16, -16))
    assert torch.allclose(picture[inside], stripes[inside], atol=0.02)
    assert torch.allclose(with_detail(stripes, guide_of(stripes)), stripes, atol=1e-5)


@pytest.mark.parametrize("guide", [{"hole": 1.0}, {"valid": 0.0}, {"moved": 0.0}])
def test_nothing_comes_back_that_the_source_does_not_show_or_that_did_not_move(
    stripes: Tensor, guide: dict[str, float]
) -> None:
    blurred = torch.full_like(stripes, 0.1)
    assert torch.equal(with_detail(blurred, guide_of(stripes, **guide)), blurred)


def test_other_colours_and_the_noise_of_a_camera_do_not_come_back(stripes: Tensor) -> None:
    other = torch.full_like(stripes, -0.4)
    assert torch.allclose(with_detail(other, guide_of(stripes)), other, atol=1e-4)
    torch.manual_seed(0)
    noise = 0.1 + 0.03 * torch.randn(1, 3, H, W)
    flat = torch.full_like(noise, 0.1)
    assert torch.equal(with_detail(flat, guide_of(noise)), flat)
