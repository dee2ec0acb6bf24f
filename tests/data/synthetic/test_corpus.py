"""The synthetic corpus on disk."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image

from signgen.data.dataset import open_dataset, parts_of
from signgen.data.synthetic import CorpusPlan, write_corpus
from signgen.data.synthetic.clip import Studio
from signgen.data.synthetic.signers.regions import LABELS
from signgen.errors import ExitCode, UserError
from signgen.structures import FrameRef

SPLITS = ("train", "dev", "test")
PLAN = CorpusPlan(3, 1, seed=7, frames=2, size=(130, 105))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "corpus"
    assert write_corpus(out, PLAN) == {"train": 1, "dev": 1, "test": 1}
    return out


def test_the_dataset_reads_it_and_splits_share_no_signer(corpus):
    dataset = open_dataset(str(corpus))
    speakers = []
    for split in SPLITS:
        record = dataset.records(split)[0]
        speakers.append(record.signer)
        ref = FrameRef(record, 1)
        assert dataset.frame(ref).shape == (130, 105, 3)
        parts, poses = parts_of(dataset, ref).labels, dataset.poses(record)
        assert set(np.unique(parts)) <= set(LABELS.values())
        assert poses.keypoints.shape == (2, 133, 2)
        assert poses.visible[:, [0, 5, 6]].any()
    assert len(set(speakers)) == 3


def test_files_hold_what_the_studio_renders(corpus):
    job = PLAN.jobs(corpus)[0]
    clip = Studio().render_clip(job.signer_seed, job.clip_seed, 2, (130, 105))
    frames = corpus / "features" / "fullFrame-105x130px" / "train" / job.name
    with Image.open(frames / "images0002.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), clip.frames[1])
    with Image.open(corpus / "parts" / "train" / job.name / "images0002.png") as labels:
        assert labels.mode == "P"
        np.testing.assert_array_equal(np.asarray(labels), clip.labels[1])
    boxes = json.loads((corpus / "hand_boxes" / "train" / f"{job.name}.json").read_text())
    assert boxes == json.loads(json.dumps(clip.hand_boxes()))
    table = corpus / "annotations" / "manual" / "PHOENIX-2014-T.train.corpus.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        row = next(csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE))
    assert (row["name"], row["orth"]) == (job.name, clip.gloss)


def test_key_points_fall_on_the_parts_they_belong_to(corpus):
    dataset = open_dataset(str(corpus))
    hits = []
    for split in SPLITS:
        record = dataset.records(split)[0]
        poses = dataset.poses(record)
        parts = parts_of(dataset, FrameRef(record, 0)).labels
        for points, names in ((range(91, 112), (7, 5)), (range(112, 133), (8, 6))):
            for index in points:
                if poses.confidence[0, index] == 1:
                    x, y = np.rint(poses.keypoints[0, index]).astype(int)
                    near = parts[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                    hits.append(np.isin(near, names).any())
    assert np.mean(hits) > 0.9


def test_seeds_of_signers_differ_and_depend_on_the_plan_alone(tmp_path):
    jobs = CorpusPlan(50, 2, seed=3).jobs(tmp_path)
    seeds = {job.speaker: job.signer_seed for job in jobs}
    assert len(seeds) == len(set(seeds.values())) == 50
    assert jobs == CorpusPlan(50, 2, seed=3).jobs(tmp_path)


@pytest.mark.parametrize(("signers", "train", "test"), [(3, 1, 1), (10, 8, 1), (100, 80, 10)])
def test_splits_are_about_eighty_ten_ten(signers, train, test):
    assert CorpusPlan(signers).splits == {"train": train, "dev": test, "test": test}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signers": 2}, "--signers is 2; expected at least 3"),
        ({"frames": 0}, "--frames is 0"),
        ({"size": (40, 210)}, "--size is 40 210"),
        ({"seed": -1}, "--seed -1"),
    ],
)
def test_what_is_out_of_range_is_refused(changes, message):
    with pytest.raises(UserError, match=message) as caught:
        CorpusPlan(**({"signers": 5} | changes))
    assert caught.value.code == ExitCode.USAGE


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        write_corpus(tmp_path, PLAN)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
