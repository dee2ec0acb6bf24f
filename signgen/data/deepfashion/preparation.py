"""DeepFashion In-shop: photographs of garments in several views, the other corpus of FPDM.

A record is the same person in the same garment: gender, category, item and variant. Its frames are
the views that listed pairs use, its `pairs` are those pairs. Names, layouts, lists, key points and
known numbers are in the modules `deepfashion_*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from signgen.data.deepfashion.facts import (
    Fact,
    keypoint_facts,
    list_facts,
    pairs_digest,
    rebuild_pairs,
    rebuilt_fact,
)
from signgen.data.deepfashion.keypoints import (
    Frame,
    RawKeyPoints,
    check_inside,
    choose_frame,
    read_keypoints,
    to_unit,
)
from signgen.data.deepfashion.layouts import (
    Listing,
    Tree,
    find_tree,
    index_pictures,
    keypoint_places,
    read_listing,
)
from signgen.data.deepfashion.names import ViewName, parse_name
from signgen.data.deepfashion.scan import FPS, Pairs, Progress, scan
from signgen.data.manifest import Entry
from signgen.data.preparation.dataset import Prepared, prepare_dataset
from signgen.structures import PoseSequence, UserError

__all__ = ["SKELETON", "DeepFashionReport", "prepare_deepfashion"]

SKELETON = "openpose-18"


@dataclass(frozen=True)
class DeepFashionReport:
    """What was found and what was made of it.

    Args:
        layout: Name of the layout.
        root: Folder of the dataset.
        frame: Frame of the key points.
        outside: Share of visible joints outside their pictures.
        facts: Numbers beside those of the complete corpus.
        pairs_left_out: Listed pairs that are not in the manifest although their record was asked
            for, by split.
        digests: SHA-256 of the sorted pairs in the manifest, by split.
        prepared: The manifest and what was left out.
    """

    layout: str
    root: Path
    frame: Frame
    outside: float
    facts: tuple[Fact, ...]
    pairs_left_out: Mapping[str, int]
    digests: Mapping[str, str]
    prepared: Prepared

    @property
    def damaged(self) -> bool:
        """Whether anything was left out because it is missing or damaged."""
        return bool(self.prepared.problems)

    @property
    def verdict(self) -> str:
        """Whether this is the complete corpus, in one sentence."""
        odd = [fact.name for fact in self.facts if not fact.fits]
        unknown = [fact.name for fact in self.facts if fact.found is None]
        if odd:
            return f"A part of the corpus, or another one; these differ: {', '.join(odd)}."
        if self.damaged:
            return "The lists are complete, but some of what they name was left out."
        known = f" Not known: {', '.join(unknown)}." if unknown else ""
        return f"Complete: every known number fits.{known}"

    def as_text(self) -> str:
        """Return the report as a table to read: found beside expected, then the verdict."""
        width = max(len(fact.name) for fact in self.facts)
        lines = [f"{self.root}: layout {self.layout}, key points in the frame {self.frame}", ""]
        lines.append(f"{'':<{width}}  {'found':>8}  {'complete':>8}")
        for fact in self.facts:
            found = "-" if fact.found is None else f"{fact.found:,}"
            example = f"  e.g. {fact.example}" if fact.example and not fact.fits else ""
            mark = "" if fact.fits else "  differs"
            lines.append(f"{fact.name:<{width}}  {found:>8}  {fact.expected:>8,}{mark}{example}")
        lines += ["", self.verdict]
        for split, counts in self.prepared.manifest.counts().items():
            text = ", ".join(f"{number:,} {name}" for name, number in counts.items())
            lines.append(f"{split}: {text} written; {self.pairs_left_out[split]:,} pairs left out")
        return "\n".join([*lines, str(self.prepared.path)])

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON."""
        return {
            "layout": self.layout,
            "root": str(self.root),
            "keypoint_frame": self.frame,
            "outside": round(self.outside, 6),
            "facts": [asdict(fact) | {"fits": fact.fits} for fact in self.facts],
            "verdict": self.verdict,
            "counts": self.prepared.manifest.counts(),
            "pairs_left_out": dict(self.pairs_left_out),
            "pairs_sha256": dict(self.digests),
            "problems": len(self.prepared.problems),
        }


