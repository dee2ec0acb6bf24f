from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from signgen.checkpoints.models import load_model, read_weights, save_pretrained
from signgen.checkpoints.runs import newest_checkpoint
from signgen.config.autoencoder import DecoderConfig
from signgen.config.data import DataConfig
from signgen.config.model import SchedulerConfig, tiny_fpdm
from signgen.config.train import Stage, TrainConfig
from signgen.config.yaml import load_config
from signgen.data.dataset import open_dataset
from signgen.data.examples.batching import batches
from signgen.data.examples.loading import Example, collate
from signgen.data.examples.pictures import measure_split
from signgen.data.framing import FramedDataset
from signgen.errors import Stopped
from signgen.media import read_image
from signgen.models import build_model
from signgen.structures import Batch, ExitCode, UserError
from signgen.training.loop import take_step, train
from signgen.training.run import LossModule, TrainingRun, open_run, save_run


def tiny(out: Path, stage: Stage = "fpdm", **changes: object) -> TrainConfig:
    config = TrainConfig(
        stage=stage, out=str(out), data=DataConfig(workers=0), device="cpu", log_every=1
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("stage", ["vae", "ipf", "fpdm"])
def test_every_stage_trains_and_writes_its_run_folder(stage: Stage, tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", stage, steps=3, ema=0.9, sample_every=3))
    assert load_config(run / "config.yaml", TrainConfig).stage == stage
    assert len(losses(run)) == 3
    newest = newest_checkpoint(run)
    assert newest is not None
    assert {p.name for p in newest.iterdir()} == {
        "model.safetensors",
        "ema.safetensors",
        "trainer.pt",
        "manifest.json",
    }
    assert (run / "samples" / "step-000003.png").is_file() == (stage != "ipf")


def test_stage_1_takes_pictures_of_any_size(tmp_path: Path) -> None:
    model = replace(tiny_fpdm(), size=(65, 47), source_size=(33, 70))
    assert len(losses(train(tiny(tmp_path / "run", "ipf", steps=1, model=model)))) == 1


@pytest.mark.parametrize("stage", ["vae", "ipf"])
def test_loss_falls(stage: Stage, tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", stage, steps=40, batch_size=4, learning_rate=3e-3))
    values = losses(run)
    assert sum(values[-8:]) < 0.9 * sum(values[:8])


def test_loss_of_stage_2_falls_on_latents_of_a_trained_autoencoder(tmp_path: Path) -> None:
    # The latents of an untrained autoencoder are mostly posterior noise, which nothing can predict.
    vae = train(tiny(tmp_path / "vae", "vae", steps=100, batch_size=4, learning_rate=5e-3))
    run = train(
        tiny(tmp_path / "run", steps=60, batch_size=8, learning_rate=3e-3, start_from=(str(vae),))
    )
    values = losses(run)
    assert sum(values[-15:]) < 0.9 * sum(values[:15])


@pytest.mark.parametrize(("stage", "accumulate"), [("vae", 1), ("vae", 3), ("fpdm", 1)])
def test_resumed_run_equals_uninterrupted_run(
    stage: Stage, accumulate: int, tmp_path: Path
) -> None:
    settings = {"steps": 5, "ema": 0.9, "sample_every": 2, "accumulate": accumulate}
    whole = train(tiny(tmp_path / "whole", stage, **settings))
    train(tiny(tmp_path / "cut", stage, **settings, stop_at=2))
    cut = train(tiny(tmp_path / "cut", stage, **settings))
    assert losses(whole) == losses(cut)
    for kind in ("model", "ema"):
        one, two = (read_weights(run / "checkpoints" / "step-000005", kind) for run in (whole, cut))
        for name in one:
            torch.testing.assert_close(one[name], two[name], rtol=0, atol=0)


def test_what_the_pictures_are_like_is_measured_once(tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", "ipf", steps=2, stop_at=1))
    measured = load_config(run / "config.yaml", TrainConfig).model.pictures
    assert measured.frames == 32, "one of each clip of the bundled sample"
    assert measured.aspect == pytest.approx(210 / 260, abs=1e-4)
    low, high = measured.shoulders
    assert 0.1 < low < high < 0.6
    train(tiny(tmp_path / "run", "ipf", steps=2))
    assert load_config(run / "config.yaml", TrainConfig).model.pictures == measured


def test_stage_2_takes_the_earlier_stages_weights_and_settings(tmp_path: Path) -> None:
    vae = train(tiny(tmp_path / "vae", "vae", steps=2))
    ipf = train(tiny(tmp_path / "ipf", "ipf", steps=2))
    run = train(tiny(tmp_path / "fpdm", steps=2, start_from=(str(vae), str(ipf))))
    measured = load_config(vae / "config.yaml", TrainConfig).model.autoencoder.scaling_factor
    assert measured != 1.0
    assert (
        load_config(run / "config.yaml", TrainConfig).model.autoencoder.scaling_factor == measured
    )
    state = read_weights(run / "checkpoints" / "step-000002")
    for earlier in (vae, ipf):
        for name, value in read_weights(earlier / "checkpoints" / "step-000002").items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=0)
    assert load_model(str(run)).config.autoencoder.scaling_factor == measured


def test_resuming_with_other_settings_is_refused(tmp_path: Path) -> None:
    train(tiny(tmp_path / "run", "ipf", steps=1))
    with pytest.raises(UserError, match="batch_size was 2 and is now 3") as caught:
        train(tiny(tmp_path / "run", "ipf", steps=2, batch_size=3))
    assert caught.value.code == ExitCode.USAGE


def test_decoder_stage_trains_the_decoder_alone_and_makes_a_whole_model(tmp_path: Path) -> None:
    earlier = train(tiny(tmp_path / "fpdm", steps=2))
    start = {"start_from": (str(earlier),), "steps": 4, "batch_size": 4}
    run = train(tiny(tmp_path / "run", "decoder", learning_rate=1e-3, **start))
    before, after = (load_model(str(folder)) for folder in (earlier, run))
    assert after.config.autoencoder.decoder_trained
    changed = {
        name
        for (name, one), two in zip(
            before.state_dict().items(), after.state_dict().values(), strict=True
        )
        if not torch.equal(one, two)
    }
    trained = ("autoencoder.decoder.", "autoencoder.post_quant_conv.")
    assert changed
    assert all(name.startswith(trained) for name in changed)


def test_decoder_stage_improves_the_pictures_of_its_model(tmp_path: Path) -> None:
    earlier = train(tiny(tmp_path / "fpdm", steps=2))
    start = {"start_from": (str(earlier),), "steps": 40, "batch_size": 4}
    values = losses(train(tiny(tmp_path / "run", "decoder", learning_rate=3e-3, **start)))
    assert sum(values[-8:]) < 0.9 * sum(values[:8])


GUIDED = replace(
    tiny_fpdm(),
    autoencoder=replace(tiny_fpdm().autoencoder, latent_channels=8),
    decoder=DecoderConfig(kind="guided", channels=(8, 8, 16)),
    scheduler=SchedulerConfig(prediction_type="sample"),
)


def test_guided_model_goes_through_all_stages(tmp_path: Path) -> None:
    # Encoder and decoder together on windows
    windows = DataConfig(workers=0, window=32, colour_jitter=0.1, warp_cache=str(tmp_path / "w"))
    vae = train(tiny(tmp_path / "vae", "vae", steps=2, sample_every=2, model=GUIDED, data=windows))
    assert {"painted", "kl"} <= json.loads((vae / "log.jsonl").read_text().splitlines()[0]).keys()
    assert read_image(vae / "samples" / "step-000002.png").shape == (4 * 64, 5 * 48, 3)
    state = read_weights(vae / "checkpoints" / "step-000002")
    assert not [name for name in state if name.startswith("autoencoder.decoder")]

    # Stage 2 takes both over and trains neither
    start = {"model": GUIDED, "start_from": (str(vae),)}
    run = train(tiny(tmp_path / "fpdm", steps=2, sample_every=2, **start))
    assert read_image(run / "samples" / "step-000002.png").shape == (4 * 64, 5 * 48, 3)
    model = load_model(str(run))
    assert model.config.autoencoder.scaling_factor != 1
    for name, value in state.items():
        assert torch.equal(model.state_dict()[name], value)

    # The last stage tunes the decoder alone
    start = {"model": GUIDED, "start_from": (str(run),)}
    last = train(tiny(tmp_path / "decoder", "decoder", steps=3, learning_rate=1e-3, **start))
    tuned = load_model(str(last)).state_dict()
    changed = {k for k, value in model.state_dict().items() if not torch.equal(value, tuned[k])}
    assert changed
    assert all(name.startswith("decoder.") for name in changed)

    # What paints in windows comes after it, and changes nothing else
    painted = replace(GUIDED, decoder=replace(GUIDED.decoder, hand_channels=(8, 8, 8)))
    start = {"model": painted, "start_from": (str(last),)}
    end = train(tiny(tmp_path / "windows", "windows", steps=3, learning_rate=1e-3, **start))
    finished = load_model(str(end))
    assert finished.config.decoder.hand_channels == (8, 8, 8)
    for name, value in tuned.items():
        assert torch.equal(finished.state_dict()[name], value)


def test_a_signer_is_learnt_by_decoder_and_windows_of_a_whole_model(tmp_path: Path) -> None:
    decoder = replace(GUIDED.decoder, hand_channels=(8, 8, 8), face_channels=(8, 8, 8))
    known = measure_split(open_dataset("sample", ["train"]), "train", GUIDED.size)
    known = replace(known, aspect=0.5, shoulders=(0.9, 0.95), brightness=(0.0, 0.01))
    model = build_model(replace(GUIDED, decoder=decoder, pictures=known))
    save_pretrained(model, tmp_path / "whole")
    data = DataConfig(workers=0, frame="auto", unknown_source_rate=0.0)
    settings = {"data": data, "start_from": (str(tmp_path / "whole"),), "learning_rate": 1e-3}
    config = tiny(tmp_path / "run", "signer", steps=2, save_every=1, **settings)

    # Its settings are the model's; what it knows of signers is too, and of colours more
    run = open_run(config, resume=False)
    assert run.config.model.decoder == decoder
    assert run.config.model.pictures.shoulders == known.shoulders
    assert run.config.model.pictures.brightness[1] > known.brightness[1]
    assert isinstance(run.dataset.adapter, FramedDataset)
    assert run.dataset.adapter.crop_of(run.dataset.records[0]) is not None

    # Decoder and windows change, nothing else does, and a run that stops goes on as if it had not
    once = load_model(train(config)).state_dict()
    changed = {name for name, value in model.state_dict().items() if not once[name].equal(value)}
    assert {name.split(".")[1] for name in changed} >= {"hands", "face", "stem", "head"}
    assert all(name.startswith("decoder.") for name in changed)
    again = replace(config, out=str(tmp_path / "again"))
    train(replace(again, stop_at=1))
    twice = load_model(train(again)).state_dict()
    assert all(torch.equal(value, twice[name]) for name, value in once.items())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"nothing says what signers the model knows \(start_from is \[\]\)"),
        ({"frame_cache": "cache"}, r"data\.frame_cache holds whole frames"),
    ],
)
def test_frames_are_cut_by_what_a_model_knows(
    tmp_path: Path, data: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        train(tiny(tmp_path / "run", data=DataConfig(workers=0, frame="auto", **data)))
    assert caught.value.code == ExitCode.USAGE
    assert not (tmp_path / "run").exists()


def test_windows_are_for_the_autoencoder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="window is 32, which is for stage vae") as caught:
        train(tiny(tmp_path / "run", data=DataConfig(window=32)))
    assert caught.value.code == ExitCode.USAGE


