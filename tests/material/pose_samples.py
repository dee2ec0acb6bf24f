"""Small synthetic files of every format, made on the spot."""

import gzip
import io
import json
import pickle
import struct

import numpy as np

SIZE = (260, 210)
_JOINTS = ("SHOULDER", "ELBOW", "WRIST", "PINKY", "INDEX", "THUMB")
_LEGS = ("HIP", "KNEE", "ANKLE", "HEEL", "FOOT_INDEX")
HOLISTIC_BODY = [
    "NOSE",
    *(f"{side}_EYE{part}" for side in ("LEFT", "RIGHT") for part in ("_INNER", "", "_OUTER")),
    *("LEFT_EAR", "RIGHT_EAR", "MOUTH_LEFT", "MOUTH_RIGHT"),
    *(f"{side}_{joint}" for joint in (*_JOINTS, *_LEGS) for side in ("LEFT", "RIGHT")),
]
HAND = [str(i) for i in range(21)]
REDUCED_BODY = [
    name for name in HOLISTIC_BODY if name.rsplit("_")[-1] in ("SHOULDER", "ELBOW", "WRIST", "HIP")
]
# The inner eye corners and the upper lip, some of the contour, no point of the nose.
REDUCED_FACE = [
    *("0", "17", "33", "133", "160", "158", "153", "144", "362", "385", "387", "263", "373"),
    *("380", "127", "234", "454", "356"),
]

Component = tuple[str, list[str], str]


def holistic(face: int, *, world: bool, letters: str = "XYZC") -> list[Component]:
    parts = [
        ("POSE_LANDMARKS", HOLISTIC_BODY, letters),
        ("FACE_LANDMARKS", [str(i) for i in range(face)], letters),
        ("LEFT_HAND_LANDMARKS", HAND, letters),
        ("RIGHT_HAND_LANDMARKS", HAND, letters),
    ]
    return [*parts, ("POSE_WORLD_LANDMARKS", HOLISTIC_BODY, letters)] if world else parts


def reduced() -> list[Component]:
    (body, _, _), (face, _, _), *hands = holistic(0, world=False)
    return [(body, REDUCED_BODY, "XYZC"), (face, REDUCED_FACE, "XYZC"), *hands]


def components(**lengths: int) -> list[Component]:
    return [(name, [f"p{i}" for i in range(count)], "XYC") for name, count in lengths.items()]


def openpose() -> list[Component]:
    hands = {"hand_left_keypoints_2d": 21, "hand_right_keypoints_2d": 21}
    return components(pose_keypoints_2d=25, face_keypoints_2d=70, **hands)


def coco() -> list[Component]:
    return components(BODY=23, FACE=68, LEFT_HAND=21, RIGHT_HAND=21)


def halpe() -> list[Component]:
    return components(BODY_136=26, FACE_136=68, LEFT_HAND_136=21, RIGHT_HAND_136=21)


