"""Settings of examples that cannot be, refused before any is made."""

from __future__ import annotations

from collections.abc import Sequence

from signgen.config.data import DataConfig
from signgen.config.ranges import out_of_range
from signgen.errors import ExitCode, UserError
from signgen.structures import Record, Triplet

__all__ = ["check_clips", "check_pairs", "check_rates", "check_sources", "check_window"]


def check_clips(
    config: DataConfig, pairs: Sequence[Triplet] | None, records: Sequence[Record], frames: int
) -> None:
    """Refuse data and settings that have no clips of consecutive frames.

    Args:
        config: Settings of the data.
        pairs: Those that the dataset lists.
        records: Those that it draws from.
        frames: Frames of a clip.
    """
    longest = max((record.num_frames for record in records), default=0)
    problems = {
        "the dataset lists its pairs, and clips are drawn from videos": pairs is not None,
        f"split {config.split} has videos of {longest} frames at most, and a clip has {frames}": (
            longest < frames
        ),
        **{
            f"data.{name} is {getattr(config, name)}, and the frames of a clip have one source": (
                getattr(config, name) > least
            )
            for name, least in (
                ("targets_per_record", 1),
                ("min_distance", 1),
                ("source_frames", 0),
            )
        },
    }
    for problem, wrong in problems.items():
        if wrong:
            raise UserError(
                f"{problem}; expected data of which stage motion can take consecutive frames.",
                ExitCode.USAGE,
            )


def check_pairs(pairs: Sequence[Triplet] | None, name: str, split: str) -> None:
    """Refuse a dataset that lists its pairs, but none of a split."""
    if pairs is not None and not pairs:
        raise UserError(
            f"dataset {name} lists no pair in split {split}; expected at least one. Prepare it "
            "again, or choose another split."
        )


def check_rates(config: DataConfig) -> None:
    """Refuse rates and numbers out of range."""
    for problem in out_of_range(config, "data."):
        raise UserError(f"{problem}.", ExitCode.USAGE)


def check_window(side: int, size: tuple[int, int]) -> None:
    """Refuse a window that pictures of a size (H, W) do not have."""
    if side < 0 or side > min(size) or side % 16:
        raise UserError(
            f"data: window is {side}; expected 0 for whole pictures, or a multiple of 16 up to the "
            f"shorter side of the model's pictures, {min(size)}.",
            ExitCode.USAGE,
        )


def check_sources(
    config: DataConfig, size: tuple[int, int], source: tuple[int, int], *, crop: bool
) -> None:
    """Refuse a frame cache where pictures are not what it holds, frames at the model's size."""
    if source == size and not config.source_sides and not crop:
        return
    setting, what = f"source_sides is {list(config.source_sides)}", "sources"
    if source != size:
        setting = f"source_size is {source[0]} {source[1]}"
    elif crop:
        setting, what = "ipf.preprocessing is official", "photos"
    raise UserError(
        f"{config.frame_cache} holds frames at the model's size, {size[0]} {size[1]}; {setting}, "
        f"and such {what} are made from frames as recorded. Leave out --data.frame-cache, or that "
        "setting.",
        ExitCode.USAGE,
    )
