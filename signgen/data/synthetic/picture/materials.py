"""What a sample of the picture sees, for the kernels: geometry and material of a point of the mesh.

The same on CPU and CUDA. Samples lie two by two in a pixel.
"""

import warp as wp

__all__ = ["NOTHING", "TAU", "Eye", "Look", "Sample", "Surface", "edge", "look_at", "ray_through"]

wp.config.quiet = True
wp.set_module_options({"enable_backward": False})

TAU = wp.constant(6.2831853)
NOTHING = wp.constant(wp.int64(9223372036854775807))
"""Of a sample that sees no triangle."""


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


@wp.struct
class Look:
    """Numbers of a signer's appearance that kernels need."""

    skin_gloss: float
    iris_radius: float
    pupil: float
    iris: wp.vec3
    white: wp.vec3
    streak: wp.vec3
    strands: float
    hair_gloss: float
    ambient: wp.vec3
    upper: Cloth
    lower: Cloth


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
class Eye:
    """The camera."""

    position: wp.vec3
    axes: wp.mat33
    focal: float
    width: int
    height: int


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
    """Twice the area of a triangle, positive where it turns right."""
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])


@wp.func
def ray_through(eye: Eye, column: int, row: int) -> wp.vec3:
    """Direction in which a sample looks."""
    u = (float(column) + 0.5 - float(eye.width)) / (2.0 * eye.focal)
    v = (float(row) + 0.5 - float(eye.height)) / (2.0 * eye.focal)
    return wp.normalize(eye.axes[0] * u + eye.axes[1] * v + eye.axes[2])


@wp.func
def cloth_colour(cloth: Cloth, colour: wp.vec3, place: wp.vec3) -> wp.vec3:
    """Pattern and weave of a cloth at a place on it, metres."""
    result = colour
    across = place[0] * wp.cos(cloth.turn) + place[2] * wp.sin(cloth.turn)
    along = place[2] * wp.cos(cloth.turn) - place[0] * wp.sin(cloth.turn)
    if cloth.pattern == 2:
        wave = wp.sin(across * TAU / cloth.period) * 4.0
        result = wp.lerp(colour, cloth.accent, wp.clamp(0.5 + wave, 0.0, 1.0))
    if cloth.pattern == 3:
        first = wp.clamp(0.5 + wp.sin(across * TAU / cloth.period) * 4.0, 0.0, 1.0)
        second = wp.clamp(0.5 + wp.sin(along * TAU / cloth.period) * 4.0, 0.0, 1.0)
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
def hair_colour(look: Look, colour: wp.vec3, place: wp.vec3) -> wp.vec4:
    """Colour of strands, and how they bend the normal."""
    across = place[0] + 0.7 * place[1]
    wander = 2.5 * wp.sin(place[2] * 31.0 + across * 60.0)
    thread = wp.sin(across * 1900.0 + 3.0 * wander) * wp.sin(across * 1130.0 + wander)
    lock = 0.6 * wp.sin(across * 230.0 + wander) + 0.6 * wp.sin(across * 397.0 - wander)
    pale = wp.clamp(0.35 + 0.4 * lock, 0.0, 1.0) * look.strands
    shown = wp.lerp(colour, look.streak, pale) * (1.0 + look.strands * 0.3 * thread)
    return wp.vec4(shown[0], shown[1], shown[2], 0.22 * look.strands * (thread + lock))


@wp.func
def eye_colour(look: Look, place: wp.vec3) -> wp.vec3:
    """White, iris and pupil by the place from the middle of the iris."""
    r = wp.sqrt(place[0] * place[0] + place[1] * place[1])
    if r < look.iris_radius * look.pupil:
        return wp.vec3(0.004, 0.004, 0.004)
    if r < look.iris_radius:
        return look.iris * (1.1 - 0.6 * wp.pow(r / look.iris_radius, 6.0))
    return look.white


