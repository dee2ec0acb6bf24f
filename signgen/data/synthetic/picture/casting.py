"""Kernels that draw a posed mesh and light it; the same on CPU and CUDA.

What is seen is found by drawing triangles into a buffer of depths, four samples a pixel; what light
comes there by casting rays.
"""

import warp as wp

__all__ = ["draw_triangles", "find_light", "find_normals", "light_pixels", "smooth_light"]

wp.config.quiet = True
wp.set_module_options({"enable_backward": False})

_TAU = wp.constant(6.2831853)
_NEAR = wp.constant(0.28)
"""How far away things shade each other from the sky, metres."""


_NOTHING = wp.constant(wp.int64(9223372036854775807))
"""Of a sample that sees no triangle."""


@wp.struct
class Look:
    """Numbers of a signer's appearance that the kernel needs."""

    skin_gloss: float
    iris_radius: float
    pupil: float
    iris: wp.vec3
    white: wp.vec3
    streak: wp.vec3
    strands: float
    hair_gloss: float
    ambient: wp.vec3


@wp.struct
class Surface:
    """The posed mesh, as in `Scene`."""

    faces: wp.array2d(dtype=int)
    points: wp.array(dtype=wp.vec3)
    screen: wp.array(dtype=wp.vec3)  # x and y in samples, distance from the camera in metres
    normals: wp.array(dtype=wp.vec3)
    colours: wp.array(dtype=wp.vec3)
    places: wp.array(dtype=wp.vec3)
    roughness: wp.array(dtype=wp.vec4)  # bend of the normal, and change of the colour
    materials: wp.array(dtype=int)
    labels: wp.array(dtype=int)


@wp.struct
class Cloth:
    """Numbers of a fabric."""

    pattern: int
    period: float
    turn: float
    folds: float
    weave: float
    gloss: float
    seed: int
    accent: wp.vec3


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
def cloth_colour(cloth: Cloth, colour: wp.vec3, place: wp.vec3) -> wp.vec3:
    """Pattern and weave of a cloth at a place on it, metres."""
    result = colour
    across = place[0] * wp.cos(cloth.turn) + place[2] * wp.sin(cloth.turn)
    along = place[2] * wp.cos(cloth.turn) - place[0] * wp.sin(cloth.turn)
    if cloth.pattern == 2:
        wave = wp.sin(across * _TAU / cloth.period) * 4.0
        result = wp.lerp(colour, cloth.accent, wp.clamp(0.5 + wave, 0.0, 1.0))
    if cloth.pattern == 3:
        first = wp.clamp(0.5 + wp.sin(across * _TAU / cloth.period) * 4.0, 0.0, 1.0)
        second = wp.clamp(0.5 + wp.sin(along * _TAU / cloth.period) * 4.0, 0.0, 1.0)
        result = wp.lerp(colour, cloth.accent, 0.5 * (first + second))
    if cloth.pattern == 4:
        state = wp.rand_init(cloth.seed)
        blot = wp.noise(state, place * (2.0 / cloth.period))
        result = wp.lerp(colour, cloth.accent, wp.clamp(0.5 + (blot - 0.12) * 12.0, 0.0, 1.0))
    pitch = 2500.0
    if cloth.pattern == 1:
        pitch = 1100.0
    thread = wp.sin(across * pitch) * wp.sin(along * pitch * 0.7)
    uneven = wp.sin(across * 190.0 + 3.0 * wp.sin(along * 83.0)) * wp.sin(
        along * 167.0 + across * 41.0
    )
    return result * (1.0 + cloth.weave * (0.18 * thread + 0.1 * uneven))


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


@wp.struct
class Sample:
    """What one ray saw, before light falls on it."""

    label: int
    material: int
    depth: float
    point: wp.vec3
    normal: wp.vec3
    face_normal: wp.vec3
    base: wp.vec3
    gloss: float
    sharp: float
    wrap: float


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


