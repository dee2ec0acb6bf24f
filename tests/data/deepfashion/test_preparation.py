"""DeepFashion In-shop through every layout: the same records, pairs and key points."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from signgen.config.data import PrepareDeepFashionConfig
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.deepfashion.facts import DeepFashionReport
from signgen.data.deepfashion.layouts import LAYOUTS, find_tree
from signgen.data.deepfashion.lists import parse_name
from signgen.data.deepfashion.preparation import prepare_deepfashion
from signgen.media import read_image
from signgen.media.resizing import resize_image
from signgen.pose.drawing.draw import draw_pose
from signgen.structures import ExitCode, FrameRef, Triplet, UserError
from tests.material import deepfashion_trees as trees
from tests.material.places import REAL, needs_real

FRONT, SIDE = (f"MEN/Tees_Tanks/id_00000012/01_{tag}" for tag in ("1_front", "2_side"))


@pytest.fixture(scope="module", params=trees.LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.write_tree(tmp_path_factory.mktemp("df") / request.param, request.param)


@pytest.fixture
def nted(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "nted", "nted")


def prepared(root: Path, out: Path, **settings) -> tuple[DeepFashionReport, ManifestDataset]:
    extra = [str(root / "extra.csv")] if root.name == "mcld" else []  # the layout itself has none
    report = prepare_deepfashion(root, out, **{"keypoints": extra} | settings)
    return report, open_dataset(str(out))


def names_of(dataset: ManifestDataset, pair: Triplet) -> tuple[str, str]:
    return ref_name(dataset, pair.source), ref_name(dataset, pair.target)


def ref_name(dataset: ManifestDataset, ref: FrameRef) -> str:
    name = parse_name(dataset.entry(ref.record).frames[ref.index])
    assert name is not None
    return name.nested


# ----- the contract -------------------------------------------------------------------------------


def test_pairs_are_those_of_the_lists(tree: Path, tmp_path: Path) -> None:
    assert find_tree(tree).layout.name == tree.name
    assert find_tree(tree.parent).root == tree
    report, dataset = prepared(tree, tmp_path)
    assert not report.damaged
    for split in ("train", "test"):
        listed = [names_of(dataset, pair) for pair in dataset.pairs(split)]
        expected = [(one.nested, other.nested) for one, other in trees.pairs(split)]
        assert sorted(listed) == sorted(expected)
        assert len(set(listed)) == len(listed)
    assert {record.signer for record in dataset.records("test")} == {
        "MEN-Tees_Tanks-id_00000012",
        "WOMEN-Blouses_Shirts-id_00000014",
    }


def test_frames_and_key_points_are_those_drawn(tree: Path, tmp_path: Path) -> None:
    report, dataset = prepared(tree, tmp_path)
    assert report.frame == trees.FRAME[tree.name]
    drawn = {view.name.nested: view for view in trees.views()}
    hidden = 0
    for split in ("train", "test"):
        for record in dataset.records(split):
            poses = dataset.poses(record)
            assert (poses.skeleton, poses.size) == ("openpose-18", trees.SIZE)
            for index in range(record.num_frames):
                view = drawn[ref_name(dataset, FrameRef(record, index))]
                missing = (view.joints < 0).any(axis=1)
                assert (poses.visible[index] == ~missing).all()
                points = np.where(missing[:, None], 0, view.joints * trees.SIZE[0] / 256)
                np.testing.assert_allclose(poses.keypoints[index], points, atol=1e-4)
                hidden += int(missing.sum())
                difference = dataset.frame(FrameRef(record, index)).astype(int) - view.picture
                assert np.abs(difference).mean() < (0.01 if tree.name == "pcdms" else 6)
    assert hidden > 0, "a test without missing joints would not notice a shifted -1"


def test_all_layouts_give_the_same_manifest(tmp_path: Path) -> None:
    digests, rows = [], []
    for layout in trees.LAYOUTS:
        root = trees.write_tree(tmp_path / layout, layout)
        report, _ = prepared(root, tmp_path / f"{layout}-out")
        digests.append(report.digests)
        rows.append([(e.record, e.pairs, e.size) for e in report.prepared.manifest.entries])
    assert all(digest == digests[0] for digest in digests)
    assert all(row == rows[0] for row in rows)
    choices = get_args(get_args(get_type_hints(PrepareDeepFashionConfig)["layout"])[0])
    assert tuple(LAYOUTS) == choices == trees.LAYOUTS


# ----- lists --------------------------------------------------------------------------------------


def test_first_name_of_a_text_list_is_the_target(nted: Path, tmp_path: Path) -> None:
    trees.write_lines(nted / "test_pairs.txt", [f"{FRONT}.jpg,{SIDE}.jpg"])
    _, dataset = prepared(nted, tmp_path / "out")
    (pair,) = dataset.pairs("test")
    assert names_of(dataset, pair) == (SIDE, FRONT)


def test_both_spellings_of_the_tables_are_found_but_not_together(tmp_path: Path) -> None:
    root = trees.write_tree(tmp_path / "patn-csv", "patn-csv")
    for before, after in (("fashion-", "fasion-"), ("fasion-", "fashion-")):
        for path in root.glob("fas*.csv"):
            path.rename(root / path.name.replace(before, after))
        report, _ = prepared(root, tmp_path / "out")
        assert report.layout == "patn-csv"
        assert not report.damaged
    shutil.copy(root / "fashion-resize-pairs-test.csv", root / "fasion-resize-pairs-test.csv")
    with pytest.raises(UserError, match="Move the other away"):
        prepared(root, tmp_path / "out")


def test_odd_pairs_are_left_out_and_named(nted: Path, tmp_path: Path) -> None:
    listed = (nted / "test_pairs.txt").read_text()
    for line, message in (
        ("WOMEN/Dresses/id_00000013/01_1_front.jpg,somebody.jpg", "names 'somebody.jpg'"),
        (f"{FRONT}.jpg,{SIDE}.jpg", "for the second time"),
        (f"{FRONT}.jpg,MEN/Shirts_Polos/id_00000012/02_1_front.jpg", "one person in one garment"),
    ):
        (nted / "test_pairs.txt").write_text(f"{listed}{line}\n")
        report, dataset = prepared(nted, tmp_path / "out")
        (problem,) = report.prepared.problems
        assert message in problem.message
        assert "line 9" in problem.message
        assert len(dataset.pairs("test")) == 8


# ----- what is refused or left out ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda picture, _: picture.unlink(), "has no picture of"),
        (lambda picture, _: picture.write_bytes(picture.read_bytes()[:-100]), "is cut off"),
        (lambda picture, _: picture.write_bytes(b"\xff\xd8\xff 012345\xff\xd9"), "is no picture"),
        (lambda _, pose: pose.unlink(), "has no key points"),
        (lambda _, pose: pose.write_text("1 2\n" * 17 + "3 x\n"), "is not two numbers"),
        (lambda _, pose: pose.write_text("-1 -1\n" * 18), "has no detected joint"),
        (
            lambda picture, _: Image.new("RGB", (70, 100)).save(picture),
            "is 70 x 100 pixels; the other views are 88 x 128",
        ),
    ],
)
def test_pairs_of_a_damaged_view_are_left_out(
    nted: Path, tmp_path: Path, spoil: Callable[[Path, Path], object], message: str
) -> None:
    picture, pose = nted / "img" / f"{SIDE}.jpg", nted / "pose" / f"{SIDE}.txt"
    spoil(picture, pose)
    report, dataset = prepared(nted, tmp_path / "out")
    (problem,) = report.prepared.problems
    assert message in problem.message
    assert problem.path == (picture if picture.exists() else nted)
    assert report.pairs_left_out == {"train": 0, "test": 4}
    assert len(dataset.pairs("test")) == 4
    assert SIDE not in {name for p in dataset.pairs("test") for name in names_of(dataset, p)}
    if "pixels" not in message:
        assert "left out" in report.verdict or "differ" in report.verdict


def test_record_without_a_pair_is_named(nted: Path, tmp_path: Path) -> None:
    (nted / "img" / "WOMEN/Blouses_Shirts/id_00000014/03_3_back.jpg").unlink()
    report, dataset = prepared(nted, tmp_path / "out")
    record = "test/WOMEN-Blouses_Shirts-id_00000014-03"
    assert {problem.record for problem in report.prepared.problems} == {"", record}
    assert len(dataset.records("test")) == 1


def shrink(root: Path) -> None:
    for path in (root / "img").rglob("*.jpg"):
        Image.new("RGB", (256, 256)).save(path)


def hide(root: Path) -> None:
    (root / "img").rename(root / "256-256")
    (root / "256-256" / "data.mdb").write_bytes(b"x")


REFUSED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "padded pictures": ("nted", shrink, "small copy with white margins"),
    "databases": ("nted", hide, "LMDB"),
    "no pictures": ("nted", lambda root: (root / "img").rename(root / "x"), "has no pictures"),
    "no key points": ("nted", lambda root: (root / "pose").rename(root / "x"), "--keypoints"),
    "DensePose alone": ("mcld", lambda root: (root / "extra.csv").unlink(), "DensePose pictures"),
    "CoCosNet-v2": (
        "nted",
        lambda root: trees.write_lines(root / "data" / "deepfashion_self_pair.txt", ["x"]),
        "CoCosNet-v2",
    ),
    "WPose": ("nted", lambda root: trees.write_lines(root / "image_urls.txt", ["x"]), "WPose"),
    "annotations": (
        "gfla-csv",
        lambda root: (root / "fasion-annotation-test.csv").write_text("name,keypoints_y\n"),
        "fasion-annotation-test.csv does not begin with the line",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_trees_that_cannot_be_used_are_refused(tmp_path: Path, name: str) -> None:
    layout, spoil, message = REFUSED[name]
    spoil(root := trees.write_tree(tmp_path / "tree", layout))
    keypoints = [str(path) for path in root.glob("extra.csv")]
    with pytest.raises(UserError, match=message) as refused:
        prepared(root, tmp_path / "out", keypoints=keypoints)
    assert "\n" not in str(refused.value)
    assert refused.value.code in {ExitCode.DATA, ExitCode.NO_INPUT}


def test_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train_pairs.txt.*--rebuild-pairs"):
        find_tree(tmp_path)
    trees.write_lines(tmp_path / "data" / "train.csv", ["a,b"])
    with pytest.raises(UserError, match="no list of pairs"):
        find_tree(tmp_path)
    with pytest.raises(UserError, match="not a folder"):
        find_tree(tmp_path / "nowhere")


# ----- choices ------------------------------------------------------------------------------------


def test_two_layouts_in_one_folder_want_a_choice(nted: Path, tmp_path: Path) -> None:
    other = trees.write_tree(tmp_path / "fpdm", "fpdm")
    shutil.copy(other / "test_pairs_data.json", nted / "test_pairs_data.json")
    with pytest.raises(UserError, match=r"fpdm in .*nted in .*--layout"):
        prepared(nted, tmp_path / "out")
    report, _ = prepared(nted, tmp_path / "out", layout="nted")
    assert report.layout == "nted"
    shutil.rmtree(nted)
    with pytest.raises(UserError, match=r"neither train\.lst nor test\.lst"):
        prepared(other, tmp_path / "out", rebuild=True)


@pytest.mark.parametrize("layout", ["nted", "patn-csv"])
def test_rebuilt_pairs_equal_the_listed_ones(tmp_path: Path, layout: str) -> None:
    root = trees.write_tree(tmp_path / layout, layout)
    read, _ = prepared(root, tmp_path / "out")
    rebuilt, _ = prepared(root, tmp_path / "again", rebuild=True)
    assert rebuilt.digests == read.digests
    facts = {fact.name: fact for fact in rebuilt.facts}
    assert facts["test pairs rebuilt or listed, not both"].found == 0
    assert facts["train pairs rebuilt or listed, not both"].found == 0
    for path in root.glob("*pairs*"):
        path.unlink()
    bare, _ = prepared(root, tmp_path / "bare", rebuild=True, layout=layout)
    assert bare.digests == read.digests
    assert not bare.damaged


def test_subset_keeps_the_first_records(nted: Path, tmp_path: Path) -> None:
    report, dataset = prepared(nted, tmp_path / "out", subset=1)
    assert not report.damaged
    assert [record.id for record in dataset.records("train")] == ["MEN-Shirts_Polos-id_00000012-02"]
    assert len(dataset.records("test")) == 1
    assert {fact.name: fact.found for fact in report.facts}["test pairs"] == 8


def test_key_points_in_another_frame_or_place(nted: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"of 168 visible joints .* unit.*--keypoint-frame"):
        prepared(nted, tmp_path / "one", keypoint_frame="unit")
    assert not (tmp_path / "one").exists()
    plain, _ = prepared(nted, tmp_path / "one")
    shutil.move(nted / "pose", tmp_path / "elsewhere")
    named, _ = prepared(nted, tmp_path / "two", keypoints=[str(tmp_path / "elsewhere")])
    poses = [(tmp_path / out / "poses" / "test.npy").read_bytes() for out in ("one", "two")]
    assert poses[0] == poses[1]
    assert named.digests == plain.digests


# ----- the genuine sample -------------------------------------------------------------------------


@needs_real
def test_genuine_sample_draws_like_its_published_poses(tmp_path: Path) -> None:
    root = REAL / "deepfashion_fpdm"
    report, dataset = prepared(root, tmp_path)
    assert report.frame == "padded256"
    assert not report.damaged
    counts = json.loads(json.dumps(report.as_dict()))["counts"]
    assert (counts["train"]["pairs"], counts["test"]["pairs"]) == (5, 5)
    records = [record for split in ("train", "test") for record in dataset.records(split)]
    refs = [FrameRef(record, index) for record in records for index in range(record.num_frames)]
    assert len(refs) == 14
    for ref in refs:
        poses = dataset.pose(ref)
        assert poses.size == (1101, 750)
        joints, confidence = poses.keypoints[0], poses.confidence[0]
        drawn = draw_pose(joints, confidence, "openpose-18", poses.size, "fpdm")
        published = read_image(root / "pose_img" / f"{ref_name(dataset, ref)}.jpg")
        difference = drawn.astype(int) - resize_image(published, poses.size, "area")
        assert np.abs(difference).mean() < 0.35  # JPEG noise; another canvas gives 1.8 and more
