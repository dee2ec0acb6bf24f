"""Content credentials: written by c2pa-python, checked by it, and never a byte of the video."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from signgen.files.digests import sha256
from signgen.rendering.provenance import credentials
from signgen.rendering.provenance.credentials import describe_credentials, manifest_of

STEPS = ("--steps", 1, "--no-compare")


def test_without_the_package_it_says_so_before_rendering(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "c2pa", None)
    assert work.render("--credentials", "inside") == 69
    assert "pip install 'signgen[c2pa]'" in work.only_line()
    assert work.render("--certificate", "a.pem") == 2
    assert "--private-key is missing" in work.only_line()
    assert work.left() == []


def test_a_manifest_lies_beside_and_the_bytes_stay(
    work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    c2pa = pytest.importorskip("c2pa")
    assert work.render(*STEPS) == 0
    video = work.out / "a.mp4"
    digest = sha256(video)
    assert work.left() == ["a.c2pa", "a.mp4", "a.provenance.json"]
    with video.open("rb") as stream:
        reader = c2pa.Reader("video/mp4", stream, manifest_of(video).read_bytes())
        manifest = json.dumps(reader.get_active_manifest())
    assert "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia" in manifest
    assert sha256(work.source) in manifest
    assert str(work.folder) not in manifest
    said = describe_credentials(video)
    assert said == "Valid (signingCredential.untrusted), signed by signgen, self-signed"

    # The same without the package
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "c2pa", None)
        assert work.render(*STEPS, out=work.out / "b.mp4") == 0
    assert sha256(work.out / "b.mp4") == digest

    # A byte that changed is seen
    data = bytearray(video.read_bytes())
    data[len(data) // 2] ^= 1
    video.write_bytes(data)
    assert "assertion.bmffHash.mismatch" in describe_credentials(video)


def test_a_manifest_inside(work: Any) -> None:
    pytest.importorskip("c2pa")
    assert work.render(*STEPS, "--credentials", "inside") == 0
    assert work.left() == ["a.mp4", "a.provenance.json"]
    assert describe_credentials(work.out / "a.mp4").startswith("Valid")


def test_a_certificate_of_ones_own(work: Any) -> None:
    pytest.importorskip("c2pa")
    chain, key = credentials._self_signed()
    files = work.folder / "chain.pem", work.folder / "key.pem"
    files[0].write_bytes(chain)
    files[1].write_bytes(key)
    flags = ("--certificate", files[0], "--private-key", files[1])
    assert work.render(*STEPS, *flags) == 0
    assert describe_credentials(work.out / "a.mp4").startswith("Valid")
    work.capsys.readouterr()
    files[1].write_text("no key")
    before = work.left()
    assert work.render(*STEPS, *flags, out=work.out / "b.mp4") == 65
    assert "key.pem is no private key" in work.only_line()
    assert work.left() == before


def test_other_files_have_none(tmp_path: Path) -> None:
    pytest.importorskip("c2pa")
    from signgen.media import write_video
    from tests.rendering.provenance.test_marks import FRAMES

    write_video(tmp_path / "a.mp4", FRAMES, 25)
    assert describe_credentials(tmp_path / "a.mp4") == "none"
