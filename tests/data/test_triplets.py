from __future__ import annotations

from signgen.data.triplets import draw
from signgen.structures import Record

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
