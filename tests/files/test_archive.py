"""Archives: what is good comes out whole, what is bad leaves no trace."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import shutil
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from signgen.files.archive import Limits, unpack
from signgen.structures import ExitCode, UserError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".tar": bytes,
    ".tar.gz": gzip.compress,
    ".tgz": gzip.compress,
    ".tar.bz2": bz2.compress,
    ".tar.xz": lzma.compress,
}
ENDINGS = [*COMPRESS, ".zip"]
GOOD = {
    "data/a.txt": b"alpha",
    "data/sub/b.bin": bytes(range(256)) * 9,
    "data/sub/Zo\u00eb.txt": b"",
}


def tar(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for info, content in members:
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content) if content else None)
    return stream.getvalue()


def entry(name: str, content: bytes = b"x", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, b"" if fields.get("type", tarfile.REGTYPE) != tarfile.REGTYPE else content


def zipped(*members: tuple[zipfile.ZipInfo | str, bytes], compress: bool = False) -> bytes:
    stream = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", method) as archive:
        warnings.simplefilter("ignore")
        for info, content in members:
            archive.writestr(info, content)
    return stream.getvalue()


def zip_entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = mode << 16
    return info


def good(ending: str) -> bytes:
    if ending == ".zip":
        return zipped(*GOOD.items())
    return COMPRESS[ending](tar(*(entry(name, content) for name, content in GOOD.items())))


def pax_bomb() -> bytes:
    """A header that declares 4 GB of extended attributes."""
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    return info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16)


def forged_zip(old: bytes, new: bytes, content: bytes = b"x", name: str = "aaaaaaaa") -> bytes:
    """Change bytes behind the library's back, in local header and directory alike."""
    data = zipped((name, content))
    assert data.count(old) == 2
    return data.replace(old, new)


def overlapping_zip() -> bytes:
    """Many entries of the directory share one kernel of zeros."""
    data = zipped(("0000", bytes(1 << 20)), compress=True)
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entries = data[start:end] * 500
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 500, 500, len(entries), start, 0)
    return data[:start] + entries + tail