def test_loss_that_stays_infinite_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not finite"):
        train(tiny(tmp_path / "run", "vae", steps=100, learning_rate=1e30))


def test_out_that_cannot_be_created_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        train(tiny(tmp_path / "file" / "run", "vae"))
    assert caught.value.code == ExitCode.CANNOT_CREATE


def test_accumulated_run_does_not_depend_on_loader_workers(tmp_path: Path) -> None:
    alone = train(tiny(tmp_path / "alone", "ipf", steps=2, accumulate=2))
    data = DataConfig(workers=2)
    helped = train(tiny(tmp_path / "helped", "ipf", steps=2, accumulate=2, data=data))
    assert losses(alone) == losses(helped)


# ----- accumulation -------------------------------------------------------------------------------


class Tint(torch.nn.Module):
    """A stage whose loss is a mean over samples and draws nothing: targets are tinted sources."""

    prefix, external = "", ()

    def __init__(self) -> None:
        super().__init__()
        self.tint = torch.nn.Parameter(torch.ones(3, 1, 1))

    def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {"loss": (self.tint * batch.source - batch.target).square().mean()}


def tinted(out: Path, batch_size: int, accumulate: int) -> tuple[TrainingRun, list[float]]:
    """Take two steps of plain gradient descent of rate 1 and return the run and its losses."""
    config = tiny(out, "vae", batch_size=batch_size, accumulate=accumulate, clip_gradient=0.0)
    run = open_run(replace(config, learning_rate=1.0), resume=False)
    run.stage = Tint()
    optimizer = torch.optim.SGD(run.stage.parameters(), lr=1.0)
    run.wrapped, run.optimizer = run.accelerator.prepare(LossModule(run.stage), optimizer)
    source = batches(run.dataset, start=0, steps=2 * accumulate, batch_size=batch_size)
    found = []
    for _ in range(2):
        found.append(float(take_step(run, source)["loss"]))
        run.step += 1
    return run, found


