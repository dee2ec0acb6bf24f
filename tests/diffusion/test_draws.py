import pytest
import torch

from signgen.diffusion.draws import drawing, dropout, normal, uniform


def test_draws_belong_to_the_sample_not_to_its_batch() -> None:
    like = torch.empty(4, 3, 5)
    with drawing(7, [10, 11, 12, 13], "cpu"):
        whole = normal(like), uniform(like)
    with drawing(7, [13, 11], "cpu"):
        part = normal(like[:2]), uniform(like[:2])
    for one, two in zip(whole, part, strict=True):
        assert torch.equal(one[[3, 1]], two)
    with drawing(8, [10, 11, 12, 13], "cpu"):
        assert not torch.equal(normal(like), whole[0])


def test_draws_have_their_distributions() -> None:
    like = torch.empty(64, 1000)
    with drawing(0, range(64), "cpu"):
        noise, level = normal(like), uniform(like)
    assert abs(float(noise.mean())) < 0.02
    assert float(noise.std()) == pytest.approx(1, abs=0.02)
    assert float(level.mean()) == pytest.approx(0.5, abs=0.01)
    correlation = torch.corrcoef(noise) - torch.eye(64)
    assert float(correlation.abs().max()) < 0.2


def test_dropout_keeps_the_mean() -> None:
    x = torch.ones(32, 1000, requires_grad=True)
    with drawing(0, range(32), "cpu"):
        kept = dropout(x, 0.2)
    assert set(kept.detach().unique().tolist()) == {0, 1.25}
    assert float(kept.detach().mean()) == pytest.approx(1, abs=0.02)
    kept.sum().backward()
    assert torch.equal(x.grad, kept.detach())
    with drawing(0, range(32), "cpu"):
        assert not dropout(x, 1.0).any()


def test_draws_of_another_number_of_samples_are_refused() -> None:
    with drawing(0, range(2), "cpu"), pytest.raises(ValueError, match="3 samples; expected 2"):
        normal(torch.empty(3, 4))