LINK, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE
ATTACKS: dict[str, bytes] = {
    "absolute.tar": tar(entry("/tmp/evil.txt")),
    "parent.tar": tar(entry("../evil.txt")),
    "parent-inside.tar": tar(entry("a/../../evil.txt")),
    "parent-last.tar": tar(entry("a/..", type=tarfile.DIRTYPE)),
    "link-absolute.tar": tar(entry("link", type=LINK, linkname="/etc"), entry("link/evil.txt")),
    "link-parent.tar": tar(entry("link", type=LINK, linkname=".."), entry("link/evil.txt")),
    "link-chain.tar": tar(
        entry("a", type=LINK, linkname="."),
        entry("a/b", type=LINK, linkname=".."),
        entry("a/b/evil.txt"),
    ),
    "link-inside.tar": tar(entry("a"), entry("b", type=LINK, linkname="a")),
    "hard-absolute.tar": tar(entry("passwd", type=HARD, linkname="/etc/passwd")),
    "hard-absolute-of-a-file.tar": tar(
        entry("etc/passwd"), entry("stolen", type=HARD, linkname="/etc/passwd")
    ),
    "hard-parent.tar": tar(entry("secret", type=HARD, linkname="../secret.txt")),
    "hard-itself.tar": tar(entry("a", type=HARD, linkname="a")),
    "hard-write.tar": tar(entry("a"), entry("b", type=HARD, linkname="a"), entry("b", b"evil")),
    "device.tar": tar(entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "block.tar": tar(entry("disk", type=tarfile.BLKTYPE, devmajor=8)),
    "pipe.tar": tar(entry("pipe", type=tarfile.FIFOTYPE)),
    "unknown-kind.tar": tar(entry("kind", type=b"Z")),
    "twice.tar": tar(entry("a", b"good"), entry("a", b"evil")),
    "twice-dot.tar": tar(entry("a", b"good"), entry("./a", b"evil")),
    "twice-case.tar": tar(entry("Labels.csv", b"good"), entry("labels.csv", b"evil")),
    "twice-unicode.tar": tar(entry("\u00e9", b"good"), entry("e\u0301", b"evil")),
    "file-then-folder.tar": tar(entry("a"), entry("a/b")),
    "folder-then-file.tar": tar(entry("a/b"), entry("a")),
    "null.tar": tar(entry("a\0b", pax_headers={"path": "safe.png\0.exe"})),
    "newline.tar": tar(entry("a\nrm.txt")),
    "backslash.tar": tar(entry("..\\evil.txt")),
    "drive.tar": tar(entry("C:evil.txt")),
    "encoding.tar": tar(entry("caf\udce9.txt"), form=tarfile.GNU_FORMAT),
    "negative.tar": tar(entry("a", pax_headers={"size": "-5"})),
    "empty-name.tar": tar(entry("./")),
    "pax-bomb.tar": pax_bomb(),
    "bomb.tar.gz": gzip.compress(tar(entry("zeros", bytes(40 << 20)))),
    "bomb.tar.xz": lzma.compress(tar(entry("zeros", bytes(40 << 20)))),
    "declared.tar": entry("huge", size=1 << 50)[0].tobuf(tarfile.GNU_FORMAT) + bytes(2048),
    "no-end.tar": tar(entry("a"), entry("b"))[:2048],
    "cut.tar": tar(entry("a", bytes(5000)))[:3000],
    "cut.tar.gz": good(".tar.gz")[:-9],
    "absolute.zip": zipped((zip_entry("/tmp/evil.txt"), b"x")),
    "parent.zip": zipped((zip_entry("a/../../evil.txt"), b"x")),
    "link.zip": zipped((zip_entry("link", 0o120777), b"/etc/passwd")),
    "device.zip": zipped((zip_entry("null", 0o020666), b"")),
    "long.zip": zipped((zip_entry("x" * 300), b"x")),
    "backslash.zip": zipped((zip_entry("..\\evil.txt"), b"x")),
    "drive.zip": zipped((zip_entry("C:/evil.txt"), b"x")),
    "null.zip": forged_zip(b"aaaaaaaa", b"a.png\0.x"),
    "encoding.zip": forged_zip(b"aaaaaaaa", b"caf\xe9.txt"),
    "twice.zip": zipped(("a", b"good"), ("a", b"evil")),
    "twice-case.zip": zipped(("a", b"good"), ("A", b"evil")),
    "bomb.zip": zipped(("zeros", bytes(40 << 20)), compress=True),
    "overlapping.zip": overlapping_zip(),
    "cut.zip": good(".zip")[:-30],
    "wrong-sum.zip": forged_zip(struct.pack("<L", 0x8CDC1683), b"\1\2\3\4"),
    "not.zip": b"PK\x03\x04 no zip at all",
    "not.tar": b"no tar at all" * 100,
    "not.tar.gz": b"\x1f\x8b no gzip",
    "zip-as.tar": good(".zip"),
    "nothing.zip": zipped(),
    "nothing.tar": tar(),
}


def tree(folder: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with something to steal and to overwrite around the place for unpacking."""
    (tmp_path / "home" / "inner").mkdir(parents=True)
    (tmp_path / "home" / "secret.txt").write_text("secret")
    (tmp_path / "home" / "evil.txt").write_text("not yet")
    return tmp_path


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_one_line_and_leaves_no_trace(name: str, outside: Path) -> None:
    archive = outside / name
    archive.write_bytes(ATTACKS[name])
    before = tree(outside)
    with pytest.raises(UserError) as caught:
        unpack(archive, outside / "home" / "inner" / "out")
    message = str(caught.value)
    assert caught.value.code == ExitCode.DATA
    assert name in message
    assert "\n" not in message
    assert tree(outside) == before
    assert not Path("/tmp/evil.txt").exists()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_good_archive_comes_out_whole(ending: str, tmp_path: Path) -> None:
    archive = tmp_path / f"good{ending}"
    archive.write_bytes(good(ending))
    assert unpack(archive, tmp_path / "new" / "out") == 3
    files = {k: v for k, v in tree(tmp_path / "new" / "out").items() if v is not None}
    assert files == GOOD
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_folders_that_are_members_come_out(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(tar(entry("b", type=tarfile.DIRTYPE), entry("b/c")))
    (tmp_path / "a.zip").write_bytes(zipped((zip_entry("b/", 0o040755), b""), ("b/c", b"x")))
    for name in ("a.tar", "a.zip"):
        unpack(tmp_path / name, tmp_path / f"{name} out")
        assert tree(tmp_path / f"{name} out") == {"b": None, "b/c": b"x"}


def test_a_hard_link_becomes_a_copy_and_rights_are_not_taken_over(tmp_path: Path) -> None:
    archive = tmp_path / "links.tar"
    archive.write_bytes(
        tar(entry("a", b"text", mode=0o4777), entry("b", type=HARD, linkname="./a"))
    )
    assert unpack(archive, tmp_path / "out") == 2
    first, second = tmp_path / "out" / "a", tmp_path / "out" / "b"
    assert second.read_bytes() == b"text"
    assert first.stat().st_ino != second.stat().st_ino
    assert first.stat().st_mode & 0o7111 == 0


@pytest.mark.parametrize("copies", [2, 27, 100])
def test_hard_links_are_no_way_to_grow(copies: int, tmp_path: Path) -> None:
    links = [entry(f"b{i}", type=HARD, linkname="a") for i in range(copies)]
    (tmp_path / "links.tar").write_bytes(tar(entry("a", bytes(2 << 20)), *links))
    with pytest.raises(UserError, match="member 'b1' makes 4194304 bytes of copies by hard links"):
        unpack(tmp_path / "links.tar", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["links.tar"]


@pytest.mark.parametrize("ending", [".tar", ".zip"])
@pytest.mark.parametrize(
    ("limits", "word"), [(Limits(files=2), "2 members"), (Limits(total=100), "limit is 100")]
)
def test_limits(ending: str, limits: Limits, word: str, tmp_path: Path) -> None:
    (tmp_path / f"a{ending}").write_bytes(good(ending))
    with pytest.raises(UserError, match=word):
        unpack(tmp_path / f"a{ending}", tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


def test_the_folder_must_be_new_or_empty(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar"
    archive.write_bytes(good(".tar"))
    (tmp_path / "empty").mkdir()
    assert unpack(archive, tmp_path / "empty") == 3
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for taken in ("empty", "a.tar", "link", "a.tar/below"):
        with pytest.raises(UserError) as caught:
            unpack(archive, tmp_path / taken)
        assert caught.value.code == ExitCode.CANNOT_CREATE
    for missing, code in {"b.tar": ExitCode.NO_INPUT, "empty": ExitCode.DATA}.items():
        with pytest.raises(UserError) as caught:
            unpack(tmp_path / missing, tmp_path / "out")
        assert caught.value.code == code
    (tmp_path / "a.rar").write_bytes(b"Rar!")
    with pytest.raises(UserError, match=r"expected \.zip, \.tar"):
        unpack(tmp_path / "a.rar", tmp_path / "out")


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.tar").write_bytes(good(".tar"))

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(tmp_path / "a.tar", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_mutated_archives_raise_user_errors_only(ending: str, tmp_path: Path) -> None:
    numbers = random.Random(ending)
    (tmp_path / "box").mkdir()
    archive, data = tmp_path / f"a{ending}", good(ending)
    for _ in range(100):
        changed = bytearray(data)
        for _ in range(numbers.choice((1, 8))):
            changed[numbers.randrange(len(changed))] = numbers.randrange(256)
        archive.write_bytes(
            changed[: numbers.randrange(1, len(changed))] if numbers.random() < 0.2 else changed
        )
        try:
            unpack(archive, tmp_path / "box" / "out")
            shutil.rmtree(tmp_path / "box" / "out")
        except UserError as error:
            message = str(error)
        else:
            continue
        assert "\n" not in message
        assert not list((tmp_path / "box").iterdir())
        assert {path.name for path in tmp_path.iterdir()} == {"box", archive.name}
