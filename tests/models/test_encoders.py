import numpy as np
import pytest
import torch
from PIL import Image

from signgen.config.model import IPFConfig, SourceEncoderConfig, tiny_fpdm
from signgen.errors import UserError
from signgen.models.encoders import (
    CLIP_MEAN,
    CLIP_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    SourceProjection,
    build_source_encoder,
    build_tower,
    clip_pixels,
    preprocess,
    source_pixels,
)


def smooth_picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (9 + c)) * np.cos(y / (13 - c)) for c in range(3)]
    return ((np.stack(waves, axis=-1) + 1) * 127.5).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(260, 224), (224, 210), (512, 512), (100, 90)])
def test_preprocess_resizes_as_pillow(height, width):
    # Noise makes the filter overshoot, which 8-bit pictures cut off after each pass.
    noise = np.random.default_rng(0).integers(-60, 60, (height, width, 3))
    picture = np.clip(smooth_picture(height, width) + noise, 0, 255).astype(np.uint8)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    made = preprocess(pixels, 224, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))[0].permute(1, 2, 0) * 255
    rows = Image.fromarray(picture).resize((224, height), Image.Resampling.BICUBIC)
    difference = np.abs(
        made.numpy() - np.asarray(rows.resize((224, 224), Image.Resampling.BICUBIC))
    )
    assert difference.max() < 1.01
    assert (difference > 0.5).mean() < 0.01


def test_preprocess_normalises():
    white = torch.ones(1, 3, 8, 8)
    made = preprocess(white, 8, IMAGENET_MEAN, IMAGENET_STD)[0, :, 0, 0]
    expected = [(1 - m) / s for m, s in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    assert made.tolist() == pytest.approx(expected)


def test_preprocess_wants_pictures():
    with pytest.raises(ValueError, match=r"pixels has shape \(3, 8, 8\)"):
        preprocess(torch.ones(3, 8, 8), 8, IMAGENET_MEAN, IMAGENET_STD)


def test_source_tokens_include_the_class_token():
    config = tiny_fpdm().source_encoder
    encoder = build_source_encoder(config).eval()
    source = torch.rand(2, 3, 64, 48) * 2 - 1
    pixels = source_pixels(config, source)
    assert torch.equal(pixels, preprocess(source, config.image_size, IMAGENET_MEAN, IMAGENET_STD))
    with torch.no_grad():
        states = encoder(pixel_values=pixels)
    assert states.last_hidden_state.shape == (2, 1 + 4, 16)
    assert torch.equal(states.last_hidden_state[:, 0], states.pooler_output)


def test_new_dinov2_needs_no_interpolation_and_drops_no_path():
    encoder = build_source_encoder(SourceEncoderConfig(image_size=70, width=32, layers=2, heads=2))
    assert encoder.embeddings.position_embeddings.shape == (1, 26, 32)
    assert encoder.config.drop_path_rate == 0
    assert encoder.config._attn_implementation == "sdpa"
    pixels = torch.rand(1, 3, 70, 70)
    encoder.train()
    assert torch.equal(
        encoder(pixel_values=pixels).last_hidden_state,
        encoder.eval()(pixel_values=pixels).last_hidden_state,
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"heads": 3}, "heads is 3; expected a divisor of width, 16"),
        ({"patch_size": 99}, "patch_size is 99; expected at most 28, image_size"),
    ],
)
def test_sizes_of_towers_that_do_not_fit(sizes, message):
    sizes = {"width": 16, "heads": 2, "image_size": 28, "layers": 1, **sizes}
    for section, build in (
        ("ipf", lambda: build_tower(IPFConfig(**sizes))),
        ("source_encoder", lambda: build_source_encoder(SourceEncoderConfig(**sizes))),
        ("source_encoder", lambda: build_source_encoder(SourceEncoderConfig("clip", **sizes))),
    ):
        with pytest.raises(UserError, match=f"model: {section}.{message}"):
            build()


def test_published_sizes():
    with torch.device("meta"):
        clip = build_tower(
            IPFConfig(
                image_size=224,
                patch_size=14,
                width=1024,
                layers=24,
                heads=16,
                embedding_width=768,
            )
        )
        projection = SourceProjection(1024, 768, 1024, 0.2)
    assert sum(p.numel() for p in clip.parameters()) == 303_966_208
    assert len(clip.state_dict()) == 392
    assert sum(p.numel() for p in projection.parameters()) == 1_576_192
    assert set(projection.state_dict()) == {
        f"net.{i}.{kind}" for i in (0, 3, 4) for kind in ("weight", "bias")
    }


