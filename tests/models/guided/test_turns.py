import math

import torch

from signgen.diffusion.draws import drawing
from signgen.models.guided.windows import SHIFT, TURN, ZOOM, random_turns, read_turned
from signgen.structures import Windows

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


def test_a_quarter_turn_makes_a_ramp_to_the_right_one_down() -> None:
    x = torch.linspace(-1, 1, SIDE).expand(1, 3, SIDE, SIDE)
    quarter = torch.tensor([[[math.cos(math.pi / 2), -1.0, 0.0], [1.0, 0.0, 0.0]]])
    assert torch.allclose(read_turned(x, quarter), -x.mT, atol=1e-5)
    still = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    assert torch.allclose(read_turned(x, still), x, atol=1e-6)