def numbered(
    components: list[Component], frames: int = 2, people: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Data in which x tells the position in the file and y the frame, confidence 1."""
    count = sum(len(names) for _, names, _ in components)
    dims = max(len(letters) for _, _, letters in components) - 1
    data = np.zeros((frames, people, count, dims), np.float32)
    data[..., 0] = np.arange(count)
    data[..., 1] = 7 + np.arange(frames)[:, None, None]
    return data, np.ones((frames, people, count), np.float32)


def _text(value: str) -> bytes:
    return struct.pack("<H", len(value)) + value.encode()


def pose_bytes(
    components: list[Component],
    data: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    *,
    version: float = 0.1,
    fps: float = 25,
    size: tuple[int, int] = SIZE,
) -> bytes:
    """Write a `.pose` file of any version by the published layout."""
    if data is None or confidence is None:
        data, confidence = numbered(components)
    out = io.BytesIO()
    out.write(struct.pack("<f4H", version, size[1], size[0], 0, len(components)))
    for name, points, letters in components:
        out.write(_text(name) + _text(letters) + struct.pack("<3H", len(points), 0, 1))
        out.write(b"".join(_text(point) for point in points) + struct.pack("<3H", 255, 0, 0))
    frames, people = confidence.shape[:2]
    if version == 0.0:
        out.write(struct.pack("<HH", int(fps), frames))
        for t in range(frames):
            out.write(struct.pack("<H", people))
            for person in range(people):
                out.write(struct.pack("<h", person))
                values = np.concatenate([data[t, person], confidence[t, person, :, None]], -1)
                out.write(values.astype("<f4").tobytes())
        return out.getvalue()
    if version == 0.1:
        out.write(struct.pack("<HHH", int(fps), frames % 65536, people))
    else:
        out.write(struct.pack("<fIH", fps, frames, people))
    out.write(data.astype("<f4").tobytes() + confidence.astype("<f4").tobytes())
    return out.getvalue()


def person(seed: int = 0, count: int = 133, scale: float = 200.0) -> dict:
    """One person of an MMPose prediction."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(5, scale, (count, 2)).round(2)
    return {
        "keypoints": points.tolist(),
        "keypoint_scores": rng.uniform(0.4, 1, count).round(3).tolist(),
        "bbox": [[0.0, 0.0, scale, scale]],
        "bbox_score": 0.9,
    }


def mmpose_video(*frames: tuple[object, list]) -> list:
    """Return the second shape of MMPose's predictions from frame numbers and persons."""
    return [{"frame_id": number, "instances": persons} for number, persons in frames]


def mmpose(shape: int, frames: int = 3) -> bytes:
    if shape == 1:
        return json.dumps([person()]).encode()
    entries = mmpose_video(*((i + shape - 2, [person(i)]) for i in range(frames)))
    document = entries if shape == 2 else {"meta_info": {"name": "x"}, "instance_info": entries}
    return json.dumps(document).encode()


def own(**changes: object) -> bytes:
    """A document of our own JSON with some keys replaced; a value of None removes the key."""
    frames = [[[10.0 + i, 20.0 + i, 0.9] for i in range(133)] for _ in range(2)]
    document = {
        "format": "signgen-poses",
        "version": 1,
        "skeleton": "coco-wholebody-133",
        "fps": 25.0,
        "size": [260, 210],
        "frames": frames,
    } | changes
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def deepfashion() -> bytes:
    rows = np.random.default_rng(4).uniform(45, 210, (18, 2))
    rows[4] = -1
    return "\n".join(f"{x:.18e} {y:.18e}" for x, y in rows).encode()


def flat(count: int, seed: int = 0) -> list[float]:
    """Return x, y, confidence of `count` points in a flat list, as OpenPose writes them."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((20, 20), (190, 240), (count, 2))
    table = np.column_stack([points, rng.uniform(0.4, 1, count)]).round(3)
    return [float(value) for value in table.ravel()]


def openpose_person(body: int = 25, seed: int = 0) -> dict[str, list[float]]:
    return {
        "pose_keypoints_2d": flat(body, seed),
        "face_keypoints_2d": flat(70, seed + 1),
        "hand_left_keypoints_2d": flat(21, seed + 2),
        "hand_right_keypoints_2d": flat(21, seed + 3),
        "pose_keypoints_3d": [],
    }


def openpose_frame(*people: object) -> dict[str, object]:
    return {"version": 1.3, "people": list(people)}


def canvas_frames(count: int = 3) -> list[dict[str, object]]:
    """Return the list form of pose editors."""
    canvas = {"canvas_width": SIZE[1], "canvas_height": SIZE[0]}
    return [openpose_frame(openpose_person()) | canvas for _ in range(count)]


def alphapose(number: int, keypoints: list[float]) -> dict[str, object]:
    """Return one detection of AlphaPose."""
    return {"image_id": f"{number}.jpg", "category_id": 1, "keypoints": keypoints, "score": 2.9}


def table(frames: int = 2, count: int = 133, seed: int = 5) -> np.ndarray:
    """Return (frames, count, 3) x, y, confidence in float32."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((10, 10), (200, 250), (frames, count, 2))
    return np.concatenate([points, rng.uniform(0.2, 1, (frames, count, 1))], -1).astype("f4")


def mska(*names: str, frames: int = 2) -> dict[str, dict[str, object]]:
    """Return what MSKA pickles: clips with tensors."""
    import torch

    return {
        name: {
            "name": name,
            "gloss": "REGEN SCHNEE",
            "text": "regen und schnee",
            "num_frames": frames,
            "keypoint": torch.from_numpy(table(frames, seed=seed)),
        }
        for seed, name in enumerate(names)
    }


def dwpose(people: int = 1, seed: int = 0, scale: float = 200.0) -> dict[str, object]:
    """Return a frame of DWPose; 200 makes pixels, 1 makes normalised coordinates."""
    rng = np.random.default_rng(seed)
    return {
        "bodies": {
            "candidate": rng.uniform(0.05, 0.95, (18 * people, 2)) * scale,
            "subset": np.arange(18.0 * people).reshape(people, 18),
            "score": rng.uniform(0.3, 1, (people, 18)),
        },
        "hands": rng.uniform(0.05, 0.95, (2 * people, 21, 2)) * scale,
        "hands_score": rng.uniform(0.3, 1, (2 * people, 21)),
        "faces": rng.uniform(0.05, 0.95, (people, 68, 2)) * scale,
        "faces_score": rng.uniform(0.3, 1, (people, 68)),
    }


def npz(**members: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, **members)
    return out.getvalue()


def own_npz(**changes: object) -> bytes:
    """Our own archive with some members replaced; a value of None removes the member."""
    values = table()
    members = {
        "format": np.array("signgen-poses"),
        "version": np.array(1),
        "keypoints": values[..., :2],
        "confidence": values[..., 2],
        "skeleton": np.array("coco-wholebody-133"),
        "size": np.array(SIZE),
        "fps": np.array(25.0),
    } | changes
    return npz(**{name: value for name, value in members.items() if value is not None})


COCO_PARTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


def coco_person(image: int | str, seed: int = 0) -> dict[str, object]:
    """Return one annotation of COCO-WholeBody."""
    parts = {name: flat(count, seed + i) for i, (name, count) in enumerate(COCO_PARTS.items())}
    return {"image_id": image, "id": seed, "category_id": 1, **parts}


def coco_document(*people: dict[str, object], images: tuple[int, ...] = (785,)) -> dict:
    return {
        "images": [
            {"id": i, "file_name": f"{i:012d}.jpg", "height": SIZE[0], "width": SIZE[1]}
            for i in images
        ],
        "annotations": list(people),
    }


def deepfashion_csv(*rows: tuple[str, list[float], list[float]]) -> bytes:
    """Return a table of DeepFashion; a row is name, y, x."""
    lines = [f"{name}: {json.dumps(y)}: {json.dumps(x)}" for name, y, x in rows]
    return "\n".join(["name:keypoints_y:keypoints_x", *lines]).encode()


def _csv_row() -> bytes:
    rng = np.random.default_rng(4)
    y, x = rng.integers(5, 250, 18).tolist(), rng.integers(5, 170, 18).tolist()
    y[4] = x[4] = -1
    return deepfashion_csv(("fashionMENDenimid0000008001_1front.jpg", y, x))


SAMPLES: dict[str, bytes] = {
    "own": own(),
    "mmpose-1": mmpose(1),
    "mmpose-2": mmpose(2),
    "mmpose-3": mmpose(3),
    "pose-0.0": pose_bytes(openpose(), version=0.0),
    "pose-0.1": pose_bytes(holistic(468, world=True)),
    "pose-0.2": pose_bytes(reduced(), version=0.2),
    "pose-136": pose_bytes(halpe(), version=0.2),
    "deepfashion": deepfashion(),
    "alphapose-133": json.dumps([alphapose(t, flat(133, t)) for t in range(3)]).encode(),
    "alphapose-136": json.dumps([alphapose(t, flat(136, t)) for t in range(3)]).encode(),
    "openpose-frame": json.dumps(openpose_frame(openpose_person())).encode(),
    "openpose-list": json.dumps(canvas_frames()).encode(),
    "pickle-mska": pickle.dumps(mska("train/a")),
    "pickle-slrt": pickle.dumps({"dev/a": {"keypoints": table()}}, protocol=2),
    "pickle-arrays": pickle.dumps({"test/a": table()}, protocol=5),
    "pickle-dwpose": pickle.dumps([dwpose(seed=seed) for seed in range(2)]),
    "gzip-slrt": gzip.compress(pickle.dumps({"dev/a": {"keypoints": table()}}), mtime=0),
    "zip-npz": own_npz(),
    "zip-dwpose": npz(pose=table(count=134)),
    "coco-annotations": json.dumps(coco_document(coco_person(785))).encode(),
    "coco-results": json.dumps([coco_person("a.jpg")]).encode(),
    "csv-deepfashion": _csv_row(),
}
