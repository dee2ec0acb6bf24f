"""Back-translation with programs that really run: texts, faults, and scores by sacreBLEU."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

import pytest

from signgen.errors import ExitCode, UserError
from signgen.evaluation.back_translation import (
    back_translate,
    check_translator,
    read_texts,
    run_translator,
)

has_sacrebleu = importlib.util.find_spec("sacrebleu") is not None


def program(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def videos(folder: Path, texts: dict[str, str]) -> dict[str, Path]:
    """Write "videos" that hold what is signed in them."""
    folder.mkdir()
    for clip, text in texts.items():
        (folder / f"{clip}.mp4").write_text(text, encoding="utf-8")
    return {clip: folder / f"{clip}.mp4" for clip in texts}


READS = """
import pathlib, sys
for line in sys.stdin.buffer.read().decode().splitlines():
    clip, path = line.split("\\t")
    sys.stdout.buffer.write(f"{clip}\\t{pathlib.Path(path).read_text('utf-8')}\\n".encode())
"""


def test_a_translator_reads_paths_and_prints_texts(tmp_path: Path) -> None:
    texts = {"b": "am tag regnet es", "a": "größere wolken im süden"}
    assert run_translator(program(READS), videos(tmp_path / "x", texts)) == texts


@pytest.mark.parametrize(
    ("code", "message", "exit_code"),
    [
        ("raise SystemExit(4)", "failed with exit code 4", ExitCode.UNAVAILABLE),
        ("print('a\\ttext')", "texts for 1 of 2 clips .first missing: b", ExitCode.DATA),
        ("print('a\\tx\\nb\\ty\\nc\\tz')", "first unknown: c", ExitCode.DATA),
        ("print('no tab')", "texts for 0 of 2 clips", ExitCode.DATA),
    ],
)
def test_a_translator_that_fails_is_a_user_error(
    code: str, message: str, exit_code: ExitCode
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        run_translator(program(code), {"a": Path("a.mp4"), "b": Path("b.mp4")})
    assert caught.value.code == exit_code
    assert "\n" not in str(caught.value)


def test_a_program_that_is_missing_is_a_user_error() -> None:
    with pytest.raises(UserError, match="cannot be run") as caught:
        run_translator(["/no/such/program"], {"a": Path("a.mp4")})
    assert caught.value.code == ExitCode.UNAVAILABLE


def test_no_shell_is_involved(tmp_path: Path) -> None:
    words = shlex.split(f"{shlex.quote(sys.executable)} -c 'print(1)' ; touch {tmp_path}/made")
    with pytest.raises(UserError):
        run_translator(words, {"a": Path("a.mp4")})
    assert not (tmp_path / "made").exists()


def test_texts_are_read_from_lines_of_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "texts.tsv"
    path.write_text('a\tsie sagt "nein\nb\t\n', encoding="utf-8")
    assert read_texts(path) == {"a": 'sie sagt "nein', "b": ""}
    for text in ("a b\n", "a\tx\na\ty\n", "a\tx\ty\n"):
        path.write_text(text)
        with pytest.raises(UserError, match="is not ID<TAB>TEXT"):
            read_texts(path)
    path.write_bytes(b"a\t\xff\xfe\n")
    with pytest.raises(UserError, match="no UTF-8"):
        read_texts(path)


def test_clips_without_a_true_text_are_a_user_error() -> None:
    paths = {"a": Path("a.mp4"), "b": Path("b.mp4")}
    with pytest.raises(UserError, match=r"1 of 2 clips have none \(b\)") as caught:
        back_translate("translate", paths, paths, {"a": "text", "b": " "})
    assert caught.value.code == ExitCode.NO_INPUT


def test_a_command_is_checked_before_the_work() -> None:
    for command in ("", "translate 'open"):
        with pytest.raises(UserError) as caught:
            check_translator(command)
        assert caught.value.code == ExitCode.USAGE


@pytest.mark.skipif(not has_sacrebleu, reason="needs sacreBLEU")
def test_scores_are_those_of_sacrebleu_beside_the_truth(tmp_path: Path) -> None:
    texts = {"a": "am tag regnet es im norden stark", "b": "im süden scheint heute die sonne"}
    truth = videos(tmp_path / "truth", texts | {"b": "im süden scheint oft die sonne"})
    worse = {"a": "am tag regnet es", "b": "im norden scheint nicht die sonne"}
    ours = videos(tmp_path / "ours", worse)
    (tmp_path / "reads.py").write_text(READS)
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / 'reads.py'))}"
    found = back_translate(command, ours, truth, texts)

    import sacrebleu

    bleu, chrf = found.scores
    references = [list(texts.values())]
    assert bleu.generated == sacrebleu.corpus_bleu(list(worse.values()), references).score
    assert chrf.generated == sacrebleu.corpus_chrf(list(worse.values()), references).score
    assert 0 < bleu.generated < bleu.truth < 100
    assert bleu.signature.startswith("bleu|nrefs:1|case:mixed|")
    assert bleu.ratio == pytest.approx(bleu.generated / bleu.truth)
    assert found.per_clip[0].generated == "am tag regnet es"
    # A truth that scores 0 has none.
    bleu, _ = back_translate(command, ours, truth, dict.fromkeys(texts, "xy")).scores
    assert (bleu.truth, bleu.ratio) == (0, None)
