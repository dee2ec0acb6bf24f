"""Protocols: at which size, with which filter and by which metrics published works score frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import fill
from typing import Any, Literal, get_args

from signgen.config.evaluation import ProtocolName, ScoredFrames
from signgen.errors import ExitCode, UserError
from signgen.media.resizing import Filter

__all__ = ["PROTOCOLS", "Choice", "Protocol", "View", "describe", "with_size"]

WITHOUT_SOURCE = "_without_source"
"""End of a metric's name where a protocol scores both with the source frame and without it."""


@dataclass(frozen=True)
class View:
    """How frames are shown to a metric: all, or without the source, the first of each clip.

    Args:
        size: (H, W) that they are resized to; None leaves them as they are.
        resize: Library and filter.
    """

    size: tuple[int, int] | None = None
    resize: Filter = "pillow-bicubic"
    frames: ScoredFrames = "all"

    @property
    def pixels(self) -> View:
        """The same of all frames: what is resized is shared by views with equal ones."""
        return replace(self, frames="all")


@dataclass(frozen=True)
class Choice:
    """One metric of a protocol.

    Args:
        metric: One of `signgen.evaluation.metric_choice.METRICS`.
        options: Options that differ from the metric's own.
        full_batches: Above 0, frames are taken in batches of so many, and the last one is left out
            where it is not full.
        resize: Filter of this metric alone.
        size: (H, W) of this metric alone.
    """

    metric: str
    options: Mapping[str, Any] | None = None
    full_batches: int = 0
    resize: Filter | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How one published work scores frames.

    Args:
        name: What `--protocol` takes.
        source: Whose it is, and what it scores.
        items: `clips`, or `images` that are paired by name.
        sizes: (H, W) that frames are resized to; the first unless another is asked for. Empty
            leaves frames as they are.
        resize: Library and filter.
        frames: Which frames of a clip are scored; with two entries both sets are.
        real_set: The real images of FID.
        differs: What the published work does that cannot be had here, or is not known.
    """

    name: ProtocolName
    source: str
    items: Literal["clips", "images"] = "images"
    sizes: tuple[tuple[int, int], ...]
    resize: Filter = "pillow-bicubic"
    frames: tuple[ScoredFrames, ...] = ("all",)
    metrics: tuple[Choice, ...]
    real_set: str
    differs: tuple[str, ...]

    def views(self, choice: Choice) -> dict[str, View]:
        """Return how frames are brought to a metric, by the end of the name of its score."""
        own = self.sizes[0] if self.sizes else None
        view = View(choice.size or own, choice.resize or self.resize)
        ends = ("", WITHOUT_SOURCE)
        return {
            end: replace(view, frames=frames)
            for end, frames in zip(ends, self.frames, strict=False)
        }


def _choices(*names: str) -> tuple[Choice, ...]:
    return tuple(Choice(name) for name in names)


_HANDS = _choices("hand_ssim", "hand_pe", "hand_pe_penalty")
_FAMILY_FID = "FID of torchvision's Inception with the normalisation of CFLD's program"
_ALL = (
    Protocol(
        name="phoenix-fpdm",
        source="FPDM's Table 4 on PHOENIX-2014T: 210 x 260 (W x H), the first frame is the source.",
        items="clips",
        sizes=((260, 210),),
        frames=("all", "without-source"),
        metrics=(*_choices("ssim", "ssim_win7", "psnr", "lpips", "fid_star"), *_HANDS),
        real_set="the true frames, equal ones once (FID*)",
        differs=(
            "No program for PHOENIX was published. SSIM is the one with a small window, which the "
            "published clips agree with; that of 51 pixels does not.",
            "The paper counts as many pairs as there are test frames, the source included; scores "
            "without it are printed beside.",
            "Key points and estimator of the paper's hand metrics: give yours with --poses and "
            "--estimator.",
        ),
    ),
    Protocol(
        name="signvip",
        source="SignViP on PHOENIX-2014T: 272 x 224 (H x W).",
        items="clips",
        sizes=((272, 224),),
        frames=("without-source",),
        metrics=(*_choices("ssim", "psnr", "lpips", "fvd"), _HANDS[0]),
        real_set="none",
        differs=(
            "No program of its Hand SSIM was published, nor the size of its patch; FPDM's is "
            "measured.",
            "Its filter is not stated; Pillow's bicubic is used.",
        ),
    ),
    Protocol(
        name="cfld",
        source="CFLD and MCLD on DeepFashion: 256 x 176 or 512 x 352 (H x W).",
        sizes=((256, 176), (512, 352)),
        resize="torch-bicubic-antialias",
        metrics=_choices("fid", "lpips", "ssim_w51", "ssim_256", "psnr"),
        real_set="the training pictures (train_highres)",
        differs=(f"{_FAMILY_FID}: needs torchvision.",),
    ),
    Protocol(
        name="fpdm-test",
        source="FPDM's test program on DeepFashion: 512 x 352 or 256 x 176 (H x W).",
        sizes=((512, 352), (256, 176)),
        metrics=(
            *_choices("fid", "fid_star"),
            Choice("lpips", full_batches=10),
            *_choices("ssim_w51", "ssim_256", "psnr", "l1", "mae"),
        ),
        real_set="all test pictures that are no target (FID), the different targets (FID*)",
        differs=(f"{_FAMILY_FID}: needs torchvision.",),
    ),
    Protocol(
        name="pidm",
        source="PIDM on DeepFashion: FID and LPIPS at 256 x 176 (H x W), SSIM of squares.",
        sizes=((256, 176),),
        resize="opencv-linear",
        metrics=(
            *_choices("fid", "lpips"),
            Choice("ssim_256_pidm", resize="pillow-bicubic", size=(256, 256)),
        ),
        real_set="the training pictures, stored as 256 x 256 PNG",
        differs=(
            "Its SSIM is of pictures as they are stored, squares of 256 x 256; what has another "
            "size is squashed to one, as its preparation of the data does.",
            f"{_FAMILY_FID}: needs torchvision.",
        ),
    ),
    Protocol(
        name="pcdms-legacy",
        source="PCDMs and IMAGPose on DeepFashion: 256 x 176 or 512 x 352 (H x W).",
        sizes=((256, 176), (512, 352)),
        resize="opencv-cubic",
        metrics=(
            Choice("fid", full_batches=128),
            Choice("lpips", {"normalize": False}, full_batches=64),
            *_choices("ssim_256_pidm", "psnr"),
        ),
        real_set="the training pictures (train_lst_*_png)",
        differs=(
            "Published numbers are of the best of four pictures, chosen by SSIM to the truth: not "
            "done here, the pictures given are scored.",
            "LPIPS is given [0, 1] where its network expects [-1, 1], as there, and comes out too "
            "small; the last incomplete batch is left out of FID (128) and LPIPS (64).",
            f"{_FAMILY_FID}: needs torchvision.",
        ),
    ),
    Protocol(
        name="cleanfid",
        source="clean-fid (Parmar et al. 2022): frames as they are, Pillow's bicubic to 299 x 299.",
        sizes=(),
        metrics=(Choice("fid", {"kind": "cleanfid"}), Choice("kid", {"kind": "cleanfid"})),
        real_set="the images of --fid-reference, else the true frames",
        differs=("Its own precomputed statistics are not read.",),
    ),
)
PROTOCOLS: dict[ProtocolName, Protocol] = {protocol.name: protocol for protocol in _ALL}


def with_size(protocol: Protocol, size: tuple[int, int] | None) -> Protocol:
    """Return a protocol at another of its sizes (H, W), or at its first."""
    if size is None:
        return protocol
    if size not in protocol.sizes:
        has = " or ".join(f"{height} {width}" for height, width in protocol.sizes)
        raise UserError(
            f"--size {size[0]} {size[1]} is no size of protocol {protocol.name}, which scores "
            f"{'at ' + has if has else 'frames as they are'}. Leave it out.",
            ExitCode.USAGE,
        )
    return replace(protocol, sizes=(size,))


def describe(names: Sequence[ProtocolName] = get_args(ProtocolName)) -> str:
    """Say what protocols do and what of the published work cannot be had here, as text to read."""
    lines = []
    for protocol in (PROTOCOLS[name] for name in names):
        lines += ["", f"{protocol.name}: {protocol.source}"]
        points = [(f"  {name:<8}  ", text) for name, text in protocol_facts(protocol).items()]
        points += [("  - ", text) for text in protocol.differs]
        for head, text in points:
            indent = " " * len(head)
            lines.append(fill(head + text, 100, subsequent_indent=indent, break_on_hyphens=False))
    return "\n".join(lines[1:])


def protocol_facts(protocol: Protocol) -> dict[str, str]:
    """Return what a protocol does, a text by heading."""
    sizes = " or ".join(f"{height} x {width}" for height, width in protocol.sizes)
    return {
        "items": protocol.items,
        "frames": " and ".join(protocol.frames),
        "resize": f"{sizes} (H x W), {protocol.resize}" if sizes else "none",
        "metrics": ", ".join(_metric(choice) for choice in protocol.metrics),
        "real set": protocol.real_set,
    }


def _metric(choice: Choice) -> str:
    options = [f"{name} {value}" for name, value in (choice.options or {}).items()]
    if choice.full_batches:
        options.append(f"full batches of {choice.full_batches}")
    if choice.resize is not None:
        options.append(choice.resize)
    if choice.size is not None:
        options.append(f"{choice.size[0]} x {choice.size[1]}")
    return choice.metric + (f" ({', '.join(options)})" if options else "")
