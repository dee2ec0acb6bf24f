"""Fusion attention: the five properties it must have, and the fast form against a slow one."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from signgen.config.parsing_guided import ReferenceConfig
from signgen.models.parsing_guided.attention import (
    Reference,
    ReferenceAttention,
    attend,
    token_bias,
)
from signgen.models.source_maps import SourceMaps

HEADS, WIDTH, TOKENS, SOURCE = 2, 6, 5, 7
CONCAT, ADDITIVE = ReferenceConfig(), ReferenceConfig(join="additive")
JOINS = pytest.mark.parametrize("config", [CONCAT, ADDITIVE], ids=["concat", "additive"])


def layer(config: ReferenceConfig, dtype: torch.dtype = torch.float32) -> Attention:
    """Return a layer with a processor none of whose weights is zero, as after some training."""
    torch.manual_seed(0)
    attn = Attention(HEADS * WIDTH, heads=HEADS, dim_head=WIDTH)
    attn.set_processor(ReferenceAttention(attn, 0, config))
    with torch.no_grad():
        for weight in attn.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return attn.to(dtype).eval()


def given(seed: int = 1, batch: int = 2) -> tuple[Tensor, SourceMaps]:
    """Return target tokens and the maps of a source: face, clothes and what is neither."""
    drawn = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, TOKENS, HEADS * WIDTH, generator=drawn)
    features = torch.randn(batch, SOURCE, HEADS * WIDTH, generator=drawn)
    shares = torch.zeros(batch, 3, SOURCE)
    shares[:, 0] = 1
    shares[:, 1, :2], shares[:, 1, 2] = 1, 0.4
    shares[:, 2, 2], shares[:, 2, 3:5], shares[:, 2, 5] = 0.6, 1, 0.04
    return x, SourceMaps((features,), (shares,))


def regions(maps: SourceMaps, change) -> SourceMaps:
    shares = maps.shares[0].clone()
    change(shares)
    return SourceMaps(maps.features, (shares,))


def run(attn: Attention, x: Tensor, maps: SourceMaps, **more: object) -> Tensor:
    with torch.no_grad():
        return attn(x, source=Reference(maps, **more))


def slow(attn: Attention, x: Tensor, maps: SourceMaps, config: ReferenceConfig) -> Tensor:
    """Write the equations out, one target token and head at a time, masks without a bias."""
    processor, scale = attn.processor, 1 / math.sqrt(WIDTH)
    own = config.join == "additive"
    to_k, to_v = (processor.to_k_source, processor.to_v_source) if own else (attn.to_k, attn.to_v)
    features, shares = maps.features[0], maps.shares[0]
    output = torch.zeros_like(x)

    def heads(tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (HEADS, WIDTH))

    q, k, v = (heads(project(x)) for project in (attn.to_q, attn.to_k, attn.to_v))
    ks, vs = heads(to_k(features)), heads(to_v(features))
    for b in range(len(x)):
        for i in range(TOKENS):
            mixed = []
            for h in range(HEADS):
                at_target = torch.exp(scale * k[b, :, h] @ q[b, i, h])
                at_source = torch.exp(scale * ks[b, :, h] @ q[b, i, h]) * shares[b, 0]
                if own:
                    base = at_target @ v[b, :, h] / at_target.sum()
                    base = base + at_source @ vs[b, :, h] / at_source.sum()
                else:
                    base = at_target @ v[b, :, h] + at_source @ vs[b, :, h]
                    base = base / (at_target.sum() + at_source.sum())
                for r in range(len(config.fused) if config.fusion != "off" else 0):
                    share = shares[b, 1 + r]
                    weights = torch.exp(scale * ks[b, :, h] @ q[b, i, h]) * share
                    weights = torch.where(share >= 0.05, weights, 0)
                    total = weights.sum() + torch.exp(processor.sink[r, h])
                    normed = torch.nn.functional.layer_norm(x[b, i], x.shape[-1:])
                    gate = float(share.mean() > 1e-3)
                    if config.fusion == "gated":
                        gate = gate * torch.sigmoid(processor.gate(normed)[r])
                    channels = processor.scale[r, h * WIDTH : (h + 1) * WIDTH]
                    base = base + channels * gate * (weights @ vs[b, :, h]) / total
                mixed.append(base)
            output[b, i] = attn.to_out[0](torch.cat(mixed))
    return output


@JOINS
@pytest.mark.parametrize("fusion", ["off", "masks_only", "gated"])
def test_the_fast_form_is_the_slow_one(config: ReferenceConfig, fusion: str) -> None:
    config = replace(config, fusion=fusion)
    attn = layer(config)
    x, maps = given()
    with torch.no_grad():
        torch.testing.assert_close(
            run(attn, x, maps), slow(attn, x, maps, config), atol=1e-5, rtol=1e-5
        )


@JOINS
def test_a_scale_of_zero_is_plain_reference_attention_bitwise(config: ReferenceConfig) -> None:
    attn, off = layer(config), layer(replace(config, fusion="off"))
    off.load_state_dict(attn.state_dict(), strict=False)
    attn.processor.scale.data.zero_()
    x, maps = given()
    assert torch.equal(run(attn, x, maps), run(off, x, maps))


@JOINS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("fusion", ["masks_only", "gated"])
def test_an_absent_region_adds_nothing(
    config: ReferenceConfig, fusion: str, dtype: torch.dtype
) -> None:
    config = replace(config, fusion=fusion)
    attn, off = layer(config, dtype), layer(replace(config, fusion="off"), dtype)
    off.load_state_dict(attn.state_dict(), strict=False)
    x, maps = given()
    bare = regions(maps, lambda shares: shares[:, 1:].zero_())
    bare = SourceMaps((bare.features[0].to(dtype),), bare.shares)
    made = run(attn, x.to(dtype), bare)
    assert torch.isfinite(made).all()
    assert torch.equal(made, run(off, x.to(dtype), bare))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_mass_lies_outside_of_a_region(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    query, key = (
        20 * torch.randn(2, HEADS, TOKENS, WIDTH),
        20 * torch.randn(2, HEADS, SOURCE, WIDTH),
    )  # logits of hundreds
    # One hot values: what comes out is the mass of each token
    value = torch.eye(SOURCE)[:, :WIDTH].expand(2, HEADS, -1, -1)
    share = given()[1].shares[0][:, 2:3]
    mass = attend(*(part.to(dtype) for part in (query, key, value)), token_bias(share))
    outside = (share < 0.05)[:, 0, :WIDTH]
    assert float(mass.float()[:, :, :, outside[0]].abs().max()) == 0
    assert float(mass.float()[:, :, :, ~outside[0]].max()) > 0.5


def test_the_soft_form_would_leak() -> None:
    query, key = torch.full((1, 1, 1, 4), 8.0), torch.tensor([[-1.0], [1.0]]).expand(2, 4)
    share, value = torch.tensor([[[1.0, 0.0]]]), torch.eye(2, 4)[None, None]
    soft = attend(query, key[None, None], value, (share + 1e-4).log())
    hard = attend(query, key[None, None], value, token_bias(share))
    assert float(soft[..., 1]) > 0.99
    assert float(hard[..., 1]) == 0


@JOINS
def test_the_order_of_source_tokens_does_not_matter(config: ReferenceConfig) -> None:
    attn = layer(config)
    x, maps = given()
    order = torch.randperm(SOURCE)
    shuffled = SourceMaps((maps.features[0][:, order],), (maps.shares[0][:, :, order],))
    torch.testing.assert_close(run(attn, x, maps), run(attn, x, shuffled), atol=1e-5, rtol=1e-5)


@JOINS
def test_two_sources_join_with_a_region_from_each(config: ReferenceConfig) -> None:
    attn = layer(config)
    x, a = given(1)
    b = given(2)[1]
    face_of_a = regions(a, lambda shares: shares[:, 2].zero_())
    cloth_of_b = regions(b, lambda shares: shares[:, :2].zero_())
    both = face_of_a.joined(cloth_of_b)
    assert both.features[0].shape[1] == both.shares[0].shape[2] == 2 * SOURCE
    made = run(attn, x, both)
    # Whatever of B is not clothes is not seen
    hidden = b.features[0].clone()
    hidden[:, :2] += 100
    other = face_of_a.joined(SourceMaps((hidden,), cloth_of_b.shares))
    assert torch.equal(made, run(attn, x, other))
    # And its clothes are
    hidden = b.features[0].clone()
    hidden[:, 3] += 1
    other = face_of_a.joined(SourceMaps((hidden,), cloth_of_b.shares))
    assert not torch.allclose(made, run(attn, x, other))


@JOINS
def test_no_source_is_self_attention(config: ReferenceConfig) -> None:
    attn = layer(config)
    x, maps = given()
    with torch.no_grad():
        plain = attn(x)
    torch.testing.assert_close(run(attn, x, maps.nothing()), plain, atol=1e-6, rtol=1e-6)
    # Sample by sample too
    kept = maps.keep(torch.tensor([True, False]))
    made = run(attn, x, kept)
    torch.testing.assert_close(made[1], plain[1], atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(made[0], run(attn, x, maps)[0])


@JOINS
def test_keys_kept_for_the_next_step_and_rows_without_a_source(config: ReferenceConfig) -> None:
    attn = layer(config)
    x, maps = given(batch=1)
    x = torch.cat([x, x + 1, x - 1])
    alone = torch.cat([run(attn, x[:1], maps.nothing()), run(attn, x[1:], maps.expand(2))])
    kept: dict[int, tuple[Tensor, Tensor]] = {}
    for _ in range(2):
        made = run(attn, x, maps, absent=1, projected=kept)
        torch.testing.assert_close(made, alone, atol=1e-6, rtol=1e-6)
    assert list(kept) == [0]


def test_ablations_have_the_weights_they_need() -> None:
    names = {
        fusion: {
            name
            for name, _ in ReferenceAttention(
                Attention(12, heads=2, dim_head=6), 0, replace(CONCAT, fusion=fusion)
            ).named_parameters()
        }
        for fusion in ("off", "masks_only", "gated")
    }
    assert names["off"] == set()
    assert names["masks_only"] == {"scale", "sink"}
    assert names["gated"] == {"scale", "sink", "gate.weight", "gate.bias"}
