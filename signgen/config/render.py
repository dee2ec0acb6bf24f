"""Settings of `signgen render`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.model import Precision, Sampler
from signgen.config.pose import Align, Device, EstimatorName
from signgen.config.ranges import Count, Rate
from signgen.config.regions import LabelSetName, Region
from signgen.config.sampling import Preset

__all__ = ["Engine", "Framing", "PersonMask", "RenderConfig"]

Framing = Literal["auto", "full"]
Engine = Literal["local", "ray"]
PersonMask = Literal["auto", "poses", "parsing", "mediapipe"]
Credentials = Literal["beside", "inside"]


@dataclass(frozen=True)
class RenderConfig:
    """Render a signer: one source frame and a pose sequence become a video."""

    source: str = ""
    """Picture of the signer (PNG, JPEG, WebP), or a video, of which one frame is taken."""
    poses: str = ""
    """Poses to sign: a file or folder in any format that `signgen pose info` reads, or a video to
    extract them from; recognised by content; or a folder of pictures, poses drawn on black as the
    model was trained on. With a folder as `out`: a folder of these, a video of each."""
    out: str = "out.mp4"
    """Video to write, or a folder for many; for --background alpha a WebM, or, by a name without
    ending, a folder of PNG."""
    model: str = "mini"
    """`mini` (bundled), a run folder, or a hub id: owner/name or owner/name@revision; or `warp`,
    which needs no weights: it moves the source's own pixels, handshapes included."""
    clip: str | None = None
    """Clip to sign, of files of poses that hold many."""
    pose_size: tuple[Count, Count] | None = None
    """Height and width of the pictures that the poses are of, for formats that do not say; the
    source's if not given."""
    pose_fps: Rate | None = None
    """Frames per second of the poses, whatever their file says; 25 where neither says. A video is
    resampled to it."""
    align: Align = "none"
    """How poses are brought into the source's frame: `none` fits the frame, `affine` also moves and
    scales by the shoulders, `limb` gives every part the source signer's proportions."""
    source_frame: int = 0
    """Frame to take of a video as the source, counted from 0; of several source poses the same."""
    source_poses: str | None = None
    """Poses of the source picture, of which the first is taken: for --align affine and limb, for
    --model warp and for models that move the source, which estimate it if it is not given, and to
    find the signer for --frame auto."""
    fill_gaps: int = 0
    """Fill gaps of key points of up to this many frames by straight lines."""
    smooth: bool = False
    """Smooth key points with the One-Euro filter: calm at rest, quick in fast movement."""
    steady: bool = False
    """Keep still pixels from flickering: small changes are followed slowly, brightness is kept;
    hands and face are as the model renders them."""
    background: str = ""
    """What is behind the signer: `keep` for the source's own, which then stands still; a colour
    (green, #00b140), a picture or a video, scaled to cover the frame and cut to its middle, a
    video from its beginning again and again; or `alpha` for nothing (see `out`).
    As the model renders it if not given."""
    person_mask: PersonMask = "auto"
    """What tells signer and background apart for --background: `poses` (key points and colours),
    `parsing` (the checkpoint of --parsing) or `mediapipe`. `auto` is parsing with such a
    checkpoint, else poses."""
    audio: str = "none"
    """Sound of the video: `copy` for that of the video given as `poses`, else of the one given as
    `source`; or a file with sound. Cut to the length of the video; copied as it is where MP4 or
    WebM can hold it, else AAC or Opus."""
    parsing: str = ""
    """Human parsing of the source, for models that tell apart its regions: a label map (PNG) of the
    source's size, a SegFormer checkpoint (hub id or folder), or SCHP as an ONNX file."""
    label_set: LabelSetName | None = None
    """What the labels of label maps and of an ONNX file mean, where no `label_set.txt` beside the
    maps says it."""
    clothes_from: str = ""
    """Picture whose clothes the signer wears, for models that tell apart regions; its parsing is
    --clothes-parsing, or the checkpoint of --parsing."""
    clothes_parsing: str = ""
    """Label map of the picture of --clothes-from."""
    face_from: str = ""
    """Picture whose face the signer has; as --clothes-from."""
    face_parsing: str = ""
    """Label map of the picture of --face-from."""
    edit_region: Region | None = None
    """Make only this region of the source anew; all else stays as it is in the source."""
    mask: str = ""
    """Picture of the source's size, not black where it is made anew; in place of the region."""
    frame: Framing = "auto"
    """What a model renders of the source: `auto` only the part around the signer and the poses,
    pasted back with a soft border, where the signer fills the picture otherwise than the model
    knows; `full` always the whole picture."""
    size: tuple[int, int] | None = None
    """Height and width of the video; the source's size if not given."""
    preset: Preset = "quality"
    """`quality` samples as the model's settings say; `balanced`, `fast` and `live` take 12, 8 and 4
    steps of UniPC. `steps` and `sampler` go before it."""
    steps: int | None = None
    """Denoising steps; the model's own number if not given."""
    guidance: tuple[float, float] | None = None
    """Guidance weights w1 w2; the model's own if not given."""
    sampler: Sampler | None = None
    """How to denoise: `ddpm` (ancestral), `ddim` (deterministic), or a solver for few steps; the
    model's own if not given."""
    official_noise: bool | None = None
    """Draw the noise of each chunk from one generator, as FPDM's published code does of a batch:
    frames then depend on --chunk and on their place in it. --no-official-noise draws it by frame;
    as the model's settings say if not given."""
    precision: Precision = "no"
    """Compute the networks in 16 bits: `fp16` (slow on a CPU) or `bf16`. `no` is 32, as published;
    the sampler and, where the autoencoder asks for it, decoding stay there."""
    seed: int = 0
    """Seed of the noise."""
    device: Device = "auto"
    """Where to compute."""
    chunk: int = 8
    """Frames that a GPU computes at a time. A CPU computes one whatever it says, so it changes no
    byte there, but for --official-noise."""
    estimator: EstimatorName = "auto"
    """Estimator of key points, for a video as `poses`, and for --align and --model warp without
    `source_poses`: `auto` is HRNet where its checkpoint is found, else MediaPipe."""
    weights: str | None = None
    """Checkpoint of the estimator."""
    like: str = ""
    """A video of `signgen render`, whose settings are the defaults; files that have changed since
    are said. Give another name as `out`."""
    consent: str = ""
    """What to keep, beside the video, about the consent of the person shown."""
    credentials: Credentials = "beside"
    """Where the signed C2PA manifest goes, which is made where c2pa-python is installed: `beside`
    the video as OUT.c2pa, or `inside`, where programs find it; its salts then change some bytes."""
    certificate: str = ""
    """Chain of certificates (PEM) to sign with; a key made for this one video if not given."""
    private_key: str = ""
    """Private key (PEM) of the certificate."""
    compare: bool = True
    """Also write OUT.compare.mp4 (source, pose, result) and a contact sheet OUT.sheet.png
    (the source, then poses and results)."""
    jobs: str | None = None
    """Render many with one model: a file with a JSON object a line, of settings that differ from
    the flags. Videos that are there already, made of the same, are skipped."""
    shard: str | None = None
    """Part of many videos, such as 0/4 to 3/4, for one of several machines."""
    engine: Engine = "local"
    """What renders many videos: this process (`local`), or workers on a cluster (`ray`, of
    `signgen[ray]`), which RAY_ADDRESS names, else on this machine."""
    workers: int | None = None
    """Workers of `--engine ray`; one a GPU, or without any one a machine, if not given."""
    resume: bool = True
    """Go on with what a stopped render of the same left in OUT.part; --no-resume begins anew."""
    dry_run: bool = False
    """Check everything, print the plan, write nothing."""
    json: bool = False
    """Print one JSON object on stdout, of many videos one a line."""
