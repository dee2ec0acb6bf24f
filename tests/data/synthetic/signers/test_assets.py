"""Assets as MakeHuman writes them, made here for the true base mesh; folders that are none."""

from __future__ import annotations

import pytest
import torch

from signgen.data.synthetic.signers.assets import bind, open_wardrobe, read_asset
from signgen.errors import UserError

OBJ = "v 0 0 0\nv 0 0 0\nv 0 0 0\nv 0 0 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nf 1/1 2/2 3/3 4/4\n"
HEAD = (
    "name {name}\nobj_file {name}.obj\n"
    "x_scale 100 200 2.0\ny_scale 300 400 1.0\nz_scale 500 600 1.0\n"
)
CHEST = 1400


def write(folder, name: str, verts: str, delete: str = "") -> None:
    folder.mkdir(parents=True)
    (folder / f"{name}.obj").write_text(OBJ)
    text = HEAD.format(name=name) + f"verts 0\n{verts}\n" + (f"delete_verts\n{delete}\n")
    (folder / f"{name}.mhclo").write_text(text)


@pytest.fixture
def checkout(tmp_path):
    verts = f"{CHEST}\n10 20 30 0.5 0.25 0.25 0.1 0.2 0.3\n{CHEST}\n{CHEST}"
    write(tmp_path / "base/clothes/coat", "coat", verts, "5 - 8 12")
    write(tmp_path / "base/hair/curls", "curls", verts)
    return tmp_path


def test_vertices_are_where_the_binding_says(checkout, rest):
    wardrobe = open_wardrobe(checkout)
    v = rest.vertices
    (coat,) = bind(read_asset(wardrobe.find("coat")), v, chest=-1.0, knees=-2.0)
    points = coat.follow(v[None])[0]
    torch.testing.assert_close(points[0], v[CHEST])
    # Right, up, forward of MakeHuman are x, z, -y here
    right = 0.1 * (v[100, 0] - v[200, 0]).abs() / 2
    up = 0.2 * (v[300, 2] - v[400, 2]).abs()
    forward = 0.3 * (v[500, 1] - v[600, 1]).abs()
    offset = torch.stack([right, -forward, up])
    torch.testing.assert_close(points[1], 0.5 * v[10] + 0.25 * v[20] + 0.25 * v[30] + offset)
    assert coat.kind == "upper"
    assert coat.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert coat.hidden.nonzero()[:, 0].tolist() == [5, 6, 7, 8, 12]


@pytest.mark.parametrize(
    ("line", "said"), [("1 2 3", "3 numbers"), ("99999", "99999|does not have")]
)
def test_a_broken_asset_is_named_in_one_line(checkout, line, said):
    path = open_wardrobe(checkout).find("curls")
    path.write_text(path.read_text().replace(f"{CHEST}\n10", f"{line}\n10"))
    with pytest.raises(UserError, match=said) as error:
        read_asset(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_missing_mesh_is_named(checkout):
    path = open_wardrobe(checkout).find("curls")
    path.with_suffix(".obj").unlink()
    with pytest.raises(UserError, match=r"curls\.obj"):
        read_asset(path)


def test_a_folder_that_is_no_checkout_is_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        open_wardrobe(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"base/clothes and base/hair.*makehuman-assets"):
        open_wardrobe(tmp_path)
