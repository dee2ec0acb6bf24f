"""The `import-fpdm` command: checkpoints of the published FPDM program become a model folder."""

from __future__ import annotations

import dataclasses
import json

from signgen.cli.output import PRECEDENCE, columns, say, table, tell
from signgen.cli.parsing import parse
from signgen.config.exchange import ImportFPDMConfig
from signgen.errors import ExitCode

__all__ = ["import_fpdm"]


def import_fpdm(words: list[str]) -> int:
    """Run `signgen import-fpdm`."""
    config = parse(
        ImportFPDMConfig,
        words,
        prog="signgen import-fpdm",
        description="Make a model folder of checkpoints that the published FPDM program wrote. "
        "They are read without being run.\n\n"
        "Example: signgen import-fpdm --stage2 last.ckpt --out runs/fpdm-official\n\n"
        "A checkpoint of stage 2 is enough, it holds stage 1; with both, the two copies are "
        "compared.\n\n" + PRECEDENCE,
    )
    from signgen.exchange.fpdm.importing import import_fpdm as run

    result = run(config)
    if config.json:
        tables = {
            path: [dataclasses.asdict(row) for row in rows] for path, rows in result.tables.items()
        }
        made = dataclasses.asdict(result) | {"folder": str(result.folder), "tables": tables}
        say(json.dumps({"schema_version": 1, **made}))
        return ExitCode.OK
    for rows in result.tables.values():
        say(columns([dataclasses.asdict(row) | {"values": f"{row.values:,}"} for row in rows]))
    say(
        table(
            {
                "folder": str(result.folder),
                "run": result.verdict,
                "weights": f"{result.tensors:,} tensors of {result.values:,} values in all",
            }
        )
    )
    for note in result.notes:
        tell(f"note: {note}")
    return ExitCode.OK
