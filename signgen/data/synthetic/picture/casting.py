"""Kernels that draw a posed mesh and find what light comes where; the same on CPU and CUDA.

What is seen is found by drawing triangles into a buffer of depths, what light comes there by
casting rays.
"""

import warp as wp

from signgen.data.synthetic.picture.materials import (
    NOTHING,
    TAU,
    Eye,
    Look,
    Surface,
    edge,
    look_at,
)

__all__ = ["Lamps", "draw_triangles", "find_light", "find_normals", "smooth_light"]

wp.set_module_options({"enable_backward": False})

_NEAR = wp.constant(0.28)
"""How far away things shade each other from the sky, metres."""


@wp.struct
class Lamps:
    """Up to three lamps."""

    count: int
    directions: wp.mat33
    colours: wp.mat33
    softness: wp.vec3


@wp.kernel
def find_normals(
    surface: Surface,
    first: wp.array(dtype=int),
    around_vertex: wp.array(dtype=int),
    normals: wp.array(dtype=wp.vec3),
):
    """Average the faces around a vertex, by area: those listed from its `first` to the next one."""
    vertex = wp.tid()
    total = wp.vec3(0.0, 0.0, 0.0)
    for index in range(first[vertex], first[vertex + 1]):
        face = around_vertex[index]
        a = surface.points[surface.faces[face, 0]]
        b = surface.points[surface.faces[face, 1]]
        c = surface.points[surface.faces[face, 2]]
        total += wp.cross(b - a, c - a)
    normals[vertex] = wp.normalize(total)


@wp.kernel
def draw_triangles(surface: Surface, columns: int, rows: int, nearest: wp.array(dtype=wp.int64)):
    """Draw one triangle: keep the nearest, as its distance in micrometres before its number."""
    face = wp.tid()
    a = surface.screen[surface.faces[face, 0]]
    b = surface.screen[surface.faces[face, 1]]
    c = surface.screen[surface.faces[face, 2]]
    if wp.min(a[2], wp.min(b[2], c[2])) < 0.05:
        return
    area = edge(a, b, c[0], c[1])
    if area == 0.0:
        return
    left = wp.max(int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])))), 0)
    right = wp.min(int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])))), columns - 1)
    top = wp.max(int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])))), 0)
    bottom = wp.min(int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])))), rows - 1)
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            wa = edge(b, c, float(x), float(y)) / area
            wb = edge(c, a, float(x), float(y)) / area
            wc = 1.0 - wa - wb
            if wa >= -1.0e-5 and wb >= -1.0e-5 and wc >= -1.0e-5:
                z = 1.0 / (wa / a[2] + wb / b[2] + wc / c[2])
                key = (wp.int64(z * 1.0e6) << wp.int64(32)) | wp.int64(face)
                wp.atomic_min(nearest, y * columns + x, key)


@wp.func
def around(axis: wp.vec3, angle: float, sine: float) -> wp.vec3:
    """A unit vector whose angle to `axis` has the given sine."""
    helper = wp.vec3(0.0, 0.0, 1.0)
    if wp.abs(axis[2]) > 0.9:
        helper = wp.vec3(1.0, 0.0, 0.0)
    side = wp.normalize(wp.cross(axis, helper))
    other = wp.cross(axis, side)
    return (
        side * (wp.cos(angle) * sine)
        + other * (wp.sin(angle) * sine)
        + axis * wp.sqrt(wp.max(1.0 - sine * sine, 0.0))
    )


@wp.func
def open_sky(
    mesh: wp.uint64,
    start: wp.vec3,
    normal: wp.vec3,
    face_normal: wp.vec3,
    angle: float,
    spread: float,
) -> float:
    """How much light from all sides comes to a place, by one ray (Zhukov et al. 1998)."""
    way = around(normal, angle, wp.min(spread, 0.98))
    if wp.dot(way, face_normal) <= 0.0:
        return 0.6
    blocked = wp.mesh_query_ray(mesh, start, way, _NEAR)
    if not blocked.result:
        return 1.0
    return 0.25 + 0.75 * wp.sqrt(blocked.t / _NEAR)


