"""Folder layouts in which people have DeepFashion In-shop, told apart by their files.

    fpdm       FPDM                     train_pairs_data.json, pose/<nested>.txt, img/<nested>.jpg
    nted       NTED, PIDM, X-MDPT       train_pairs.txt, pose/<nested>.txt, img/<nested>.jpg
    patn-csv   PATN, CFLD, DPTN, CASD   fas(h)ion-resize-{pairs,annotation}-train.csv
    gfla-csv   GFLA                     fas(h)ion-{pairs,annotation}-train.csv
    pcdms      PCDMs, IMAGPose          train_data.json, normalized_pose_txt/, all_data_png/
    mcld       MCLD                     data/train.csv; no key points but DensePose pictures

The same for `test`. Pictures are looked for in the same folders in every layout, see `PICTURES`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from signgen.data.deepfashion.lists import (
    ListedPair,
    ListForm,
    ViewName,
    parse_name,
    read_images,
    read_pairs,
)
from signgen.data.manifest import Problem
from signgen.structures import ExitCode, UserError

__all__ = [
    "LAYOUTS",
    "PICTURES",
    "SPLITS",
    "Layout",
    "Listing",
    "Tree",
    "find_tree",
    "index_pictures",
    "keypoint_places",
    "read_listing",
]

SPLITS = ("train", "test")
PICTURES: tuple[tuple[str, ...], ...] = (
    *(("img",), ("img_highres",), ("MEN", "WOMEN"), ("train_highres", "test_highres")),
    *(("train", "test"), ("train_resize", "test_resize"), ("all_data_png",), ("train_all_png",)),
)
"""Folders with pictures, nested or flat; the first that has any is used, so sizes do not mix."""


@dataclass(frozen=True)
class Layout:
    """Where one family of projects keeps its lists and key points.

    Args:
        name: What `--layout` takes.
        pairs: Pattern of the lists of pairs; `{}` stands for the split.
        keypoints: Pattern of the files or the folder of key points; empty where it has none.
    """

    name: str
    pairs: str
    form: ListForm
    keypoints: str


_LAYOUTS = (
    Layout("fpdm", "{}_pairs_data.json", "json", "pose"),
    Layout("nted", "{}_pairs.txt", "grouped", "pose"),
    Layout("patn-csv", "fas*ion-resize-pairs-{}.csv", "csv", "fas*ion-resize-annotation-*.csv"),
    Layout("gfla-csv", "fas*ion-pairs-{}.csv", "csv", "fas*ion-annotation-*.csv"),
    Layout("pcdms", "{}_data.json", "json", "normalized_pose_txt"),
    Layout("mcld", "data/{}.csv", "csv", ""),
)
LAYOUTS = {layout.name: layout for layout in _LAYOUTS}
"""In the order in which they are looked for."""

_REFUSED = {
    "CoCosNet-v2 (DeepFashionHD)": ("deepfashion_self_pair.txt", "deepfashion_ref*.txt"),
    "WPose (UniHuman)": ("image_urls.txt", "test_data.pkl"),
}


@dataclass(frozen=True)
class Tree:
    """A folder and its layout."""

    root: Path
    layout: Layout


@dataclass(frozen=True)
class Listing:
    """What the lists of a tree say.

    Args:
        pairs: Pairs by split, as listed; a split without a list is left out.
        images: Pictures by split, from `train.lst` and `test.lst`; without key where there is none.
        files: The lists of pairs by split.
        problems: Rows that name no picture.
    """

    pairs: dict[str, list[ListedPair]]
    images: dict[str, list[ViewName]]
    files: dict[str, Path]
    problems: list[Problem]


# ----- detection ----------------------------------------------------------------------------------


def find_tree(folder: Path, layout: str | None = None) -> Tree:
    """Find the dataset in a folder or one level below it, and tell its layout.

    Args:
        folder: What the user named.
        layout: A key of `LAYOUTS`; None to tell it by the files.
    """
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected DeepFashion In-shop.", ExitCode.NO_INPUT
        )
    if layout is not None and layout not in LAYOUTS:
        raise UserError(
            f"--layout is {layout!r}; expected one of {', '.join(LAYOUTS)}.", ExitCode.USAGE
        )
    candidates = _LAYOUTS if layout is None else (LAYOUTS[layout],)
    for roots in ([folder], sorted(path for path in folder.glob("*") if path.is_dir())):
        if layout is None:
            _refuse_others(roots)
        trees = [Tree(root, one) for root in roots for one in candidates if _marked(root, one)]
        if len(trees) > 1:
            names = ", ".join(f"{tree.layout.name} in {tree.root}" for tree in trees)
            raise UserError(
                f"{folder} has the lists of several layouts: {names}. Choose one with --layout, "
                "and with --raw its folder."
            )
        if trees:
            return trees[0]
    if layout is not None:
        return Tree(folder, LAYOUTS[layout])
    expected = ", ".join(one.pairs.replace("{}", "train") for one in _LAYOUTS)
    raise UserError(
        f"{folder} has no list of pairs of DeepFashion; expected one of {expected}. With lists of "
        "pictures and key points alone, give --layout and --rebuild-pairs.",
        ExitCode.NO_INPUT,
    )


def _marked(root: Path, layout: Layout) -> bool:
    files = [path for split in SPLITS for path in root.glob(layout.pairs.format(split))]
    if layout.name != "mcld":
        return bool(files)
    # `data/train.csv` is a name that anything may have.
    for path in files:
        with suppress(OSError), path.open("rb") as file:
            if file.readline(256).decode("utf-8-sig", "replace").strip() == "from,to":
                return True
    return False


def _refuse_others(roots: Sequence[Path]) -> None:
    marks = [
        (mark, name)
        for root in roots
        for name, patterns in _REFUSED.items()
        for pattern in patterns
        for mark in (*root.glob(pattern), *root.glob(f"data/{pattern}"))
    ]
    if marks:
        mark, name = marks[0]
        raise UserError(
            f"{mark} is of {name}, whose split is another one and does not mix "
            "with that of pose transfer; expected the lists of PATN and its successors."
        )


# ----- lists --------------------------------------------------------------------------------------


def read_listing(tree: Tree, *, pairs_needed: bool = True) -> Listing:
    """Read the lists of pairs and, where they are, those of pictures."""
    listing = Listing({}, {}, {}, [])
    for split in SPLITS:
        paths = sorted(tree.root.glob(tree.layout.pairs.format(split)))
        if len(paths) > 1:
            names = " and ".join(path.name for path in paths)
            raise UserError(f"{tree.root} has {names}; expected one of them. Move the other away.")
        for path in paths:
            listing.pairs[split], problems = read_pairs(path, tree.layout.form)
            listing.files[split] = path
            listing.problems.extend(problems)
        if (path := tree.root / f"{split}.lst").is_file():
            listing.images[split], problems = read_images(path)
            listing.problems.extend(problems)
    if pairs_needed and not listing.pairs:
        raise UserError(
            f"{tree.root} has no {tree.layout.pairs.format('train')}; expected the pairs of layout "
            f"{tree.layout.name}.",
            ExitCode.NO_INPUT,
        )
    return listing


# ----- pictures and key points --------------------------------------------------------------------


def index_pictures(root: Path) -> dict[ViewName, str]:
    """Find the pictures below a folder: their paths from there, with `/`, by name."""
    for folders in PICTURES:
        pictures: dict[ViewName, str] = {}
        for top in folders:
            for folder, _, files in os.walk(root / top):
                below = Path(folder).relative_to(root).as_posix()
                for file in sorted(files):
                    path = f"{below}/{file}"
                    if file.endswith((".jpg", ".png")) and (name := parse_name(path)):
                        pictures.setdefault(name, path)
        if pictures:
            return pictures
    if databases := sorted(root.glob("*/data.mdb")) + sorted(root.glob("*/*/data.mdb")):
        raise UserError(
            f"{databases[0].parent} holds the pictures as an LMDB database, which is not read; "
            "expected the unpacked archive: put the folder of img_highres.zip beside it as img.",
            ExitCode.NO_INPUT,
        )
    places = ", ".join("/".join(folders) for folders in PICTURES)
    raise UserError(f"{root} has no pictures; expected them in one of {places}.", ExitCode.NO_INPUT)


def keypoint_places(tree: Tree) -> list[Path]:
    """Return the files and folders of key points that the layout has; none is an error."""
    pattern = tree.layout.keypoints
    places = sorted(tree.root.glob(pattern)) if pattern else []
    if not places:
        raise UserError(
            f"{tree.root} has no key points (layout {tree.layout.name} has "
            f"{pattern or 'DensePose pictures only'}); name a CSV file or a folder of texts with "
            "--keypoints.",
            ExitCode.NO_INPUT,
        )
    return places
