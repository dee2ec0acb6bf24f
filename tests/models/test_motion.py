"""Motion layers: nothing at first, then frames of a clip see each other, and clips do not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from signgen.config.model import FPDMConfig, MotionConfig, guided_fpdm, tiny_fpdm, tiny_parsing
from signgen.diffusion.draws import drawing
from signgen.models import build_model, build_stage
from signgen.models.attention import SourceMemory
from signgen.models.fpdm import FPDM
from signgen.models.motion import motion_layers
from signgen.structures import Batch, Conditioning, ExitCode, UserError

TINY = tiny_fpdm()
# With a resolution that has no cross-attention, as Stable Diffusion's coarsest
MOVING = replace(
    TINY, motion=MotionConfig(16, 4, 4), unet=replace(TINY.unet, attention=(True, False))
)


def built(config: FPDMConfig) -> FPDM:
    torch.manual_seed(3)
    model = build_model(config)
    assert isinstance(model, FPDM)
    return model.eval()


def moving() -> FPDM:
    """Build a model whose motion layers do something."""
    model = built(MOVING)
    with torch.no_grad():
        for layer in motion_layers(model.unet):
            for weight in layer.parameters():
                weight.add_(0.1 * torch.randn_like(weight))
    return model


def rows(model: FPDM, count: int, frames: int) -> tuple[torch.Tensor, torch.Tensor, Conditioning]:
    """Return latents, timesteps and conditioning of `count` rows."""
    size = model.config.size
    with torch.no_grad():
        source = model.encode_source(torch.rand(1, 3, *size) * 2 - 1)
        conditioning = model.condition(source, torch.rand(count, 3, *size))
    z = torch.randn(count, *model.latents.shape(size))
    return z, torch.full((count,), 500), replace(conditioning, frames=frames)


@torch.no_grad()
def test_fresh_layers_change_no_bit() -> None:
    plain, fresh = built(replace(MOVING, motion=MotionConfig())), built(MOVING)
    before, after = plain.state_dict(), fresh.state_dict()
    assert not [name for name in before if "motion" in name]
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(".motion_modules." in name for name in after.keys() - before.keys())
    z, t, conditioning = rows(plain, 6, frames=3)
    alone = replace(conditioning, frames=1)
    assert torch.equal(fresh.denoise(z, t, conditioning), plain.denoise(z, t, alone))
    # The exact engine, with guidance
    memory = SourceMemory(conditioning.tokens[:1])
    branches = [model.branches(given) for model, given in ((fresh, conditioning), (plain, alone))]
    twice = z.repeat(3, 1, 1, 1), t.repeat(3)
    ours = fresh.denoiser(branches[0], memory)(*twice)
    theirs = plain.denoiser(branches[1], SourceMemory(alone.tokens[:1]))(*twice)
    assert torch.equal(ours, theirs)


@torch.no_grad()
def test_a_frame_sees_its_clip_and_no_other() -> None:
    model = moving()
    z, t, conditioning = rows(model, 6, frames=3)
    made = model.denoise(z, t, conditioning)

    def of(index: list[int], frames: int = 3) -> torch.Tensor:
        parts = {
            name: getattr(conditioning, name)[index] for name in ("pose", "tokens", "embedding")
        }
        given = replace(conditioning, **parts, frames=frames)
        return model.denoise(z[index], t[index], given)

    # Clips by themselves, and in another order
    torch.testing.assert_close(of([3, 4, 5]), made[3:], rtol=0, atol=1e-5)
    torch.testing.assert_close(of([3, 4, 5, 0, 1, 2]), made.roll(3, 0), rtol=0, atol=1e-5)
    # Another frame of the clip, another place in it, and no clip at all change a frame
    z[0] += 1
    changed = (model.denoise(z, t, conditioning) - made).abs().amax(dim=(1, 2, 3))
    assert (changed[1:3] > 1e-4).all()
    assert (changed[3:] == 0).all()
    assert (of([5, 4, 3]).flip(0) - made[3:]).abs().max() > 1e-4
    assert (of([3, 4, 5], frames=1) - made[3:]).abs().max() > 1e-4


@torch.no_grad()
def test_branches_of_guidance_are_clips_of_their_own() -> None:
    model = moving()
    z, t, conditioning = rows(model, 4, frames=4)
    branches = model.branches(conditioning)
    assert {branch.frames for branch in branches} == {Conditioning.cat(branches).frames} == {4}
    memory = SourceMemory(conditioning.tokens[:1])
    together = model.denoiser(branches, memory)(z.repeat(3, 1, 1, 1), t.repeat(3))
    alone = torch.cat([model.denoise(z, t, branch) for branch in branches])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_activations_may_be_recomputed() -> None:
    stage = build_stage(MOVING, "motion").train()
    batch = clips(4)
    gradients = []
    for recomputed in (False, True):
        if recomputed:
            stage.enable_gradient_checkpointing()
        for weight in stage.parameters():
            weight.grad = None
        with drawing(1, range(4), "cpu"):
            stage.loss(batch)["loss"].backward()
        trained = [p for p in stage.parameters() if p.requires_grad]
        gradients.append(torch.cat([p.grad.flatten() for p in trained if p.grad is not None]))
    assert gradients[0].abs().max() > 0
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-7)


def clips(count: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    source, target, pose = (torch.rand(count, 3, *TINY.size, generator=generator) for _ in range(3))
    return Batch(source * 2 - 1, target * 2 - 1, pose, torch.zeros(count, 1, *TINY.size))


def test_the_stage_trains_motion_alone_and_lowers_its_loss() -> None:
    stage = build_stage(MOVING, "motion").train()
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    batch = clips(4)
    optimizer = torch.optim.Adam([p for p in stage.parameters() if p.requires_grad], 1e-2)
    values = []
    for _ in range(40):
        with drawing(1, range(4), "cpu"):
            loss = stage.loss(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.9 * values[0]
    after = stage.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert changed
    assert all(".motion_modules." in name for name in changed)
    assert {name for name, part in stage.named_children() if part.training} == {"unet"}


def test_frames_of_a_clip_share_timestep_and_what_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = build_stage(replace(MOVING, motion=MotionConfig(4, 0, 4)), "motion").train()
    assert isinstance(stage, FPDM)
    seen: list[tuple[torch.Tensor, torch.Tensor, Conditioning]] = []

    def noting(z: torch.Tensor, t: torch.Tensor, conditioning: Conditioning) -> torch.Tensor:
        seen.append((z, t, conditioning))
        return z

    monkeypatch.setattr(stage, "denoise", noting)
    for seed in range(8):
        with drawing(seed, range(8), "cpu"):
            stage.loss(clips(8))
    times = torch.stack([t.view(2, 4) for _, t, _ in seen])  # (runs, clips, frames)
    assert (times == times[..., :1]).all()
    assert (times[:, 0] != times[:, 1]).any()
    kept = torch.stack([(c.tokens != 0).any(dim=(1, 2)).view(2, 4) for *_, c in seen])
    assert (kept == kept[..., :1]).all()
    assert 0 < int(kept[..., 0].sum()) < kept[..., 0].numel()
    assert not torch.equal(seen[0][0][0], seen[0][0][1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"motion": MotionConfig(33)}, r"motion\.window is 33; expected at most 32"),
        ({"motion": MotionConfig(16, 9)}, r"motion\.overlap is 9; expected at most half of"),
        ({"motion": MotionConfig(16, 4, 3)}, r"motion\.heads is 3; expected a divisor of .*16, 32"),
    ],
)
def test_what_no_layers_can_be_is_refused(changes: dict[str, MotionConfig], said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        build_model(replace(TINY, **changes))
    assert caught.value.code == ExitCode.USAGE


def test_models_and_stages_without_clips_are_refused() -> None:
    motion = MotionConfig(16, 4, 4)
    with pytest.raises(UserError, match="expected 0 for kind parsing-guided"):
        build_model(replace(tiny_parsing(), motion=motion))
    with (
        pytest.raises(UserError, match=r"expected 0 with decoder\.kind guided"),
        torch.device("meta"),
    ):
        build_model(replace(guided_fpdm(), motion=motion))
    with pytest.raises(UserError, match=r"motion\.window is 16; expected 0 in stage distill"):
        build_stage(MOVING, "distill")
    with pytest.raises(UserError, match=r"motion\.window is 0, so that there are no motion layers"):
        build_stage(TINY, "motion")
