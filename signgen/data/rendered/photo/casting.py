"""Kernels that draw a posed mesh and light it; the same on CPU and CUDA.

What is seen is found by drawing triangles into a buffer of depths, four samples a pixel; what light
comes there by casting rays.
"""

import warp as wp

__all__ = ["draw_triangles", "light_pixels"]

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

    blotches: float
    freckles: float
    skin_gloss: float
    iris_radius: float
    pupil: float
    iris: wp.vec3
    white: wp.vec3
    streak: wp.vec3
    strands: float
    hair_gloss: float
    ambient: wp.vec3
    lamps: int


@wp.struct
class Surface:
    """The posed mesh, as in `Scene`."""

    faces: wp.array2d(dtype=int)
    points: wp.array(dtype=wp.vec3)
    screen: wp.array(dtype=wp.vec3)  # x and y in samples, distance from the camera in metres
    normals: wp.array(dtype=wp.vec3)
    colours: wp.array(dtype=wp.vec3)
    places: wp.array(dtype=wp.vec3)
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
def hash01(a: int, b: int) -> float:
    state = wp.rand_init(a, b)
    return wp.randf(state)


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
    if cloth.weave > 0.0:
        pitch = 2500.0
        if cloth.pattern == 1:
            pitch = 1100.0
        thread = wp.sin(across * pitch) * wp.sin(along * pitch * 0.7)
        state = wp.rand_init(cloth.seed + 7)
        uneven = wp.noise(state, place * 260.0)
        result = result * (1.0 + cloth.weave * (0.18 * thread + 0.35 * uneven))
    return result


@wp.func
def folded(cloth: Cloth, normal: wp.vec3, place: wp.vec3) -> wp.vec3:
    """Bend a normal as folds of cloth do."""
    state = wp.rand_init(cloth.seed + 3)
    at = wp.vec3(place[0] * 16.0, place[1] * 16.0, place[2] * 7.0)
    a = wp.noise(state, at)
    b = wp.noise(state, at + wp.vec3(17.3, 5.1, 9.7))
    c = wp.noise(state, at * 2.3 + wp.vec3(3.3, 1.1, 2.7))
    return wp.normalize(normal + wp.vec3(a + 0.5 * c, 0.0, b - 0.4 * c) * (0.75 * cloth.folds))


