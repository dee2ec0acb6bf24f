"""FPDM's published sampling written out plainly with stock libraries, beside ours.

The reference is slow and obvious: the stock U-Net with a hook on its first convolution, three
passes in the published order, diffusers' own DDPM scheduler and one generator per batch.
"""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler, UNet2DConditionModel

from signgen.config.model import SamplingConfig, SchedulerConfig, SourceEncoderConfig, tiny_fpdm
from signgen.config.sampling import Sampling
from signgen.models import build_model
from signgen.models.encoders import clip_pixels, source_pixels
from signgen.rendering.generation import generate

SEED = 7
SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
    "timestep_spacing": "leading",
    "steps_offset": 1,
}
PUBLISHED = replace(
    tiny_fpdm(),
    scheduler=SchedulerConfig(zero_terminal_snr=False, spacing="leading", set_alpha_to_one=False),
    source_encoder=SourceEncoderConfig(
        image_size=60,
        table_size=70,
        width=16,
        layers=1,
        heads=2,
        trained=False,
        projection_width=24,
        projection_dropout=0.2,
        position_interpolation="scale",
    ),
    sampling=SamplingConfig(steps=20, official_noise=True),
)


@pytest.fixture
def model():
    torch.manual_seed(3)
    model = build_model(PUBLISHED)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model.eval()


@pytest.fixture
def pictures():
    """Return two sources in [-1, 1] and two drawn poses in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    source, pose = (torch.rand((2, 3, *PUBLISHED.size), generator=generator) for _ in range(2))
    return source * 2 - 1, pose


def plain_sampling(model, source, pose, weights):
    """Sample as the published program does, from the weights of a model."""
    unet = UNet2DConditionModel.from_config(model.unet.config).eval()
    unet.load_state_dict(model.unet.state_dict())
    feature = []
    unet.conv_in.register_forward_hook(lambda module, args, output: output + feature[0])
    mlp, combiner = model.fusion_mlp.net, model.ipf.combiner

    pixels = source_pixels(PUBLISHED.source_encoder, source)
    tokens = model.source_projection.net(model.source_encoder(pixels).last_hidden_state)
    tower = model.ipf.image_encoder
    e_s = tower(clip_pixels(source, 32)).image_embeds
    e_p = tower(clip_pixels(pose * 2 - 1, 32)).image_embeds
    a, b = F.relu(combiner.pose_projection(e_p)), F.relu(combiner.source_projection(e_s))
    r = torch.cat([a, b], dim=1)
    g = torch.sigmoid(combiner.gate[3](F.relu(combiner.gate[0](r))))
    out = combiner.output(F.relu(combiner.hidden(r))) + g * e_p + (1 - g) * e_s
    e_f = out / out.norm(dim=1, keepdim=True)
    drawn = model.pose_encoder(pose)

    nothing = torch.zeros_like
    feature.append(torch.cat([nothing(drawn), drawn, drawn]))
    context = torch.cat([nothing(tokens), tokens, tokens])
    labels = mlp(torch.cat([nothing(e_f), nothing(e_f), e_f]))

    scheduler = DDPMScheduler(**SCHEDULER)
    scheduler.set_timesteps(20)
    assert scheduler.timesteps.tolist() == list(range(951, 0, -50))
    generator = torch.Generator().manual_seed(SEED)
    z = torch.randn((len(source), 4, 8, 6), generator=generator)
    for t in scheduler.timesteps:
        made = unet(torch.cat([z] * 3), t, encoder_hidden_states=context, class_labels=labels)
        v_u, v_sp, v_spf = made.sample.chunk(3)
        v = v_u + weights[0] * (v_sp - v_u) + weights[1] * (v_spf - v_sp)
        z = scheduler.step(v, t, z, generator=generator).prev_sample
    decoded = model.autoencoder.decode(z / model.autoencoder.config["scaling_factor"]).sample
    return decoded.clamp(-1, 1)


@pytest.mark.parametrize("weights", [(2.0, 2.0), (1.5, 3.0)])
def test_generate_equals_the_published_loop(model, pictures, weights):
    source, pose = pictures
    with torch.no_grad():
        expected = plain_sampling(model, source, pose, weights)
        features = model.encode_source(source)
        made, other = (
            generate(
                model,
                features,
                pose,
                frames=range(2),
                sampling=Sampling(seed=seed, guidance=weights).resolve(model.config.sampling),
            )
            for seed in (SEED, SEED + 1)
        )
    assert float((made - expected).abs().max()) < 1e-4
    assert float((other - expected).abs().max()) > 1e-2