def test_three_micro_batches_of_two_are_one_batch_of_six(tmp_path: Path) -> None:
    whole, whole_losses = tinted(tmp_path / "whole", 6, 1)
    parts, part_losses = tinted(tmp_path / "parts", 2, 3)
    torch.testing.assert_close(parts.stage.tint, whole.stage.tint)
    assert part_losses == pytest.approx(whole_losses)
    # The same by hand: examples 0 to 5, then 6 to 11, each step against the mean gradient.
    tint = torch.ones(3, 1, 1)
    for start in (0, 6):
        batch = collate([whole.dataset[position] for position in range(start, start + 6)])
        x, y = batch.source, batch.target
        gradient = (2 * (tint * x - y) * x).sum(dim=(0, 2, 3)) / x.numel()
        tint = tint - gradient.view(3, 1, 1)
    torch.testing.assert_close(parts.stage.tint.detach(), tint)


def test_micro_batches_of_a_step_draw_different_noise(tmp_path: Path) -> None:
    class Noise(Tint):
        def loss(self, batch: Batch) -> dict[str, torch.Tensor]:
            drawn.append(float(torch.rand(())))
            return super().loss(batch)

    drawn: list[float] = []
    run = open_run(tiny(tmp_path / "run", "vae", accumulate=3), resume=False)
    run.stage = Noise()
    run.wrapped = LossModule(run.stage)
    source = batches(run.dataset, start=0, steps=6, batch_size=1)
    for _ in range(2):
        take_step(run, source)
        run.step += 1
    assert len(set(drawn)) == 6