@wp.func
def open_sky(
    mesh: wp.uint64, start: wp.vec3, normal: wp.vec3, face_normal: wp.vec3, angle: float, spread: float
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
    face_normal = wp.normalize(
        wp.cross(surface.points[b] - corner, surface.points[c] - corner)
    )
    if wp.dot(face_normal, ray) > 0.0:
        face_normal = -face_normal
    if wp.dot(normal, face_normal) < 0.0:
        normal = -normal
    gloss = float(0.0)
    sharp = float(16.0)
    wrap = float(0.0)
    if material == 0:
        state = wp.rand_init(11)
        slow = wp.noise(state, place * 45.0)
        fine = wp.noise(state, place * 300.0)
        base = base * (1.0 + look.blotches * (slow + 0.5 * fine))
        freckle = wp.clamp((fine - (0.45 - look.freckles)) * 12.0, 0.0, 1.0)
        base = base * (1.0 - 0.35 * freckle * wp.clamp(look.freckles * 20.0, 0.0, 1.0))
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
        normal = folded(upper, normal, place)
        gloss = upper.gloss * 0.4
        sharp = 10.0
    if material == 3:
        base = cloth_colour(lower, base, place)
        normal = folded(lower, normal, place)
        gloss = lower.gloss * 0.4
        sharp = 10.0
    if material == 4:
        state = wp.rand_init(23)
        thread = wp.noise(state, wp.vec3(place[0] * 420.0, place[1] * 420.0, place[2] * 36.0))
        lock = wp.noise(state, wp.vec3(place[0] * 70.0, place[1] * 70.0, place[2] * 9.0))
        pale = wp.clamp(0.35 + 0.9 * lock, 0.0, 1.0) * look.strands
        base = wp.lerp(base, look.streak, pale) * (1.0 + look.strands * 0.9 * thread)
        normal = wp.normalize(
            normal + wp.vec3(thread, lock, 0.2 * thread) * (0.5 * look.strands)
        )
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


@wp.kernel
def light_pixels(
    mesh: wp.uint64,
    surface: Surface,
    samples: wp.array(dtype=wp.int64),
    look: Look,
    upper: Cloth,
    lower: Cloth,
    lamp_directions: wp.array(dtype=wp.vec3),
    lamp_colours: wp.array(dtype=wp.vec3),
    lamp_softness: wp.array(dtype=float),
    position: wp.vec3,
    axes: wp.mat33,
    focal: float,
    width: int,
    height: int,
    colour: wp.array(dtype=wp.vec3),
    empty: wp.array(dtype=float),
    label: wp.array(dtype=wp.uint8),
    depth: wp.array(dtype=float),
):
    """Light the four samples of a pixel."""
    tid = wp.tid()
    x = tid % width
    y = tid // width
    turn = hash01(x, 7919 * y + 13)
    total = wp.vec3(0.0, 0.0, 0.0)
    missed = float(0.0)
    nearest = float(wp.inf)
    names = wp.vec4i(0, 0, 0, 0)
    last_depth = float(-1.0)
    last_material = int(-1)
    sky = float(1.0)
    lit = wp.vec3(1.0, 1.0, 1.0)
    for number in range(4):
        column = 2 * x + number % 2
        row = 2 * y + number // 2
        key = samples[row * (2 * width) + column]
        if key == _NOTHING:
            missed += 0.25
        else:
            across = float(column)
            down = float(row)
            u = (across + 0.5 - float(width)) / (2.0 * focal)
            v = (down + 0.5 - float(height)) / (2.0 * focal)
            ray = wp.normalize(axes[0] * u + axes[1] * v + axes[2])
            face = int(key & wp.int64(4294967295))
            s = look_at(
                surface, look, upper, lower, face, across, down, position, ray, axes[2]
            )
            names[number] = s.label
            nearest = wp.min(nearest, s.depth)
            # Neighbours on the same thing share what light they see; pixels look different ways,
            # the same ones in every frame
            same = s.material == last_material and wp.abs(s.depth - last_depth) < 0.006
            shared = number % 2 == 1 and same
            start = s.point + s.face_normal * 0.0012
            angle = _TAU * (turn + 0.25 * float(number))
            spread = wp.sqrt((float((number * 3 + 1) % 4) + 0.5) / 4.0)
            if not same:
                sky = open_sky(mesh, start, s.normal, s.face_normal, angle, spread)
            result = wp.cw_mul(s.base, look.ambient) * (sky * (0.62 + 0.38 * s.normal[2]))
            for lamp in range(3):
                if lamp < look.lamps:
                    to = lamp_directions[lamp]
                    facing = (wp.dot(s.normal, to) + s.wrap) / (1.0 + s.wrap)
                    if facing > 0.0:
                        if not shared:
                            lit[lamp] = 1.0
                            beam = around(to, angle, wp.sin(lamp_softness[lamp]) * spread)
                            if wp.mesh_query_ray_anyhit(mesh, start, beam, 3.0):
                                lit[lamp] = 0.0
                        light = lamp_colours[lamp] * lit[lamp]
                        half = wp.normalize(to - ray)
                        shine = wp.pow(wp.max(wp.dot(s.normal, half), 0.0), s.sharp)
                        result += wp.cw_mul(s.base, light) * facing
                        result += light * (0.35 * s.gloss * shine)
            total += result * 0.25
            last_depth = s.depth
            last_material = s.material
    colour[tid] = total
    empty[tid] = missed
    depth[tid] = nearest
    # The label that most rays saw, the first of equals
    best = int(0)
    votes = int(0)
    for number in range(4):
        count = int(0)
        for other in range(4):
            if names[other] == names[number]:
                count += 1
        if count > votes:
            votes = count
            best = names[number]
    label[tid] = wp.uint8(best)
