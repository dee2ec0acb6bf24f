"""Marks that tell programs a file is synthetic: XMP with IPTC's digital source type.

The packet is the same for the same version of signgen, so it changes no byte between two renders.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from uuid import UUID
from xml.sax.saxutils import escape

from signgen.rendering.warp import WARP

__all__ = ["DIGITAL_SOURCE_TYPES", "add_mark", "digital_source_type", "xmp_packet"]

DIGITAL_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
"""Beginning of the values of IPTC's controlled vocabulary."""
XMP_BOX = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac")
"""The type of a box of MP4 that holds XMP (Adobe, XMP Specification Part 3, 1.1.1.3)."""
XMP_KEYWORD = b"XML:com.adobe.xmp"
"""The keyword of a chunk of PNG that holds XMP (Part 3, 1.1.5)."""
PNG = b"\x89PNG\r\n\x1a\n"
PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 xmp:CreatorTool="{software}"
 Iptc4xmpExt:DigitalSourceType="{source_type}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Synthetic: rendered from a picture and key \
points of a pose. No camera recorded this signing.</rdf:li></rdf:Alt></dc:description>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def digital_source_type(model: str) -> str:
    """Return IPTC's digital source type of frames that a model, or `warp`, renders.

    A trained model makes `trainedAlgorithmicMedia`. The warp was trained on nothing and moves the
    pixels of a photograph: `compositeSynthetic`.
    """
    return DIGITAL_SOURCE_TYPES + (
        "compositeSynthetic" if model == WARP else "trainedAlgorithmicMedia"
    )


def xmp_packet(software: str, source_type: str) -> bytes:
    """Return the XMP packet that says which program made a file, and its digital source type."""
    quoted = {'"': "&quot;"}
    return PACKET.format(
        software=escape(software, quoted), source_type=escape(source_type, quoted)
    ).encode()


def add_mark(path: Path, packet: bytes) -> None:
    """Put an XMP packet into a finished MP4 (a box at its end) or PNG (a chunk after its head).

    XMP has no place in other files, such as WebM: there the metadata of the video say it alone.

    Args:
        path: A file that nobody else sees yet; it is written in place.
        packet: From `xmp_packet`.
    """
    data = path.read_bytes()[:33] if path.suffix == ".png" else b""
    if data.startswith(PNG):
        # Signature and IHDR are 8 and 25 bytes; the text is not compressed and of no language
        content = b"iTXt" + XMP_KEYWORD + bytes(5) + packet
        chunk = (len(content) - 4).to_bytes(4, "big") + content
        chunk += zlib.crc32(content).to_bytes(4, "big")
        path.write_bytes(data + chunk + path.read_bytes()[33:])
        return
    if path.suffix != ".mp4":
        return
    with path.open("ab") as file:
        file.write((24 + len(packet)).to_bytes(4, "big") + b"uuid" + XMP_BOX.bytes + packet)
