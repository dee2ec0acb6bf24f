"""The whole model: what is trained, what is counted, what it looks at."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from signgen.config.autoencoder import AutoencoderConfig
from signgen.config.model import full_parsing, tiny_parsing
from signgen.config.parsing_guided import AlignmentConfig, ParsingGuidedConfig, ReferenceConfig
from signgen.config.sampling import Sampling
from signgen.models import build_model
from signgen.models.parsing_guided.alignment import alignment_loss, likeness
from signgen.models.parsing_guided.model import ParsingGuided
from signgen.models.parsing_guided.source_net import freeze_tail, self_attentions, site_grid
from signgen.models.parsing_guided.views import region_view
from signgen.rendering.acceleration import remember
from signgen.rendering.generation import generate
from signgen.structures import Batch, UserError

TINY = tiny_parsing()
DEEP = replace(
    TINY,
    unet=replace(TINY.unet, block_channels=(16, 16, 32, 32), layers_per_block=2),
    autoencoder=AutoencoderConfig(block_channels=(8, 16), norm_groups=4),
    pose_channels=(4, 8),
)
"""As Stable Diffusion: four resolutions, no attention at the coarsest."""


def built(config: ParsingGuidedConfig) -> ParsingGuided:
    torch.manual_seed(0)
    model = build_model(config)
    assert isinstance(model, ParsingGuided)
    return model


def batch_of(config: ParsingGuidedConfig, count: int = 2) -> Batch:
    drawn = torch.Generator().manual_seed(1)
    shape = (count, 3, *config.size)
    source, target, pose = (torch.rand(shape, generator=drawn) for _ in range(3))
    parts = torch.zeros(count, *config.size, dtype=torch.int64)
    parts[:, :16, 8:32], parts[:, 16:48, 8:40], parts[:, 48:, 8:40] = 1, 2, 3
    hands = torch.zeros(count, 1, *config.size)
    return Batch(source * 2 - 1, target * 2 - 1, pose, hands, parts, parts)


@pytest.mark.parametrize("config", [TINY, DEEP], ids=["tiny", "deep"])
def test_what_is_frozen_of_source_net_is_what_has_no_gradient(config: ParsingGuidedConfig) -> None:
    model = built(config).train()
    weights = list(model.source_net.named_parameters())
    frozen = {name for name, weight in weights if not weight.requires_grad}
    assert frozen == set(freeze_tail(model.source_net))
    model.source_net.requires_grad_(True)
    model.loss(batch_of(config))["loss"].backward()
    without = {name for name, weight in weights if weight.grad is None}
    assert frozen == without
    assert 0 < len(frozen) < len(weights)


def test_the_pair_begins_alike_and_plain_attention_at_first() -> None:
    model = built(replace(TINY, alignment=AlignmentConfig(context=False)))
    one, other = model.unet.state_dict(), model.source_net.state_dict()
    assert all(torch.equal(one[name], other[name]) for name in other)
    # Regions of the source matter only where they are looked at: nothing does at first
    batch = batch_of(TINY)
    with torch.no_grad():
        plain = model.eval().encode_source(batch.source, batch.source_parts)
        other_parts = model.encode_source(batch.source, batch.source_parts.flip(-1))
    assert all(map(torch.equal, plain.maps.features, other_parts.maps.features))


def test_sites_are_those_of_stable_diffusion() -> None:
    with torch.device("meta"):
        unet = ParsingGuided(full_parsing(None, None)).unet
    names = [name for name, _ in self_attentions(unet)]
    count = [sum(name.startswith(start) for name in names) for start in ("down", "mid", "up")]
    assert count == [6, 1, 9]
    midup = replace(DEEP, reference=ReferenceConfig(sites="midup"))
    maps = built(midup).encode_source(*two(batch_of(midup))).maps
    assert len(maps.features) == 10
    assert [site_grid(one.shape[1], (32, 24)) for one in maps.features[:4]] == [(4, 3)] + 3 * [
        (8, 6)
    ]


def two(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    assert batch.source_parts is not None
    return batch.source, batch.source_parts


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("guidance", [(1.0, 1.0), (2.0, 3.0)])
def test_one_forward_of_source_net_serves_all_frames_and_steps(
    tied: bool, guidance: tuple[float, float]
) -> None:
    model = built(replace(TINY, reference=replace(TINY.reference, tied=tied))).eval()
    for name, weight in model.named_parameters():
        if "processor" in name or "conv_out" in name:
            weight.data.add_(0.2 * torch.randn_like(weight))
    batch = batch_of(TINY, count=1)
    forwards = []
    net = model.unet if tied else model.source_net
    net.register_forward_hook(lambda *_: forwards.append(1))
    with torch.inference_mode():
        features = model.encode_source(*two(batch))
    assert len(forwards) == 1
    pose = torch.rand(3, 3, *TINY.size)
    sampling = Sampling(steps=3, guidance=guidance).resolve(TINY.sampling)
    memory, calls = remember(model, features), []
    for layer in (one for _, one in self_attentions(model.unet)):
        layer.to_k.register_forward_hook(lambda _, given, made: calls.append(made.numel()))
    plain = generate(model, features, pose, frames=range(3), sampling=sampling)
    slow = sum(calls)
    calls.clear()
    for _ in range(2):
        fast = generate(model, features, pose, frames=range(3), sampling=sampling, memory=memory)
        assert float((fast - plain).abs().max()) <= 1e-4  # rounding, times the weights of guidance
    assert sum(calls) < 2 * 0.7 * slow  # keys of the source are computed once
    if not tied:
        assert len(forwards) == 1


def test_a_person_without_a_face_is_no_problem() -> None:
    model = built(TINY).train()
    batch = batch_of(TINY)
    back = batch.source_parts.clone()
    back[back == 1] = 0
    losses = model.loss(replace(batch, source_parts=back, target_parts=back))
    assert torch.isfinite(losses["loss"])
    assert losses["mse_face"].item() == 0


def test_losses_inside_regions_are_means_written_out() -> None:
    config = replace(TINY, face_region_weight=2.0, cloth_region_weight=0.0)
    model = built(config).eval()
    batch = batch_of(config)
    torch.manual_seed(5)
    losses = model.loss(batch)
    torch.testing.assert_close(losses["loss"], losses["mse"] + 2 * losses["mse_face"])


def test_min_snr_is_the_formula_of_its_paper() -> None:
    schedule = built(
        replace(TINY, scheduler=replace(TINY.scheduler, zero_terminal_snr=False))
    ).schedule
    t = torch.tensor([5, 400, 990])
    abar = schedule.alphas_cumprod[t]
    snr = abar / (1 - abar)
    expected = {
        "epsilon": snr.clamp(max=5) / snr,
        "v_prediction": snr.clamp(max=5) / (snr + 1),
        "sample": snr.clamp(max=5),
    }
    for kind, values in expected.items():
        made = replace(schedule, prediction_type=kind).min_snr_weight(t, 5.0)
        torch.testing.assert_close(made.flatten(), values)
    assert (schedule.min_snr_weight(t, 0.0) == 1).all()


def test_dropping_has_its_rates() -> None:
    model = built(TINY).train()
    batch = batch_of(TINY, count=1)
    with torch.no_grad():
        features = model.encode_source(*two(batch)).expand(4000)
        conditioning = model.condition(features, batch.pose)
        conditioning = replace(
            conditioning, pose=torch.ones(4000, 1, 1, 1), tokens=torch.ones(4000, 1, 1)
        )
        dropped = model.drop(conditioning)
    pose = dropped.pose.flatten() == 0
    tokens = dropped.tokens.flatten() == 0
    source = dropped.maps.shares[0].flatten(1).sum(1) == 0
    assert torch.equal(tokens, source)
    rates = [(pose & ~source), (source & ~pose), (pose & source)]
    assert [float(one.float().mean()) for one in rates] == pytest.approx([0.1, 0.1, 0.05], abs=0.02)


def test_a_view_shows_its_region_alone_and_large() -> None:
    ramp = torch.linspace(0, 1, 48).expand(40, 48)
    source = torch.stack([torch.ones_like(ramp), ramp, ramp])[None].repeat(2, 1, 1, 1)
    inside = torch.zeros(2, 40, 48, dtype=torch.bool)
    inside[0, 10:20, 12:32] = True
    view = region_view(source, inside)
    assert view.shape == source.shape
    # The box and its margin of a tenth fill the view, bilinearly
    assert float(view[0, 0].mean()) == pytest.approx(1 / 1.2**2, abs=0.01)
    cut = source[:, :, 9:21, 10:34] * inside[:, None, 9:21, 10:34]
    large = torch.nn.functional.interpolate(cut[:1], (40, 48), mode="bilinear")
    assert float((view[0, :, 4:-4, 4:-4] - large[0, :, 4:-4, 4:-4]).abs().max()) < 1e-5
    assert float(view[1].abs().max()) == 0  # a picture without the region


def test_likeness_stays_in_the_region_and_finds_the_same_patch() -> None:
    patches = torch.eye(6)[None]
    same = torch.zeros(1, 6, 6, dtype=torch.bool)
    same[0, :3, :3], same[0, 3:5, 3:5] = True, True
    wanted, known = likeness(patches, patches, same, temperature=0.07)
    assert known[0].tolist() == [True] * 5 + [False]
    assert float(wanted[~same].abs().max()) == 0
    torch.testing.assert_close(wanted[0, :5].sum(1), torch.ones(5))
    assert wanted[0, :5].argmax(1).tolist() == list(range(5))


def test_attention_that_is_the_likeness_costs_nothing() -> None:
    drawn = torch.Generator().manual_seed(0)
    patches = torch.randn(2, 8, 4, 3, generator=drawn)
    parts = torch.ones(2, 32, 24, dtype=torch.int64)
    cells = patches.flatten(2).mT
    same = torch.ones(2, 12, 12, dtype=torch.bool)
    wanted, _ = likeness(cells, cells, same, 0.07)

    def loss(attention: torch.Tensor) -> torch.Tensor:
        return alignment_loss([attention], (patches, patches), (parts, parts), (8, 6), 0.07, 2)

    assert float(loss(wanted).abs().max()) < 1e-3
    assert float(loss(torch.full_like(wanted, 1 / 12)).min()) > 0.5


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (ReferenceConfig(regions=("face", "body"), fused=("face",)), "which lacks cloth"),
        (ReferenceConfig(fused=("face", "hands")), "which lacks hands"),
        (ReferenceConfig(regions=("face", "cloth", "face")), "names a region twice"),
        (ReferenceConfig(fused=()), "reference.fused is empty"),
    ],
)
def test_regions_that_do_not_fit_together_are_refused(
    reference: ReferenceConfig, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        build_model(replace(TINY, reference=reference))


def test_without_context_and_alignment_there_is_no_encoder() -> None:
    config = replace(TINY, alignment=AlignmentConfig(context=False))
    assert not any(name.startswith("source_encoder") for name in built(config).state_dict())
    assert "source_encoder" not in config.parts


def test_four_pairs_are_learnt_by_heart() -> None:
    config = replace(
        TINY,
        alignment=AlignmentConfig(queries=(2, 1, 2), layers=1, drop_view=0.0),
        drop_pose=0.0,
        drop_source=0.0,
        drop_both=0.0,
        offset_noise=0.0,
    )
    model = built(config).train()
    batch = batch_of(config, count=4)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)
    losses = []
    for _ in range(60):
        torch.manual_seed(0)
        loss = model.loss(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
