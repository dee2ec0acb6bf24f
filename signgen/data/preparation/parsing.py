"""Human parsing of a prepared dataset: label maps that are given, or that a network makes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from signgen.config.pose import Device
from signgen.config.regions import LabelSetName
from signgen.data.dataset import ManifestDataset
from signgen.data.manifest import Entry, Manifest, write_manifest
from signgen.data.preparation.dataset import Prepared
from signgen.files.writing import make_folder, save_text
from signgen.human_parsing.label_sets import LabelSet
from signgen.human_parsing.maps import (
    LABEL_SET_FILE,
    Parts,
    read_label_set,
    read_labels,
    save_labels,
)
from signgen.human_parsing.parsers import Parser, open_parser
from signgen.media import image_size
from signgen.structures import ExitCode, FrameRef, Progress, UserError

__all__ = ["add_parsing"]

PARSER_FILE = "parser.txt"
"""Name of the network that made the label maps of a folder, beside them."""


def add_parsing(
    prepared: Prepared,
    parsing: str,
    label_set: LabelSetName | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> Prepared:
    """Add label maps to the manifest of a prepared dataset and write it again.

    Args:
        prepared: The dataset.
        parsing: A folder of label maps, named as the frames below the dataset's root or by split,
            record and file; or a SegFormer checkpoint, hub id or folder, or an ONNX file of SCHP,
            whose maps are kept in `parts/` beside the manifest and not made again.
        label_set: What the labels of given maps and of an ONNX file mean, where nothing says.
        device: Where the network computes.
        progress: Wraps the records as they are worked on, with their number.
    """
    manifest, folder = prepared.manifest, Path(parsing)
    if folder.is_dir() and not (folder / "config.json").is_file():
        labelled = read_label_set(folder, label_set or "")
        named = [_given(entry, manifest, folder, labelled) for entry in manifest.entries]
    else:
        parser = open_parser(parsing, label_set, device)
        labelled, folder = parser.labelled, manifest.folder / "parts"
        if label_set and label_set != labelled.name:
            raise UserError(
                f"--label-set is {label_set}; {parsing} has the labels of {labelled.name}. Leave "
                "out --label-set.",
                ExitCode.USAGE,
            )
        _claim(folder, parsing, labelled)
        entries: Iterable[Entry] = manifest.entries
        if progress is not None:
            entries = progress(entries, len(manifest.entries))
        dataset = ManifestDataset(manifest)
        named = [_made(entry, dataset, folder, parser) for entry in entries]
    whole = replace(
        manifest,
        entries=tuple(named),
        label_set=labelled.name,
        parts_folder=folder.resolve(),
    )
    write_manifest(whole)
    return replace(prepared, manifest=whole)


def _given(entry: Entry, manifest: Manifest, folder: Path, labelled: LabelSet) -> Entry:
    """Find the label maps of a record; the first is read, of the others the sizes."""
    count = entry.record.num_frames
    frames = [entry.frame_path(index) for index in range(count)]
    if entry.is_video:
        frames = [f"images{index + entry.first_frame:04d}.png" for index in range(count)]
    by_path = [Path(frame).with_suffix(".png").as_posix() for frame in frames]
    by_record = [f"{entry.name}/{Path(path).name}" for path in by_path]
    names = by_record if entry.is_video or not (folder / by_path[0]).is_file() else by_path
    for number, name in enumerate(names):
        path = folder / name
        if not path.is_file():
            raise UserError(
                f"{path} does not exist; expected a label map for each frame of {entry.name}, "
                "named as its frame.",
                ExitCode.NO_INPUT,
            )
        if number == 0:
            Parts(read_labels(path, labelled, entry.size), labelled, path).check_person()
        elif (size := image_size(path, ("PNG",))) != entry.size:
            raise UserError(
                f"{path} is {size[1]} x {size[0]} pixels (width x height); its frame has "
                f"{entry.size[1]} x {entry.size[0]}. Expected the same size."
            )
    return replace(entry, parts=tuple(names))


def _claim(folder: Path, parsing: str, labelled: LabelSet) -> None:
    """Note which network makes the maps of a folder; those of another are not mixed with them."""
    note = folder / PARSER_FILE
    before = note.read_text("utf-8").strip() if note.is_file() else parsing
    if before != parsing:
        raise UserError(
            f"{folder} has label maps of {before}; --parsing is {parsing}. Choose another --out, "
            "or remove that folder."
        )
    make_folder(folder)
    save_text(note, f"{parsing}\n")
    save_text(folder / LABEL_SET_FILE, f"{labelled.name}\n")


def _made(entry: Entry, dataset: ManifestDataset, folder: Path, parser: Parser) -> Entry:
    """Parse the frames of a record whose label maps are not there yet."""
    pattern = f"{entry.name}/images####.png"
    parsed = replace(entry, parts=pattern)
    paths = [folder / parsed.parts_path(index) for index in range(entry.record.num_frames)]
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    if missing:
        make_folder(paths[0].parent)
    for index, labels in zip(missing, parser.parse(_frames(dataset, entry, missing)), strict=True):
        save_labels(paths[index], labels)
    return parsed


def _frames(
    dataset: ManifestDataset, entry: Entry, indices: Iterable[int]
) -> Iterator[NDArray[np.uint8]]:
    return (dataset.frame(FrameRef(entry.record, index)) for index in indices)
