"""The kernel that turns what samples see and what light comes there into pixels."""

import warp as wp

from signgen.data.synthetic.picture.casting import Lamps
from signgen.data.synthetic.picture.materials import (
    NOTHING,
    Eye,
    Look,
    Sample,
    Surface,
    look_at,
    ray_through,
)

__all__ = ["light_pixels"]

wp.set_module_options({"enable_backward": False})


@wp.func
def light_at(
    smooth: wp.array(dtype=wp.vec4),
    guide: wp.array(dtype=wp.vec4),
    width: int,
    height: int,
    x: int,
    y: int,
    depth: float,
) -> wp.vec4:
    """Light of the pixel, or of its neighbour at about the same distance."""
    here = guide[y * width + x]
    if wp.abs(here[3] - depth) < 0.01:
        return smooth[y * width + x]
    best = wp.vec4(0.8, 0.8, 0.8, 0.8)
    least = 0.05
    for down in range(-1, 2):
        for across in range(-1, 2):
            at_x = wp.clamp(x + across, 0, width - 1)
            at_y = wp.clamp(y + down, 0, height - 1)
            gap = wp.abs(guide[at_y * width + at_x][3] - depth)
            if gap < least:
                least = gap
                best = smooth[at_y * width + at_x]
    return best


@wp.func
def shade(sample: Sample, look: Look, lamps: Lamps, ray: wp.vec3, found: wp.vec4) -> wp.vec3:
    """Light of sky and lamps that a sample throws back (Lambert, wrapped for skin, and Blinn)."""
    result = wp.cw_mul(sample.base, look.ambient) * (found[0] * (0.62 + 0.38 * sample.normal[2]))
    for lamp in range(3):
        if lamp < lamps.count:
            to = lamps.directions[lamp]
            facing = (wp.dot(sample.normal, to) + sample.wrap) / (1.0 + sample.wrap)
            if facing > 0.0:
                light = lamps.colours[lamp] * found[lamp + 1]
                half = wp.normalize(to - ray)
                shine = wp.pow(wp.max(wp.dot(sample.normal, half), 0.0), sample.sharp)
                result += wp.cw_mul(sample.base, light) * facing
                result += light * (0.35 * sample.gloss * shine)
    return result


@wp.func
def most_frequent(names: wp.vec4i) -> int:
    """The label that most samples have, the first of equals; negative ones do not count."""
    best = 0
    votes = 0
    for number in range(4):
        count = 0
        for other in range(4):
            if names[other] == names[number] and names[number] >= 0:
                count += 1
        if count > votes:
            votes = count
            best = names[number]
    return best


@wp.kernel
def light_pixels(
    surface: Surface,
    samples: wp.array(dtype=wp.int64),
    look: Look,
    lamps: Lamps,
    eye: Eye,
    smooth: wp.array(dtype=wp.vec4),
    guide: wp.array(dtype=wp.vec4),
    colour: wp.array(dtype=wp.vec3),
    empty: wp.array(dtype=float),
    label: wp.array(dtype=wp.uint8),
    depth: wp.array(dtype=float),
):
    """Light the four samples of a pixel."""
    tid = wp.tid()
    x = tid % eye.width
    y = tid // eye.width
    first = 2 * y * (2 * eye.width) + 2 * x
    second = first + 2 * eye.width
    upper = wp.vec2l(samples[first], samples[first + 1])
    lower = wp.vec2l(samples[second], samples[second + 1])
    least = wp.min(wp.min(upper[0], upper[1]), wp.min(lower[0], lower[1]))
    most = wp.max(wp.max(upper[0], upper[1]), wp.max(lower[0], lower[1]))
    # Within one surface, 5 mm deep, two samples tell
    inside = most != NOTHING and ((most - least) >> wp.int64(32)) < wp.int64(5000)
    total = wp.vec3(0.0, 0.0, 0.0)
    missed = float(0.0)
    nearest = float(wp.inf)
    names = wp.vec4i(0, 0, 0, 0)
    for number in range(4):
        column = 2 * x + number % 2
        row = 2 * y + number // 2
        key = samples[row * (2 * eye.width) + column]
        if key == NOTHING:
            missed += 0.25
        elif inside and (number == 1 or number == 2):
            names[number] = -1
        else:
            s = look_at(surface, look, eye, int(key & wp.int64(4294967295)), column, row)
            names[number] = s.label
            nearest = wp.min(nearest, s.depth)
            found = light_at(smooth, guide, eye.width, eye.height, x, y, s.depth)
            result = shade(s, look, lamps, ray_through(eye, column, row), found)
            if inside:
                total += result * 0.5
            else:
                total += result * 0.25
    colour[tid] = total
    empty[tid] = missed
    label[tid] = wp.uint8(most_frequent(names))
    depth[tid] = nearest
