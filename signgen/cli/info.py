"""`signgen info`: where a rendered video comes from, and the command that makes it again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from signgen.cli.output import print_json, print_result, table
from signgen.cli.parsing import command
from signgen.config.info import InfoConfig
from signgen.errors import ExitCode

__all__ = ["info"]


@command(
    "signgen info",
    positional={"video": "VIDEO"},
    required={"video": "a video of `signgen render`"},
)
def info(config: InfoConfig) -> int:
    """Say where a rendered video comes from, and the command that makes it again.

    Example: signgen info out.mp4
    """
    from signgen.rendering.provenance.description import describe
    from signgen.rendering.provenance.record import read_provenance

    lines = describe(Path(config.video))
    if config.json:
        record = asdict(read_provenance(config.video))
        print_json({**record, "credentials": lines["credentials"], "command": lines["again"]})
    else:
        print_result(table(lines))
    return ExitCode.OK
