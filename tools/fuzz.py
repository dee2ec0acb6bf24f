"""Read damaged and hostile files by the thousand, and say what came of it.

python tools/fuzz.py FORMAT... [--mutants N] [--seed S] [--keep DIR] [--memory MiB] [--seconds S]

FORMAT is one of those that `--help` lists, or `all`. A small file of the format is made on the spot
and changed at random: bytes flipped, cut out, put in, repeated, the end cut off; in texts also
numbers, names and brackets exchanged for what hurts. Checksums that a format has are made to fit
again, as an attacker would. Each mutant is read as a user would have it read, in a child process
with a limit of time and memory. It may be read, or refused by one line (`UserError`); everything
else is a fault: a traceback, a hang, too much memory, the death of the process. Mutant number N of
a seed is always made by the same changes. Exit code 1 if there was a fault; `--keep` keeps the
files that made one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import pickle
import re
import resource
import select
import shutil
import signal
import sys
import tarfile
import tempfile
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

import av
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save as save_tensors

from signgen.checkpoints.models import read_weights
from signgen.checkpoints.runs import read_trainer
from signgen.config.model import tiny_fpdm
from signgen.config.train import TrainConfig
from signgen.config.yaml import load_config, to_yaml
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.manifest import read_manifest, write_manifest
from signgen.errors import UserError
from signgen.files.archive import unpack
from signgen.files.foreign.checkpoints import read_checkpoint
from signgen.media import read_image, read_video
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.summary import summarize
from signgen.structures import FrameRef

NASTY = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f")
WORDS = (
    *("1e999", "-1e999", "NaN", "-Infinity", "null", "true", "-1", "0", "1e-320", "9" * 400),
    *("18446744073709551616", '""', "[]", "{}", "[[[]]]", '{"a": 1}', '"\\ud800"', '"\\u0000"'),
    *("[1, 2, 3]", "0.5", "2199023255552", '"../../etc"', '"x"', "-0.0", "[null]", "~", "*a", "&a"),
)
"""What takes the place of a number, text or name in mutants of texts."""
TOKEN = re.compile(rb'-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|"[^"\n]*"|[A-Za-z_]+|[\[\]{},:]')
Read = Callable[[Path], object]


@dataclass(frozen=True)
class Format:
    """How mutants of a format are made and read.

    Args:
        name: Name of the file, with its ending.
        make: Returns the file that is changed.
        read: Reads a mutant as a command does.
        text: Whether tokens are exchanged too.
        sign: Makes what changed fit its checksums, if there are any.
    """

    name: str
    make: Callable[[], bytes]
    read: Read
    text: bool = False
    sign: Callable[[bytes, Path], object] | None = None


# ----- files to begin with ------------------------------------------------------------------------


def _frames(count: int) -> list[np.ndarray]:
    sample = open_dataset("sample")
    record = sample.records("train")[0]
    return [sample.frame(FrameRef(record, index)) for index in range(count)]


def _picture(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(_frames(1)[0]).resize((64, 80)).save(stream, kind)
    return stream.getvalue()


def _written(name: str, write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write(path)
        return path.read_bytes()


def _video(kind: str) -> bytes:
    stream = io.BytesIO()
    with av.open(stream, "w", format={"mkv": "matroska"}.get(kind, kind)) as container:
        track = container.add_stream("libvpx" if kind == "webm" else "libx264", rate=25)
        track.width = track.height = 64
        for frame in _frames(8):
            small = np.ascontiguousarray(frame[::3, ::3][:64, :64])
            container.mux(track.encode(av.VideoFrame.from_ndarray(small, "rgb24")))
        container.mux(track.encode())
    return stream.getvalue()


def _poses(name: str, kind: str) -> bytes:
    sample = open_dataset("sample")
    poses = sample.poses(sample.records("train")[0]).frames(slice(0, 4))
    return _written(name, lambda path: write_poses(poses, path, kind))


def _openpose() -> bytes:
    sample = open_dataset("sample")
    poses = sample.poses(sample.records("train")[0]).frames(slice(0, 1))
    with tempfile.TemporaryDirectory() as folder:
        write_poses(poses, Path(folder) / "out", "openpose")
        return min(Path(folder).rglob("*.json")).read_bytes()


def _pickle() -> bytes:
    rows = torch.rand(3, 133, 3) * 100
    clip = {"name": "train/a", "keypoint": rows, "num_frames": 3, "gloss": "A", "text": "a."}
    return pickle.dumps({"train/a": clip})


def _tensors() -> bytes:
    return save_tensors({"unet.a": torch.rand(3, 4), "ipf.b": torch.rand(5).half()})


def _torch(value: object) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


def _checkpoint() -> bytes:
    weights = {"img_encoder.a": torch.rand(3, 4), "combiner.b": torch.rand(5)}
    return _torch({"state_dict": weights, "epoch": 1, "hyper_parameters": {"side": [1, 2.0]}})


def _trainer() -> bytes:
    weight = torch.nn.Parameter(torch.rand(3, 4))
    optimizer = torch.optim.AdamW([weight])
    weight.grad = torch.ones(3, 4)
    optimizer.step()
    ema = {"optimization_step": 1, "shadow": [torch.rand(3, 4)]}
    state = {"step": 1, "world": 1, "optimizer": optimizer.state_dict(), "digests": {}, "ema": ema}
    return _torch(state)


def _archive(kind: str) -> bytes:
    stream, content = io.BytesIO(), {"set/a.txt": b"a" * 300, "set/b/c.json": b"{}"}
    if kind == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode=kind) as opened:  # type: ignore[call-overload]
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            opened.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def _manifest() -> bytes:
    manifest = open_dataset("sample").manifest
    entries = tuple(replace(entry, pairs=((0, 1), (2, 3))) for entry in manifest.entries[:3])
    with tempfile.TemporaryDirectory() as folder:
        made = replace(manifest, folder=Path(folder), entries=entries)
        return write_manifest(made).read_bytes()


# ----- reading, and checksums that fit ------------------------------------------------------------


def _read_model(path: Path) -> object:
    return read_weights(path.parent)


def _sign_folder(data: bytes, path: Path) -> None:
    digest = hashlib.sha256(data).hexdigest()
    manifest = {"format": 1, "step": 0, "files": {path.name: digest}}
    (path.parent / "manifest.json").write_text(json.dumps(manifest))


def _sign_manifest(data: bytes, path: Path) -> None:
    body = data[: data.rstrip(b"\n").rfind(b"\n") + 1]
    last = {"records": 3, "sha256": hashlib.sha256(body).hexdigest()}
    path.write_bytes(body + json.dumps(last).encode() + b"\n")


def _read_manifest(path: Path) -> None:
    dataset = ManifestDataset(read_manifest(path))
    for split in {entry.record.split for entry in dataset.manifest.entries}:
        for record in dataset.records(split)[:2]:
            dataset.frame(FrameRef(record, record.num_frames - 1))
        dataset.pairs(split)


def _read_packed(path: Path) -> None:
    manifest = open_dataset("sample").manifest
    entry = replace(manifest.entries[0], poses=path.name, first_pose=0)
    dataset = ManifestDataset(replace(manifest, folder=path.parent, entries=(entry,)))
    dataset.poses(entry.record)


def _unpack(path: Path) -> None:
    out = path.parent / "out"
    try:
        unpack(path, out)
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _packed() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.random.default_rng(0).random((40, 133, 3), np.float32))
    return stream.getvalue()


def _video_frames(path: Path) -> None:
    for _ in read_video(path):
        pass


FORMATS: dict[str, Format] = {
    **{
        kind: Format(f"a.{kind}", partial(_picture, kind), read_image)
        for kind in ("png", "jpeg", "webp")
    },
    **{
        kind: Format(f"a.{kind}", partial(_video, kind), _video_frames)
        for kind in ("mp4", "webm", "mkv")
    },
    "pose": Format("a.pose", lambda: _poses("a.pose", "pose"), summarize),
    "npz": Format("a.npz", lambda: _poses("a.npz", "npz"), summarize),
    "json": Format("a.json", lambda: _poses("a.json", "own"), read_poses, text=True),
    "openpose": Format("a.json", _openpose, summarize, text=True),
    "pickle": Format("a.pkl", _pickle, summarize),
    "safetensors": Format("model.safetensors", _tensors, _read_model, sign=_sign_folder),
    "trainer": Format("trainer.pt", _trainer, lambda path: read_trainer(path.parent)),
    "checkpoint": Format("a.ckpt", _checkpoint, read_checkpoint),
    "yaml": Format(
        "a.yaml",
        lambda: to_yaml(TrainConfig(model=tiny_fpdm())).encode(),
        lambda path: load_config(path, TrainConfig),
        text=True,
    ),
    "zip": Format("a.zip", lambda: _archive("zip"), _unpack),
    "tar": Format("a.tar", lambda: _archive("w"), _unpack),
    "tar.gz": Format("a.tar.gz", lambda: _archive("w:gz"), _unpack),
    "manifest": Format("m.jsonl", _manifest, _read_manifest, text=True, sign=_sign_manifest),
    "packed": Format("a.npy", _packed, _read_packed),
}


# ----- mutants ------------------------------------------------------------------------------------


def mutate(data: bytes, rng: Random, *, text: bool) -> bytes:
    """Return a changed copy: one to four changes, each of a random kind."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        # Headers decide most, so that half of all changes are near the beginning
        end = max(1, len(changed) if rng.random() < 0.5 else min(len(changed), 128))
        at, length = rng.randrange(end), rng.choice((1, 1, 2, 4, 8, 32))
        kind = 6 if text and rng.random() < 0.7 else rng.randrange(6)
        if kind == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1:
            nasty = rng.choice(NASTY)
            changed[at : at + len(nasty)] = nasty
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            changed[at:at] = rng.randbytes(length)
        elif kind == 4:
            changed[at:at] = changed[at : at + 8 * length] * rng.choice((1, 2, 16))
        elif kind == 5:
            del changed[rng.randrange(max(1, len(changed))) :]
        else:
            tokens = list(TOKEN.finditer(bytes(changed[:200_000])))
            if tokens:
                token = rng.choice(tokens)
                changed[token.start() : token.end()] = rng.choice(WORDS).encode()
    return bytes(changed)


