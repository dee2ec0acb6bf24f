"""A study: the page does not say what a video is, the key does; every rater has an order."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from signgen.cli.main import main
from signgen.evaluation.study.design import SCALES, items_of, pairs_of
from signgen.media import write_video

CLIPS, SYSTEMS = ("one", "two", "three"), ("ours", "theirs", "secret-baseline")


@pytest.fixture
def systems(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for system in (*SYSTEMS, "truth"):
        (tmp_path / system).mkdir()
        for clip in CLIPS:
            frames = draw.integers(0, 256, (4, 48, 32, 3), np.uint8)
            write_video(tmp_path / system / f"{clip}.mp4", frames, 25)
    return tmp_path


def words(folder: Path, *more: str) -> list[str]:
    given = ["--generated", str(folder / "ours"), "--reference", str(folder / "truth")]
    compared = [str(folder / "theirs"), str(folder / "secret-baseline")]
    return ["eval", *given, "--compare", *compared, "--study", str(folder / "study"), *more]


def data_of(folder: Path) -> dict[str, Any]:
    page = (folder / "study" / "study.html").read_text()
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_tells_nothing_and_the_key_all(
    systems: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(systems)) == 0
    assert capsys.readouterr().out.split() == [
        str(systems / "study" / name) for name in ("study.html", "key.json")
    ]
    page = (systems / "study" / "study.html").read_text()
    key = json.loads((systems / "study" / "key.json").read_text())
    for hidden in (*SYSTEMS, *CLIPS[2:], "truth", str(systems), "http://", "https://"):
        assert hidden not in page
    data = data_of(systems)
    assert set(data["items"]) == {item["id"] for item in key["items"]}
    assert Counter(item["clip"] for item in key["items"]) == dict.fromkeys(CLIPS, 3)
    assert len(data["pairs"]) == 9

    # Two of one clip make a pair
    clip = {item["id"]: item["clip"] for item in key["items"]}
    assert all(clip[one] == clip[other] for one, other in (p["items"] for p in data["pairs"]))

    # All videos are encoded alike, and say nothing of where they come from
    for video in data["videos"].values():
        content = base64.b64decode(video.removeprefix("data:video/mp4;base64,"))
        with av.open(io.BytesIO(content)) as container:
            assert sum(1 for _ in container.decode(video=0)) == 4
            assert "comment" not in container.metadata
            assert not container.streams.audio


def test_the_same_again_and_another_seed(systems: Path) -> None:
    clips = {clip: {name: systems / name for name in SYSTEMS} for clip in CLIPS}
    items = items_of(clips, 0)
    assert items == items_of(clips, 0)
    assert {item.id for item in items}.isdisjoint(item.id for item in items_of(clips, 1))
    assert len({item.id for item in items}) == 9
    assert len({pair.id for pair in pairs_of(items, 0)}) == 9


def test_fewer_clips_and_one_system(systems: Path) -> None:
    given = ["--generated", str(systems / "ours"), "--reference", str(systems / "truth")]
    assert main(["eval", *given, "--study", str(systems / "study"), "--study-clips", "2"]) == 0
    data = data_of(systems)
    assert (len(data["items"]), data["pairs"]) == (2, [])


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--study-clips", "0"), 2, "--study-clips is 0"),
        (("--study-instructions", "none.mp4"), 66, "none.mp4"),
        (("--compare", "none"), 66, "none"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_left(
    systems: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], code: int, said: str
) -> None:
    assert main(words(systems, *more)) == code
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (systems / "study").exists()
    assert main(["eval", "--study", str(systems / "study")]) == 2
    assert "--study shows the videos of --generated" in capsys.readouterr().err


def test_raters_fill_it_in_and_their_answers_are_read(
    systems: Path, capsys: pytest.CaptureFixture[str], browser: Any
) -> None:
    assert main(words(systems, "--study-clips", "1")) == 0
    results: list[dict[str, Any]] = []
    for rater in ("A7", "A7", "B2"):
        page = browser.new_page(viewport={"width": 900, "height": 1000})
        results.append(answer(page, systems / "study" / "study.html", rater))
        page.close()
    first, again, other = results

    # Everything is answered, in an order that depends on the code alone
    key = json.loads((systems / "study" / "key.json").read_text())
    assert first["study"] == key["study"]
    assert {one["item"] for one in first["ratings"]} == {item["id"] for item in key["items"]}
    assert [one["item"] for one in first["ratings"]] == first["order"]
    assert (first["order"], first["pair_order"]) == (again["order"], again["pair_order"])
    assert (first["order"], first["pair_order"]) != (other["order"], other["pair_order"])
    for rating in first["ratings"]:
        assert [rating[scale.name] for scale in SCALES] == [4, 3, 2]
        assert (rating["plays"], rating["signed"]) == (1, "HOUSE")
    assert first["pairs"][0]["choice"] == "left"
    assert first["about"]["hearing"] == "deaf"

    # What they saved is what the command reads
    (systems / "back").mkdir()
    for one in (first, other):
        (systems / "back" / f"{one['rater']}.json").write_text(json.dumps(one))
    capsys.readouterr()
    given = ["--study", str(systems / "study"), "--study-results", str(systems / "back")]
    assert main(["eval", *given, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["raters"] == {"deaf": 2}
    assert results["left"] == [6, 0]
    assert {one["signed"] for one in results["words"]} == {"HOUSE"}
    for system in results["ratings"]:
        values = [system["scales"][scale.name]["value"] for scale in SCALES]
        assert values == [4, 3, 2]


def answer(page: Any, path: Path, rater: str) -> dict[str, Any]:
    """Fill in the page as a rater does, and return the file that is saved."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(60_000)
    page.goto(path.as_uri())
    picture(page, f"study-welcome-{rater}")
    page.fill("[name=rater]", rater)
    page.fill("[name=language]", "DGS")
    page.fill("[name=since]", "0")
    page.select_option("[name=hearing]", "deaf")
    page.check("[name=consent]")
    page.click("#about button")
    for number in range(3):
        page.wait_for_selector(f"#rating h1:text('Video {number + 1} of 3')")
        if number == 0:
            page.click("#rating button")
            page.wait_for_selector("text=Watch the video to its end first.")
        watch(page, "#single")
        page.fill("[name=signed]", "HOUSE")
        for scale, value in zip(SCALES, (4, 3, 2), strict=True):
            page.check(f"[name={scale.name}][value='{value}']")
        picture(page, f"study-rating-{rater}")
        page.click("#rating button")
    for number in range(3):
        page.wait_for_selector(f"#comparing h1:text('Pair {number + 1} of 3')")
        for side in ("#left", "#right"):
            watch(page, side)
        page.check("[name=choice][value=left]")
        picture(page, f"study-pair-{rater}")
        page.click("#comparing button")
    page.wait_for_selector("#end h1")
    with page.expect_download() as download:
        page.click("#end button")
    page.evaluate("localStorage.clear()")
    assert errors == []
    saved: dict[str, Any] = json.loads(Path(download.value.path()).read_text())
    return saved


def watch(page: Any, video: str) -> None:
    """Play a video to its end."""
    page.evaluate(
        "selector => new Promise(done => { const video = document.querySelector(selector);"
        " video.addEventListener('ended', () => done()); video.play(); })",
        video,
    )


def picture(page: Any, name: str) -> None:
    if folder := os.environ.get("SIGNGEN_PICTURES"):
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.screenshot(path=str(Path(folder) / f"{name}-{theme}.png"), full_page=True)
