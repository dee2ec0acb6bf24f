import numpy as np
import pytest
import torch
from torch import Tensor

from signgen.pose.estimators.hrnet.decoding import BLUR, _gaussian_blur, decode_dark, merge_flipped

SIZE = (96, 72)


def gaussians(centers: np.ndarray, deviation: float, height: float = 1.0) -> Tensor:
    """Draw one heatmap per centre (x, y): (1, K, h, w)."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    squares = (x - centers[:, 0, None, None]) ** 2 + (y - centers[:, 1, None, None]) ** 2
    return torch.from_numpy(height * np.exp(-squares / (2 * deviation**2))).float()[None]


@pytest.mark.parametrize("deviation", [2.0, 3.0])
def test_dark_finds_the_centre_between_cells(deviation: float) -> None:
    rng = np.random.default_rng(0)
    centers = rng.uniform((10, 10), (SIZE[1] - 10, SIZE[0] - 10), (200, 2))
    cells, peaks = decode_dark(gaussians(centers, deviation))
    error = np.abs(cells[0].numpy() - centers)
    assert error.max() < 0.02
    coarse = np.abs(np.round(centers) - centers)
    assert error.mean() < 0.05 * coarse.mean()
    assert 0.9 < float(peaks.min()) <= 1


def test_peak_is_the_maximum_before_the_blur_even_above_one() -> None:
    _, peaks = decode_dark(gaussians(np.array([[30.0, 40.0]]), 2.0, height=1.25))
    assert peaks.item() == pytest.approx(1.25)


def test_elongated_slanted_peak_is_found() -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    u, v = (x - 30.3) + (y - 40.6), (x - 30.3) - (y - 40.6)
    heatmap = torch.from_numpy(np.exp(-(u**2) / 80 - v**2 / 20)).float()[None, None]
    cells, _ = decode_dark(heatmap)
    np.testing.assert_allclose(cells[0, 0], [30.3, 40.6], atol=0.03)


@pytest.mark.parametrize("corner", [(0.3, 40.0), (71.0, 40.2), (30.4, 1.2), (1.0, 94.4)])
def test_maximum_near_the_edge_stays_on_its_cell(corner: tuple[float, float]) -> None:
    cells, _ = decode_dark(gaussians(np.array([corner]), 2.0))
    np.testing.assert_array_equal(cells[0, 0], np.round(corner))


def test_flat_and_negative_heatmaps_give_finite_points() -> None:
    heatmaps = torch.stack([torch.zeros(SIZE), torch.full(SIZE, -1.0), torch.ones(SIZE)])[None]
    heatmaps[0, 1, 50, 30] = -0.5
    cells, peaks = decode_dark(heatmaps)
    assert torch.isfinite(cells).all()
    assert peaks.tolist() == [[0, -0.5, 1]]


def test_blur_is_opencvs() -> None:
    import cv2

    heatmaps = torch.rand(1, 2, *SIZE, generator=torch.Generator().manual_seed(0))
    border = BLUR
    padded = np.pad(heatmaps[0, 1].numpy(), border)
    expected = cv2.GaussianBlur(padded, (BLUR, BLUR), 0)[border:-border, border:-border]
    np.testing.assert_allclose(_gaussian_blur(heatmaps)[0, 1], expected, atol=1e-6)


def test_merging_undoes_what_mirroring_does() -> None:
    heatmaps = torch.rand(2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    mirror = (0, 2, 1)
    # In a mirrored picture, cell i is the mirror image of cell w - i, and left is right.
    mirrored = torch.zeros_like(heatmaps)
    mirrored[..., 1:] = heatmaps.flip(-1)[..., :-1]
    merged = merge_flipped(heatmaps, mirrored[:, mirror], mirror)
    torch.testing.assert_close(merged[..., 1:], heatmaps[..., 1:])
    assert not torch.allclose(merge_flipped(heatmaps, mirrored, mirror), heatmaps, atol=0.1)
