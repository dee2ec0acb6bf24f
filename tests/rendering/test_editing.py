"""Editing: what is kept is the source, what is taken is another picture's, what fails says why."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.checkpoints.models import save_pretrained
from signgen.cli.main import main
from signgen.config.autoencoder import AutoencoderConfig, DecoderConfig
from signgen.config.model import FPDMConfig, tiny_fpdm, tiny_parsing
from signgen.config.parsing_guided import AlignmentConfig
from signgen.config.sampling import Sampling
from signgen.data.dataset import bundled_sample
from signgen.diffusion.schedule import NoiseSchedule
from signgen.human_parsing.maps import Parts, read_label_set, read_labels, save_labels
from signgen.media import read_image, read_video
from signgen.models import build_model
from signgen.models.source_maps import SourceMaps
from signgen.pose.formats import read_poses
from signgen.rendering.editing import Donor, Kept, compose, region_mask
from signgen.rendering.renderer import Renderer
from signgen.structures import UserError

SAMPLE = bundled_sample()
FRAMES = next((SAMPLE / "features").iterdir())
LABELLED = read_label_set(SAMPLE / "parts")
PARSING = replace(tiny_parsing(), alignment=AlignmentConfig(context=False))


def lively(config: FPDMConfig):
    """Build a model in which the source matters without training."""
    torch.manual_seed(0)
    model = build_model(config).eval()
    with torch.no_grad():
        for weight in model.unet.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model


def clip(name: str) -> tuple[np.ndarray, Parts]:
    source = read_image(FRAMES / "test" / name / "images0001.png")
    path = SAMPLE / "parts" / "test" / name / "images0001.png"
    return source, Parts(read_labels(path, LABELLED), LABELLED, path)


A, B = "Signer037_clip001", "Signer038_clip001"
POSES = read_poses(SAMPLE / "keypoints" / "test" / f"{A}.json").frames(slice(2))


@pytest.mark.parametrize("config", [tiny_fpdm(), PARSING], ids=["fpdm", "parsing"])
@pytest.mark.parametrize("frame", ["full", "auto"])
def test_outside_of_the_mask_a_frame_is_the_source(config: FPDMConfig, frame: str) -> None:
    source, parts = clip(A)
    mask = region_mask(parts, "cloth")
    renderer = Renderer(lively(config), Sampling(steps=2), frame=frame)
    frames = list(renderer.render(source, POSES, parts=lambda: parts, mask=mask))
    assert len(frames) == 2
    for made in frames:
        assert (made[~mask] == source[~mask]).all()
        assert np.abs(made[mask].astype(int) - source[mask]).mean() > 5


def test_kept_latents_are_those_of_the_source_at_every_step() -> None:
    schedule = NoiseSchedule.from_config(tiny_fpdm().scheduler)
    known, noise = torch.randn(1, 4, 3, 3), torch.randn(2, 4, 3, 3)
    inside = torch.zeros(1, 1, 3, 3, dtype=torch.bool)
    inside[..., 0] = True
    seen = []
    kept = Kept(known, inside)
    denoise = kept.around(lambda z, t: seen.append(z) or z, schedule, noise)
    z, t = torch.randn(2, 4, 3, 3), torch.tensor([500, 500])
    denoise(z, t)
    noisy = schedule.add_noise(known.expand(2, -1, -1, -1), noise, t)
    assert torch.equal(seen[0][..., 0], z[..., 0])
    assert torch.equal(seen[0][..., 1:], noisy[..., 1:])
    assert torch.equal(kept.blended(z)[..., 1:], known[..., 1:].expand(2, -1, -1, -1))


def test_an_edit_is_composed_softly_inside_of_its_edge() -> None:
    source, frame = np.zeros((20, 20, 3), np.uint8), np.full((20, 20, 3), 200, np.uint8)
    mask = np.zeros((20, 20), bool)
    mask[4:16, 4:16] = True
    composed = compose(source, frame, mask)
    assert composed[~mask].max() == 0
    assert (composed[7:13, 7:13] == 200).all()
    assert 0 < composed[4, 10, 0] < composed[5, 10, 0] < 200


def test_a_region_of_its_own_changes_nothing() -> None:
    # Cells are wholly of one region here, at all sites
    parts = torch.zeros(1, *PARSING.size, dtype=torch.int64)
    parts[:, :16], parts[:, 16:48, 16:] = 1, 2
    model = lively(PARSING)
    source = torch.rand(1, 3, *PARSING.size) * 2 - 1
    z, t = torch.randn(1, *model.latents.shape(PARSING.size)), torch.tensor([500])
    pose = torch.rand(1, 3, *PARSING.size)
    with torch.no_grad():
        features = model.encode_source(source, parts)
        plain = model.denoise(z, t, model.condition(features, pose))
        for region in ("face", "cloth"):
            own = model.borrow(features, features, region)
            made = model.denoise(z, t, model.condition(own, pose))
            torch.testing.assert_close(made, plain, atol=1e-4, rtol=1e-4)
            # And another picture's changes it
            other = model.borrow(features, model.encode_source(-source, parts), region)
            made = model.denoise(z, t, model.condition(other, pose))
            assert float((made - plain).abs().max()) > 1e-3


def test_a_region_is_taken_away_or_alone_by_its_share() -> None:
    shares = torch.tensor([[[1.0, 1.0, 1.0], [1.0, 0.25, 0.0], [0.0, 0.75, 0.0]]])
    maps = SourceMaps((torch.zeros(1, 3, 4),), (shares,))
    assert maps.without(0).shares[0].tolist() == [[[0, 0.75, 1], [0, 0, 0], [0, 0.75, 0]]]
    assert maps.only(1).shares[0].tolist() == [[[0, 0.75, 0], [0, 0, 0], [0, 0.75, 0]]]


def test_the_views_of_a_donor_take_the_place_of_their_region() -> None:
    model = lively(tiny_parsing())
    parts = torch.zeros(1, *PARSING.size, dtype=torch.int64)
    parts[:, :16], parts[:, 16:48, 16:] = 1, 2
    source = torch.rand(1, 3, *PARSING.size) * 2 - 1
    with torch.no_grad():
        a, b = model.encode_source(source, parts), model.encode_source(-source, parts)
    tokens = model.borrow(a, b, "cloth").tokens
    assert not tokens[:, :2].any()
    assert torch.equal(tokens[:, 2:3], a.tokens[:, 2:3])
    assert torch.equal(tokens[:, 3:], b.tokens[:, 3:])


def test_clothes_of_a_donor_reach_the_frames() -> None:
    (source, parts), (other, own) = clip(A), clip(B)
    renderer = Renderer(lively(PARSING), Sampling(steps=2))
    donor = Donor("cloth", other, lambda: own)
    plain = list(renderer.render(source, POSES, parts=lambda: parts))
    made = list(renderer.render(source, POSES, parts=lambda: parts, donors=[donor]))
    assert (plain[0] != made[0]).any()
    bare = Parts(np.where(own.labels == 4, 0, own.labels) % 9, LABELLED, "donor.png")
    with pytest.raises(UserError, match="shows no cloth"):
        list(
            renderer.render(
                source, POSES, parts=lambda: parts, donors=[Donor("cloth", other, lambda: bare)]
            )
        )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    guided = replace(
        PARSING,
        autoencoder=AutoencoderConfig(
            block_channels=(8, 8, 16, 16), norm_groups=4, latent_channels=8
        ),
        decoder=DecoderConfig(kind="guided", channels=(8, 8, 16)),
    )
    for name, config in {"fpdm": tiny_fpdm(), "parsing": PARSING, "guided": guided}.items():
        save_pretrained(lively(config), folder / name)
    return folder


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    poses = SAMPLE / "keypoints" / "test" / f"{A}.json"
    return [
        *("render", "--source", str(FRAMES / "test" / A / "images0001.png")),
        *("--poses", str(poses), "--parsing", labels(A), "--label-set", "signgen-10"),
        *("--steps", "1", "--device", "cpu", "--no-compare", "--out", str(tmp_path / "out.mp4")),
    ]


def labels(name: str) -> str:
    return str(SAMPLE / "parts" / "test" / name / "images0001.png")


def test_the_command_takes_clothes_and_edits(
    models: Path, words: list[str], tmp_path: Path
) -> None:
    words = [*words, "--model", str(models / "parsing")]
    other = str(FRAMES / "test" / B / "images0001.png")
    taken = ["--clothes-from", other, "--clothes-parsing", labels(B)]
    assert main([*words, *taken, "--edit-region", "cloth"]) == 0
    made = next(iter(read_video(tmp_path / "out.mp4")))
    source, parts = clip(A)
    outside = ~region_mask(parts, "cloth")
    # A video is lossy
    assert np.abs(made.astype(int) - source)[outside].mean() < 6
    assert main([*words, "--face-from", other, "--face-parsing", labels(B)]) == 0


def test_what_cannot_be_edited_is_one_line(
    models: Path, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(FRAMES / "test" / B / "images0001.png")
    Image.new("L", (210, 260)).save(tmp_path / "black.png")
    Image.new("L", (21, 26), 255).save(tmp_path / "small.png")
    bare = tmp_path / "bare.png"
    save_labels(bare, np.where(clip(B)[1].labels == 1, 1, 0).astype(np.uint8))
    donor = ["--clothes-from", other]
    cases = [
        ("fpdm", [*donor, "--clothes-parsing", labels(B)], 2, "needs a model that tells apart"),
        ("guided", [*donor, "--clothes-parsing", labels(B)], 2, "needs a model with the plain dec"),
        ("parsing", donor, 66, "--clothes-from needs the human parsing of"),
        ("parsing", [*donor, "--clothes-parsing", str(bare)], 65, "bare.png shows no cloth"),
        ("parsing", ["--mask", str(tmp_path / "black.png")], 65, "is black all over"),
        ("parsing", ["--mask", str(tmp_path / "small.png")], 65, "the source has 210 x 260"),
        ("parsing", ["--edit-region", "legs"], 2, "--edit-region is 'legs'; expected one of face"),
    ]
    for model, more, code, message in cases:
        capsys.readouterr()
        assert main([*words, "--model", str(models / model), *more]) == code, message
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out.mp4").exists()
