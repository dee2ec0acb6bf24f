"""Still pictures: formats, orientation, transparency, limits, damage; sheets."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.errors import ExitCode, UserError
from signgen.media import contact_sheet, read_image, save_image, side_by_side
from signgen.media.image import image_size

RNG = np.random.default_rng(3)


def test_png_round_trip_is_exact_and_atomic(tmp_path: Path) -> None:
    image = RNG.integers(0, 256, (13, 7, 3), np.uint8)
    save_image(tmp_path / "a.png", image)
    with pytest.raises(ValueError, match="uint8"):
        save_image(tmp_path / "a.png", image.astype(np.float32))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)
    assert image_size(tmp_path / "a.png", ("PNG",)) == (13, 7)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_six_formats_are_read_and_others_refused(tmp_path: Path) -> None:
    for suffix in ("png", "bmp", "tiff", "gif", "jpg", "webp"):
        Image.new("RGB", (9, 5), (200, 100, 50)).save(tmp_path / f"a.{suffix}")
        image = read_image(tmp_path / f"a.{suffix}")
        assert image.shape == (5, 9, 3)
        assert np.abs(image.astype(int) - [200, 100, 50]).max() <= 6
    Image.new("RGB", (9, 5)).save(tmp_path / "a.ppm")
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 5\n")
    for name in ("a.ppm", "a.eps"):
        with pytest.raises(UserError, match="not a picture"):
            read_image(tmp_path / name)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    upright = Image.fromarray(RNG.integers(0, 256, (30, 50, 3), np.uint8))
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    for orientation in range(1, 9):
        stored = upright.transpose(inverse[orientation]) if orientation in inverse else upright
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored.save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(upright))
    # A damaged block does not hide the picture.
    damaged = b"Exif\0\0II*\0\xff\xff\xff\xff"
    Image.new("RGB", (16, 16), (1, 2, 3)).save(tmp_path / "a.jpg", exif=damaged)
    assert read_image(tmp_path / "a.jpg").shape == (16, 16, 3)


def test_every_mode_becomes_rgb_on_white(tmp_path: Path) -> None:
    clear = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], np.uint8)
    for picture, expected in (
        (Image.fromarray(clear, "RGBA"), [[255] * 3, [10, 20, 30], [127] * 3]),
        (Image.fromarray(np.array([[0, 128 << 8, 65535]], np.uint16)), [[0], [128], [255]]),
        (Image.new("RGB", (1, 1), (255, 0, 0)).convert("P"), [[255, 0, 0]]),
        (Image.new("L", (1, 1), 77), [[77]]),
    ):
        picture.save(tmp_path / "a.png")
        image = read_image(tmp_path / "a.png")
        np.testing.assert_allclose(image[0], np.broadcast_to(expected, image[0].shape), atol=1)


def bomb(width: int, height: int) -> bytes:
    """Return a PNG whose header promises much more than it holds."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_bad_pictures_have_the_right_exit_code(tmp_path: Path) -> None:
    save_image(tmp_path / "good.png", RNG.integers(0, 256, (40, 40, 3), np.uint8))
    data = (tmp_path / "good.png").read_bytes()
    (tmp_path / "empty.png").touch()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.png").mkdir()
    cases = {"missing.png": 66, "a\0b": 66} | dict.fromkeys(
        ["empty.png", "cut.png", "text.png", "folder.png"], 65
    )
    for name, code in cases.items():
        with pytest.raises(UserError) as caught:
            read_image(tmp_path / name)
        assert caught.value.code == code, name
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="address") as caught:
        read_image("https://127.0.0.1/a.png")
    assert caught.value.code == ExitCode.NO_INPUT
    for side in (4100, 9000, 12000, 60000):
        (tmp_path / "bomb.png").write_bytes(bomb(side, side))
        with pytest.raises(UserError, match=r"bomb\.png has .*16800000"):
            read_image(tmp_path / "bomb.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_mutated_pictures_raise_user_errors_only(tmp_path: Path, suffix: str) -> None:
    Image.fromarray(RNG.integers(0, 256, (24, 24, 3), np.uint8)).save(tmp_path / f"seed.{suffix}")
    data = (tmp_path / f"seed.{suffix}").read_bytes()
    path = tmp_path / f"mutated.{suffix}"
    random_numbers = random.Random(2)
    messages = []
    for _ in range(300):
        changed = bytearray(data)
        if random_numbers.random() < 0.3:
            del changed[random_numbers.randrange(len(data)) :]
        for _ in range(random_numbers.randrange(4)):
            if changed:
                changed[random_numbers.randrange(len(changed))] = random_numbers.randrange(256)
        path.write_bytes(changed)
        try:
            assert read_image(path).dtype == np.uint8
        except UserError as error:
            messages.append(str(error))
    assert len(messages) > 50
    assert not any("\n" in message for message in messages)


def test_sheets_pad_smaller_frames() -> None:
    frames = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(frames, columns=2, gap=1)
    assert sheet.shape == (9, 13, 3)
    for part, value in (
        (sheet[:4, :6], 10),
        (sheet[:4, 7:], 20),
        (sheet[5:, :6], 30),
        (sheet[5:, 6:], 255),
    ):
        assert (part == value).all()
    assert contact_sheet(frames, columns=3, scale=2, gap=0).shape == (8, 36, 3)
    row = side_by_side(np.zeros((4, 2, 3), np.uint8), np.ones((2, 3, 3), np.uint8))
    assert row.shape == (4, 9, 3)
    assert (row[:2, 6:] == 1).all()
    assert (row[2:, 6:] == 255).all()
