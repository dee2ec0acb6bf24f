"""`signgen export` and `signgen import-fpdm`: models from and for others."""

from __future__ import annotations

from dataclasses import asdict

from signgen.cli.output import columns, print_json, print_note, print_result, table
from signgen.cli.parsing import command
from signgen.config.exchange import ExportConfig, ImportFPDMConfig
from signgen.errors import ExitCode

__all__ = ["export", "import_fpdm"]


@command("signgen export", positional={"model": "MODEL"})
def export(config: ExportConfig) -> int:
    """Write a model as a folder to upload to the hub, with a model card.

    Example: signgen export runs/mine --to-hub-folder upload --license cc-by-nc-sa-4.0

    Nothing is uploaded; the command for that is printed.
    """
    from signgen.exchange.export import export_model

    exported = export_model(config)
    if config.json:
        print_json(asdict(exported))
        return ExitCode.OK
    print_result(exported.folder)
    if not config.repo:
        print_note("the card calls its owner OWNER; --repo owner/name puts in the name on the hub")
    print_note(f"read {exported.folder}/README.md, then upload with: {exported.upload}")
    return ExitCode.OK


@command("signgen import-fpdm")
def import_fpdm(config: ImportFPDMConfig) -> int:
    """Make a model folder of checkpoints that the published FPDM program wrote.

    They are read without being run.

    Example: signgen import-fpdm --stage2 last.ckpt --out runs/fpdm-official

    A checkpoint of stage 2 is enough, it holds stage 1; with both, the two copies are compared.
    """
    from signgen.exchange.fpdm.importing import import_fpdm as run

    result = run(config)
    if config.json:
        print_json(asdict(result) | {"folder": str(result.folder)})
        return ExitCode.OK
    for rows in result.tables.values():
        print_result(columns([asdict(row) | {"values": f"{row.values:,}"} for row in rows]))
    weights = f"{result.tensors:,} tensors of {result.values:,} values in all"
    print_result(table({"folder": result.folder, "run": result.verdict, "weights": weights}))
    for note in result.notes:
        print_note(f"note: {note}")
    return ExitCode.OK