def test_overflow_in_fp16_skips_the_step_and_lowers_the_loss_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(tiny(tmp_path / "run", "vae", accumulate=2), resume=False)
    # What accelerate sets up for fp16 on a GPU, on the CPU.
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    monkeypatch.setattr(run.accelerator.state, "_mixed_precision", "fp16")
    run.accelerator.native_amp, run.accelerator.scaler = True, scaler
    run.stage = Tint()
    run.wrapped = LossModule(run.stage)
    optimizer = torch.optim.SGD(run.parameters, lr=1.0)
    run.optimizer = run.accelerator.prepare_optimizer(optimizer)
    tint = run.stage.tint
    tint.register_hook(lambda gradient: gradient * (torch.inf if run.step == 0 else 1))
    source = batches(run.dataset, start=0, steps=4, batch_size=2)
    take_step(run, source)
    assert scaler.get_scale() == 2.0**15
    assert torch.equal(tint.detach(), torch.ones(3, 1, 1))
    run.step += 1
    take_step(run, source)
    assert run.bad_steps == 0
    assert not torch.equal(tint.detach(), torch.ones(3, 1, 1))
    save_run(run)
    folder = newest_checkpoint(run.folder)
    assert folder is not None
    assert torch.load(folder / "trainer.pt", weights_only=True)["scaler"]["scale"] == 2.0**15


def test_fp16_without_a_gpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="precision is fp16, which needs a GPU") as caught:
        train(tiny(tmp_path / "run", "vae", precision="fp16"))
    assert caught.value.code == ExitCode.UNAVAILABLE
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["steps", "accumulate"])
def test_counts_of_nothing_are_refused_before_anything_is_written(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"{name} is 0; expected at least 1") as caught:
        train(tiny(tmp_path / "run", **{name: 0}))
    assert caught.value.code == ExitCode.USAGE
    assert not (tmp_path / "run").exists()


