"""The page in a real browser: bundled input, a bad upload, Stop, a reload in the middle."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.media import read_video, write_video
from signgen.pose.formats import read_poses, write_poses
from signgen.rendering.provenance.record import read_provenance
from signgen.ui.page import Page
from tests.ui.conftest import PORT, SLOW

SAMPLE = Path(__file__).parents[2] / "signgen" / "assets" / "sample" / "demo"


def status(tab: Any, text: str, where: str = "#status") -> Any:
    return tab.wait_for_selector(f"{where} :text('{text}')")


def fill_example(tab: Any) -> None:
    tab.click("#example")
    tab.wait_for_selector("#source a")
    tab.wait_for_selector("#poses a")


def upload(tab: Any, place: str, path: Path) -> None:
    """Put a file into a field, in place of the one that is there."""
    if tab.query_selector(f"{place} a"):
        tab.click(f"{place} .icon-button-wrapper button")
        tab.wait_for_selector(f"{place} a", state="detached")
    tab.set_input_files(f"{place} input[type=file]", str(path))
    tab.wait_for_selector(f"{place} a")


def test_renders_the_bundled_example(tab: Any, page: Page) -> None:
    fill_example(tab)
    tab.click("#check")
    said = status(tab, "Ready: 60 frames of 260 x 210 at 25 frames per second").inner_text()
    assert "Key points of the source are those of the file" in tab.inner_text("#status"), said
    tab.wait_for_selector("#source-view img")
    tab.click("#render")
    status(tab, "frames per second,")  # rate and time left
    status(tab, "Done: 60 frames")
    result = page.tasks.render.state.result  # type: ignore[union-attr]
    assert result is not None
    assert len(list(read_video(result.files[0]))) == 60
    assert read_provenance(result.files[0]).settings["model"] == "warp"
    assert "compositeSynthetic" in tab.inner_text("#about")
    assert len(tab.query_selector_all("#files a")) == len(result.files)
    for video in ("#result video", "#compare video"):
        tab.wait_for_function(f"document.querySelector('{video}').readyState > 1")

    # Whoever listens hears what happens: labels, live regions, no sound
    assert tab.get_attribute("#status .state", "role") == "status"
    assert tab.query_selector_all("audio, [autoplay]") == []
    unnamed = (
        "[...document.querySelectorAll('button')].filter(b => b.offsetParent && !b.ariaLabel"
        " && !b.innerText.trim() && !b.title && !b.querySelector('img[alt]')).map(b => b.outerHTML)"
    )
    assert tab.evaluate(unnamed) == []


def test_what_is_wrong_is_one_line_and_nothing_is_left(
    tab: Any, page: Page, tmp_path: Path
) -> None:
    tab.click("#render")
    status(tab, "Error: Choose a picture of the signer first")
    fill_example(tab)
    files = {"source": b"GIF89a nothing", "poses": b"{}", "pickle": b"\x80\x04K\x01."}
    for name, data in files.items():
        (tmp_path / f"{name}.bad").write_bytes(data)
    for place, name, expected in (
        ("#poses", "pickle", "pickle.bad is a pickle, which the page does not take"),
        ("#poses", "poses", "poses.bad is JSON but not poses"),
        ("#source", "source", "source.bad is"),
    ):
        fill_example(tab)
        upload(tab, place, tmp_path / f"{name}.bad")
        tab.click("#render")
        assert "\n" not in status(tab, f"Error: {expected}").inner_text()
    assert not list(Path(os.environ["GRADIO_TEMP_DIR"]).glob("results/*.part"))


def long_poses(path: Path, frames: int) -> Path:
    """Write the poses of the example again and again."""
    poses = read_poses(SAMPLE / "poses.json")
    write_poses(poses.frames([number % 60 for number in range(frames)]), path)
    return path


def test_a_clip_that_is_too_long(tab: Any, tmp_path: Path) -> None:
    fill_example(tab)
    upload(tab, "#poses", long_poses(tmp_path / "long.npz", 301))
    tab.click("#render")
    line = status(tab, "has 301 frames; the page renders up to 300").inner_text()
    assert "signgen ui --max-frames 301" in line


def test_a_clip_without_an_estimator(
    tab: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # weights of this machine
    write_video(tmp_path / "clip.mp4", np.zeros((3, 64, 48, 3), np.uint8), 25)
    fill_example(tab)
    upload(tab, "#poses", tmp_path / "clip.mp4")
    tab.click("#render")
    line = status(tab, "Error: ").inner_text()
    assert "make pose-mediapipe" in line
    assert "\n" not in line
    (said,) = [one.getMessage() for one in caplog.records if one.name.startswith("signgen.ui")]
    assert said.removeprefix("error: ") == line.removeprefix("Error: ")
    assert os.environ["GRADIO_TEMP_DIR"] not in said


def test_two_people_in_a_file_of_poses(
    tab: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    poses = read_poses(SAMPLE / "poses.json").frames(slice(0, 2))
    moved = replace(poses, keypoints=poses.keypoints * 0.5)
    people = [
        [
            {"keypoints": one.keypoints[t].tolist(), "keypoint_scores": one.confidence[t].tolist()}
            for one in (poses, moved)
        ]
        for t in range(2)
    ]
    frames = [{"frame_id": t, "instances": found} for t, found in enumerate(people, 1)]
    (tmp_path / "two.json").write_text(json.dumps({"instance_info": frames}))
    fill_example(tab)
    upload(tab, "#poses", tmp_path / "two.json")
    tab.click("#render")
    line = status(tab, "Warning: two.json: up to 2 people").inner_text()
    assert "one is followed" in line
    assert any("two.json" in record.getMessage() for record in caplog.records)


def test_a_camera_that_cannot_be_had(tab: Any) -> None:
    # Headless, the browser has no camera, and nobody to ask
    tab.click("text=Or take a picture with the camera")
    tab.click("text=Click to Access Webcam")
    status(tab, "Error: there is no camera.", "#camera-status")
    assert tab.get_attribute("#camera-status .state", "role") == "alert"


def test_stop_keeps_what_is_there_and_render_goes_on(tab: Any, page: Page) -> None:
    fill_example(tab)
    tab.click("text=the signer's proportions")
    tab.click("#render")
    status(tab, "Rendering: frame")
    tab.wait_for_function("parseInt(document.querySelector('progress')?.value) > 2")
    tab.click("#stop")
    line = status(tab, "Stopped after").inner_text()
    done = int(re.findall(r"Stopped after (\d+) of 60", line)[0])
    assert 2 < done < 60
    assert page.tasks.render is not None
    assert len(list(read_video(page.tasks.render.state.partial or ""))) == done
    tab.wait_for_selector("#result video")
    tab.click("#render")
    status(tab, "Done: 60 frames")
    assert page.tasks.render.state.total == 60 - done


def test_a_reload_in_the_middle_finds_the_render_again(
    tab: Any, page: Page, tmp_path: Path
) -> None:
    other = tab.context.new_page()
    other.set_default_timeout(SLOW)
    other.goto(page.url)
    fill_example(other)
    fill_example(tab)
    upload(tab, "#poses", long_poses(tmp_path / "long.npz", 300))
    tab.click("#render")
    status(tab, "Rendering: frame")

    # Another tab cannot begin a second one
    other.click("#render")
    status(other, "one task at a time")
    other.close()
    tab.reload()
    status(tab, "Rendering: frame")
    tab.click("#stop")
    status(tab, "Stopped after")
    tab.wait_for_selector("#compare video")


def test_scores_two_videos(tab: Any, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 64, 48, 3), np.uint8)
    write_video(tmp_path / "a.mp4", frames, 25)
    write_video(tmp_path / "b.mp4", frames[::-1].copy(), 25)
    tab.click("[role=tab]:visible:has-text('Score')")
    upload(tab, "#score-generated", tmp_path / "a.mp4")
    upload(tab, "#score-reference", tmp_path / "b.mp4")
    tab.click("#score")
    status(tab, "Scored.", "#score-status")
    tab.frame_locator("iframe[title=Report]").locator("table").first.wait_for()
    folder = os.environ["GRADIO_TEMP_DIR"]
    kept = [path.read_text() for path in Path(folder).rglob("report.*")]
    for text in (tab.get_attribute("iframe[title=Report]", "srcdoc"), *kept):
        assert "a.mp4" in text
        assert folder not in text
    assert len(kept) >= 2


def test_looks_into_poses(tab: Any) -> None:
    tab.click("[role=tab]:visible:has-text('Poses')")
    upload(tab, "#look-poses", SAMPLE / "poses.json")
    tab.click("#look")
    status(tab, "Read.", "#look-status")
    assert "coco-wholebody-133" in tab.inner_text("#look-table")
    tab.wait_for_selector("#look-sheet img")
    tab.wait_for_selector("#look-video video")


def test_a_port_in_use_is_one_line(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ui", "--port", str(PORT), "--no-open"]) == 69
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"signgen: error: port {PORT} is in use; expected a free one. Choose another: signgen ui "
        f"--port {PORT + 1}.\n"
    )


def test_the_page_is_for_this_machine_alone(page: Page) -> None:
    assert page.url.startswith("http://127.0.0.1:")
    assert page.server.share is False
