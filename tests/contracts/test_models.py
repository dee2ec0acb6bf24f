"""What every model must do, whatever it is: one line in `CONFIGS` adds a model."""

from dataclasses import replace

import pytest
import torch

from signgen.config.autoencoder import AutoencoderConfig, DecoderConfig
from signgen.config.model import (
    DistillationConfig,
    MotionConfig,
    ParsingGuidedConfig,
    SamplingConfig,
    SchedulerConfig,
    tiny_fpdm,
    tiny_parsing,
)
from signgen.config.parsing_guided import AlignmentConfig, ReferenceConfig
from signgen.diffusion.guidance import guided
from signgen.diffusion.noise import FrameNoise
from signgen.diffusion.samplers import sample
from signgen.models import build_model, build_stage
from signgen.models.base import PoseGuidedModel, Trainable
from signgen.structures import Batch, Guide, UserError, Windows

TINY = tiny_fpdm()
SIDE = TINY.source_encoder
CLIP = replace(SIDE, kind="clip", position_interpolation="size")
OLD = replace(SIDE, position_interpolation="scale", table_size=56, trained=False)
GUIDED = replace(
    TINY,
    autoencoder=AutoencoderConfig(block_channels=(8, 8, 16, 16), norm_groups=4, latent_channels=8),
    decoder=DecoderConfig(
        kind="guided", channels=(8, 8, 16), hand_channels=(8, 8, 8), face_channels=(8, 8, 8)
    ),
    scheduler=SchedulerConfig(prediction_type="sample"),
)
PARSING = tiny_parsing()
FROZEN = replace(PARSING.source_encoder, trained=False)
CONFIGS = [
    pytest.param(TINY, id="fpdm"),
    pytest.param(GUIDED, id="fpdm-guided"),
    pytest.param(replace(GUIDED, fusion="none"), id="fpdm-guided-b3"),
    pytest.param(replace(TINY, motion=MotionConfig(3, 1)), id="fpdm-motion"),
    pytest.param(replace(TINY, fusion="none", source_encoder=CLIP), id="fpdm-b1"),
    pytest.param(replace(TINY, fusion="none"), id="fpdm-b3"),
    pytest.param(replace(TINY, fusion="source", ipf=replace(TINY.ipf, loss="none")), id="fpdm-b4"),
    pytest.param(
        replace(
            TINY,
            source_encoder=OLD,
            unet=replace(TINY.unet, attention=(True, False), upcast_attention=True),
        ),
        id="fpdm-published",
    ),
    pytest.param(PARSING, id="parsing"),
    pytest.param(
        replace(
            PARSING,
            reference=ReferenceConfig(
                regions=("face", "cloth", "body", "hands"),
                fused=("face", "cloth", "hands"),
                join="additive",
                fusion="masks_only",
            ),
            alignment=AlignmentConfig(context=False, weight=1e-3, before=1.0),
            source_encoder=FROZEN,
            min_snr=5.0,
            scheduler=SchedulerConfig(zero_terminal_snr=False),
        ),
        id="parsing-additive-aligned",
    ),
    pytest.param(
        replace(
            PARSING,
            fusion="ipf",
            reference=ReferenceConfig(tied=True, sites="midup", fusion="off"),
            alignment=replace(PARSING.alignment, weight=1e-3, before=1.0),
        ),
        id="parsing-fused-tied",
    ),
    pytest.param(
        replace(
            PARSING,
            autoencoder=GUIDED.autoencoder,
            decoder=GUIDED.decoder,
            scheduler=GUIDED.scheduler,
            alignment=AlignmentConfig(context=False),
        ),
        id="parsing-guided-decoder",
    ),
]
STAGES = ["vae", "ipf", "fpdm", "decoder", "windows", "signer", "distill", "motion"]


FEW = SamplingConfig(steps=2, guidance=(1.0, 1.0), sampler="ddim")


def tied(config):
    return isinstance(config, ParsingGuidedConfig) and config.reference.tied


def make_batch(config, count=3):
    generator = torch.Generator().manual_seed(1)
    shape = (count, 3, *config.size)
    source, target, pose = (torch.rand(shape, generator=generator) for _ in range(3))
    hands = torch.zeros(count, 1, *config.size)
    hands[:, :, 8:24, 8:24] = 1
    source, target = source * 2 - 1, target * 2 - 1
    moved = torch.rand(count, 1, *config.size, generator=generator)
    guide = Guide(source.flip(-1), source, moved, moved.expand(-1, 3, -1, -1))
    squares = torch.tensor([[[8, 8, 16], [20, 30, 24], [14, 2, 18]]]).expand(count, -1, -1)
    drawn = torch.rand(count, 3, 3, 64, 64, generator=generator)
    guide = replace(guide, windows=Windows(squares, drawn))
    parts = None
    if config.regions:
        parts = torch.zeros(count, *config.size, dtype=torch.int64)
        for region in range(len(config.regions)):
            parts[:, 12 * region : 12 * region + 12, 8:40] = region + 1
    return Batch(source, target, pose, hands, parts, parts, hands.flip(-1), guide)


@pytest.fixture(params=CONFIGS)
def config(request):
    torch.manual_seed(0)
    return request.param


