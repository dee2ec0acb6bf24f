"""The page in a real browser: bundled input, a bad upload, Stop, a reload in the middle."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.config.ui import UiConfig
from signgen.media import read_video, write_video
from signgen.rendering.provenance.record import read_provenance
from signgen.ui.page import Page, open_page

pytest.importorskip("gradio")
playwright = pytest.importorskip("playwright.sync_api")


CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")

PORT = 7893
SLOW = 400_000  # milliseconds; a test machine may be busy
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    config = UiConfig(port=PORT, model="warp", device="cpu", max_frames=100, open=False)
    with open_page(config) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def tab(page: Page, browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Return a tab with the page, and picture it at the end where `SIGNGEN_PICTURES` asks."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    opened = context.new_page()
    opened.set_default_timeout(SLOW)
    outside: list[str] = []
    opened.on("request", lambda sent: outside.append(sent.url))
    opened.goto(page.url)
    opened.wait_for_selector("#render")
    yield opened
    if folder := os.environ.get("SIGNGEN_PICTURES"):
        picture(opened, Path(folder), request.node.name)
    if page.tasks.render is not None:
        page.tasks.render.stop()
        page.tasks.render.wait()
    context.close()
    local = ("http://127.0.0.1:", "data:", "blob:", "about:", "ws://127.0.0.1:")
    assert [url for url in outside if not url.startswith(local)] == []


def picture(tab: Any, folder: Path, name: str) -> None:
    """Save the page in both themes and at a phone's width."""
    folder.mkdir(exist_ok=True)
    for theme in ("light", "dark"):
        for where, width in (("desktop", 1280), ("phone", 390)):
            tab.set_viewport_size({"width": width, "height": 1000})
            dark = "add" if theme == "dark" else "remove"
            tab.evaluate(f"document.body.classList.{dark}('dark')")
            tab.wait_for_timeout(700)
            tab.screenshot(path=str(folder / f"{name}-{theme}-{where}.png"), full_page=True)


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


def test_a_clip_that_is_too_long(tab: Any, tmp_path: Path) -> None:
    bundled = json.loads(Path("signgen/assets/sample/demo/poses.json").read_text())
    long = {
        name: value * 2 if isinstance(value, list) and len(value) == 60 else value
        for name, value in bundled.items()
    }
    (tmp_path / "long.json").write_text(json.dumps(long))
    fill_example(tab)
    upload(tab, "#poses", tmp_path / "long.json")
    tab.click("#render")
    line = status(tab, "has 120 frames; the page renders up to 100").inner_text()
    assert "signgen ui --max-frames 120" in line


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


def test_a_reload_in_the_middle_finds_the_render_again(tab: Any, page: Page) -> None:
    fill_example(tab)
    tab.click("text=move and scale")
    tab.click("#render")
    status(tab, "Rendering: frame")
    tab.reload()
    status(tab, "Rendering: frame")

    # Another tab cannot begin a second one
    other = tab.context.new_page()
    other.set_default_timeout(SLOW)
    other.goto(page.url)
    fill_example(other)
    other.click("#render")
    status(other, "one task at a time")
    other.close()
    status(tab, "Done: 60 frames")
    tab.wait_for_selector("#compare video")


def test_scores_two_videos(tab: Any, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 64, 48, 3), np.uint8)
    write_video(tmp_path / "a.mp4", frames, 25)
    write_video(tmp_path / "b.mp4", frames[::-1].copy(), 25)
    tab.click("[role=tab]:visible:has-text('Score two videos')")
    upload(tab, "#score-generated", tmp_path / "a.mp4")
    upload(tab, "#score-reference", tmp_path / "b.mp4")
    tab.click("#score")
    status(tab, "Scored.", "#score-status")
    tab.frame_locator("iframe[title=Report]").locator("table").first.wait_for()


def test_looks_into_poses(tab: Any) -> None:
    tab.click("[role=tab]:visible:has-text('Look into poses')")
    upload(tab, "#look-poses", Path("signgen/assets/sample/demo/poses.json"))
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
