"""The `export` command: a model as a folder to upload to the hub."""

from __future__ import annotations

import dataclasses
import json

from signgen.cli.output import PRECEDENCE, say, tell
from signgen.cli.parsing import parse, positional
from signgen.config.exchange import ExportConfig
from signgen.errors import ExitCode, UserError

__all__ = ["export"]


def export(words: list[str]) -> int:
    """Run `signgen export`."""
    named, flags = positional(words, ExportConfig)
    if len(named) > 1:
        raise UserError(
            f"{named[1]!r} is one word too many; expected one MODEL. See `signgen export --help`.",
            ExitCode.USAGE,
        )
    config = parse(
        ExportConfig,
        [*flags, *(["--model", *named] if named else [])],
        prog="signgen export",
        description="Write a model as a folder to upload to the hub, with a model card.\n\n"
        "Example: signgen export runs/mine --to-hub-folder upload --license cc-by-nc-sa-4.0\n\n"
        "Nothing is uploaded; the command for that is printed. " + PRECEDENCE,
    )
    from signgen.exchange.export import export_model

    exported = export_model(config)
    if config.json:
        say(json.dumps({"schema_version": 1, **dataclasses.asdict(exported)}))
        return ExitCode.OK
    say(exported.folder)
    if not config.repo:
        tell("the card calls its owner OWNER; --repo owner/name puts in the name on the hub")
    tell(f"read {exported.folder}/README.md, then upload with: {exported.upload}")
    return ExitCode.OK
