"""Marks: found by readers that are not ours, and nothing else is changed."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from signgen.media import probe_video, read_image, read_video, save_image, write_video
from signgen.rendering.provenance.marks import add_mark, digital_source_type, xmp_packet

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 48, 32, 3), np.uint8)
IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"


def source_type(packet: bytes | str) -> str | None:
    text = packet.decode() if isinstance(packet, bytes) else packet
    root = ElementTree.fromstring(text[text.index("<x:xmpmeta") : text.index("<?xpacket end")])
    return next(element.get(IPTC) for element in root.iter() if element.get(IPTC))


@pytest.mark.parametrize(
    ("model", "name"), [("mini", "trainedAlgorithmicMedia"), ("warp", "compositeSynthetic")]
)
def test_ffmpeg_and_pillow_find_the_mark(tmp_path: Path, model: str, name: str) -> None:
    video, picture = tmp_path / "a.mp4", tmp_path / "a.png"
    write_video(video, FRAMES, 25)
    save_image(picture, FRAMES[0])
    before = np.stack(list(read_video(video)))
    packet = xmp_packet('signgen "<&', digital_source_type(model))
    for file in (video, picture):
        add_mark(file, packet)

    # What others read
    expected = f"http://cv.iptc.org/newscodes/digitalsourcetype/{name}"
    with av.open(str(video), options={"export_xmp": "1"}) as container:
        assert source_type(container.metadata["xmp"]) == expected
    with Image.open(picture) as opened:
        opened.verify()
        assert source_type(opened.info["XML:com.adobe.xmp"]) == expected

    # And what is as it was
    assert probe_video(video, count=True).num_frames == 3
    np.testing.assert_array_equal(np.stack(list(read_video(video))), before)
    np.testing.assert_array_equal(read_image(picture), FRAMES[0])