def prepare_deepfashion(
    raw: Path,
    out: Path,
    *,
    layout: str | None = None,
    keypoints: Sequence[str] = (),
    keypoint_frame: Frame | None = None,
    rebuild: bool = False,
    subset: int = 0,
    progress: Progress | None = None,
) -> DeepFashionReport:
    """Verify a copy of the corpus and write its manifest and packed key points.

    Args:
        raw: The copy, in any of `deepfashion_layouts.LAYOUTS`.
        out: Folder to write to.
        layout: Its layout; None to tell it by its files.
        keypoints: CSV files or folders of texts, where the layout's own are not wanted.
        keypoint_frame: Frame of the key points; None to tell it by their values.
        rebuild: Make the pairs from `train.lst` and `test.lst` and the key points.
        subset: Records of each split, the first by name; 0 for all.
        progress: Wraps the records as their pictures are looked at, with their number.

    Returns:
        Numbers, verdict and manifest.

    Raises:
        UserError: If the layout is unknown, a list or the key points are unusable as a whole, or
            nothing is left.
    """
    tree = find_tree(raw, layout)
    listing = read_listing(tree, pairs_needed=not rebuild)
    pictures = index_pictures(tree)
    named = {name for pairs in listing.pairs.values() for pair in pairs for name in pair[:2]}
    if rebuild:
        named |= {name for names in listing.images.values() for name in names}
    if not named:
        first = "".join(f" First: {p.path} {p.what}" for p in listing.problems[:1])
        raise UserError(f"{tree.root}: its lists name no picture.{first}")
    points = read_keypoints(keypoint_places(tree, keypoints), named)
    frame = choose_frame(points, keypoint_frame)
    outside = check_inside(points, frame)
    facts = list_facts(listing)
    pairs: Pairs = listing.pairs
    if rebuild:
        pairs = _rebuilt(tree, listing, points)
        facts += [rebuilt_fact(s, pairs[s], listing.pairs[s]) for s in pairs if s in listing.pairs]
    used = {name for listed in pairs.values() for pair in listed for name in pair[:2]}
    facts += keypoint_facts(used, pictures, points)
    found, left_out = scan(tree, listing, pairs, pictures, points, subset=subset, progress=progress)

    def poses_of(entry: Entry) -> PoseSequence:
        return _poses(entry, points, frame)

    # Pictures were looked at one by one above, so that one bad view does not cost its whole record.
    prepared = prepare_dataset(found, "deepfashion", SKELETON, poses_of, out, check=False)
    return DeepFashionReport(
        tree.layout.name,
        tree.root,
        frame,
        outside,
        tuple(facts),
        left_out,
        {split: pairs_digest(_kept_pairs(prepared.manifest.split(split))) for split in pairs},
        prepared,
    )


def _rebuilt(tree: Tree, listing: Listing, points: RawKeyPoints) -> Pairs:
    if not listing.images:
        raise UserError(
            f"{tree.root} has neither train.lst nor test.lst; --rebuild-pairs makes pairs of the "
            "pictures that they name."
        )
    return {
        split: rebuild_pairs(names, points, f"{split}.lst")
        for split, names in listing.images.items()
    }


def _poses(entry: Entry, points: RawKeyPoints, frame: Frame) -> PoseSequence:
    """Return the key points of a record's views in pixels of its pictures."""
    names = [parse_name(path) for path in entry.frames]
    unit, visible = to_unit(np.stack([points.rows[name] for name in names if name]), frame)
    height, width = entry.size
    return PoseSequence(
        (unit * (width, height)).astype(np.float32),
        visible.astype(np.float32),
        SKELETON,
        entry.size,
        FPS,
    )


def _kept_pairs(entries: Iterable[Entry]) -> list[tuple[ViewName, ViewName]]:
    kept = []
    for entry in entries:
        names = [name for path in entry.frames if (name := parse_name(path))]
        kept += [(names[source], names[target]) for source, target in entry.pairs or ()]
    return kept