@wp.kernel
def find_light(
    mesh: wp.uint64,
    surface: Surface,
    samples: wp.array(dtype=wp.int64),
    look: Look,
    lamps: Lamps,
    eye: Eye,
    light: wp.array(dtype=wp.vec4),
    guide: wp.array(dtype=wp.vec4),
):
    """Find how much of the sky and of each lamp a pixel sees, by one ray each.

    Neighbouring pixels look different ways, the same ones in every frame (interleaved sampling,
    Keller and Heidrich 2001); `smooth_light` brings them together.
    """
    tid = wp.tid()
    x = tid % eye.width
    y = tid // eye.width
    guide[tid] = wp.vec4(0.0, 0.0, 0.0, -1.0)
    light[tid] = wp.vec4(-1.0, 1.0, 1.0, 1.0)
    column = 2 * x
    row = 2 * y
    key = samples[row * (2 * eye.width) + column]
    if key == NOTHING:
        column = 2 * x + 1
        row = 2 * y + 1
        key = samples[row * (2 * eye.width) + column]
    if key == NOTHING:
        return
    s = look_at(surface, look, eye, int(key & wp.int64(4294967295)), column, row)
    guide[tid] = wp.vec4(s.face_normal[0], s.face_normal[1], s.face_normal[2], s.depth)
    # Every other pixel, like a chess board
    if (x + y) % 2 == 1:
        return
    start = s.point + s.face_normal * 0.0015
    # Ways of a 4 x 4 block: a fourth of a turn and a fourth of the disc apart
    number = (x % 4) + 4 * (y % 4)
    angle = TAU * (float((number * 7) % 16) + 0.5 * float(y % 2)) / 16.0
    spread = wp.sqrt((float((number * 5 + 3) % 16) + 0.5) / 16.0)
    found = wp.vec4(1.0, 1.0, 1.0, 1.0)
    found[0] = open_sky(mesh, start, s.normal, s.face_normal, angle, spread)
    for lamp in range(3):
        if lamp < lamps.count:
            to = lamps.directions[lamp]
            if wp.dot(s.normal, to) > -s.wrap:
                beam = around(to, angle, wp.sin(lamps.softness[lamp]) * spread)
                if wp.mesh_query_ray_anyhit(mesh, start, beam, 3.0):
                    found[lamp + 1] = 0.0
    light[tid] = found


@wp.kernel
def smooth_light(
    light: wp.array(dtype=wp.vec4),
    guide: wp.array(dtype=wp.vec4),
    width: int,
    height: int,
    smooth: wp.array(dtype=wp.vec4),
):
    """Average what neighbours on the same surface see."""
    tid = wp.tid()
    x = tid % width
    y = tid // width
    mine = guide[tid]
    if mine[3] < 0.0:
        return
    total = wp.vec4(0.0, 0.0, 0.0, 0.0)
    weight = 0.0
    for down in range(-2, 3):
        for across in range(-2, 3):
            at_x = x + across
            at_y = y + down
            if at_x >= 0 and at_x < width and at_y >= 0 and at_y < height:
                other = guide[at_y * width + at_x]
                if light[at_y * width + at_x][0] >= 0.0:
                    facing = mine[0] * other[0] + mine[1] * other[1] + mine[2] * other[2]
                    if wp.abs(other[3] - mine[3]) < 0.015 and facing > 0.7:
                        # A box of 4 x 4, its edges half
                        share = 1.0
                        if wp.abs(across) == 2:
                            share = 0.5
                        if wp.abs(down) == 2:
                            share = share * 0.5
                        total += light[at_y * width + at_x] * share
                        weight += share
    if weight > 0.0:
        smooth[tid] = total / weight
    else:
        smooth[tid] = wp.vec4(0.8, 0.8, 0.8, 0.8)