def test_the_centre_crop_is_that_of_clip_s_image_processor():
    # A photo of 110 x 75 becomes 46 x 32: 7 rows are cut off at the top, 7 at the bottom.
    picture = smooth_picture(110, 75)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    made = preprocess(pixels, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), crop=True)[0] * 255
    shrunk = np.asarray(Image.fromarray(picture).resize((32, 46), Image.Resampling.BICUBIC))
    assert made.shape == (3, 32, 32)
    assert np.abs(made.permute(1, 2, 0).numpy() - shrunk[7:39]).max() < 1.01
    wide = preprocess(pixels.mT, 32, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), crop=True)[0] * 255
    assert float((wide.mT - made).abs().max()) < 1.01  # the passes come in the other order


def test_clip_pixels_are_normalised_with_clip_s_numbers():
    made = clip_pixels(torch.ones(1, 3, 9, 7), 8)[0, :, 0, 0]
    expected = [(1 - m) / s for m, s in zip(CLIP_MEAN, CLIP_STD, strict=True)]
    assert made.tolist() == pytest.approx(expected, abs=1e-5)


def test_clip_tokens_come_before_the_last_norm():
    config = SourceEncoderConfig(
        kind="clip", image_size=32, patch_size=16, width=16, layers=2, heads=2
    )
    encoder = build_source_encoder(config).eval()
    with torch.no_grad():
        encoder.post_layernorm.weight.mul_(5)
        states = encoder(pixel_values=source_pixels(config, torch.rand(2, 3, 40, 30)))
        normed = encoder.post_layernorm(states.last_hidden_state[:, 0])
    assert states.last_hidden_state.shape == (2, 1 + 4, 16)
    assert torch.allclose(states.pooler_output, normed, atol=1e-5)
    assert not torch.allclose(states.last_hidden_state[:, 0], normed, atol=1e-2)


def old_interpolation(table, patches):
    """Stretch a table (1, 1 + m * m, D) to patches x patches, point by point and slowly.

    torch samples target point i of a stretch by the given factor f at (i + 0.5) / f - 0.5 of the
    table, with the cubic kernel of a = -0.75 over four neighbours and clamped at the border; the
    factor is (n + 0.1) / m, and the number of points floor(m * f) = n.
    """
    side = int((table.shape[1] - 1) ** 0.5)
    grid = table[0, 1:].reshape(side, side, -1).double().numpy()
    weights = np.zeros((patches, side))
    for i in range(patches):
        place = (i + 0.5) / ((patches + 0.1) / side) - 0.5
        for k in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            x, a = abs(place - k), -0.75
            near = (a + 2) * x**3 - (a + 3) * x**2 + 1
            far = a * (x**3 - 5 * x**2 + 8 * x - 4)
            weights[i, min(max(k, 0), side - 1)] += near if x <= 1 else far
    return np.einsum("ik,jl,kld->ijd", weights, weights, grid).reshape(patches * patches, -1)


def test_old_position_interpolation():
    sizes = {"image_size": 70, "table_size": 98, "width": 8, "layers": 1, "heads": 2}
    torch.manual_seed(0)
    now = build_source_encoder(SourceEncoderConfig(**sizes)).eval()
    old = build_source_encoder(SourceEncoderConfig(**sizes, position_interpolation="scale")).eval()
    assert list(old.state_dict()) == list(now.state_dict())
    old.load_state_dict(now.state_dict())
    assert not any(p.is_meta for p in old.parameters())
    some = torch.zeros(1, 1 + 25, 8)
    with torch.no_grad():
        made = old.embeddings.interpolate_pos_encoding(some, 70, 70)
        exact = now.embeddings.interpolate_pos_encoding(some, 70, 70)
    assert torch.equal(made[:, 0], now.embeddings.position_embeddings[:, 0])
    expected = old_interpolation(now.embeddings.position_embeddings.detach(), 5)
    assert np.abs(made[0, 1:].numpy() - expected).max() < 1e-5
    assert float((made - exact).norm() / exact.norm()) > 0.02
    # A picture of the table's own size takes the table as it is.
    full = old.embeddings.interpolate_pos_encoding(torch.zeros(1, 1 + 49, 8), 98, 98)
    assert torch.equal(full, old.embeddings.position_embeddings)


def test_pictures_of_512_give_1297_tokens():
    config = SourceEncoderConfig(
        image_size=512, table_size=518, width=8, layers=1, heads=2, position_interpolation="scale"
    )
    encoder = build_source_encoder(config).eval()
    pixels = torch.rand(1, 3, 512, 512)
    with torch.no_grad():
        tokens = encoder(pixel_values=pixels).last_hidden_state
        # 36 patches of 14 cover 504 of 512 pixels: what lies beyond is not seen.
        pixels[..., 504:] = pixels[..., 504:, :] = 0
        again = encoder(pixel_values=pixels).last_hidden_state
    assert tokens.shape == (1, 1297, 8)
    assert torch.equal(tokens, again)
