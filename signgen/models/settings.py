"""Settings of a model that must fit together, checked before anything is computed."""

from __future__ import annotations

from signgen.config.model import FPDMConfig
from signgen.config.ranges import out_of_range
from signgen.errors import ExitCode, UserError
from signgen.models.autoencoder import check_size
from signgen.models.motion import MOST_FRAMES

__all__ = ["check_settings"]


def check_settings(config: FPDMConfig, factor: int) -> None:
    """Refuse settings that do not fit together.

    Args:
        config: All settings.
        factor: What the autoencoder divides sizes by.

    Raises:
        UserError: With the first problem.
    """
    check_size(config.size, factor)
    levels = len(config.pose_channels)
    problems = {
        **dict.fromkeys(out_of_range(config), True),
        f"pose_channels has {levels} entries; expected {factor.bit_length()}, because the "
        f"autoencoder divides sizes by {factor}": 2 ** (levels - 1) != factor,
        **_of_motion(config),
        "fusion is ipf, but ipf.loss is none, so its Combiner was never trained; use fusion "
        "source, or another loss": config.fusion == "ipf" and config.ipf.loss == "none",
    }
    for problem, wrong in problems.items():
        if wrong:
            raise UserError(f"model: {problem}.", ExitCode.USAGE)


def _of_motion(config: FPDMConfig) -> dict[str, bool]:
    """Return what is wrong with the settings of motion layers, where there are any."""
    motion, channels = config.motion, list(config.unet.block_channels)
    if not motion.window:
        return {}
    beginning = f"motion.window is {motion.window}; expected"
    return {
        f"{beginning} at most {MOST_FRAMES}": motion.window > MOST_FRAMES,
        f"motion.overlap is {motion.overlap}; expected at most half of motion.window, "
        f"{motion.window}": motion.overlap > motion.window // 2,
        f"motion.heads is {motion.heads}; expected a divisor of unet.block_channels, {channels}": (
            any(count % motion.heads for count in channels)
        ),
        f"{beginning} 0 for kind {config.kind}": config.kind != FPDMConfig.kind,
        f"{beginning} 0 with decoder.kind guided, whose frames follow the moved source": (
            config.guided
        ),
    }
