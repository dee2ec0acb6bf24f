"""A report of an evaluation as text: scores, what was not computed, warnings, signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from signgen.evaluation.reports.text_table import text_table
from signgen.evaluation.reports.values import direction, found, interval, number, unit

if TYPE_CHECKING:
    from signgen.evaluation.reports.report import Report

__all__ = ["frames_table", "retrieval_table"]


def frames_table(report: Report, *, per_hand: bool, per_signer: bool) -> str:
    """Lay a report out as text: one line per metric, one column per system, then the signatures."""
    ours = [result for result in report.metrics if result.system == report.metrics[0].system]
    measured = [result for result in ours if not result.unavailable]
    verdict = {None: "", True: "better than copying", False: "not shown to beat copying"}
    rows = [["metric [95 % interval]", *report.system_names, "n (items)", ""]]
    for result in measured:
        said = ", ".join(filter(None, [unit(result.name), direction(result)]))
        cells = [
            _cell(result.name, one.value, one.ci95, one.clips)
            for one in report.by_system(result.name).values()
        ]
        own = [one for one in report.metrics if one.name == result.name]
        last = "; ".join(filter(None, [found(own), verdict[result.beats_copy]]))
        rows.append([f"{result.name} ({said})", *cells, str(result.n), last])
    absent: dict[str, list[str]] = {}
    for result in ours:
        if result.unavailable:
            absent.setdefault(result.unavailable, []).append(result.name)
    lines = [
        *text_table(rows),
        *(f"{', '.join(names)}: not computed: {reason}" for reason, names in absent.items()),
        "",
        *_counts(report),
        *(f"warning: {text}" for text in report.warnings),
    ]
    lines += _comparisons(report)
    lines += _hands(report) if per_hand else []
    lines += _signers(report) if per_signer else []
    lines += _back_translation(report)
    return "\n".join([*lines, "", *(result.signature for result in measured), "", report.note])


def retrieval_table(report: Report) -> str:
    """Lay a report out as text: one line per kind of query and gallery, then the signatures."""
    first, names = report.metrics[0], report.metric_names
    rows = [["query", "pictures searched", *(f"{name} [95 % interval]" for name in names)]]
    for start in range(0, len(report.metrics), len(names)):
        row = report.metrics[start : start + len(names)]
        own = "with" if row[0].own_source else "without"
        searched = f"{row[0].details['gallery']:.0f}, {own} its source"
        cells = [_cell(one.name, one.value, one.ci95, one.clips) for one in row]
        rows.append([row[0].system, searched, *cells])
    return "\n".join(
        [
            *text_table(rows),
            "",
            f"{report.queries} queries from {first.clips} clips, gallery of {report.gallery} "
            "pictures",
            f"{first.system} is the source's own embedding: copying the source, for any model to "
            "beat.",
            "",
            *(result.signature for result in report.metrics[: 2 * len(names)]),
            "",
            report.note,
        ]
    )


def _counts(report: Report) -> list[str]:
    """Say how much was scored."""
    frames = sum(clip.frames for clip in report.per_clip)
    counts = {"clip": len(report.per_clip), "frame": frames, "signer": len(report.per_signer)}
    parts = [f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items() if n]
    parts += [f"{len(report.failed)} not scored"] if report.failed else []
    parts += [f"protocol {report.protocol}"] if report.protocol else []
    lines, given = [", ".join(parts)], report.inputs
    if given.get("only_generated") or given.get("only_reference"):
        lines.append(
            f"names: {given['matched']} in both, {given['only_generated']} only generated, "
            f"{given['only_reference']} only in the reference"
        )
    return lines


def _comparisons(report: Report) -> list[str]:
    if not report.comparisons:
        return []
    rows = [["metric", "other system", "difference [95 % interval]", "p", "clips"]]
    for one in report.comparisons:
        p = "" if one.p is None else f"{one.p:.3f}"
        value = _cell(one.metric, one.difference, one.ci95, one.clips)
        rows.append([one.metric, one.other, value, p, str(one.clips)])
    said = "generated minus each other system, on the clips that both were measured on:"
    return ["", said, *text_table(rows)]


def _hands(report: Report) -> list[str]:
    rows = [["metric", "system", "left hand", "right hand"]]
    for result in report.metrics:
        hands = [result.details.get(hand) for hand in ("left", "right")]
        if hands != [None, None]:
            cells = ["not measured" if value is None else f"{value:.4f}" for value in hands]
            rows.append([result.name, result.system, *cells])
    return ["", *text_table(rows)] if len(rows) > 1 else []


def _signers(report: Report) -> list[str]:
    if not report.per_signer:
        return ["", "signers are not known"]
    scores = [signer.scores[report.system_names[0]] for signer in report.per_signer]
    names = [name for name in scores[0] if any(own[name] is not None for own in scores)]
    rows = [["signer", "clips", "frames", *names]]
    for signer, own in zip(report.per_signer, scores, strict=True):
        cells = ["-" if own[name] is None else number(name, own[name]) for name in names]
        rows.append([signer.signer, str(signer.clips), str(signer.frames), *cells])
    return ["", *text_table(rows)]


def _back_translation(report: Report) -> list[str]:
    if report.back_translation is None:
        return []
    rows = [["back-translation", "generated", "truth", "ratio"]]
    for score in report.back_translation.scores:
        ratio = "-" if score.ratio is None else f"{score.ratio:.3f}"
        rows.append([score.name, f"{score.generated:.2f}", f"{score.truth:.2f}", ratio])
    return ["", *text_table(rows), *(one.signature for one in report.back_translation.scores)]


def _cell(metric: str, value: float | None, ci95: tuple[float, float] | None, clips: int) -> str:
    """Return a value and its interval as text."""
    text = number(metric, value)
    if value is None or (ci95 is None and clips != 1):  # scores of whole sets have no interval
        return text
    return f"{text} {interval(metric, ci95) or '[one clip]'}"
