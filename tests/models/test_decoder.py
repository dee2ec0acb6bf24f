import math

import torch

from signgen.diffusion.draws import drawing
from signgen.models.decoder import SHIFT, TURN, ZOOM, random_turns, turned
from signgen.structures import Guide, Windows

SIDE = 64


def windows(frames: int) -> Windows:
    return Windows(
        torch.ones(frames, 3, 3, dtype=torch.int64), torch.rand(frames, 3, 3, SIDE, SIDE)
    )


def test_windows_are_turned_scaled_and_shifted_within_bounds_and_as_their_frame_draws() -> None:
    with drawing(7, range(40), "cpu"):
        turns = random_turns(windows(40))
    zoom = torch.linalg.det(turns[..., :2]).sqrt()
    angle = torch.atan2(turns[..., 1, 0], turns[..., 0, 0])
    for value, most in ((zoom - 1, ZOOM), (angle, TURN), (turns[..., 2], SHIFT)):
        assert 0.8 * most < float(value.abs().max()) <= most + 1e-6
    with drawing(7, [30], "cpu"):
        assert torch.equal(random_turns(windows(1))[0], turns[30])


def test_what_is_seen_and_what_is_wanted_are_turned_alike() -> None:
    x = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    guide = Guide(x, x, (x[:, :1] > 0).float(), x.abs())
    quarter = torch.tensor([[[math.cos(math.pi / 2), -1.0, 0.0], [1.0, 0.0, 0.0]]])
    (drawn, seen), wanted = turned(x, guide, quarter), turned(x, guide, quarter)[1]
    # A ramp to the right becomes one down, in every plane
    assert torch.allclose(drawn, -x.mT, atol=1e-5)
    assert torch.allclose(seen.warped, drawn)
    assert torch.allclose(wanted.source, drawn)
    still = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(turned(x, guide, still)[0], x, atol=1e-6)
