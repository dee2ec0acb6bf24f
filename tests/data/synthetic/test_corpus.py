"""The synthetic corpus on disk."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from signgen.data.synthetic import render_clip, write_corpus
from signgen.data.synthetic.corpus import plan_corpus, split_signers
from signgen.errors import ExitCode, UserError
from signgen.pose.formats import read_poses

SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "corpus"
    seen = []
    counts = write_corpus(
        out, 4, 2, seed=7, frames=3, size=(130, 105), progress=lambda *done: seen.append(done)
    )
    assert counts == {"train": 4, "dev": 2, "test": 2}
    assert seen == [(number, 8) for number in range(1, 9)]
    return out


def rows(corpus, split):
    table = corpus / "annotations" / "manual" / f"PHOENIX-2014-T.{split}.corpus.csv"
    with table.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="|", quoting=csv.QUOTE_NONE))


def test_signers_are_disjoint_between_splits(corpus):
    speakers = [{row["speaker"] for row in rows(corpus, split)} for split in SPLITS]
    assert [len(names) for names in speakers] == [2, 1, 1]
    assert len(set.union(*speakers)) == 4


def test_planned_signers_look_different(tmp_path):
    jobs = plan_corpus(tmp_path, 50, 2, 0, frames=1, size=(260, 210), fps=25.0, motion_blur=False)
    seeds = {job.speaker: job.signer_seed for job in jobs}
    assert len(seeds) == len(set(seeds.values())) == 50


@pytest.mark.parametrize(("signers", "train", "test"), [(3, 1, 1), (10, 8, 1), (100, 80, 10)])
def test_split_is_about_eighty_ten_ten(signers, train, test):
    assert split_signers(signers) == {"train": train, "dev": test, "test": test}


def test_every_annotated_clip_has_frames_key_points_and_parts(corpus):
    for split in SPLITS:
        for row in rows(corpus, split):
            assert row["orth"]
            assert row["start"] == row["end"] == "-1"
            frames = sorted(
                (corpus / "features" / "fullFrame-105x130px" / split / row["name"]).iterdir()
            )
            assert [path.name for path in frames] == [f"images{n:04d}.png" for n in (1, 2, 3)]
            with Image.open(frames[0]) as frame:
                assert (frame.size, frame.mode) == ((105, 130), "RGB")
            with Image.open(corpus / "parts" / split / row["name"] / "images0003.png") as parts:
                assert (parts.size, parts.mode) == ((105, 130), "L")
            poses = read_poses(corpus / "keypoints" / split / f"{row['name']}.json")
            assert poses.keypoints.shape == (3, 133, 2)
            assert (poses.size, poses.fps, poses.skeleton) == (
                (130, 105),
                25.0,
                "coco-wholebody-133",
            )


def test_files_hold_what_was_rendered(corpus, tmp_path):
    job = plan_corpus(tmp_path, 4, 2, 7, frames=3, size=(130, 105), fps=25.0, motion_blur=False)[0]
    clip = render_clip(job.signer_seed, job.clip_seed, 3, (130, 105))
    path = corpus / "features" / "fullFrame-105x130px" / job.split / job.name / "images0002.png"
    with Image.open(path) as frame:
        np.testing.assert_array_equal(np.asarray(frame), clip.frames[1])
    with Image.open(corpus / "parts" / job.split / job.name / "images0002.png") as parts:
        np.testing.assert_array_equal(np.asarray(parts), clip.parts[1])
    poses = read_poses(corpus / "keypoints" / job.split / f"{job.name}.json")
    np.testing.assert_allclose(poses.keypoints, clip.poses.keypoints, atol=0.006)


def test_card_names_the_command_and_the_seed(corpus):
    card = (corpus / "README.md").read_text(encoding="utf-8")
    assert "signgen prepare synthetic" in card
    assert "--seed 7" in card
    assert "--size 130 105" in card


def test_a_folder_with_files_is_refused_and_kept(tmp_path):
    kept = tmp_path / "kept.txt"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="not empty") as caught:
        write_corpus(tmp_path, 3, 1, 0, frames=1, size=(64, 64))
    assert caught.value.code == ExitCode.CANNOT_CREATE
    assert kept.read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    out = tmp_path / "empty"
    out.mkdir()
    write_corpus(out, 3, 1, 0, frames=1, size=(64, 64))
    assert (out / "README.md").is_file()


def test_nothing_is_left_after_an_interruption(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_corpus(tmp_path / "out", 3, 1, 0, frames=1, size=(64, 64), progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("signers", "clips", "seed", "size"),
    [(2, 1, 0, (64, 64)), (3, 0, 0, (64, 64)), (3, 1, -1, (64, 64)), (3, 1, 0, (63, 64))],
)
def test_numbers_out_of_range_are_refused_without_traces(tmp_path, signers, clips, seed, size):
    with pytest.raises(UserError, match="expected at least") as caught:
        write_corpus(tmp_path / "out", signers, clips, seed, frames=1, size=size)
    assert caught.value.code == ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("x", encoding="utf-8")
    for out in (blocked, blocked / "inside"):
        with pytest.raises(UserError) as caught:
            write_corpus(out, 3, 1, 0, frames=1, size=(64, 64))
        assert caught.value.code == ExitCode.CANNOT_CREATE


def test_several_processes_write_the_same_files(corpus, tmp_path):
    out = tmp_path / "parallel"
    write_corpus(out, 4, 2, seed=7, frames=3, size=(130, 105), workers=2)
    for path in sorted(corpus.rglob("*")):
        if path.is_file():
            assert (out / path.relative_to(corpus)).read_bytes() == path.read_bytes(), path