# ----- resuming -----------------------------------------------------------------------------------


def test_torn_log_and_litter_of_a_killed_run_do_not_stop_it(tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", "ipf", steps=2, stop_at=1))
    with (run / "log.jsonl").open("ab") as history:
        history.write(b'{"step": 2, "lo\xc3')
    litter = run / "checkpoints" / ".step-000077.abcd1234.part"
    litter.mkdir()
    (litter / "model.safetensors").touch()
    train(tiny(tmp_path / "run", "ipf", steps=2))
    assert len(losses(run)) == 2
    assert not litter.exists()


def test_empty_settings_of_a_run_are_not_taken_for_defaults(tmp_path: Path) -> None:
    run = train(tiny(tmp_path / "run", "ipf", steps=2, stop_at=1))
    (run / "config.yaml").write_text("")
    with pytest.raises(UserError, match=r"config\.yaml is empty"):
        train(tiny(tmp_path / "run", "ipf", steps=2))


def test_how_data_are_read_may_change_and_a_refusal_names_one_key(tmp_path: Path) -> None:
    train(tiny(tmp_path / "run", "ipf", steps=3, stop_at=1))
    data = DataConfig(workers=1, cache=True)
    train(tiny(tmp_path / "run", "ipf", steps=3, stop_at=2, data=data))
    model = replace(tiny_fpdm(), ipf=replace(tiny_fpdm().ipf, temperature=0.5))
    for changes, message in (
        ({"data": DataConfig(flip_rate=0.5)}, r"data\.flip_rate was 0\.0 and is now 0\.5; a run"),
        ({"model": model}, r"model\.ipf\.temperature was .* and is now 0\.5; a run"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            train(tiny(tmp_path / "run", "ipf", steps=3, **changes))
        assert len(str(caught.value)) < 300


def test_extending_a_cosine_is_refused(tmp_path: Path) -> None:
    train(tiny(tmp_path / "run", "ipf", steps=1, schedule="cosine"))
    with pytest.raises(UserError, match=r"steps was 1 and is now 2;.*cosine"):
        train(tiny(tmp_path / "run", "ipf", steps=2, schedule="cosine"))


def test_data_and_frozen_weights_that_were_replaced_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny(tmp_path / "run", "ipf", steps=2, stop_at=1))
    for name, what in (("data_digest", "data"), ("frozen_digest", "frozen weights")):
        with monkeypatch.context() as patch:
            patch.setattr(f"signgen.training.run.{name}", lambda _: "another")
            with pytest.raises(UserError, match=f"the {what} of this run are others"):
                train(tiny(tmp_path / "run", "ipf", steps=2))


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGUSR1"])
def test_signal_saves_and_ends_with_its_number(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = getattr(signal, name)

    def interrupted(run: TrainingRun, source: object) -> dict[str, torch.Tensor]:
        # Launchers pass on what their processes have had already
        signal.raise_signal(number)
        signal.raise_signal(number)
        return take_step(run, source)  # type: ignore[arg-type]

    monkeypatch.setattr("signgen.training.loop.take_step", interrupted)
    with pytest.raises(Stopped, match=f"{name} after step 1") as caught:
        train(tiny(tmp_path / "run", "ipf", steps=3))
    assert caught.value.code == 128 + number
    newest = newest_checkpoint(tmp_path / "run")
    assert newest is not None
    assert newest.name == "step-000001"


def test_error_in_a_loader_process_is_its_own_line(tmp_path: Path) -> None:
    run = open_run(tiny(tmp_path / "run", "ipf", data=DataConfig(workers=1)), resume=False)

    def broken(position: int, *, guided: bool) -> Example:
        raise UserError("frame.png is damaged: cut off.", ExitCode.NO_INPUT)

    run.dataset.whole = broken  # type: ignore[method-assign]
    with pytest.raises(UserError) as caught:
        next(batches(run.dataset, start=0, steps=1, batch_size=2))
    assert str(caught.value) == "frame.png is damaged: cut off."
    assert caught.value.code == ExitCode.NO_INPUT
