from dataclasses import replace

import pytest
import torch

from signgen.config.model import SamplingConfig, full_fpdm, tiny_fpdm
from signgen.diffusion.guidance import guided
from signgen.models import build_model, build_stage
from signgen.models.dropout import drop_conditions
from signgen.models.encoders import clip_pixels, source_pixels
from signgen.models.fpdm import FPDM
from signgen.structures import ExitCode, SourceFeatures, UserError

TINY = tiny_fpdm()


def size(module):
    return sum(p.numel() for p in module.parameters())


def trained_size(module):
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def trained_parts(model):
    return {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}


def give_pose_a_voice(model):
    """Undo the zero start of the pose encoder, so that poses matter without training."""
    torch.nn.init.normal_(model.pose_encoder.conv_out.weight, std=0.2)
    return model


def test_published_sizes():
    with torch.device("meta"):
        model = build_model(full_fpdm(base=None, clip=None, dino=None))
    assert trained_size(model) == 870_148_308
    assert size(model.unet) == 865_910_724
    assert size(model.unet) + size(model.fusion_mlp) == 867_485_636
    assert size(model.ipf.combiner) == 4_133_377
    assert size(model.ipf.image_encoder) == 303_966_208
    assert size(model.source_encoder) == 304_368_640 - 1024  # DINOv2's unused mask token
    assert size(model.source_projection) == 1_576_192
    assert size(model.pose_encoder) == 1_086_480
    assert len(model.unet.state_dict()) == 686
    assert len(model.autoencoder.state_dict()) == 248
    assert len(model.ipf.state_dict()) == 392 + 12
    assert len(model.source_encoder.state_dict()) == 439 - 1
    # Distinct weights of the published checkpoint, which holds the mask token too.
    assert size(model) + 1024 == 1_566_270_396


@pytest.mark.parametrize(
    ("fusion", "encoder", "tokens"),
    [
        ("none", {"kind": "clip", "image_size": 224}, 257),
        ("none", {"image_size": 224}, 257),
        ("none", {"image_size": 512}, 1297),
        ("source", {"image_size": 512}, 1297),
    ],
    ids=["b1", "b2", "b3", "b4"],
)
def test_ablations_at_the_published_size(fusion, encoder, tokens):
    config = full_fpdm(base=None, clip=None, dino=None)
    config = replace(
        config,
        fusion=fusion,
        ipf=replace(config.ipf, loss="none"),
        source_encoder=replace(config.source_encoder, **encoder),
    )
    side = config.source_encoder.image_size
    with torch.device("meta"):
        model = build_model(config).eval()
        clip = torch.empty(2, 3, 224, 224)
        features = model.encode_source_pixels(torch.empty(2, 3, side, side), clip)
        conditioning = model.condition(features, torch.empty(2, 3, 512, 352), clip)
        t = torch.empty(2, dtype=torch.int64)
        made = model.denoise(torch.empty(2, 4, 64, 44), t, conditioning)
    assert features.tokens.shape == (2, tokens, 1024)
    assert conditioning.pose.shape == (2, 320, 64, 44)
    assert made.shape == (2, 4, 64, 44)
    without = 865_910_724 + 1_576_192 + 1_086_480
    assert trained_size(model) == without + (1_574_912 if fusion == "source" else 0)
    assert len(model.branches(conditioning)) == (3 if fusion == "source" else 2)


def test_b4_adds_the_source_s_own_embedding_at_unit_length(batch):
    config = replace(TINY, fusion="source", ipf=replace(TINY.ipf, loss="none"))
    model = build_model(config).eval()
    with torch.no_grad():
        made = model.condition(model.encode_source(batch.source), batch.pose).embedding
        expected = model.ipf.embed(batch.source)
    assert torch.allclose(made, expected / expected.norm(dim=1, keepdim=True), atol=1e-6)


def test_without_fusion_the_time_embedding_is_plain(batch):
    model = build_model(replace(TINY, fusion="none")).eval()
    assert model.ipf is None
    assert model.fusion_mlp is None
    with torch.no_grad():
        features = model.encode_source(batch.source)
        conditioning = model.condition(features, batch.pose)
    assert features.pooled is None
    assert conditioning.embedding is None


def test_an_untrained_combiner_is_refused():
    config = replace(TINY, ipf=replace(TINY.ipf, loss="none"))
    with pytest.raises(UserError, match="Combiner was never trained") as caught:
        build_model(config)
    assert caught.value.code == ExitCode.USAGE
    with pytest.raises(UserError, match="nothing to train"):
        build_stage(config, "ipf").loss(None)


