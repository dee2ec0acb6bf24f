"""Training from cached features against training that computes them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.cli.main import main
from signgen.config.data import DataConfig
from signgen.config.model import FPDMConfig, tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import to_yaml
from signgen.data.dataset import open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.triplets import with_few_sources
from signgen.diffusion.draws import drawing
from signgen.files.caches import INDEX, PLAN
from signgen.models import build_stage
from signgen.models.features import of_sources, of_targets
from signgen.structures import ExitCode, FrameRef, Record, Triplet, UserError
from signgen.training.examples import training_data
from signgen.training.features.files import read_index, source_frames
from signgen.training.features.writing import write_features
from signgen.training.loop import train
from signgen.training.run import open_run


def tiny(folder: Path, **changes: object) -> TrainConfig:
    model = tiny_fpdm()
    encoder = replace(model.source_encoder, projection_dropout=0.2, trained=False)
    data = DataConfig(
        workers=0, split="dev", flip_rate=0.5, jitter=1.0, feature_cache=str(folder / "features")
    )
    config = TrainConfig(
        out=str(folder / "run"),
        model=replace(model, source_encoder=encoder),
        data=data,
        device="cpu",
        steps=3,
        log_every=1,
        sample_every=9,
    )
    return replace(config, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def cached(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    config = tiny(tmp_path_factory.mktemp("cached"))
    write_features(config, shard_bytes=1 << 20)
    return config


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def test_training_from_the_cache_is_training_online(cached: TrainConfig, tmp_path: Path) -> None:
    online = replace(cached, data=replace(cached.data, feature_cache=""))
    one = train(replace(online, out=str(tmp_path / "online")))
    two = train(replace(cached, out=str(tmp_path / "cached"), data=replace(cached.data, workers=1)))
    assert losses(two) == pytest.approx(losses(one), rel=2e-3)
    # A run goes on with the cache where it began without
    again = replace(cached, out=str(one), steps=4)
    assert len(losses(train(again))) == 4


def test_features_are_those_of_the_frozen_parts_to_half_precision(cached: TrainConfig) -> None:
    torch.manual_seed(cached.seed)
    stage = build_stage(cached.model, "fpdm").eval()
    adapter = open_dataset(cached.data.root, ["dev"])
    with_cache, _ = training_data(cached, adapter, stage)
    without, _ = training_data(
        replace(cached, data=replace(cached.data, feature_cache="")), adapter
    )
    pairs = zip(
        batches(with_cache, start=0, steps=4, batch_size=4),
        batches(without, start=0, steps=4, batch_size=4),
        strict=True,
    )
    for one, two in pairs:
        made = (*of_targets(stage, two.target), *of_sources(stage, two.source))
        assert one.features is not None
        for cache, fresh in zip(one.features, made, strict=True):
            torch.testing.assert_close(cache.float(), fresh, rtol=2e-3, atol=2e-3)
        assert torch.equal(one.pose, two.pose)
        with torch.no_grad(), drawing(1, range(4), "cpu"):
            fresh_loss = stage.loss(two)["loss"]
        with torch.no_grad(), drawing(1, range(4), "cpu"):
            torch.testing.assert_close(stage.loss(one)["loss"], fresh_loss, rtol=2e-3, atol=1e-4)


def test_cache_of_other_weights_data_or_sizes_is_refused(
    cached: TrainConfig, tmp_path: Path
) -> None:
    def opened(**changes: object) -> None:
        open_run(replace(cached, out=str(tmp_path / "run"), **changes), resume=False)  # type: ignore[arg-type]

    with pytest.raises(UserError, match="features of other weights"):
        opened(seed=8)
    model: FPDMConfig = replace(cached.model, size=(64, 64))
    with pytest.raises(UserError, match="features of other preprocessing"):
        opened(model=model)
    with pytest.raises(UserError, match="features of other data"):
        opened(data=replace(cached.data, split="train"))
    with pytest.raises(UserError, match=r"colour_jitter is 0\.1, with which") as caught:
        opened(data=replace(cached.data, colour_jitter=0.1))
    assert caught.value.code == ExitCode.USAGE
    with pytest.raises(UserError, match="does not exist; expected a finished feature cache"):
        opened(data=replace(cached.data, feature_cache=str(tmp_path / "none")))
    assert not (tmp_path / "run").exists()


def test_interrupted_cache_is_finished_from_its_whole_shards(
    cached: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(tmp_path, data=replace(cached.data, feature_cache=str(tmp_path / "features")))
    folder = write_features(config, shard_bytes=1)
    index = read_index(folder / INDEX)
    assert len(index.shards) > 1
    # What a kill leaves: no index, a shard that is not there
    (folder / INDEX).rename(folder / PLAN)
    kept = folder / "tokens-00000.npy"
    before = kept.stat().st_mtime_ns
    (folder / "tokens-00001.npy").unlink()
    with pytest.raises(UserError, match="cache of other data, weights or settings"):
        write_features(config)  # other shards
    write_features(config, shard_bytes=1)
    assert kept.stat().st_mtime_ns == before
    assert read_index(folder / INDEX) == index

    # The command finds it finished
    settings = tmp_path / "config.yaml"
    settings.write_text(to_yaml(replace(config, data=replace(config.data, feature_cache=""))))
    assert main(["prepare", "features", str(settings)]) == 2
    assert "feature_cache is empty" in capsys.readouterr().err


def test_few_sources_are_those_that_examples_draw() -> None:
    record = Record("a", "train", "s", 17)
    for few in (0, 1, 3, 17, 40):
        drawn = {
            with_few_sources(
                Triplet(FrameRef(record, i), FrameRef(record, (i + 1) % 17)), few
            ).source.index
            for i in range(17)
        }
        assert drawn <= set(source_frames(record, few))
