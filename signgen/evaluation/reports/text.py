"""A report of an evaluation as text: scores, what was not computed, warnings, signatures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from signgen.evaluation.reports.values import caveat, direction, interval, number, unit

__all__ = ["cell", "columns", "retrieval_table", "table"]


def table(report: Mapping[str, Any], *, per_hand: bool = False, per_signer: bool = False) -> str:
    """Lay a report out as text: one line per metric, one column per system, then the signatures.

    Args:
        report: What `Report.to_json` returned.
        per_hand: Also lay out the scores of each hand.
        per_signer: Also lay out the scores of each signer.
    """
    metrics = report["metrics"]
    systems = list(dict.fromkeys(entry["system"] for entry in metrics))
    ours = [entry for entry in metrics if entry["system"] == systems[0]]
    measured = [entry for entry in ours if not entry["unavailable"]]
    rows = [["metric [95 % interval]", *systems, "n (items)", ""]]
    for entry in measured:
        row = [
            f"{entry['name']} ({', '.join(filter(None, [unit(entry['name']), direction(entry)]))})"
        ]
        for system in systems:
            row += [cell(m) for m in metrics if (m["system"], m["name"]) == (system, entry["name"])]
        rows.append([*row, str(entry["n"]), _verdict(entry)])
    lines = [*columns(rows), *_absent(ours), "", _counted(report)]
    lines += [
        f"{entry['name']}: {_parts(entry['name'])} measured {entry['details']['coverage']:.1%}"
        for entry in ours
        if entry["details"].get("coverage") is not None
    ]
    few = caveat(report)
    lines += [f"warning: {text}" for text in [*report["warnings"], *([few] if few else [])]]
    lines += _compared(report["comparisons"])
    lines += _hands(metrics) if per_hand else []
    lines += _signers(report, systems) if per_signer else []
    lines += _translated(report)
    return "\n".join([*lines, "", *(entry["signature"] for entry in measured), "", report["note"]])


def retrieval_table(report: Mapping[str, Any]) -> str:
    """Lay a report out as text: one line per kind of query and gallery, then the signatures.

    Args:
        report: What `Report.to_json` returned.
    """
    metrics = report["metrics"]
    names = list(dict.fromkeys(entry["name"] for entry in metrics))
    rows = [["query", "pictures searched", *(f"{name} [95 % interval]" for name in names)]]
    for first in metrics[:: len(names)]:
        kept = first["own_source"]
        row = [m for m in metrics if (m["system"], m["own_source"]) == (first["system"], kept)]
        searched = f"{first['details']['gallery']:.0f}, {'with' if kept else 'without'} its source"
        rows.append([first["system"], searched, *(cell(entry) for entry in row)])
    counted = (
        f"{report['queries']} queries from {metrics[0]['clips']} clips, "
        f"gallery of {report['gallery']} pictures"
    )
    explained = (
        f"{metrics[0]['system']} is the source's own embedding: copying the source, for any model "
        "to beat."
    )
    signatures = [entry["signature"] for entry in metrics[: 2 * len(names)]]
    return "\n".join([*columns(rows), "", counted, explained, "", *signatures, "", report["note"]])


def _absent(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say once for each reason which metrics were not computed."""
    names: dict[str, list[str]] = {}
    for entry in entries:
        if entry["unavailable"]:
            names.setdefault(entry["unavailable"], []).append(entry["name"])
    return [f"{', '.join(found)}: not computed: {reason}" for reason, found in names.items()]


def _counted(report: Mapping[str, Any]) -> str:
    """Say how much was scored."""
    clips = report["per_clip"]
    frames = sum(clip["frames"] for clip in clips)
    signers = len(report["per_signer"])
    counts = [(len(clips), "clip"), (frames, "frame"), (signers, "signer")]
    text = ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in counts if n)
    text += f", {len(report['failed'])} not scored" if report["failed"] else ""
    text += f", protocol {report['protocol']}" if report["protocol"] else ""
    given = report["inputs"]
    if given.get("only_generated") or given.get("only_reference"):
        text += (
            f"\nnames: {given['matched']} in both, {given['only_generated']} only generated, "
            f"{given['only_reference']} only in the reference"
        )
    return text


def _parts(metric: str) -> str:
    """Say what a metric of regions measures."""
    names = {"face": "faces", "mouth": "mouths", "keypoint": "points"}
    return names.get(metric.partition("_")[0], "hands")


def _compared(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    if not comparisons:
        return []
    rows = [["difference", "generated minus", "value [95 % interval]", "p", "clips"]]
    for entry in comparisons:
        p = "" if entry["p"] is None else f"{entry['p']:.3f}"
        value = cell({**entry, "name": entry["metric"], "value": entry["difference"]})
        rows.append([entry["metric"], entry["other"], value, p, str(entry["clips"])])
    return ["", *columns(rows)]


def _hands(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [["metric", "system", "left hand", "right hand"]]
    for entry in metrics:
        hands = [entry["details"].get(hand) for hand in ("left", "right")]
        if any(value is not None for value in hands):
            shown = ["not measured" if value is None else f"{value:.4f}" for value in hands]
            rows.append([entry["name"], entry["system"], *shown])
    return ["", *columns(rows)] if len(rows) > 1 else []


def _signers(report: Mapping[str, Any], systems: Sequence[str]) -> list[str]:
    if not report["per_signer"]:
        return ["", "signers are not known"]
    scores = [entry["scores"][systems[0]] for entry in report["per_signer"]]
    names = [name for name in scores[0] if any(found[name] is not None for found in scores)]
    rows = [["signer", "clips", "frames", *names]]
    for entry, found in zip(report["per_signer"], scores, strict=True):
        shown = ["-" if found[name] is None else number(name, found[name]) for name in names]
        rows.append([entry["signer"], str(entry["clips"]), str(entry["frames"]), *shown])
    return ["", *columns(rows)]


def _translated(report: Mapping[str, Any]) -> list[str]:
    found = report.get("back_translation")
    if found is None:
        return []
    rows = [["back-translation", "generated", "truth", "ratio"]]
    for entry in found["scores"]:
        ratio = "-" if entry["ratio"] is None else f"{entry['ratio']:.3f}"
        rows.append([entry["name"], f"{entry['generated']:.2f}", f"{entry['truth']:.2f}", ratio])
    return ["", *columns(rows), *(entry["signature"] for entry in found["scores"])]


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of as many cells each as lines whose columns begin at the same place."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def cell(entry: Mapping[str, Any]) -> str:
    """Return value and interval of a metric in a report's JSON, as text."""
    text = number(entry["name"], entry["value"])
    if entry["value"] is None:
        return text
    if entry["ci95"] is None:  # scores of whole sets, such as FID, never have an interval
        return f"{text} [one clip]" if entry["clips"] == 1 else text
    return f"{text} {interval(entry['name'], entry['ci95'])}"


def _verdict(entry: Mapping[str, Any]) -> str:
    if entry["beats_copy"] is None:
        return ""
    return "better than copying" if entry["beats_copy"] else "not shown to beat copying"
