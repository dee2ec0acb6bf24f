import io
import struct
import zipfile

import numpy as np
import pytest
import torch

from signgen.errors import UserError
from signgen.pose.formats import npz_file, read_poses
from tests.material.pose_samples import own_npz, table


def refused(tmp_path, data: bytes) -> str:
    path = tmp_path / "a.npz"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_poses(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def archive(members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def npy(head: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = (head + "\n").encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        *(({name: None}, f"no member '{name}'") for name in ("version", "keypoints", "confidence")),
        *(({name: None}, f"no member '{name}'") for name in ("skeleton", "size", "fps")),
        ({"format": np.array("other")}, "format 'other'"),
        ({"version": np.array(2)}, "version 2"),
        ({"skeleton": np.array("octopus")}, "skeleton 'octopus'"),
        ({"skeleton": np.array("openpose-18")}, "133 key points; expected 18"),
        ({"skeleton": np.array(["a", "b"])}, "skeleton"),
        ({"keypoints": table()}, "shape"),
        ({"keypoints": table()[..., :2].astype(int)}, "keypoints is int64"),
        ({"confidence": table()[..., 2][:1]}, "keypoints have shape"),
        ({"confidence": table()[..., 2] * 0}, "missing"),
        ({"confidence": -table()[..., 2]}, "confidence of key point 0 in frame 0"),
        ({"keypoints": table()[..., :2] * np.nan}, "coordinate of key point 0 in frame 0 is nan"),
        ({"size": np.array([0, 5])}, "size"),
        ({"size": np.array(5)}, "size"),
        ({"fps": np.array(0.0)}, "fps"),
        ({"fps": np.array(np.nan)}, "fps"),
        ({"fps": np.array([25.0, 25.0])}, "fps"),
    ],
)
def test_what_is_wrong_is_named(changes, message, tmp_path):
    assert message in refused(tmp_path, own_npz(**changes))


@pytest.mark.parametrize("length", [4, 30, 100, 1000, -1, -30])
def test_truncated_archives(length, tmp_path):
    refused(tmp_path, own_npz()[:length])


def test_a_changed_byte_is_noticed(tmp_path):
    data = bytearray(own_npz())
    data[data.index(b"keypoints") + 500] ^= 1
    assert "broken" in refused(tmp_path, bytes(data))


def test_bombs_are_refused_before_they_expand(tmp_path):
    zeros = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (26214400,)}", bytes(104857600))
    assert "expands from" in refused(tmp_path, archive({"a.npy": zeros}, zipfile.ZIP_DEFLATED))
    many = {f"{i}.npy": b"" for i in range(100)}
    assert "100 members" in refused(tmp_path, archive(many))


@pytest.mark.parametrize(
    "head",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, -1)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').system('true')",
        "(" * 500,
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 3000 + ",)" * 3000 + "}",
    ],
)
def test_heads_are_not_trusted(head, tmp_path):
    refused(tmp_path, archive({"a.npy": npy(head, bytes(4))}))


def test_other_zip_files(tmp_path):
    assert "not numpy's" in refused(tmp_path, archive({"readme.txt": b"x"}))
    refused(tmp_path, archive({"a.npy": b"not numbers"}))
    refused(tmp_path, archive({"a.npy": npy("{}", version=b"\x09\x00")}))
    assert "unknown way" in refused(tmp_path, archive({"a.npy": b"x"}, zipfile.ZIP_LZMA))
    out = io.BytesIO()
    torch.save({"train/a": torch.ones(1, 133, 3)}, out)
    assert "torch.save" in refused(tmp_path, out.getvalue())


def test_the_same_sequence_gives_the_same_bytes(tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(own_npz())
    data = npz_file.to_bytes(read_poses(path))
    path.write_bytes(data)
    assert npz_file.to_bytes(read_poses(path)) == data


def test_confidences_too_small_for_float32_are_missing(tmp_path):
    path = tmp_path / "a.npz"
    confidence = table()[..., 2].astype("f8")
    confidence[0, 3] = 1e-60
    path.write_bytes(own_npz(confidence=confidence))
    poses = read_poses(path)
    assert not poses.visible[0, 3]
    assert (poses.keypoints[0, 3] == 0).all()


def test_compressed_archives_are_read(tmp_path):
    values = table()
    np.savez_compressed(
        tmp_path / "a.npz",
        format="signgen-poses",
        version=1,
        keypoints=values[..., :2],
        confidence=values[..., 2],
        skeleton="coco-wholebody-133",
        size=[260, 210],
        fps=25.0,
    )
    assert (read_poses(tmp_path / "a.npz").keypoints == values[..., :2]).all()
