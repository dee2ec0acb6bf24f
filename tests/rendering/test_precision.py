"""Networks in 16 bits: close to 32, and only where that is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from signgen.checkpoints.models import load_model
from signgen.config.sampling import Sampling
from signgen.data.dataset import open_dataset
from signgen.device import autocast, check_precision
from signgen.errors import ExitCode, UserError
from signgen.evaluation.metrics.pixels.image import psnr
from signgen.models import FPDM
from signgen.rendering.generation import generate
from signgen.rendering.renderer import Renderer
from signgen.structures import FrameRef, PoseSequence

Make = Callable[..., PoseSequence]
CPU = torch.device("cpu")


@pytest.mark.parametrize(("precision", "tolerance"), [("fp16", 0.003), ("bf16", 0.03)])
def test_predictions_are_close_to_those_of_32_bits(
    model: FPDM, precision: str, tolerance: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    source, pose = (torch.rand(2, 3, *model.config.size, generator=generator) for _ in range(2))
    z = torch.randn(2, *model.latents.shape(model.config.size), generator=generator)
    t = torch.tensor([100, 900])
    made = []
    for bits in ("no", precision):
        with torch.inference_mode(), autocast(bits, CPU):
            conditioning = model.condition(model.encode_source(source * 2 - 1), pose)
            made.append(model.denoise(z, t, conditioning))
    wide, narrow = made
    assert narrow.dtype == (torch.float16 if precision == "fp16" else torch.bfloat16)
    error = (narrow.float() - wide).square().mean().sqrt() / wide.square().mean().sqrt()
    assert 0 < float(error) < tolerance


@pytest.mark.parametrize(("precision", "decibels"), [("fp16", 60), ("bf16", 50)])
def test_frames_of_the_bundled_model_look_the_same(precision: str, decibels: float) -> None:
    dataset = open_dataset("sample")
    record = dataset.records("test")[0]
    source, poses = dataset.frame(FrameRef(record, 0)), dataset.pose(FrameRef(record, 5))
    mini = load_model("mini")
    # One frame and step: a CPU has no fast fp16.
    wide, narrow = (
        np.stack(list(Renderer(mini, Sampling(steps=1, precision=bits)).render(source, poses)))
        for bits in ("no", precision)
    )
    assert decibels < psnr(narrow, wide)[0] < 100, "close, and not the same computation"


@pytest.fixture
def upcast(model: FPDM) -> Iterator[Callable[[bool], None]]:
    """Set whether the autoencoder asks for 32 bits; as before at the end."""
    before = model.autoencoder.config["force_upcast"]
    yield lambda wanted: model.autoencoder.register_to_config(force_upcast=wanted)
    model.autoencoder.register_to_config(force_upcast=before)


@pytest.mark.parametrize("wanted", [True, False])
def test_latents_and_decoding_stay_at_32_bits(
    model: FPDM,
    upcast: Callable[[bool], None],
    wanted: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upcast(wanted)
    seen: dict[str, set[torch.dtype]] = {"latents": set(), "features": set(), "decoded": set()}
    denoise = model.denoise

    def watched(z: torch.Tensor, *rest: object) -> torch.Tensor:
        seen["latents"].add(z.dtype)
        output = denoise(z, *rest)
        seen["features"].add(output.dtype)
        return output

    monkeypatch.setattr(model, "denoise", watched)
    hook = model.autoencoder.decoder.register_forward_hook(
        lambda _, __, output: seen["decoded"].add(output.dtype)
    )
    with torch.inference_mode():
        features = model.encode_source(torch.zeros(1, 3, *model.config.size))
    pose = torch.zeros(1, 3, *model.config.size)
    sampling = Sampling(steps=3, sampler="unipc", precision="bf16")
    made = generate(
        model, features, pose, frames=[0], sampling=sampling.resolve(model.config.sampling)
    )
    hook.remove()
    assert made.dtype == torch.float32
    assert seen == {
        "latents": {torch.float32},
        "features": {torch.bfloat16},
        "decoded": {torch.float32 if wanted else torch.bfloat16},
    }


def test_bf16_needs_a_device_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # There is no such device here: what torch says of an older one.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    with pytest.raises(UserError, match="Tesla T4 does not compute in it") as caught:
        check_precision("bf16", torch.device("cuda"))
    assert caught.value.code == ExitCode.UNAVAILABLE
    check_precision("fp16", torch.device("cuda"))
    check_precision("bf16", CPU)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp8"}, "--precision is fp8; expected one of no, fp16, bf16."),
        (
            {"sampler": "euler"},
            "--sampler is euler; expected one of ddpm, ddim, unipc, dpmsolver++.",
        ),
    ],
)
def test_unknown_names(changes: dict[str, str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        Sampling(**changes)
    assert (str(caught.value), caught.value.code) == (message, ExitCode.USAGE)
