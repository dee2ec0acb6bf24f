"""What is wrong with a file is said in one line that begins with its name."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from signgen.errors import ExitCode, UserError
from signgen.pose.formats import dwpose, read_clips, read_poses
from tests.material.pose_samples import (
    HAND,
    HOLISTIC_BODY,
    SIZE,
    alphapose,
    coco,
    coco_document,
    coco_person,
    components,
    deepfashion_csv,
    flat,
    mmpose_video,
    npz,
    numbered,
    openpose_frame,
    openpose_person,
    own,
    own_npz,
    person,
    pose_bytes,
    table,
)
from tests.material.pose_samples import dwpose as dwpose_frame

NAN, INFINITY = float("nan"), float("inf")


def refusal(data: bytes, folder, **arguments) -> str:
    path = folder / "poses"
    path.write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_poses(path, **arguments)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()
    assert caught.value.code == ExitCode.DATA
    return message.removeprefix(str(path))


def refused(cases: list[tuple[bytes, str]], folder, **arguments) -> None:
    for data, expected in cases:
        message = refusal(data, folder, **arguments)
        assert expected in message, message


def test_other_files(tmp_path):
    other = "poses; expected JSON of signgen, MMPose, OpenPose, AlphaPose or COCO-WholeBody, .pose"
    texts = (b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\0" * 64, b"12", b'"text"', b"null")
    documents = (b"[]", b"{}", b"\xef\xbb\xbf[3]")
    scene = b'{"header": "a 3D editor", "version": 1, "object": {}}'
    refused(
        [
            (b"", "is empty (0 bytes)"),
            *((data, f" is not a file of {other}") for data in texts),
            *((data, f" is JSON but not {other}") for data in documents),
            (b'[{"keypoints": 1}]', f" is JSON with keypoints, but not {other}"),
            (scene, f" is JSON with header, version, object, but not {other}"),
            ("[1]".encode("utf-16"), "is not a file of"),
            *((data, "not valid JSON") for data in (b"{", b"[1, 2")),
            *((data, "nested too deep") for data in (b"[" * 200_000, b'{"a":' * 100_000)),
            (b'{"a": "\xff\xfe"}', "not UTF-8 text (byte 7)"),
            (b"[" + b"9" * 100_000 + b"]", "too many digits"),
            (b"\x1f\x8b" + b"x" * 50, ""),
        ],
        tmp_path,
    )


def frames(value: object, *, axis: int = 0) -> list:
    """Two frames of our own JSON, with one number of key point 7 in frame 1 replaced."""
    points = [[[10.0, 20.0, 0.9] for _ in range(133)] for _ in range(2)]
    points[1][7][axis] = value
    return points


def test_own_json(tmp_path):
    keys = ("version", "skeleton", "fps", "size", "frames")
    rates = (0, -25, 1001, NAN, INFINITY, "25", True, [25], 10**400)
    sizes = ([0, 210], [260, -1], [260], [260.5, 210], "260", [NAN, 3], [10**400, 3], {})
    point = "key point 7 in frame 1"
    refused(
        [
            *((own(**{key: None}), f"no '{key}'") for key in keys),
            *((own(fps=fps), "fps is") for fps in rates),
            *((own(size=size), "size is") for size in sizes),
            *((own(frames=frames(x)), point) for x in (INFINITY, -INFINITY, 1e300)),
            *((own(frames=frames(x, axis=2)), f"confidence of {point}") for x in (INFINITY, -0.5)),
            *((own(frames=frames(x)), "numbers") for x in ("12", [1], {}, 10**400, "x")),
            (own(frames=[*frames(1.0), frames(1.0)[0][:5]]), "frame 2 has 5 key points; expected"),
            (own(frames=[[[1.0, 2.0]] * 133]), "expected shape [133, 3]"),
            (own(frames=[]), "0 frames"),
            (own(frames={"a": 1}), "not a list"),
            (own(frames=[[[0.0] * 3] * 133] * 3), "every key point of all 3 frames is missing"),
            (own(version=2), "version '2'"),
            (own(skeleton="hand-21"), "coco-wholebody-133, openpose-18"),
            (own(skeleton=["coco-wholebody-133"]), "skeleton"),
        ],
        tmp_path,
    )


def archive(members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def npy(head: str, body: bytes = bytes(4), version: bytes = b"\x01\x00") -> bytes:
    text = (head + "\n").encode()
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + body


def test_own_npz(tmp_path):
    points, confidence = table()[..., :2], table()[..., 2]
    names = ("version", "keypoints", "confidence", "skeleton", "size", "fps")
    changed = bytearray(own_npz())
    changed[changed.index(b"keypoints") + 500] ^= 1
    refused(
        [
            *((own_npz(**{name: None}), f"no member '{name}'") for name in names),
            (own_npz(format=np.array("other")), "format 'other'"),
            (own_npz(version=np.array(2)), "version 2"),
            (own_npz(skeleton=np.array("octopus")), "skeleton 'octopus'"),
            (own_npz(skeleton=np.array("openpose-18")), "133 key points; expected 18"),
            (own_npz(skeleton=np.array(["a", "b"])), "skeleton"),
            (own_npz(keypoints=table()), "shape"),
            (own_npz(keypoints=points.astype(int)), "keypoints is int64"),
            (own_npz(confidence=confidence[:1]), "keypoints have shape"),
            (own_npz(confidence=confidence * 0), "missing"),
            (own_npz(confidence=-confidence), "confidence of key point 0 in frame 0"),
            (own_npz(keypoints=points + np.inf), "coordinate of key point 0 in frame 0 is inf"),
            *((own_npz(size=np.array(size)), "size") for size in ([0, 5], 5)),
            *((own_npz(fps=np.array(fps)), "fps") for fps in (0.0, NAN, [25.0, 25.0])),
            (bytes(changed), "broken"),
        ],
        tmp_path,
    )


def test_archives_that_could_do_harm(tmp_path):
    head = "{{'descr': {}, 'fortran_order': False, 'shape': {}}}".format
    zeros = npy(head("'<f4'", "(26214400,)"), bytes(104857600))
    objects = npz(bodies=np.array(dwpose_frame()["bodies"], dtype=object))
    saved = io.BytesIO()
    torch.save({"train/a": torch.ones(1, 133, 3)}, saved)
    heads = [
        *(head("'<f4'", "(1000000000000,)"), head("'<f4'", "(-4, -1)"), head("'|O'", "(1,)")),
        *(head("[('x', '<f4')]", "(1,)"), "{'descr': '<f4', 'fortran_order': False}"),
        *("__import__('os').system('true')", "(" * 500, "-" * 900 + "1", "(", "("),
        head("'<f4'", "(" * 3000 + ",)" * 3000),
    ]
    refused(
        [
            *((archive({"a.npy": npy(text)}), "") for text in heads),
            (archive({"a.npy": zeros}, zipfile.ZIP_DEFLATED), "expands from"),
            (archive({f"{i}.npy": b"" for i in range(100)}), "100 members"),
            (objects, "Python objects, which could run programs"),
            (archive({"readme.txt": b"x"}), "not numpy's"),
            (archive({"a.npy": b"not numbers"}), "broken"),
            (archive({"a.npy": npy("{}", version=b"\x09\x00")}), "version 1 or 2"),
            (archive({"a.npy": b"x"}, zipfile.ZIP_LZMA), "unknown way"),
            (saved.getvalue(), "torch.save"),
        ],
        tmp_path,
    )


def test_dwpose(tmp_path):
    body = np.zeros((18, 2))
    for change, expected in [
        ({"faces": np.zeros((1, 60, 2))}, "faces has shape"),
        ({"hands": np.zeros((3, 21, 2))}, "hands has 3 entries; expected 2"),
        ({"bodies": {"candidate": body[1:]}}, "candidate has shape"),
        ({"bodies": {"candidate": body, "subset": np.full((1, 18), 99)}}, "99"),
        ({"bodies": {"candidate": body, "subset": np.zeros((1, 7))}}, "subset has"),
        ({"bodies": {}}, "candidate is not an array"),
        ({"faces": np.array([["a"]])}, "faces is not an array of numbers"),
        ({"hands_score": np.zeros((2, 20))}, "hands_score has shape"),
    ]:
        with pytest.raises(UserError, match=expected):
            dwpose.from_dictionary(dwpose_frame() | change, "x")
    two = np.ones((2, 134, 2))
    archives = [
        ({"a": np.zeros((2, 100, 3))}, "expected (T, 134, 2 or 3)"),
        ({"a": np.zeros((2, 134, 4))}, "expected (134, 2 or 3)"),
        ({"a": np.zeros((0, 134, 3))}, "holds 0 frames"),
        ({"a": two, "b": two}, "expected our own or DWPose"),
        ({"a": np.zeros(5)}, "has members 'a'"),
        ({"a": np.array([["x"]])}, "has members 'a'"),
        ({"bodies": np.zeros((2, 18, 2)), "hands": np.zeros((3, 2, 21, 2))}, "numbers of frames"),
        ({"a": two, "scores": np.ones((2, 5))}, "scores have shape"),
    ]
    refused([(npz(**members), expected) for members, expected in archives], tmp_path)


def test_pickles(tmp_path):
    cases = [
        ({}, "0 clips"),
        ([], "no key points; expected"),
        (3, " has no key points; expected"),
        ([{"name": "a", "gloss": "A"}], " has no key points but name, gloss"),
        ({"train/a": {"sign": 3}}, "'train/a' has no key points but sign"),
        ({"train/a": {"keypoint": [[1, 2, 3]]}}, "no key points"),
        ({"train/a": table(), "train/b": {"keypoint": table()}}, "mixes arrays and mska"),
        ({"train/a": np.zeros((0, 133, 3), "f4")}, "shape"),
        ({"train/a": table()[0]}, "shape"),
        ({"train/a": table() > 0}, "bool"),
        ([{"bodies": {"candidate": [[1, 2]]}}], "candidate is a list"),
        ({"train/\n\x1b[31m": table(count=5)}, "shape"),
    ]
    refused([(pickle.dumps(value), expected) for value, expected in cases], tmp_path)


def test_pickles_whose_numbers_stand_in_them_many_times_over(tmp_path):
    """A reference costs two bytes, so a small file could fill a disk."""
    shared, frame = torch.rand(50, 133, 3), dwpose_frame()
    small = {f"train/{i}": {"keypoint": table()} for i in range(3)}
    for value in (
        small | {f"train/{i + 3}": {"keypoint": big} for i, big in enumerate([table(50)] * 9)},
        {"train/a": {"keypoint": shared[:1].expand(9000, 133, 3)}},
        [frame] * 1000,
        {str(i): [frame] * 10 for i in range(1000)},
    ):
        (tmp_path / "a").write_bytes(pickle.dumps(value))
        with pytest.raises(UserError, match="more numbers than bytes"):
            read_clips(tmp_path / "a")


def test_detectors(tmp_path):
    one, body = alphapose(0, flat(133)), coco_person(785)
    images = [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}]
    first = (0, [person()])
    cases: list[tuple[object, str]] = [
        # MMPose
        *((mmpose_video((0, [person(count=n)])), f"frame 0 has {n} key") for n in (17, 21, 136)),
        (mmpose_video((0, [])), "every key point"),
        *(({"instance_info": value}, "0 frames") for value in ([], 3)),
        (mmpose_video(first, first), "frame_id occurs twice"),
        *((mmpose_video((n, [person()])), "entry 0 is not a frame") for n in (-1, "1")),
        (mmpose_video(first, (10**12, [person()])), "goes up to"),
        ([*mmpose_video(first), 5], "entry 1 is not a frame"),
        ([person(), "x"], "not a list of persons"),
        ([[], [{"keypoints": [[1.0, 2.0, 0.5]] * 17, "bbox": [0, 0, 9, 9, 1]}]], "frame 1 has 17"),
        ([[{"keypoints": [[1.0, 2.0, 0.5]] * 133}], 3], "frame 1 is not a list of persons"),
        ([person() | {"keypoint_scores": [1.0] * 17}], "keypoint_scores has shape"),
        ([person() | {"keypoints": [[1.0, 2.0, 3.0]] * 133}], "keypoints has shape"),
        ([person() | {"keypoints": None}], "has no list of key points"),
        ([person() | {"keypoint_scores": ["1"] * 133}], "other than numbers"),
        ([person() | {"keypoints": [[INFINITY, 1.0]] * 133}], "coordinate of key point 0"),
        ([person() | {"keypoint_scores": [NAN] * 133}], "every key point"),
        ([person() | {"keypoint_scores": [0.0] * 133}], "every key point"),
        # AlphaPose
        ([alphapose(0, [1.0] * 51)], "has 51 numbers; expected 3 for each of 133 or 136"),
        ([one, 5], "entry 1 is not a detection"),
        ([one | {"image_id": "a.jpg"}], "expected a number in it"),
        ([one, alphapose(10**12, flat(133))], "goes up to"),
        ({"frames": [one], "metadata": 3}, "metadata is not an object"),
        ({"frames": [one], "metadata": {"width": 3}}, "size is"),
        ({"frames": [one], "metadata": {"fps": 0}}, "fps is 0"),
        ([alphapose(0, [0.0] * 399)], "missing"),
        # COCO-WholeBody
        (coco_document(), "0 clips"),
        ({"images": [], "annotations": 3}, "not a list of persons"),
        (coco_document({"image_id": 785, "keypoints": [0] * 51}), "no foot_kpts"),
        (coco_document({**body, "image_id": [1]}), "no image_id"),
        (coco_document({**body, "face_kpts": [0] * 3}), "face_kpts has shape"),
        *((coco_document({**body, "face_kpts": x}), "face_kpts") for x in (None, ["a"] * 204)),
        ({"images": [3], "annotations": []}, "image 0"),
        (coco_document(body) | {"images": [{"id": 785, "height": 5, "width": 0}]}, "size"),
        ({"images": images, "annotations": [coco_person(1), coco_person(2)]}, "occurs twice"),
        # OpenPose
        (
            openpose_frame({"pose_keypoints_2d": [1.0] * 51}),
            "expected 3 for each of 18",
        ),
        (openpose_frame(openpose_person() | {"hand_left_keypoints_2d": [1.0] * 60}), "60 numbers"),
        (openpose_frame(openpose_person() | {"face_keypoints_2d": ["1"] * 210}), "than numbers"),
        (openpose_frame(openpose_person() | {"face_keypoints_2d": [INFINITY] * 210}), "inf"),
        *((openpose_frame(x), "missing") for x in ({"pose_keypoints_2d": [0.0] * 75}, {})),
        (openpose_frame(3), "person 0 is not an object"),
        ({"width": 9, "height": 9, "keypoints": [[[1, 2]] * 17]}, "person 0 has shape [17, 2]"),
        ({"width": 9, "height": 9, "keypoints": [5]}, "person 0 is not a list of 18 points"),
        ({"width": 9, "height": 9, "keypoints": 5}, "keypoints is not a list of persons"),
        ({"width": 0, "height": 9, "keypoints": []}, "size is [9, 0]"),
    ]
    refused([(json.dumps(document).encode(), text) for document, text in cases], tmp_path)


def test_deepfashion(tmp_path):
    row, head = b"100.0 128.0\n", b"name:keypoints_y:keypoints_x\n"
    numbers = [*range(10, 28)]
    refused(
        [
            (row * 17, "17 lines; expected 18"),
            (row * 19, "19 lines"),
            (row * 17 + b"a b", "line 18 is not two numbers"),
            (row * 17 + b"1 2 3", "line 18 is not two numbers"),
            (row * 17 + b"inf 2", "key point 17 in frame 0 is inf"),
            (row * 17 + b"2 inf", "key point 17 in frame 0 is inf"),
            (b"-1 -1\n" * 18, "every key point"),
            # What only looks like a text of two numbers
            *((data, "is not a file of") for data in (b"1\n2", b"a b\n", b"1 2 3\n", b"1 2\n\0")),
            (row * 10_000, "is not a file of"),
            (head, "0 clips"),
            (head + b"a.jpg:[1]", "line 2 has 2 cells"),
            (head + b"a.jpg:[1]:[2]", "line 2: keypoints_y has shape [1]"),
            (head + b"a.jpg:[x]:[2]", "not valid JSON"),
            (head + b"\xff:[1]:[2]", "name is not UTF-8"),
            (head + b"\x1b[1m:[1]:[2]", "name is"),
            (deepfashion_csv(("a", numbers, numbers), ("a", numbers, numbers)), "occurs twice"),
            (deepfashion_csv(("a", [-1] * 18, [-1] * 18)), "missing"),
            (
                deepfashion_csv(("a", [INFINITY, *numbers[1:]], numbers)),
                "key point 0 in frame 0 is inf",
            ),
        ],
        tmp_path,
    )


def test_pose_files(tmp_path):
    def bad(index: int, value: float) -> bytes:
        data, confidence = numbered(coco())
        (confidence[1, 0] if index == 2 else data[1, 0, :, index])[5] = value
        return pose_bytes(coco(), data, confidence, version=0.2)

    data, confidence = numbered(coco())
    hands = [f"{side}_HAND_LANDMARKS" for side in ("LEFT", "RIGHT")]
    only = "only hand points ({}); body points are needed".format
    refused(
        [
            (pose_bytes([(hands[1], HAND, "XYZC")]), only(21)),
            (pose_bytes([(name, HAND, "XYZC") for name in hands]), only(42)),
            (pose_bytes(components(LEFT_HAND_136=21, RIGHT_HAND_136=21)), only(42)),
            (pose_bytes([("BODY_135", HOLISTIC_BODY, "XYC")]), "BODY_135 33"),
            (pose_bytes([("POSE_LANDMARKS", HOLISTIC_BODY[:5], "XYZC")]), "POSE_LANDMARKS 5"),
            *((pose_bytes(coco(), fps=fps), "fps") for fps in (0, 2000)),
            (pose_bytes(coco(), fps=NAN, version=0.2), "fps is nan"),
            (pose_bytes(coco(), size=(0, 210)), "size"),
            *((bad(1, x), "coordinate of key point 5 in frame 1") for x in (INFINITY, 1e30)),
            *((bad(2, x), "confidence of key point 5 in frame 1") for x in (INFINITY, -1.0)),
            *(
                (pose_bytes(coco(), *numbered(coco(), **none), version=version), "")
                for version in (0.0, 0.1, 0.2)
                for none in ({"frames": 0}, {"people": 0})
            ),
            (pose_bytes(coco(), data, confidence * 0), "missing"),
            (pose_bytes(coco(), data / 500, confidence), "expected pixels"),
        ],
        tmp_path,
    )


def test_normalised_coordinates_need_a_size(tmp_path):
    pixels = openpose_person()
    scale = np.array([SIZE[1], SIZE[0], 1])
    unit = {n: (np.reshape(x, (-1, 3)) / scale).ravel().tolist() for n, x in pixels.items()}
    points = table(3, count=134)
    shares = points.copy()
    shares[..., :2] /= SIZE[::-1]
    for whole, normalised in (
        (json.dumps(openpose_frame(pixels)).encode(), json.dumps(openpose_frame(unit)).encode()),
        (npz(a=points), npz(a=shares)),
        (pickle.dumps({"a": points}), pickle.dumps({"a": shares})),
    ):
        (tmp_path / "a").write_bytes(whole)
        expected = read_poses(tmp_path / "a", size=SIZE)
        (tmp_path / "a").write_bytes(normalised)
        poses = read_poses(tmp_path / "a", size=SIZE)
        np.testing.assert_allclose(poses.keypoints, expected.keypoints, atol=1e-3)
        assert "0 to 1 with a known picture size. Name it with --size" in refusal(
            normalised, tmp_path
        )
    left = {n: (np.reshape(x, (-1, 3)) - [0.5, 0, 0]).ravel().tolist() for n, x in unit.items()}
    data = json.dumps(openpose_frame(left)).encode()
    assert "coordinates go from -" in refusal(data, tmp_path, size=SIZE)


def test_boxes_of_mmpose_only_rank(tmp_path):
    for box in ([["a", 1, 2, 3]], [[10**400, 0, 1, 1]], [None] * 4, "box", [[NAN] * 4]):
        (tmp_path / "a").write_text(json.dumps([person() | {"bbox": box}]))
        assert len(read_poses(tmp_path / "a")) == 1
