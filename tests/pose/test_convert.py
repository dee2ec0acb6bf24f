"""`signgen pose convert` and `signgen pose info` on files of one clip and of many."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from signgen.cli.main import main
from signgen.errors import ExitCode
from signgen.pose.convert import Changes, convert
from signgen.pose.formats import read_poses, write_poses
from signgen.pose.transforms import crop, fill_missing, flip, resize, smooth_one_euro
from signgen.structures import PoseSequence

BAD = np.zeros((2, 17, 3), "f4")


def clip(seed: int, frames: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 200, (frames, 133, 3)).astype("f4")


def archive(folder: Path, **clips: np.ndarray) -> Path:
    path = folder / "clips.pkl"
    path.write_bytes(
        pickle.dumps({name.replace("__", "/"): {"keypoints": a} for name, a in clips.items()})
    )
    return path


def sequence() -> PoseSequence:
    values = clip(1)
    return PoseSequence(values[..., :2], values[..., 2], "coco-wholebody-133", (260, 210), 29.97)


def test_one_clip_to_a_file(tmp_path, capsys):
    write_poses(sequence(), tmp_path / "a", "openpose")
    words = ["pose", "convert", str(tmp_path / "a"), str(tmp_path / "a.npz")]
    assert main([*words, "--size", "300", "400", "--fps", "50"]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'a.npz'}\n"
    assert "1 of 1 clips written" in captured.err
    poses = read_poses(tmp_path / "a.npz")
    assert (poses.size, poses.fps) == ((300, 400), 50)


def test_one_clip_into_a_folder_is_named_as_the_clip(tmp_path):
    write_poses(sequence(), tmp_path / "a.json")
    (tmp_path / "there").mkdir()
    assert convert(tmp_path / "a.json", tmp_path / "there").out == tmp_path / "there" / "a.npz"
    new = convert(tmp_path / "a.json", f"{tmp_path}/new/", format="pose")
    assert new.out == tmp_path / "new" / "a.pose"
    path = archive(tmp_path, train__x=clip(1), train__y=clip(2))
    assert convert(path, tmp_path / "there", clip="train/y").out.name == "y.npz"
    folder = convert(tmp_path / "a.json", tmp_path / "new2", format="openpose").out
    assert len(list(folder.iterdir())) == 3


def test_all_clips_to_a_folder_can_be_resumed(tmp_path):
    path = archive(tmp_path, train__x=clip(1), train__y=clip(2), dev__z=clip(3))
    out = tmp_path / "out"
    first = convert(path, out, progress=lambda names, total: list(names)[: total - 1])
    assert (first.clips, first.written, first.skipped, first.failed) == (3, 2, 0, ())
    (out / "train" / "x.npz").write_bytes(b"broken")
    kept = (out / "train" / "y.npz").stat().st_mtime_ns
    second = convert(path, out)
    assert (second.written, second.skipped) == (2, 1)
    assert (out / "train" / "y.npz").stat().st_mtime_ns == kept
    names = sorted(str(file.relative_to(out)) for file in out.rglob("*.*"))
    assert names == ["dev/z.npz", "train/x.npz", "train/y.npz"]
    assert (read_poses(out / "train" / "x.npz").keypoints == clip(1)[..., :2]).all()
    for format, suffix in {"own": ".json", "pose": ".pose", "openpose": ""}.items():
        for written, skipped in ((3, 0), (0, 3)):
            done = convert(path, tmp_path / format, format=format)
            assert (done.written, done.skipped, done.failed) == (written, skipped, ())
        assert len(read_poses(tmp_path / format / "train" / f"x{suffix}")) == 3


def test_bad_clips_are_told_at_the_end_and_the_exit_code_is_3(tmp_path, capsys):
    path = archive(tmp_path, train__x=clip(1), train__bad=BAD, dev__z=clip(3))
    words = ["pose", "convert", str(path), str(tmp_path / "out"), "--json"]
    assert main(words) == ExitCode.SOME_FAILED == 3
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert (report["clips"], report["written"], report["skipped"]) == (3, 2, 0)
    assert [row["clip"] for row in report["failed"]] == ["train/bad"]
    assert "error: 'train/bad'" in captured.err
    assert "2 of 3 clips written, 0 were there, 1 failed" in captured.err
    assert main(words) == 3, "a second run fails in the same way"
    assert json.loads(capsys.readouterr().out)["skipped"] == 2


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "train/../../x", "a//b", "./a", "..", "a/", "a\0b", "a\nb", "C:x", "a\\b"],
)
def test_names_do_not_lead_out_of_the_folder(name, tmp_path):
    path = tmp_path / "clips.pkl"
    path.write_bytes(
        pickle.dumps({name: {"keypoints": clip(1)}, "train/ok": {"keypoints": clip(2)}})
    )
    done = convert(path, tmp_path / "out", size=(260, 210))
    assert [bad for bad, _ in done.failed] == [name]
    assert done.written == 1
    files = [file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()]
    assert sorted(map(str, files)) == ["clips.pkl", "out/train/ok.npz"]


def test_the_input_is_not_written_over(tmp_path, capsys):
    write_poses(sequence(), tmp_path / "a.json", "openpose")
    write_poses(sequence(), tmp_path / "b", "openpose")
    before = (tmp_path / "a.json").read_bytes()
    for words in (["a.json", "../a.json"], ["b", "b", "--format", "openpose"]):
        (tmp_path / "sub").mkdir(exist_ok=True)
        places = [str(tmp_path / words[0]), str(tmp_path / "sub" / ".." / words[1].lstrip("./"))]
        assert main(["pose", "convert", *places, *words[2:]]) == ExitCode.USAGE
        assert "is the input. Choose another name" in capsys.readouterr().err
    assert (tmp_path / "a.json").read_bytes() == before


def test_places_that_do_not_fit(tmp_path, capsys, monkeypatch):
    path = archive(tmp_path, train__x=clip(1), train__y=clip(2))
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("x")
    for line, message in (
        ("{in} out.npz", "name one with --clip"),
        ("{in} file", "is a file name"),
        ("{in} out.npz --clip train/q", "no clip 'train/q'"),
        ("{in} out.txt --clip train/x", "expected .json, .npz or .pose"),
        ("absent.pkl out", "does not exist"),
    ):
        assert main(["pose", "convert", *line.format(**{"in": path}).split()]) in (2, 66)
        captured = capsys.readouterr()
        assert message in captured.err
        assert captured.out == ""
        assert captured.err.count("\n") == 1


# ----- changes ------------------------------------------------------------------------------------


def walk(frames: int = 9) -> PoseSequence:
    """A random walk of all points, one of them hidden for two frames."""
    rng = np.random.default_rng(3)
    steps = rng.normal(0, 2, (frames, 133, 2)).cumsum(axis=0)
    points = (rng.uniform(40, 160, (133, 2)) + steps).astype(np.float32)
    confidence = np.ones((frames, 133), np.float32)
    confidence[3:5, 95], points[3:5, 95] = 0, 0
    return PoseSequence(points, confidence, "coco-wholebody-133", (260, 210), 25.0)


def test_changes_come_in_the_order_of_the_fields():
    poses, box, size = walk(), (10, 20, 200, 240), (110, 95)
    assert Changes().apply(poses) is poses
    changed = Changes(box, size, flip=True, fill_gaps=2, smooth=True).apply(poses)
    expected = smooth_one_euro(fill_missing(flip(resize(crop(poses, box), size)), 2))
    np.testing.assert_array_equal(changed.keypoints, expected.keypoints)
    np.testing.assert_array_equal(changed.confidence, expected.confidence)
    assert changed.size == size
    assert changed.visible.all()


def test_convert_takes_them_as_flags(tmp_path, capsys):
    write_poses(walk(), tmp_path / "in.npz")
    words = ["pose", "convert", str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    for flags, message in (
        ("--crop 9 9 5 9", "cannot be changed so"),
        ("--resize 0 5", "resize is [0, 5]; expected at least 1"),
        ("--fill-gaps -1", "cannot be changed so"),
    ):
        assert main([*words, *flags.split()]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out.npz").exists()
    assert (
        main([*words, *["--resize", "130", "105", "--flip", "--fill-gaps", "2", "--smooth"]]) == 0
    )
    expected = Changes(None, (130, 105), flip=True, fill_gaps=2, smooth=True).apply(walk())
    np.testing.assert_array_equal(read_poses(tmp_path / "out.npz").keypoints, expected.keypoints)
    # And on every clip of an archive
    poses = walk()
    table = np.concatenate([poses.keypoints, poses.confidence[..., None]], axis=-1)
    path = archive(tmp_path, train__a=table, train__b=table)
    assert main(["pose", "convert", str(path), str(tmp_path / "out"), "--flip"]) == 0
    for name in "ab":
        changed = read_poses(tmp_path / "out" / "train" / f"{name}.npz")
        np.testing.assert_array_equal(changed.keypoints, flip(poses).keypoints)


# ----- info ---------------------------------------------------------------------------------------


def info(capsys, *words: object) -> list[dict]:
    assert main(["pose", "info", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["files"]


def test_info_lists_clips(tmp_path, capsys):
    path = archive(tmp_path, **{f"train__{i}": clip(i) for i in range(25)})
    assert main(["pose", "info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["format", "slrt"]
    assert lines[2].split() == ["clips", "25"]
    assert lines[3].split()[:3] == ["clip", "skeleton", "frames"]
    assert lines[4].split()[:3] == ["train/0", "coco-wholebody-133", "3"]
    assert lines[-1] == "... and 5 more; --json lists all"
    (row,) = info(capsys, path)
    assert (row["clips"], len(row["rows"])) == (25, 25)
    assert row["rows"][24]["clip"] == "train/24"


def test_info_on_one_clip_and_bad_ones(tmp_path, capsys):
    path = archive(tmp_path, train__x=clip(1), **{"00335": clip(2)})
    words = ("--clip", "00335", "--size", 480, 640, "--fps", 50)
    (row,) = info(capsys, path, *words)
    assert (row["format"], row["size"], row["fps"]) == ("slrt", [480, 640], 50)
    path = archive(tmp_path, train__x=clip(1), train__bad=BAD)
    assert main(["pose", "info", str(path)]) == 3
    assert "shape [2, 17, 3]" in capsys.readouterr().out
    path = archive(tmp_path, **{"train__\x1b[31m": clip(1), "train__b": clip(1) + 0})
    assert main(["pose", "info", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out, "control characters reach the terminal"


def test_info_counts_people(tmp_path, capsys):
    write_poses(sequence(), tmp_path / "a.json", "openpose")
    write_poses(sequence(), tmp_path / "b.npz")
    one, two = info(capsys, tmp_path / "a.json", tmp_path / "b.npz")
    assert (one["format"], one["people"]) == ("openpose", 1)
    assert two["format"] == "npz"
    assert "people" not in two, "an .npz does not say"
