from __future__ import annotations

import pytest

from signgen.data.examples.triplets import draw, draw_clip, shuffled, vary
from signgen.structures import FrameRef, Record, Triplet

RECORDS = [Record(f"clip{i}", "train", f"Signer{i:02d}", 5 + i) for i in range(4)]


def test_draw_is_a_pure_function_of_seed_and_position() -> None:
    order = [draw(RECORDS, 3, p) for p in range(50)]
    assert [draw(RECORDS, 3, p) for p in reversed(range(50))] == order[::-1]
    assert [draw(RECORDS, 4, p) for p in range(50)] != order


def test_source_and_target_share_the_record_and_differ() -> None:
    for position in range(300):
        triplet = draw(RECORDS, 0, position, identity_rate=0.0)
        assert triplet.source.record == triplet.target.record
        assert triplet.source.index != triplet.target.index
        assert 0 <= triplet.source.index < triplet.source.record.num_frames


def test_identity_rate_is_met() -> None:
    same = sum(
        t.source == t.target for t in (draw(RECORDS, 0, p, identity_rate=0.25) for p in range(4000))
    )
    assert 0.21 < same / 4000 < 0.29


def test_single_frame_record_pairs_with_itself() -> None:
    lonely = [Record("one", "train", "S", 1)]
    assert draw(lonely, 0, 0, identity_rate=0.0).source.index == 0


def test_all_records_and_frames_are_reached() -> None:
    seen = {
        (t.target.record.id, t.target.index) for t in (draw(RECORDS, 1, p) for p in range(2000))
    }
    assert len(seen) == sum(r.num_frames for r in RECORDS)


def test_min_distance_is_kept_where_the_record_is_long_enough() -> None:
    for position in range(500):
        triplet = draw(RECORDS, 0, position, identity_rate=0.0, min_distance=3)
        source, target = triplet.source.index, triplet.target.index
        farthest = max(target, triplet.target.record.num_frames - 1 - target)
        assert abs(source - target) >= min(3, farthest)
        assert 0 <= source < triplet.source.record.num_frames


def test_min_distance_leaves_every_allowed_source() -> None:
    record = [Record("one", "train", "S", 6)]
    sources = {
        t.source.index
        for t in (draw(record, 0, p, identity_rate=0.0, min_distance=2) for p in range(800))
        if t.target.index == 3
    }
    assert sources == {0, 1, 5}


def test_targets_of_one_record_come_together_and_differ_from_their_one_source() -> None:
    drawn = [draw(RECORDS, 2, p, 0.0, targets_per_record=4) for p in range(400)]
    groups = [drawn[start : start + 4] for start in range(0, 400, 4)]
    for group in groups:
        assert len({t.target.record.id for t in group}) == 1
        assert len({t.target.index for t in group}) == 4
        assert len({t.source.index for t in group}) == 1
        assert all(t.source != t.target for t in group)
    assert {group[0].target.record.id for group in groups} == {record.id for record in RECORDS}


def test_more_targets_than_frames_begin_again() -> None:
    short = [Record("one", "train", "S", 3)]
    group = [draw(short, 0, p, 0.0, targets_per_record=4) for p in range(4)]
    targets = [t.target.index for t in group]
    assert targets[:2] == targets[2:]
    assert {*targets, group[0].source.index} == {0, 1, 2}
    alone = draw([Record("one", "train", "S", 1)], 0, 0, 0.0, targets_per_record=4)
    assert alone.source == alone.target


def test_targets_of_one_source_are_far_enough_from_it() -> None:
    record = [Record("one", "train", "S", 9)]
    for position in range(200):
        pair = draw(record, 4, position, 0.0, min_distance=3, targets_per_record=4)
        assert abs(pair.source.index - pair.target.index) >= 3
    # Where the record is too short for that, its farthest frames
    pair = draw([Record("one", "train", "S", 3)], 4, 0, 0.0, min_distance=7, targets_per_record=4)
    assert abs(pair.source.index - pair.target.index) == max(
        pair.source.index, 2 - pair.source.index
    )


def test_an_epoch_shows_each_pair_once_and_epochs_differ() -> None:
    first = [shuffled(50, 3, position) for position in range(50)]
    second = [shuffled(50, 3, position) for position in range(50, 100)]
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert shuffled(50, 3, 17) == first[17]


def test_listed_pairs_become_identity_pairs_of_either_side() -> None:
    pair = Triplet(FrameRef(RECORDS[0], 1), FrameRef(RECORDS[0], 4))
    drawn = [vary(pair, 1, index, 0.2) for index in range(3000)]
    shares = [
        sum(t == Triplet(ref, ref) for t in drawn) / 3000 for ref in (pair.source, pair.target)
    ]
    assert all(0.08 < share < 0.12 for share in shares)
    assert sum(t == pair for t in drawn) / 3000 == pytest.approx(1 - sum(shares))


def test_clips_are_consecutive_frames_with_one_source() -> None:
    drawn = [draw_clip(RECORDS, 3, index, 4, 0.3) for index in range(4 * 300)]
    assert drawn == [draw_clip(RECORDS, 3, index, 4, 0.3) for index in range(4 * 300)]
    clips = [drawn[i : i + 4] for i in range(0, len(drawn), 4)]
    for clip in clips:
        assert len({pair.source for pair in clip}) == 1
        assert len({pair.target.record for pair in clip}) == 1
        first = clip[0].target.index
        assert [pair.target.index for pair in clip] == list(range(first, first + 4))
        assert 0 <= first <= clip[0].target.record.num_frames - 4
    # Every first frame of every record, and identity as often as asked for
    firsts = {(clip[0].target.record.id, clip[0].target.index) for clip in clips}
    assert len(firsts) == sum(record.num_frames - 3 for record in RECORDS)
    same = [pair.source == pair.target for pair in drawn[::4]]
    by_chance = sum(1 / record.num_frames for record in RECORDS) / len(RECORDS)
    assert sum(same) / 300 == pytest.approx(0.3 + 0.7 * by_chance, abs=0.08)