def mutant(form: Format, original: bytes, seed: int, number: int) -> bytes:
    """Return mutant `number` of a seed."""
    return mutate(original, Random(f"{seed} {form.name} {number}"), text=form.text)


# ----- the child ----------------------------------------------------------------------------------


def _peak() -> int:
    """Return the largest memory in MiB since it was last asked for."""
    status = Path("/proc/self/status").read_text()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024


def _child(
    form: Format, original: bytes, options: argparse.Namespace, start: int, out: int
) -> None:
    """Read mutants from number `start` on, and write a line for each."""
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / form.name
        size = int(re.findall(r"VmSize:\s+(\d+)", Path("/proc/self/status").read_text())[0])
        most = (size << 10) + (2 * options.memory << 20)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for number in range(start, options.mutants):
            data = mutant(form, original, options.seed, number)
            path.write_bytes(data)
            if form.sign is not None:
                form.sign(data, path)
            _peak()  # from now on
            before, what, detail = _peak(), "read", ""
            try:
                form.read(path)
            except UserError as error:
                what = "refused"
                if "\n" in str(error) or len(str(error)) > 1000 + len(str(path)):
                    what, detail = "traceback", f"message of {len(str(error))} characters"
            except MemoryError:
                what, detail = "memory", "MemoryError"
            except Exception:  # the faults that are looked for
                what, detail = "traceback", traceback.format_exc()
            grown = _peak() - before
            if grown > options.memory:
                what, detail = "memory", f"{grown} MiB"
            os.write(out, json.dumps([number, what, detail[-900:], grown]).encode() + b"\n")