@wp.func
def with_material(look: Look, place: wp.vec3, given: Sample) -> Sample:
    """Colour and gloss by what the material is, see `scene.MATERIALS`."""
    sample = given
    if sample.material == 0:  # skin
        sample.gloss = look.skin_gloss
        sample.sharp = 14.0
        sample.wrap = 0.22
    if sample.material == 1:  # eye
        sample.base = eye_colour(look, place)
        sample.gloss = 0.9
        sample.sharp = 120.0
        sample.wrap = 0.3
    if sample.material == 2:  # upper garment
        sample.base = cloth_colour(look.upper, sample.base, place)
        sample.gloss = look.upper.gloss * 0.4
        sample.sharp = 10.0
    if sample.material == 3:  # lower garment
        sample.base = cloth_colour(look.lower, sample.base, place)
        sample.gloss = look.lower.gloss * 0.4
        sample.sharp = 10.0
    if sample.material == 4:  # hair
        shown = hair_colour(look, sample.base, place)
        sample.base = wp.vec3(shown[0], shown[1], shown[2])
        sample.normal = wp.normalize(sample.normal + wp.vec3(shown[3], shown[3], 0.0))
        sample.gloss = look.hair_gloss * 0.6
        sample.sharp = 24.0
        sample.wrap = 0.15
    return sample


@wp.func
def look_at(surface: Surface, look: Look, eye: Eye, face: int, column: int, row: int) -> Sample:
    """What is seen of a triangle at a sample."""
    a = surface.faces[face, 0]
    b = surface.faces[face, 1]
    c = surface.faces[face, 2]
    pa = surface.screen[a]
    pb = surface.screen[b]
    pc = surface.screen[c]
    # Shares of the corners, in perspective
    x = float(column)
    y = float(row)
    wa = edge(pb, pc, x, y) / pa[2]
    wb = edge(pc, pa, x, y) / pb[2]
    wc = edge(pa, pb, x, y) / pc[2]
    whole = wa + wb + wc
    wa = wp.clamp(wa / whole, 0.0, 1.0)
    wb = wp.clamp(wb / whole, 0.0, 1.0)
    wc = wp.clamp(wc / whole, 0.0, 1.0)
    # What is hit belongs to its nearest vertex
    near = a
    if wb > wa and wb >= wc:
        near = b
    if wc > wa and wc > wb:
        near = c
    sample = Sample()
    sample.label = surface.labels[near]
    sample.material = surface.materials[near]
    # Where it is, and which way it faces
    ray = ray_through(eye, column, row)
    sample.depth = wa * pa[2] + wb * pb[2] + wc * pc[2]
    sample.point = eye.position + ray * (sample.depth / wp.dot(ray, eye.axes[2]))
    corner = surface.points[a]
    facing = wp.normalize(wp.cross(surface.points[b] - corner, surface.points[c] - corner))
    if wp.dot(facing, ray) > 0.0:
        facing = -facing
    normal = surface.normals[a] * wa + surface.normals[b] * wb + surface.normals[c] * wc
    if wp.dot(normal, facing) < 0.0:
        normal = -normal
    rough = surface.roughness[a] * wa + surface.roughness[b] * wb + surface.roughness[c] * wc
    bend = wp.vec3(rough[0], rough[1], rough[2])
    sample.face_normal = facing
    sample.normal = wp.normalize(wp.normalize(normal) + bend)
    # What it is made of
    colour = surface.colours[a] * wa + surface.colours[b] * wb + surface.colours[c] * wc
    place = surface.places[a] * wa + surface.places[b] * wb + surface.places[c] * wc
    sample.base = colour * (1.0 + rough[3])
    sample.gloss = 0.0
    sample.sharp = 16.0
    sample.wrap = 0.0
    sample = with_material(look, place, sample)
    sample.base = wp.max(sample.base, wp.vec3(0.0, 0.0, 0.0))
    return sample
