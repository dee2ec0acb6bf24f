"""The exact engine: the frames of the plain path, for less arithmetic."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from signgen.config.model import FPDMConfig, full_fpdm, tiny_fpdm
from signgen.config.sampling import Sampling
from signgen.models import FPDM, build_model
from signgen.rendering.acceleration import ahead, denoiser, remember
from signgen.rendering.generation import generate
from signgen.rendering.renderer import Renderer
from signgen.structures import PoseSequence, SourceFeatures

TINY = tiny_fpdm()
CPU = torch.device("cpu")
CONFIGS = {
    "fusion": TINY,
    "no-fusion": replace(TINY, fusion="none"),
    "published": replace(
        TINY, unet=replace(TINY.unet, attention=(True, False), upcast_attention=True)
    ),
}


def lively(config: FPDMConfig) -> FPDM:
    """Build a model in which pose and source matter without training."""
    torch.manual_seed(0)
    model = build_model(config).eval()
    torch.nn.init.normal_(model.pose_encoder.conv_out.weight, std=0.2)
    for name, weight in model.unet.named_parameters():
        if "attn2.to_out" in name:
            torch.nn.init.normal_(weight, std=0.5)
    return model


def inputs(model: FPDM, sources: int) -> tuple[SourceFeatures, torch.Tensor]:
    drawn = torch.Generator().manual_seed(1)
    source = torch.rand(sources, 3, *model.config.size, generator=drawn) * 2 - 1
    with torch.inference_mode():
        features = model.encode_source(source)
    return features, torch.rand(3, 3, *model.config.size, generator=drawn)


@pytest.mark.parametrize("sources", [1, 3])
@pytest.mark.parametrize("guidance", [(2.0, 2.0), (2.0, 3.0), (1.0, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_frames_equal_those_of_the_plain_path(
    config: FPDMConfig, guidance: tuple[float, float], sources: int
) -> None:
    model = lively(config)
    features, pose = inputs(model, sources)
    sampling = Sampling(steps=3, guidance=guidance).resolve(config.sampling)
    plain = generate(model, features, pose, frames=range(3), sampling=sampling)
    memory = remember(model, features)
    for _ in range(2):  # empty, and filled
        made = generate(model, features, pose, frames=range(3), sampling=sampling, memory=memory)
        assert float((made - plain).abs().max()) <= 1e-5


def test_the_source_matters_and_is_projected_once() -> None:
    model = lively(TINY)
    features, pose = inputs(model, 1)
    other = SourceFeatures(features.tokens.flip(-1), features.pooled)
    sampling = Sampling(steps=3).resolve(TINY.sampling)
    calls: Counter[str] = Counter()
    for name, module in model.named_modules():
        if name.endswith(("attn2.to_k", "attn2.to_v", "fusion_mlp")):
            module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    memory, chunks = remember(model, features), []
    for start in (0, 1):
        made = generate(
            model, features, pose[start : start + 1], frames=[start], sampling=sampling,
            memory=memory,
        )  # fmt: skip
        chunks.append(made)
    assert {count for name, count in calls.items() if name.endswith("to_k")} == {1}
    assert {count for name, count in calls.items() if name.endswith("to_v")} == {2}  # and of zeros
    assert calls["fusion_mlp"] == 2  # once a chunk
    changed = generate(
        model, other, pose[:1], frames=[0], sampling=sampling, memory=remember(model, other)
    )
    assert float((changed - chunks[0]).abs().max()) > 1e-2


def test_half_precision_equals_the_plain_path_as_far_as_it_goes() -> None:
    model = lively(TINY)
    features, pose = inputs(model, 1)
    sampling = Sampling(steps=2, precision="bf16").resolve(TINY.sampling)
    plain, made = (
        generate(model, features, pose, frames=range(3), sampling=sampling, memory=memory)
        for memory in (None, remember(model, features))
    )
    assert float((made - plain).abs().mean()) < 0.02


@pytest.mark.parametrize(
    ("accelerated", "expected"), [(False, 39.6), (True, 35.3)], ids=["plain", "exact"]
)
def test_operations_of_a_frame_of_the_published_size(accelerated: bool, expected: float) -> None:
    with torch.device("meta"):
        model = build_model(full_fpdm(base=None, clip=None, dino=None)).eval()
        features = SourceFeatures(torch.empty(1, 1297, 1024), torch.empty(1, model.ipf.width))
        pose, z = torch.empty(1, 3, 512, 512), torch.empty(1, 4, 64, 64)
        t = torch.empty(1, dtype=torch.int64)
    sampling = Sampling().resolve(model.config.sampling)
    memory = remember(model, features) if accelerated else None
    with torch.inference_mode():
        # The first frame of a clip fills the memory
        for _ in range(2):
            with FlopCounterMode(display=False) as once:
                conditioning = model.condition(features, pose)
                branches = model.branches(conditioning)
                denoise = denoiser(model, branches, sampling, CPU, memory)
            with FlopCounterMode(display=False) as step:
                denoise(z, t)
        with FlopCounterMode(display=False) as decoding:
            model.decode(z, conditioning)
    total = once.get_total_flops() + decoding.get_total_flops()
    total += sampling.steps * step.get_total_flops()
    assert sampling.steps == 20
    assert np.isclose(total / 1e12, expected, atol=0.06)
    assert not accelerated or total <= 35.3e12


def test_ahead_keeps_order_waits_and_passes_errors_on() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for number in range(6):
            made.append(number)
            yield number
        raise ValueError("the seventh")

    ahead_of = ahead(make())
    assert next(ahead_of) == 0
    time.sleep(0.3)
    # One that waits, and one that is made but does not fit
    assert made == [0, 1, 2]
    with pytest.raises(ValueError, match="the seventh"):
        assert [next(ahead_of) for _ in range(6)]
    assert made == list(range(6))
    # Whoever stops leaves no thread behind
    before = threading.active_count()
    stopped = ahead(iter(range(100)))
    assert next(stopped) == 0
    stopped.close()
    assert threading.active_count() == before


def test_overlap_changes_no_byte(
    model: FPDM, source: np.ndarray, make_poses: Callable[..., PoseSequence]
) -> None:
    frames: list[list[np.ndarray]] = []
    steps: list[int] = []
    for overlap in (False, True):
        renderer = Renderer(model, Sampling(steps=2), overlap=overlap)
        made = renderer.render(source, make_poses(5), callback=lambda n, *_: steps.append(n))
        frames.append(list(made))
    assert all(np.array_equal(a, b) for a, b in zip(*frames, strict=True))
    assert steps == [0, 1] * 10
    # It ends in the middle, too
    some = Renderer(model, Sampling(steps=2), overlap=True).render(source, make_poses(5), start=1)
    assert np.array_equal(next(some), frames[0][1])
    some.close()
    assert not [one for one in threading.enumerate() if "work" in one.name]