def _results(
    form: Format, original: bytes, options: argparse.Namespace
) -> Iterator[tuple[int, str, str, int]]:
    """Yield number, what came of it, details and memory, from as many children as it takes."""
    number = 0
    while number < options.mutants:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # it never returns
            with contextlib.suppress(BaseException):
                _child(form, original, options, number, writer)
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            while number < options.mutants:
                ready, _, _ = select.select([lines], [], [], options.seconds)
                line = lines.readline() if ready else b""
                if not line:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                    yield number, "death" if ready else "hang", "", 0
                    number += 1
                    break
                yield tuple(json.loads(line))
                number += 1
        os.waitpid(pid, 0)


def _place(what: str, detail: str) -> str:
    """Return what tells one fault from another: the error and the last line of ours before it."""
    lines = re.findall(r"signgen/(\S+)\", line (\d+)", detail)[-1:]
    error = detail.strip().splitlines()[-1:]
    return " ".join([what, *(f"{file}:{line}" for file, line in lines), *(e[:60] for e in error)])


def fuzz(name: str, options: argparse.Namespace) -> dict[str, object]:
    """Read the mutants of a format; return counts of what came of them."""
    form, most = FORMATS[name], 0
    torch.manual_seed(0)
    original = form.make()
    counts: Counter[str] = Counter()
    places: Counter[str] = Counter()
    for number, what, detail, grown in _results(form, original, options):
        counts[what] += 1
        most = max(most, grown)
        if what in {"read", "refused"}:
            continue
        place = _place(what, detail)
        places[place] += 1
        if places[place] == 1:
            print(f"{name} mutant {number}: {place}\n{detail}", file=sys.stderr)
        if options.keep:
            kept = Path(options.keep) / f"{name}-{number}-{form.name}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(mutant(form, original, options.seed, number))
    kinds = ("read", "refused", "traceback", "hang", "memory", "death")
    row = {"format": name, "mutants": options.mutants, **{kind: counts[kind] for kind in kinds}}
    row["most_mib"] = most
    return {**row, "faults": dict(places.most_common(20))} if places else row


def main(words: list[str] | None = None) -> int:
    """Fuzz the formats that are named; print a JSON object for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("formats", nargs="+", choices=[*FORMATS, "all"], metavar="FORMAT")
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", help="folder for the files that made a fault")
    parser.add_argument("--memory", type=int, default=1024, help="MiB a mutant may take")
    parser.add_argument("--seconds", type=float, default=10, help="seconds a mutant may take")
    parser.epilog = f"formats: {', '.join(FORMATS)}"
    options = parser.parse_args(words)
    chosen = list(FORMATS) if "all" in options.formats else options.formats
    failed = False
    with tempfile.TemporaryDirectory() as options.folder:
        for name in chosen:
            row = fuzz(name, options)
            print(json.dumps(row), flush=True)
            failed = failed or "faults" in row
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
