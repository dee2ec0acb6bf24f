"""Files of boxes: both forms, the largest person, and what is wrong with a row."""

import json

import pytest

from signgen.errors import UserError
from signgen.pose.extraction.boxes import read_boxes

SIZE = (100, 200)


def box(clip="a", x0=10, y0=20, x1=60, y1=90, **more):
    return {"clip": clip, "x0": x0, "y0": y0, "x1": x1, "y1": y1, **more}


def boxes_of(tmp_path, rows):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(rows))
    return read_boxes(path)


def test_csv_and_json_say_the_same(tmp_path):
    rows = [box(frame=0, score=0.9), box(frame=2, x1=70.5), box("train/b")]
    path = tmp_path / "boxes.csv"
    path.write_text(
        "clip,frame,x0,y0,x1,y1,score\n"
        "a,0,10,20,60,90,0.9\na,2,10,20,70.5,90,\ntrain/b,,10,20,60,90,\n"
    )
    found = read_boxes(path)
    assert found.boxes == boxes_of(tmp_path, rows).boxes
    assert found.of_clip("a", 3, SIZE) == [(10, 20, 60, 90), None, (10, 20, 70.5, 90)]
    assert found.of_clip("train/b", 2, SIZE) == [(10, 20, 60, 90)] * 2


def test_the_largest_person_is_kept(tmp_path):
    rows = [
        box(frame=0),
        box(frame=0, x0=0, x1=150, score=0.8),
        box(frame=0, x0=100, x1=120),
        box(frame=0, x0=0, y0=0, x1=200, y1=100, score=0.2),  # hardly a person
    ]
    assert boxes_of(tmp_path, rows).of_clip("a", 1, SIZE) == [(0, 20, 150, 90)]


def test_frames_without_their_own_box_take_that_of_the_clip(tmp_path):
    found = boxes_of(tmp_path, [box(frame=1, x1=99), box()])
    assert [place[2] for place in found.of_clip("a", 3, SIZE)] == [60, 99, 60]


def test_what_is_wrong_is_named_with_its_row(tmp_path):
    path = tmp_path / "boxes"
    rows = [
        ([box(clip="")], "box 0: clip is ''"),
        ([box(), box(clip=3)], "box 1: clip is 3"),
        ([box(frame=-1)], "frame is -1"),
        ([box(frame=0.5)], "frame is 0.5"),
        ([box(frame=[0])], "frame is [0]"),
        ([box(x0="left")], "x0 is 'left'; expected a number"),
        ([box(x0=None)], "x0 is None"),
        ([box(y1=float("nan"))], "y1 is nan"),
        ([box(y1=True)], "y1 is True"),
        ([box(score=[1])], "score is [1]"),
        ([box(x1=10)], "expected x0 < x1"),
        ([box(score=0.1)], "no box of score"),
        ([], "no box of score"),
        ([3], "box 0: 3 is no object"),
        ({"clip": "a"}, "no list"),
    ]
    for data, message in (
        *((json.dumps(value).encode(), message) for value, message in rows),
        (b"clip,x0,y0,x1\na,1,2,3\n", "has no column y1"),
        (b"clip,x0,y0,x1,y1\na,1,2,3\n", "line 2: y1 is None"),
        (b"\xff\xfe\x00", "neither JSON nor CSV"),
        (b"[1, 2", "not valid JSON"),
        (b"", "is empty"),
    ):
        path.write_bytes(data)
        with pytest.raises(UserError) as caught:
            read_boxes(path)
        assert str(caught.value).startswith(str(path))
        assert message in str(caught.value)


def test_boxes_that_do_not_fit_the_clip(tmp_path):
    boxes = boxes_of(tmp_path, [box(frame=5), box("b", x0=300, x1=400)])
    for clip, message in (
        ("a", "box for frame 5 of clip a, which has 5 frames"),
        ("b", "outside its frames of 200 x 100"),
        ("c", "for clip c"),
    ):
        with pytest.raises(UserError, match=message):
            boxes.of_clip(clip, 5, SIZE)