@pytest.fixture
def model(config):
    """Return a model none of whose weights is zero, as after some training."""
    model = build_model(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    return model.eval()


def conditioned(model, batch):
    source = model.encode_source(batch.source, batch.source_parts)
    return model.condition(source, batch.pose, guide=batch.guide)


def test_shapes(config, model: PoseGuidedModel):
    batch = make_batch(config)
    with torch.no_grad():
        z = model.latents.encode(batch.target)
        assert z.shape == (3, *model.latents.shape(config.size))
        conditioning = conditioned(model, batch)
        t = torch.tensor([0, 500, model.schedule.train_steps - 1])
        assert model.denoise(z, t, conditioning).shape == z.shape
        pixels = model.decode(z, conditioning, batch.guide)
    assert pixels.shape == batch.target.shape
    assert float(pixels.abs().max()) <= 1


def test_samples_do_not_see_each_other(config, model):
    batch = make_batch(config)
    z = torch.randn(3, *model.latents.shape(config.size))
    t = torch.tensor([10, 500, 900])
    with torch.no_grad():
        together = model.denoise(z, t, conditioned(model, batch))
        for i in range(3):
            one = slice(i, i + 1)
            names = ("source", "target", "pose", "hands")
            alone = Batch(*(getattr(batch, n)[one] for n in names))
            alone = replace(alone, guide=batch.guide.mapped(lambda value, one=one: value[one]))
            if batch.source_parts is not None:
                alone = replace(alone, source_parts=batch.source_parts[one])
            made = model.denoise(z[one], t[one], conditioned(model, alone))
            assert torch.allclose(made, together[one], atol=1e-4)


def test_branches_run_from_nothing_to_everything(config, model):
    batch = make_batch(config)
    with torch.no_grad():
        conditioning = conditioned(model, batch)
        branches = model.branches(conditioning)
        first, last = branches[0], branches[-1]
        assert torch.equal(last.pose, conditioning.pose)
        assert torch.equal(last.tokens, conditioning.tokens)
        for name in ("pose", "tokens", "embedding"):
            value = getattr(first, name)
            assert value is None or float(value.abs().max()) == 0
        if conditioning.maps is not None:
            assert last.maps is conditioning.maps
            assert not any(bool(share.any()) for share in first.maps.shares)
        shapes = {(b.pose.shape, b.tokens.shape) for b in branches}
    assert len(shapes) == 1


def test_source_and_pose_change_the_prediction(config, model):
    batch = make_batch(config)
    z = torch.randn(3, *model.latents.shape(config.size))
    t = torch.full((3,), 500)
    with torch.no_grad():
        base = model.denoise(z, t, conditioned(model, batch))
        other_source = replace(batch, source=-batch.source)
        other_pose = replace(batch, pose=1 - batch.pose)
        for other in (other_source, other_pose):
            assert float((model.denoise(z, t, conditioned(model, other)) - base).abs().max()) > 1e-5


def test_chunks_do_not_change_frames(config, model):
    batch = make_batch(config, count=4)
    noise, shape = FrameNoise(0), model.latents.shape(config.size)

    def render(frames):
        parts = None if batch.source_parts is None else batch.source_parts[:1]
        source = model.encode_source(batch.source[:1], parts).expand(len(frames))
        guide = batch.guide.mapped(lambda value: value[frames])
        conditioning = model.condition(source, batch.pose[frames], guide=guide)
        branches = model.branches(conditioning)
        return sample(
            guided(model.denoise, branches, config.sampling.guidance),
            model.schedule,
            sampler="ddpm",
            steps=3,
            noise=noise.initial(frames, shape),
            step_noise=lambda i: noise.step(frames, i, shape),
        )

    with torch.no_grad():
        whole = render([0, 1, 2, 3])
        parts = torch.cat([render([0]), render([1, 2, 3])])
    assert torch.allclose(whole, parts, atol=2e-3)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_are_trainable(config, stage):
    if stage == "ipf" and config.ipf.loss == "none":
        pytest.skip("this model's stage 1 is not trained")
    alone = stage in {"decoder", "windows", "signer", "distill"}
    if (stage == "motion" and not config.motion.window) or (alone and config.motion.window):
        with pytest.raises(UserError, match=r"motion\.window is [03]"):
            build_stage(config, stage)
        return
    if stage in {"windows", "signer"} and not config.decoder.in_windows:
        with pytest.raises(UserError, match=r"decoder\.hand_channels is \[\]"):
            build_stage(config, stage)
        return
    if stage == "distill":
        config = replace(config, sampling=FEW, distillation=DistillationConfig(4))
    if stage == "distill" and (config.guided or tied(config)):
        with pytest.raises(UserError, match=r"decoder\.kind is guided|reference\.tied is true"):
            build_stage(config, stage)
        return
    module: Trainable = build_stage(config, stage)
    module.train()
    batch = make_batch(config)
    torch.manual_seed(1)
    losses = module.loss(batch)
    assert all(value.ndim == 0 for value in losses.values())
    losses["loss"].backward()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.requires_grad}
    assert gradients
    assert all(g is not None and torch.isfinite(g).all() for g in gradients.values())
    torch.manual_seed(1)
    assert torch.equal(losses["loss"], module.loss(batch)["loss"])


def test_weights_survive_a_round_trip(config, model):
    batch = make_batch(config)
    torch.manual_seed(99)
    other = build_model(config)
    other.load_state_dict(model.state_dict())
    other.eval()
    z, t = torch.randn(3, *model.latents.shape(config.size)), torch.full((3,), 7)
    with torch.no_grad():
        made = model.denoise(z, t, conditioned(model, batch))
        assert torch.equal(made, other.denoise(z, t, conditioned(other, batch)))


def test_stage_weights_are_part_of_the_model(config):
    names = set(build_model(config).state_dict())
    assert set(build_stage(config, "vae").state_dict()) <= names
    if config.decoder.in_windows:
        assert set(build_stage(config, "windows").state_dict()) == names
        assert set(build_stage(config, "signer").state_dict()) == names
    if config.fusion != "none":
        assert {f"ipf.{name}" for name in build_stage(config, "ipf").state_dict()} <= names
