"""Pair single images: by equal names, or results on DeepFashion with the targets that they name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from signgen.data.deepfashion.layouts import index_pictures
from signgen.data.deepfashion.lists import ViewName, parse_name, parse_result
from signgen.errors import ExitCode, UserError
from signgen.evaluation.clips import Failure, Pairing, pair_names
from signgen.media.video import PICTURE_SUFFIXES

__all__ = ["has_results", "pair_images", "pictures_below"]


def has_results(folder: str | Path) -> bool:
    """Tell whether a folder holds results on DeepFashion, by the names of its pictures."""
    path = Path(folder)
    return path.is_dir() and any(
        parse_result(picture.name) is not None for picture in pictures_below(path)
    )


def pair_images(
    generated: str | Path, reference: str | Path, *, compare: Mapping[str, str | Path] | None = None
) -> Pairing:
    """Pair the images of folders, flat or nested, each as a clip of one frame.

    Images are paired by equal ways there without ending. Where the generated ones are results on
    DeepFashion, named by source and target, each is paired with the target's picture in the
    reference, whose name may be in either spelling; its source is taken from there too. Pictures of
    the reference that no result names are not missed.
    """
    paths = {"generated": Path(generated)}
    paths |= {name: Path(path) for name, path in (compare or {}).items()}
    if has_results(generated):
        return _results(paths, Path(reference))
    systems = {name: _by_stem(path) for name, path in paths.items()}
    truth = _by_stem(Path(reference))
    pairing = pair_names(systems, truth, {**paths, "reference": Path(reference)})
    clips = tuple(replace(clip, still=True) for clip in pairing.clips)
    return replace(pairing, clips=clips, images=True)


# ----- DeepFashion --------------------------------------------------------------------------------


def _results(paths: Mapping[str, Path], reference: Path) -> Pairing:
    # Read the names of the results
    failed: list[Failure] = []
    systems: dict[str, dict[str, Path]] = {system: {} for system in paths}
    views: dict[str, tuple[ViewName, ViewName]] = {}
    for system, path in paths.items():
        for picture in pictures_below(path):
            names = parse_result(picture.name)
            if names is None:
                error = (
                    f"{picture} is not named by source and target as results on DeepFashion are; "
                    "expected a name such as A_2_B_vis.png."
                )
                failed.append(Failure(picture.name, error))
                continue
            name = _name(names)
            if name in systems[system]:
                raise UserError(
                    f"{picture} and {systems[system][name]} are of the same pair; expected one of "
                    "them."
                )
            systems[system][name], views[name] = picture, names

    # Find their targets and sources
    by_pair, by_view = _truth(reference)
    targets = {name: by_pair.get(name, by_view.get(pair[1])) for name, pair in views.items()}
    truth = {name: path for name, path in targets.items() if path is not None}
    pairing = pair_names(systems, truth, {**paths, "reference": reference})
    unused = {*by_pair.values(), *by_view.values()} - set(truth.values())
    return Pairing(
        tuple(
            replace(clip, source=by_view.get(views[clip.id][0]), still=True)
            for clip in pairing.clips
        ),
        (*failed, *pairing.failed),
        {**pairing.counts, "only_reference": len(unused)},
        images=True,
    )


def _name(views: tuple[ViewName, ViewName]) -> str:
    return f"{views[0].nested}_2_{views[1].nested}"


def _truth(reference: Path) -> tuple[dict[str, Path], dict[ViewName, Path]]:
    """Return the true pictures by the pair that they are named by, and by view."""
    try:
        # The folders of pictures are the same in every layout, and no list is needed.
        pictures = index_pictures(reference)
        return {}, {view: reference / path for view, path in pictures.items()}
    except UserError:
        by_pair: dict[str, Path] = {}
        by_view: dict[ViewName, Path] = {}
        for picture in pictures_below(reference):
            if (names := parse_result(picture.name)) is not None:
                by_pair[_name(names)] = picture
            elif (view := parse_name(picture.as_posix())) is not None:
                if view in by_view:
                    raise UserError(
                        f"{picture} and {by_view[view]} are the same picture of DeepFashion; "
                        "expected one of them. Name the folder with the photographs."
                    ) from None
                by_view[view] = picture
        if not (by_pair or by_view):
            raise UserError(
                f"{reference} has no pictures with names of DeepFashion, as the generated ones "
                "have; expected the targets that they name.",
                ExitCode.NO_INPUT,
            ) from None
        return by_pair, by_view


# ----- folders ------------------------------------------------------------------------------------


def pictures_below(folder: Path) -> Iterator[Path]:
    """Yield the pictures below a folder, sorted; what is hidden is left out."""
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected a folder of images.", ExitCode.NO_INPUT
        )
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.suffix.lower() in PICTURE_SUFFIXES:
            yield entry
        elif entry.is_dir() and not entry.is_symlink():  # a link may lead in a circle
            yield from pictures_below(entry)


def _by_stem(folder: Path) -> dict[str, Path]:
    images: dict[str, Path] = {}
    for picture in pictures_below(folder):
        name = picture.relative_to(folder).with_suffix("").as_posix()
        if name in images:
            raise UserError(f"{picture} and {images[name]} have the same name; expected one.")
        images[name] = picture
    if not images:
        raise UserError(f"{folder} holds no pictures; expected images.", ExitCode.NO_INPUT)
    return images
