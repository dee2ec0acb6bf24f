"""DeepFashion In-shop through every layout: the same records, pairs and key points."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest
from PIL import Image

from signgen.config.data import PrepareDeepFashionConfig
from signgen.data.dataset import ManifestDataset, open_dataset
from signgen.data.deepfashion.layouts import LAYOUTS, find_tree
from signgen.data.deepfashion.names import parse_name
from signgen.data.deepfashion.preparation import DeepFashionReport, prepare_deepfashion
from signgen.media import read_image
from signgen.media.resizing import resize_image
from signgen.pose.drawing.draw import draw_pose
from signgen.structures import ExitCode, FrameRef, Triplet, UserError
from tests.material import deepfashion_trees as trees

REAL = Path(__file__).resolve().parents[3].parent / "shared" / "real" / "deepfashion_fpdm"


@pytest.fixture(scope="module", params=trees.LAYOUTS)
def tree(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees.write_tree(tmp_path_factory.mktemp("df") / request.param, request.param)


@pytest.fixture
def nted(tmp_path: Path) -> Path:
    return trees.write_tree(tmp_path / "nted", "nted")


def given(root: Path) -> list[str]:
    """Key points that the layout itself lacks."""
    return [str(root / "extra.csv")] if root.name == "mcld" else []


def prepared(root: Path, out: Path, **settings) -> tuple[DeepFashionReport, ManifestDataset]:
    report = prepare_deepfashion(root, out, **{"keypoints": given(root)} | settings)
    return report, open_dataset(str(out))


def names_of(dataset: ManifestDataset, pair: Triplet) -> tuple[str, str]:
    return ref_name(dataset, pair.source), ref_name(dataset, pair.target)


def ref_name(dataset: ManifestDataset, ref: FrameRef) -> str:
    name = parse_name(dataset.entry(ref.record).frames[ref.index])
    assert name is not None
    return name.nested


# ----- the contract -------------------------------------------------------------------------------


def test_layout_is_told_by_its_files(tree: Path) -> None:
    assert find_tree(tree).layout.name == tree.name
    assert find_tree(tree.parent).root == tree


def test_pairs_are_those_of_the_lists(tree: Path, tmp_path: Path) -> None:
    report, dataset = prepared(tree, tmp_path)
    assert not report.damaged
    for split in ("train", "test"):
        found = [names_of(dataset, pair) for pair in dataset.pairs(split)]
        expected = [(one.nested, other.nested) for one, other in trees.pairs(split)]
        assert sorted(found) == sorted(expected)
        assert len(set(found)) == len(found)
    assert {record.signer for record in dataset.records("test")} == {
        "MEN-Tees_Tanks-id_00000012",
        "WOMEN-Blouses_Shirts-id_00000014",
    }


def test_key_points_are_in_pixels_of_the_pictures(tree: Path, tmp_path: Path) -> None:
    report, dataset = prepared(tree, tmp_path)
    assert report.frame == trees.FRAME[tree.name]
    joints = {view.name.nested: view.joints for view in trees.views()}
    seen = 0
    for split in ("train", "test"):
        for record in dataset.records(split):
            poses = dataset.pose(record)
            assert (poses.skeleton, poses.size) == ("openpose-18", trees.SIZE)
            for index in range(record.num_frames):
                expected = joints[ref_name(dataset, FrameRef(record, index))]
                missing = (expected < 0).any(axis=1)
                assert (poses.visible[index] == ~missing).all()
                points = np.where(missing[:, None], 0, expected * trees.SIZE[0] / 256)
                np.testing.assert_allclose(poses.keypoints[index], points, atol=1e-4)
                seen += int(missing.sum())
    assert seen > 0, "a test without missing joints would not notice a shifted -1"


def test_frames_are_the_pictures(tree: Path, tmp_path: Path) -> None:
    _, dataset = prepared(tree, tmp_path)
    pictures = {view.name.nested: view.picture for view in trees.views()}
    for record in dataset.records("test"):
        ref = FrameRef(record, record.num_frames - 1)
        difference = dataset.frame(ref).astype(int) - pictures[ref_name(dataset, ref)]
        assert np.abs(difference).mean() < (0.01 if tree.name == "pcdms" else 6)


def test_all_layouts_give_the_same_manifest(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reports, rows = [], []
    for layout in trees.LAYOUTS:
        root = trees.write_tree(tmp_path / layout, layout)
        report, _ = prepared(root, tmp_path / f"{layout}-out")
        reports.append(report)
        rows.append([(e.record, e.pairs, e.size) for e in report.prepared.manifest.entries])
    assert all(report.digests == reports[0].digests for report in reports)
    assert all(row == rows[0] for row in rows)


# ----- lists --------------------------------------------------------------------------------------


def test_grouped_lines_keep_every_source(nted: Path, tmp_path: Path) -> None:
    lines = (nted / "train_pairs.txt").read_text().splitlines()
    assert max(line.count(",") for line in lines) == 2
    report, _ = prepared(nted, tmp_path / "out")
    assert report.prepared.manifest.counts()["train"]["pairs"] == 10
    assert len(lines) == 7


def test_first_name_of_a_text_list_is_the_target(nted: Path, tmp_path: Path) -> None:
    folder = "MEN/Tees_Tanks/id_00000012"
    line = f"{folder}/01_1_front.jpg,{folder}/01_2_side.jpg"
    trees.write_lines(nted / "test_pairs.txt", [line])
    _, dataset = prepared(nted, tmp_path / "out")
    (pair,) = dataset.pairs("test")
    assert names_of(dataset, pair) == (f"{folder}/01_2_side", f"{folder}/01_1_front")


@pytest.mark.parametrize(
    ("layout", "file", "text", "said"),
    [
        ("nted", "test_pairs.txt", "a.jpg b.jpg\n", "separated by commas"),
        (
            "patn-csv",
            "fashion-resize-pairs-test.csv",
            "from;to\na;b\n",
            "expected the line from,to",
        ),
        (
            "gfla-csv",
            "fasion-annotation-test.csv",
            "name,keypoints_y,keypoints_x\n",
            "does not begin with the line",
        ),
        ("fpdm", "test_pairs_data.json", '[{"source": "a", "target": "b"}]', "is no pair"),
        ("fpdm", "test_pairs_data.json", '[{"source_image": "a"', "is not JSON"),
        ("pcdms", "test_data.json", "[[1, 2]]", "is no pair"),
        ("nted", "test_pairs.txt", "/etc/passwd,/etc/passwd\n", "leads out of the dataset"),
        ("nted", "train.lst", "../img/x.jpg\n", "leads out of the dataset"),
        ("patn-csv", "fashion-resize-pairs-test.csv", "from,to\na/../../b,c\n", "leads out"),
    ],
)
def test_lists_in_another_form_are_refused(
    tmp_path: Path, layout: str, file: str, text: str, said: str
) -> None:
    root = trees.write_tree(tmp_path / layout, layout)
    (root / file).write_text(text)
    with pytest.raises(UserError, match=said) as refused:
        prepared(root, tmp_path / "out")
    assert file in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("spelling", ["fasion", "fashion"])
def test_both_spellings_of_the_tables_are_found(tmp_path: Path, spelling: str) -> None:
    root = trees.write_tree(tmp_path / "patn-csv", "patn-csv")
    for path in root.glob("fas*.csv"):
        path.rename(root / path.name.replace("fashion-", f"{spelling}-"))
    report, _ = prepared(root, tmp_path / "out")
    assert report.layout == "patn-csv"
    assert not report.damaged


def test_two_spellings_of_one_list_are_refused(tmp_path: Path) -> None:
    root = trees.write_tree(tmp_path / "patn-csv", "patn-csv")
    shutil.copy(root / "fashion-resize-pairs-test.csv", root / "fasion-resize-pairs-test.csv")
    with pytest.raises(UserError, match="Move the other away"):
        prepared(root, tmp_path / "out")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("WOMEN/Dresses/id_00000013/01_1_front.jpg,somebody.jpg", "names 'somebody.jpg'"),
        (
            "MEN/Tees_Tanks/id_00000012/01_1_front.jpg,MEN/Tees_Tanks/id_00000012/01_2_side.jpg",
            "second",
        ),
        (
            "MEN/Tees_Tanks/id_00000012/01_1_front.jpg,MEN/Shirts_Polos/id_00000012/02_1_front.jpg",
            "one person in one garment",
        ),
    ],
)
def test_odd_pairs_are_left_out_and_named(nted: Path, tmp_path: Path, line: str, said: str) -> None:
    with (nted / "test_pairs.txt").open("a") as file:
        file.write(f"{line}\n")
    report, dataset = prepared(nted, tmp_path / "out")
    (problem,) = report.prepared.problems
    assert said in problem.what
    assert "line 9" in problem.what
    assert len(dataset.pairs("test")) == 8


# ----- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["gone", "cut", "key points", "bad key points", "size"])
def test_pairs_of_a_damaged_view_are_left_out(nted: Path, tmp_path: Path, fault: str) -> None:
    stem = "MEN/Tees_Tanks/id_00000012/01_2_side"
    picture, pose = nted / "img" / f"{stem}.jpg", nted / "pose" / f"{stem}.txt"
    if fault == "gone":
        picture.unlink()
    elif fault == "cut":
        picture.write_bytes(picture.read_bytes()[:-100])
    elif fault == "key points":
        pose.unlink()
    elif fault == "bad key points":
        pose.write_text("1 2\n" * 17 + "3 x\n")
    else:
        Image.new("RGB", (70, 100)).save(picture)
    report, dataset = prepared(nted, tmp_path / "out")
    (problem,) = report.prepared.problems
    assert (stem in problem.what) if fault == "gone" else (problem.path == picture)
    expected = {
        "gone": "has no picture of",
        "cut": "is cut off",
        "key points": "has no key points",
        "bad key points": "is not two numbers",
        "size": "70 x 100 pixels; the other views are 88 x 128",
    }
    assert expected[fault] in problem.what
    assert report.pairs_left_out == {"train": 0, "test": 4}
    assert len(dataset.pairs("test")) == 4
    assert stem not in {name for p in dataset.pairs("test") for name in names_of(dataset, p)}
    if fault != "size":
        assert "left out" in report.verdict or "differ" in report.verdict


def test_record_without_a_pair_is_named(nted: Path, tmp_path: Path) -> None:
    (nted / "img" / "WOMEN/Blouses_Shirts/id_00000014/03_3_back.jpg").unlink()
    report, dataset = prepared(nted, tmp_path / "out")
    assert {p.record for p in report.prepared.problems} == {
        "",
        "test/WOMEN-Blouses_Shirts-id_00000014-03",
    }
    assert len(dataset.records("test")) == 1


def test_databases_alone_are_refused(nted: Path, tmp_path: Path) -> None:
    (nted / "img").rename(nted / "256-256")
    (nted / "256-256" / "data.mdb").write_bytes(b"x")
    with pytest.raises(UserError, match="LMDB") as refused:
        prepared(nted, tmp_path / "out")
    assert refused.value.code == ExitCode.NO_INPUT
    (nted / "256-256").rename(nted / "other")
    (nted / "other" / "data.mdb").unlink()
    with pytest.raises(UserError, match="no pictures"):
        prepared(nted, tmp_path / "out")


def test_small_padded_pictures_are_refused(nted: Path, tmp_path: Path) -> None:
    for path in (nted / "img").rglob("*.jpg"):
        Image.new("RGB", (256, 256)).save(path)
    with pytest.raises(UserError, match="small copy with white margins"):
        prepared(nted, tmp_path / "out")


# ----- layouts ------------------------------------------------------------------------------------


def test_two_layouts_in_one_folder_want_a_choice(nted: Path, tmp_path: Path) -> None:
    shutil.copy(
        trees.write_tree(tmp_path / "fpdm", "fpdm") / "test_pairs_data.json",
        nted / "test_pairs_data.json",
    )
    with pytest.raises(UserError, match=r"fpdm in .*nted in .*--layout"):
        prepared(nted, tmp_path / "out")
    report, _ = prepared(nted, tmp_path / "out", layout="nted")
    assert report.layout == "nted"


@pytest.mark.parametrize(
    ("file", "said"),
    [("data/deepfashion_self_pair.txt", "CoCosNet-v2"), ("image_urls.txt", "WPose")],
)
def test_other_splits_are_refused_by_name(tmp_path: Path, file: str, said: str) -> None:
    trees.write_lines(tmp_path / file, ["x"])
    trees.write_lines(tmp_path / "test_pairs.txt", ["a,b"])  # WPose has one, too
    with pytest.raises(UserError, match=said):
        prepared(tmp_path, tmp_path / "out")


def test_folder_without_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train_pairs.txt.*--rebuild-pairs"):
        find_tree(tmp_path)
    trees.write_lines(tmp_path / "data" / "train.csv", ["a,b"])
    with pytest.raises(UserError, match="no list of pairs"):
        find_tree(tmp_path)
    with pytest.raises(UserError, match="not a folder"):
        find_tree(tmp_path / "nowhere")


def test_densepose_alone_is_refused(tmp_path: Path) -> None:
    root = trees.write_tree(tmp_path / "mcld", "mcld")
    with pytest.raises(UserError, match=r"DensePose pictures only.*--keypoints"):
        prepared(root, tmp_path / "out", keypoints=[])


# ----- choices ------------------------------------------------------------------------------------


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


def test_rebuilding_wants_lists_of_pictures(tmp_path: Path) -> None:
    root = trees.write_tree(tmp_path / "fpdm", "fpdm")
    with pytest.raises(UserError, match=r"neither train\.lst nor test\.lst"):
        prepared(root, tmp_path / "out", rebuild=True)


def test_subset_keeps_the_first_records(nted: Path, tmp_path: Path) -> None:
    report, dataset = prepared(nted, tmp_path / "out", subset=1)
    assert not report.damaged
    assert [record.id for record in dataset.records("train")] == ["MEN-Shirts_Polos-id_00000012-02"]
    assert len(dataset.records("test")) == 1
    assert {fact.name: fact.found for fact in report.facts}["test pairs"] == 8


def test_key_points_in_another_frame_are_refused(nted: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"of 168 visible joints .* frame unit") as refused:
        prepared(nted, tmp_path / "out", keypoint_frame="unit")
    assert not (tmp_path / "out").exists()
    assert "--keypoint-frame" in str(refused.value)


def test_named_key_points_go_before_those_of_the_layout(nted: Path, tmp_path: Path) -> None:
    plain, _ = prepared(nted, tmp_path / "one")
    shutil.move(nted / "pose", tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"no key points .*--keypoints"):
        prepared(nted, tmp_path / "out")
    named, _ = prepared(nted, tmp_path / "two", keypoints=[str(tmp_path / "elsewhere")])
    poses = [(tmp_path / out / "poses" / "test.npy").read_bytes() for out in ("one", "two")]
    assert poses[0] == poses[1]
    assert named.digests == plain.digests


def test_every_layout_can_be_chosen() -> None:
    choices = get_args(get_args(get_type_hints(PrepareDeepFashionConfig)["layout"])[0])
    assert tuple(LAYOUTS) == choices == trees.LAYOUTS


# ----- the genuine sample -------------------------------------------------------------------------


@pytest.mark.skipif(
    not REAL.is_dir(), reason="the genuine DeepFashion sample is not on this machine"
)
def test_genuine_sample_draws_like_its_published_poses(tmp_path: Path) -> None:
    report, dataset = prepared(REAL, tmp_path)
    assert report.frame == "padded256"
    assert not report.damaged
    counts = json.loads(json.dumps(report.as_dict()))["counts"]
    assert (counts["train"]["pairs"], counts["test"]["pairs"]) == (5, 5)
    compared = 0
    for split in ("train", "test"):
        for record in dataset.records(split):
            poses = dataset.pose(record)
            assert poses.size == (1101, 750)
            for index in range(record.num_frames):
                ref = FrameRef(record, index)
                drawn = draw_pose(
                    poses.keypoints[index],
                    poses.confidence[index],
                    "openpose-18",
                    poses.size,
                    "fpdm",
                )
                published = read_image(REAL / "pose_img" / f"{ref_name(dataset, ref)}.jpg")
                difference = np.abs(
                    drawn.astype(int) - resize_image(published, poses.size, "area")
                ).mean()
                assert difference < 0.35  # JPEG noise; another canvas or frame gives 1.8 and more
                compared += 1
    assert compared == 14