@wp.func
def edge(a: wp.vec3, b: wp.vec3, x: float, y: float) -> float:
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


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
def look_at(
    surface: Surface,
    look: Look,
    upper: Cloth,
    lower: Cloth,
    face: int,
    x: float,
    y: float,
    position: wp.vec3,
    ray: wp.vec3,
    forward: wp.vec3,
) -> Sample:
    """What is seen of a triangle at a sample."""
    sample = Sample()
    a = surface.faces[face, 0]
    b = surface.faces[face, 1]
    c = surface.faces[face, 2]
    pa = surface.screen[a]
    pb = surface.screen[b]
    pc = surface.screen[c]
    # Shares of the corners, in perspective
    wa = edge(pb, pc, x, y) / pa[2]
    wb = edge(pc, pa, x, y) / pb[2]
    wc = edge(pa, pb, x, y) / pc[2]
    whole = wa + wb + wc
    wa = wp.clamp(wa / whole, 0.0, 1.0)
    wb = wp.clamp(wb / whole, 0.0, 1.0)
    wc = wp.clamp(wc / whole, 0.0, 1.0)
    distance = wa * pa[2] + wb * pb[2] + wc * pc[2]
    # What is hit belongs to its nearest vertex
    near = a
    if wb > wa and wb >= wc:
        near = b
    if wc > wa and wc > wb:
        near = c
    material = surface.materials[near]
    normal = wp.normalize(
        surface.normals[a] * wa + surface.normals[b] * wb + surface.normals[c] * wc
    )
    base = surface.colours[a] * wa + surface.colours[b] * wb + surface.colours[c] * wc
    place = surface.places[a] * wa + surface.places[b] * wb + surface.places[c] * wc
    corner = surface.points[a]
    roughness = surface.roughness[a] * wa + surface.roughness[b] * wb + surface.roughness[c] * wc
    face_normal = wp.normalize(wp.cross(surface.points[b] - corner, surface.points[c] - corner))
    if wp.dot(face_normal, ray) > 0.0:
        face_normal = -face_normal
    if wp.dot(normal, face_normal) < 0.0:
        normal = -normal
    gloss = 0.0
    sharp = 16.0
    wrap = 0.0
    base = base * (1.0 + roughness[3])
    normal = wp.normalize(normal + wp.vec3(roughness[0], roughness[1], roughness[2]))
    if material == 0:
        gloss = look.skin_gloss
        sharp = 14.0
        wrap = 0.22
    if material == 1:
        r = wp.sqrt(place[0] * place[0] + place[1] * place[1])
        base = look.white
        if r < look.iris_radius:
            rim = r / look.iris_radius
            base = look.iris * (1.1 - 0.6 * wp.pow(rim, 6.0))
        if r < look.iris_radius * look.pupil:
            base = wp.vec3(0.004, 0.004, 0.004)
        gloss = 0.9
        sharp = 120.0
        wrap = 0.3
    if material == 2:
        base = cloth_colour(upper, base, place)
        gloss = upper.gloss * 0.4
        sharp = 10.0
    if material == 3:
        base = cloth_colour(lower, base, place)
        gloss = lower.gloss * 0.4
        sharp = 10.0
    if material == 4:
        across = place[0] + 0.7 * place[1]
        wander = 2.5 * wp.sin(place[2] * 31.0 + across * 60.0)
        thread = wp.sin(across * 1900.0 + 3.0 * wander) * wp.sin(across * 1130.0 + wander)
        lock = 0.6 * wp.sin(across * 230.0 + wander) + 0.6 * wp.sin(across * 397.0 - wander)
        pale = wp.clamp(0.35 + 0.4 * lock, 0.0, 1.0) * look.strands
        base = wp.lerp(base, look.streak, pale) * (1.0 + look.strands * 0.3 * thread)
        normal = wp.normalize(normal + wp.vec3(thread, lock, 0.0) * (0.22 * look.strands))
        gloss = look.hair_gloss * 0.6
        sharp = 24.0
        wrap = 0.15
    sample.label = surface.labels[near]
    sample.material = material
    sample.point = position + ray * (distance / wp.dot(ray, forward))
    sample.depth = distance
    sample.normal = normal
    sample.face_normal = face_normal
    sample.base = wp.vec3(wp.max(base[0], 0.0), wp.max(base[1], 0.0), wp.max(base[2], 0.0))
    sample.gloss = gloss
    sample.sharp = sharp
    sample.wrap = wrap
    return sample