def test_prepared_pixels_give_the_same_conditioning(batch):
    model = give_pose_a_voice(build_model(TINY)).eval()
    side = TINY.ipf.image_size
    with torch.no_grad():
        whole = model.condition(model.encode_source(batch.source), batch.pose)
        features = model.encode_source_pixels(
            source_pixels(TINY.source_encoder, batch.source), clip_pixels(batch.source, side)
        )
        made = model.condition(features, batch.pose, clip_pixels(batch.pose * 2 - 1, side))
    for name in ("pose", "tokens", "embedding"):
        assert torch.equal(getattr(made, name), getattr(whole, name))


def test_trained_and_frozen_parts():
    learned = {"unet", "pose_encoder", "source_projection", "fusion_mlp"}
    assert trained_parts(build_model(TINY)) == learned | {"source_encoder"}
    frozen = replace(TINY, source_encoder=replace(TINY.source_encoder, trained=False))
    assert trained_parts(build_model(frozen)) == learned


def test_frozen_parts_stay_in_eval_mode():
    config = replace(TINY, source_encoder=replace(TINY.source_encoder, trained=False))
    model = torch.nn.Sequential(build_model(config)).train()[0]
    assert model.unet.training
    assert model.source_projection.training
    for part in (model.autoencoder, model.ipf, model.source_encoder):
        assert not any(module.training for module in part.modules())
    assert build_model(TINY).train().source_encoder.training


def test_published_combiner_dropout_is_a_switch(batch):
    model = build_model(replace(TINY, stage2_combiner_dropout=True)).train()
    source = model.encode_source(batch.source)

    def embedding():
        return model.condition(source, batch.pose).embedding

    assert not torch.equal(embedding(), embedding())
    assert not model.ipf.image_encoder.training
    model.eval()
    assert torch.equal(embedding(), embedding())


