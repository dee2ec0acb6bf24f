"""Back-translation: a program of the user turns videos into text, scored against the true texts.

A sign-language translator says whether signing can still be read, in the one way that needs no
person; its score of the true videos, printed beside, says how much it can read at all.
"""

from __future__ import annotations

import csv
import importlib
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from signgen.errors import ExitCode, UserError
from signgen.files.paths import check_input

__all__ = [
    "BackTranslation",
    "ClipTexts",
    "TextScore",
    "back_translate",
    "check_translator",
    "read_texts",
    "run_translator",
]

TIMEOUT = 24 * 3600.0
"""Seconds after which a translator is stopped."""


@dataclass(frozen=True)
class TextScore:
    """One score of texts.

    Args:
        name: `bleu` or `chrf`.
        generated: Score of the generated videos' texts, 0 to 100.
        ratio: Generated over truth; None where the truth scores 0.
        signature: sacreBLEU's signature.
    """

    name: str
    generated: float
    truth: float
    ratio: float | None
    signature: str


@dataclass(frozen=True)
class ClipTexts:
    """The texts of one clip.

    Args:
        truth: What was read in the true video.
        generated: What was read in the generated video.
    """

    id: str
    text: str
    truth: str
    generated: str


@dataclass(frozen=True)
class BackTranslation:
    """What a translator read in generated and true videos."""

    command: str
    scores: tuple[TextScore, ...]
    per_clip: tuple[ClipTexts, ...]


def check_translator(command: str) -> list[str]:
    """Return the words of a command, before any work starts."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UserError(f"--back-translate {command!r}: {error}.", ExitCode.USAGE) from error
    if not words:
        raise UserError("--back-translate is empty; expected a command.", ExitCode.USAGE)
    _sacrebleu()
    return words


def back_translate(
    command: str, generated: Mapping[str, Path], truth: Mapping[str, Path], texts: Mapping[str, str]
) -> BackTranslation:
    """Translate generated and true videos, and score both against the true texts.

    Args:
        command: See `run_translator`; run once for each of the two.
        generated: Videos, or folders of frames, by clip.
        truth: The same of the true clips, with the same names.
        texts: True texts by clip; clips that have none are an error.
    """
    clips = sorted(truth)
    without = [clip for clip in clips if not texts.get(clip, "").strip()]
    if without:
        raise UserError(
            f"--back-translate needs the true texts, and {len(without)} of {len(clips)} clips have "
            f"none ({without[0]}). Give them with --texts.",
            ExitCode.NO_INPUT,
        )
    words = check_translator(command)
    read = [run_translator(words, paths) for paths in (truth, generated)]
    scores = _scores(
        [texts[clip] for clip in clips],
        truth=[read[0][clip] for clip in clips],
        generated=[read[1][clip] for clip in clips],
    )
    return BackTranslation(
        command,
        tuple(scores),
        tuple(ClipTexts(clip, texts[clip], read[0][clip], read[1][clip]) for clip in clips),
    )


def run_translator(words: Sequence[str], paths: Mapping[str, Path]) -> dict[str, str]:
    """Run a translator on videos, and return the texts by clip.

    It is run without a shell, reads lines `ID<TAB>PATH` (UTF-8) on stdin, and prints a line
    `ID<TAB>TEXT` for each in any order. What it writes to stderr is passed on.
    """
    lines = "".join(f"{clip}\t{path.absolute()}\n" for clip, path in sorted(paths.items()))
    shown = f"--back-translate {words[0]}"
    try:
        done = subprocess.run(
            words, input=lines.encode(), stdout=subprocess.PIPE, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        text = " ".join(str(error).split())
        raise UserError(f"{shown} cannot be run: {text}.", ExitCode.UNAVAILABLE) from error
    if done.returncode:
        raise UserError(
            f"{shown} failed with exit code {done.returncode}; see above.", ExitCode.UNAVAILABLE
        )
    printed = (line.partition("\t") for line in done.stdout.decode("utf-8", "replace").splitlines())
    texts = {clip: text for clip, _, text in printed}
    missing = sorted(set(paths) - set(texts))
    if missing or set(texts) - set(paths):
        odd = missing[0] if missing else sorted(set(texts) - set(paths))[0]
        raise UserError(
            f"{shown} printed texts for {len(set(texts) & set(paths))} of {len(paths)} clips (first"
            f" {'missing' if missing else 'unknown'}: {odd[:60]}); expected a line ID<TAB>TEXT for "
            "each."
        )
    return texts


def read_texts(path: str | Path) -> dict[str, str]:
    """Read true texts from a UTF-8 file of lines `ID<TAB>TEXT`."""
    path = check_input(path, "file of lines ID<TAB>TEXT")
    texts: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            for number, row in enumerate(rows, 1):
                if len(row) != 2 or row[0] in texts:
                    raise UserError(
                        f"{path}, line {number}, is not ID<TAB>TEXT with a new ID; "
                        f"it has {len(row)} columns."
                    )
                texts[row[0]] = row[1]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} is no UTF-8 text of lines ID<TAB>TEXT.") from error
    return texts


def _scores(
    references: Sequence[str], *, truth: Sequence[str], generated: Sequence[str]
) -> list[TextScore]:
    library = _sacrebleu()
    found = []
    for name, metric in (("bleu", library.BLEU()), ("chrf", library.CHRF())):
        ours, true = (
            float(metric.corpus_score(list(texts), [list(references)]).score)
            for texts in (generated, truth)
        )
        signature = f"{name}|{metric.get_signature()}"
        found.append(TextScore(name, ours, true, ours / true if true else None, signature))
    return found


def _sacrebleu() -> Any:
    try:
        return importlib.import_module("sacrebleu.metrics")
    except ImportError as error:
        raise UserError(
            "--back-translate needs sacrebleu, get it with `pip install sacrebleu`.",
            ExitCode.UNAVAILABLE,
        ) from error