@wp.struct
class Lamps:
    """Up to three lamps."""

    count: int
    directions: wp.mat33
    colours: wp.mat33
    softness: wp.vec3


@wp.struct
class Eye:
    """The camera."""

    position: wp.vec3
    axes: wp.mat33
    focal: float
    width: int
    height: int


@wp.func
def ray_through(eye: Eye, column: int, row: int) -> wp.vec3:
    u = (float(column) + 0.5 - float(eye.width)) / (2.0 * eye.focal)
    v = (float(row) + 0.5 - float(eye.height)) / (2.0 * eye.focal)
    return wp.normalize(eye.axes[0] * u + eye.axes[1] * v + eye.axes[2])


@wp.kernel
def find_light(
    mesh: wp.uint64,
    surface: Surface,
    samples: wp.array(dtype=wp.int64),
    look: Look,
    upper: Cloth,
    lower: Cloth,
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
    if key == _NOTHING:
        column = 2 * x + 1
        row = 2 * y + 1
        key = samples[row * (2 * eye.width) + column]
    if key == _NOTHING:
        return
    ray = ray_through(eye, column, row)
    face = int(key & wp.int64(4294967295))
    s = look_at(
        surface, look, upper, lower, face, float(column), float(row), eye.position, ray, eye.axes[2]
    )
    guide[tid] = wp.vec4(s.face_normal[0], s.face_normal[1], s.face_normal[2], s.depth)
    # Every other pixel, like a chess board
    if (x + y) % 2 == 1:
        return
    start = s.point + s.face_normal * 0.0015
    # Ways of a 4 x 4 block: a fourth of a turn and a fourth of the disc apart
    number = (x % 4) + 4 * (y % 4)
    angle = _TAU * (float((number * 7) % 16) + 0.5 * float(y % 2)) / 16.0
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


@wp.kernel
def light_pixels(
    surface: Surface,
    samples: wp.array(dtype=wp.int64),
    look: Look,
    upper: Cloth,
    lower: Cloth,
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
    total = wp.vec3(0.0, 0.0, 0.0)
    missed = 0.0
    nearest = float(wp.inf)
    names = wp.vec4i(0, 0, 0, 0)
    first = 2 * y * (2 * eye.width) + 2 * x
    second = first + 2 * eye.width
    one = samples[first]
    two = samples[first + 1]
    three = samples[second]
    four = samples[second + 1]
    least = wp.min(wp.min(one, two), wp.min(three, four))
    most = wp.max(wp.max(one, two), wp.max(three, four))
    # Two samples tell what is within one surface
    inside = most != _NOTHING and ((most - least) >> wp.int64(32)) < wp.int64(5000)
    for number in range(4):
        column = 2 * x + number % 2
        row = 2 * y + number // 2
        key = samples[row * (2 * eye.width) + column]
        if key == _NOTHING:
            missed += 0.25
        elif inside and (number == 1 or number == 2):
            names[number] = -1
        else:
            ray = ray_through(eye, column, row)
            face = int(key & wp.int64(4294967295))
            s = look_at(
                surface,
                look,
                upper,
                lower,
                face,
                float(column),
                float(row),
                eye.position,
                ray,
                eye.axes[2],
            )
            names[number] = s.label
            nearest = wp.min(nearest, s.depth)
            found = light_at(smooth, guide, eye.width, eye.height, x, y, s.depth)
            result = wp.cw_mul(s.base, look.ambient) * (found[0] * (0.62 + 0.38 * s.normal[2]))
            for lamp in range(3):
                if lamp < lamps.count:
                    to = lamps.directions[lamp]
                    facing = (wp.dot(s.normal, to) + s.wrap) / (1.0 + s.wrap)
                    if facing > 0.0:
                        light = lamps.colours[lamp] * found[lamp + 1]
                        half = wp.normalize(to - ray)
                        shine = wp.pow(wp.max(wp.dot(s.normal, half), 0.0), s.sharp)
                        result += wp.cw_mul(s.base, light) * facing
                        result += light * (0.35 * s.gloss * shine)
            if inside:
                total += result * 0.5
            else:
                total += result * 0.25
    colour[tid] = total
    empty[tid] = missed
    depth[tid] = nearest
    # The label that most samples have, the first of equals
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
    label[tid] = wp.uint8(best)