def test_frozen_weights_do_not_move(batch):
    model = give_pose_a_voice(build_model(replace(TINY, drop_pose=0, drop_source=0)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model.loss(batch)["loss"].backward()
    assert not [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    optimizer.step()
    after = model.state_dict()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == trained_parts(model)


def test_training_lowers_the_loss(batch):
    model = build_stage(replace(TINY, drop_pose=0, drop_source=0, drop_fusion=0), "fpdm")
    latents = torch.randn(2, 4, 8, 6)

    def measure():
        torch.manual_seed(1)
        model.eval()
        with torch.no_grad():
            return sum(float(model.loss(batch, latents=latents)["loss"]) for _ in range(20)) / 20

    before = measure()
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=3e-3)
    for _ in range(60):
        model.loss(batch, latents=latents)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()
    assert measure() < 0.8 * before


def test_loss_depends_on_the_global_generator_only(batch):
    model = build_model(TINY).train()
    torch.manual_seed(4)
    first = model.loss(batch)["loss"]
    other = model.loss(batch)["loss"]
    torch.manual_seed(4)
    assert torch.equal(first, model.loss(batch)["loss"])
    assert not torch.equal(first, other)


def test_hand_weight(batch):
    model = build_model(TINY).eval()
    losses = {}
    for weight in (0.0, 3.0):
        model.config = replace(TINY, hand_weight=weight)
        torch.manual_seed(0)
        losses[weight] = {name: float(x.detach()) for name, x in model.loss(batch).items()}
    assert losses[0.0]["loss"] == pytest.approx(losses[0.0]["mse"])
    # The boxes cover 4 of 48 latent cells.
    share = 4 / 48
    expected = (losses[3.0]["mse"] + 3 * share * losses[3.0]["mse_hands"]) / (1 + 3 * share)
    assert losses[3.0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_offset_noise_shifts_whole_channels(batch):
    model = build_model(replace(TINY, offset_noise=100.0)).eval()
    seen = {}

    def remember(z, t, conditioning):
        seen["z"] = z
        return torch.zeros_like(z)

    model.denoise = remember
    model.loss(batch, latents=torch.zeros(2, 4, 8, 6))
    z = seen["z"]
    assert float(z.mean(dim=(2, 3)).abs().mean()) > 5 * float(z.std(dim=(2, 3)).mean())


@pytest.mark.parametrize("per_batch", [False, True])
def test_dropout_is_per_sample_or_per_batch(batch, per_batch):
    model = give_pose_a_voice(build_model(replace(TINY, drop_per_batch=per_batch)))
    many = batch.pose.repeat(50, 1, 1, 1)
    full = model.condition(model.encode_source(batch.source[:1]), many)
    rates = {"pose": [], "tokens": [], "embedding": []}
    for _ in range(60):
        dropped = drop_conditions(full, model.config, training=model.training)
        for name, seen in rates.items():
            zero = getattr(dropped, name).flatten(1).abs().sum(dim=1) == 0
            if per_batch:
                assert zero.all() or not zero.any()
            seen.append(zero.float().mean())
    tolerance = 0.2 if per_batch else 0.03
    for seen in rates.values():
        assert float(torch.stack(seen).mean()) == pytest.approx(0.2, abs=tolerance)


def test_nothing_is_dropped_in_evaluation(batch):
    model = build_model(replace(TINY, drop_pose=1, drop_source=1, drop_fusion=1)).eval()
    seen = {}

    def remember(z, t, conditioning):
        seen["tokens"] = conditioning.tokens
        return torch.zeros_like(z)

    model.denoise = remember
    model.loss(batch)
    assert float(seen["tokens"].detach().abs().sum()) > 0
    model.train()
    model.loss(batch)
    assert float(seen["tokens"].detach().abs().sum()) == 0


def test_published_pose_dropout_in_evaluation_is_a_switch(batch):
    config = replace(TINY, drop_pose=1, drop_source=1, drop_fusion=1, drop_pose_in_evaluation=True)
    model = give_pose_a_voice(build_model(config)).eval()
    seen = {}

    def remember(z, t, conditioning):
        seen["conditioning"] = conditioning
        return torch.zeros_like(z)

    model.denoise = remember
    model.loss(batch)
    assert float(seen["conditioning"].pose.detach().abs().sum()) == 0
    assert float(seen["conditioning"].tokens.detach().abs().sum()) > 0
    assert float(seen["conditioning"].embedding.abs().sum()) > 0


def test_one_signer_many_poses(batch):
    model = give_pose_a_voice(build_model(TINY)).eval()
    with torch.no_grad():
        one = model.condition(model.encode_source(batch.source[:1]), batch.pose)
        both = model.condition(model.encode_source(batch.source[:1].repeat(2, 1, 1, 1)), batch.pose)
    assert torch.allclose(one.tokens, both.tokens, atol=1e-6)
    assert torch.allclose(one.embedding, both.embedding, atol=1e-6)


def test_features_of_another_model_are_refused(batch):
    model = build_model(TINY)
    with pytest.raises(ValueError, match="pooled"):
        model.condition(SourceFeatures(tokens=torch.zeros(2, 5, 16)), batch.pose)


def test_three_passes_equal_two_at_equal_weights(batch):
    model = give_pose_a_voice(build_model(TINY)).eval()
    z, t = torch.randn(2, 4, 8, 6), torch.tensor([500, 500])
    with torch.no_grad():
        branches = model.branches(model.condition(model.encode_source(batch.source), batch.pose))
        nothing, pair, full = (model.denoise(z, t, branch) for branch in branches)
        made = guided(model.denoise, branches, SamplingConfig().guidance)(z, t)
    assert torch.allclose(made, nothing + 2 * (pair - nothing) + 2 * (full - pair), atol=1e-5)
    assert float(branches[1].embedding.abs().sum()) == 0
    assert torch.equal(branches[1].tokens, branches[2].tokens)


def test_latents_of_any_multiple_of_the_factor(batch):
    model = build_model(replace(TINY, size=(72, 56))).eval()
    pixels = torch.nn.functional.interpolate(batch.source, size=(72, 56))
    sized = replace(batch, source=pixels, target=pixels, pose=pixels / 2 + 0.5)
    assert torch.isfinite(model.loss(sized)["loss"])


def test_gradient_checkpointing_changes_no_number(batch):
    model = build_model(TINY).train()
    gradients = []
    for _ in range(2):
        torch.manual_seed(0)
        model.zero_grad()
        model.loss(batch)["loss"].backward()
        gradients.append(model.unet.conv_in.weight.grad.clone())
        model.enable_gradient_checkpointing()
    assert model.unet.is_gradient_checkpointing
    assert torch.allclose(*gradients, atol=1e-6)


def test_bfloat16_autocast(batch):
    model = build_model(TINY).train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model.loss(batch)["loss"]
    assert loss.dtype == torch.float32
    loss.backward()
    assert torch.isfinite(model.unet.conv_in.weight.grad).all()


def test_half_precision_weights(batch):
    model = build_model(TINY).eval().to(torch.bfloat16)
    with torch.no_grad():
        conditioning = model.condition(model.encode_source(batch.source), batch.pose)
        made = model.denoise(torch.randn(2, 4, 8, 6), torch.tensor([5, 5]), conditioning)
    assert made.dtype == torch.bfloat16


def test_settings_that_do_not_fit():
    for config, word in (
        (replace(TINY, pose_channels=(4, 8)), "pose_channels"),
        (replace(TINY, size=(64, 50)), "multiples of 8"),
        (replace(TINY, timestep_shift=0.0), "timestep_shift"),
    ):
        with pytest.raises(UserError, match=word) as caught:
            FPDM(config)
        assert caught.value.code == ExitCode.USAGE


def test_state_dict_names():
    parts = {name.split(".")[0] for name in build_model(TINY).state_dict()}
    assert parts == {
        "autoencoder",
        "ipf",
        "unet",
        "pose_encoder",
        "source_encoder",
        "source_projection",
        "fusion_mlp",
    }
