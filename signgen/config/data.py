"""Settings of training data and of the `prepare` commands. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.ranges import Count, Decay, Natural, NotNegative, Positive, Rate, Share
from signgen.config.regions import LabelSetName

__all__ = [
    "ClipsConfig",
    "DataConfig",
    "PrepareCacheConfig",
    "PrepareDeepFashionConfig",
    "PrepareFolderConfig",
    "PreparePhoenixConfig",
    "PrepareSyntheticConfig",
]


@dataclass(frozen=True)
class DataConfig:
    """Where training frames come from."""

    root: str = "sample"
    """Folder that `signgen prepare` wrote or that is in the PHOENIX-2014T layout, or `sample` for
    the bundled sample."""
    split: Literal["train", "dev", "test"] = "train"
    """Split to draw triplets from."""
    identity_rate: Share = 0.05
    """Share of triplets whose source is the target itself."""
    pairs: Natural = 100_000
    """Pairs drawn from videos, each shown once per epoch; 0 never repeats one. Datasets that list
    their pairs show those."""
    min_distance: Natural = 1
    """Least number of frames between source and target where pairs are drawn."""
    targets_per_record: Count = 1
    """Consecutive pairs drawn from one video, of one source and different targets: many of them in
    a batch teach the `ipf` stage to tell a signer's poses apart."""
    frame: Literal["full", "auto"] = "full"
    """Train on whole frames, or on the part around the signer that `signgen render --frame auto`
    would render (`auto`), for which `start_from` holds a model that says what it knows."""
    flip_rate: Share = 0.0
    """Share of examples that are mirrored, with left and right joints swapped; FPDM has 0.5 for
    DeepFashion. Signing changes its hand: keep 0."""
    official_flip: bool = False
    """Mirror key points as the published program: x becomes W - x, one pixel of the canvas beside
    the mirrored picture."""
    jitter: NotNegative = 0.0
    """Standard deviation of the noise on key points, in pixels of a picture of 550 x 375 (height x
    width); FPDM has 1 for DeepFashion. Points that it moves out on the left or top go missing."""
    source_sides: tuple[Count, ...] = ()
    """Sides of squares, one of which every source is resized to before it gets the model's size of
    sources, to train on coarse ones too; FPDM has 256 512. None leaves sources as they are."""
    colour_jitter: Decay = 0.0
    """Largest change of brightness and of each channel's gain, as a share of the range, made to
    source and target alike; FPDM has none."""
    window: Natural = 0
    """Side in pixels of the windows of the model's pictures that the `vae` stage trains on; 0 is
    whole pictures. Half of them lie around a hand, a quarter around the face."""
    source_frames: Natural = 0
    """Frames of each video that sources are drawn from, spread evenly; 0 is all of them. Sources of
    a guided decoder are taken apart before they are moved, which few of them make cheaper."""
    unknown_source_rate: Share = 0.33
    """Share of examples for a guided decoder whose source has no key points, as a photo alone."""
    warp_cache: str = ""
    """Folder that keeps the sources moved for a guided decoder, made while it trains; none if
    empty. Remove it when signgen moves sources otherwise than before."""
    workers: Natural = 1
    """Loader processes; the result does not depend on it."""
    cache: bool = False
    """Keep frames at the model's sizes in the memory of each loader process."""
    feature_cache: str = ""
    """Folder that `signgen prepare features` writes with the settings of a run of stage fpdm, and
    from which that run then takes what its frozen parts make of the frames; none if empty."""
    frame_cache: str = ""
    """Folder that `signgen prepare cache` wrote from these data, to read frames from; none if
    empty."""
    pose_pictures: str = ""
    """Folder of poses drawn beforehand, as FPDM's image mode: a picture for each frame, under the
    frame's own path with any ending; nothing is mirrored or jittered then. Poses are drawn from key
    points if empty."""
    video_reader: Literal["auto", "pyav", "decord"] = "auto"
    """What decodes videos: PyAV (`auto`), or decord, which is optional and refuses files of which
    it would give other frames."""


@dataclass(frozen=True)
class ClipsConfig:
    """What the `prepare` commands for videos share."""

    out: str = ""
    """Folder to write the manifest and the key points to."""
    keypoints: tuple[str, ...] = ()
    """Key points: pickles of MSKA or SLRT, or folders with one file or folder of poses per clip; of
    a single clip, its file."""
    estimator: Literal["auto", "mediapipe", "mmpose", "hrnet", "none"] = "auto"
    """Estimates the key points of clips that have none: HRNet where its checkpoint is found, else
    MediaPipe (`auto`), or a certain one. `none` leaves such clips out."""
    weights: str = ""
    """Checkpoint of HRNet or MMPose."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where HRNet and MMPose compute."""
    trim_ends: Natural = 0
    """Frames or poses to cut at most at the end of clips that have more of one than of the other,
    as corpora made with OpenCV do; otherwise such clips are left out."""
    check: bool = True
    """Look at the first and last bytes of every picture, and decode every video once."""
    video_reader: Literal["auto", "pyav", "decord"] = "auto"
    """What decodes videos: PyAV (`auto`), or decord, which is optional."""
    cache: tuple[Count, Count] | None = None
    """Also write all frames at this height and width into `OUT/cache`, to train faster: give that
    to `signgen train` as --data.frame-cache."""
    cache_resize: Literal["area", "bicubic"] = "area"
    """How frames of the cache are resized: the model's `resize`."""
    parsing: str = ""
    """Human parsing of the frames, for models that tell face from clothes: a SegFormer checkpoint
    (hub id or folder) or SCHP as an ONNX file, whose label maps are kept in `OUT/parts`, or a
    folder of label maps (PNG) named as the frames."""
    label_set: LabelSetName | None = None
    """What the labels of an ONNX file or of a folder of label maps mean, where the folder's
    `label_set.txt` does not say."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PreparePhoenixConfig(ClipsConfig):
    """Check RWTH-PHOENIX-Weather 2014T, gather its key points, write its manifest."""

    raw: str = ""
    """The corpus as unpacked, any folder above `features/`, or its archive. With no key points and
    `--estimator none` the manifest has none, which is enough to check the corpus."""


@dataclass(frozen=True)
class PrepareFolderConfig(ClipsConfig):
    """Make a dataset of a folder of recordings."""

    videos: str = ""
    """Folder (or archive) of videos or of folders of pictures, at any depth; or one of these."""
    fps: Positive = 25.0
    """Frame rate of folders of pictures."""
    constant_rate: Rate | None = None
    """Resample videos to this many frames per second, by repeating and leaving out frames, as those
    of telephones need whose rate varies. Key points beside them are those of the file's frames."""
    split_by: Literal["clip", "signer"] = "clip"
    """What stays together when clips are put into train, dev and test."""


@dataclass(frozen=True)
class PrepareSyntheticConfig:
    """Render a corpus of synthetic signers in the PHOENIX-2014T layout."""

    out: str = ""
    """Folder to create."""
    signers: Count = 10
    """Number of signers, at least 3; about 80/10/10 % go to train, dev and test."""
    clips_per_signer: Count = 2
    """Clips of each signer."""
    frames: Count = 24
    """Frames of each clip."""
    size: tuple[Count, Count] = (260, 210)
    """Height and width of the frames."""
    seed: Natural = 0
    """Seed of everything drawn."""
    assets: str = ""
    """Folder with garments and hair, a checkout of makehuman-assets; without it signers wear shells
    of their own bodies."""
    workers: Count = 1
    """Processes."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PrepareCacheConfig:
    """Write frames at training size into files that training maps into memory."""

    data: str = "sample"
    """Folder that `signgen prepare` wrote or that is in the PHOENIX-2014T layout, or `sample` for
    the bundled sample."""
    out: str = ""
    """Folder to create; a cache there that was interrupted is finished."""
    size: tuple[Count, Count] = (256, 256)
    """Height and width of the frames: the size of the model."""
    resize: Literal["area", "bicubic"] = "area"
    """How frames are resized: the model's `resize`."""
    splits: tuple[str, ...] = ("train",)
    """Splits to cache."""
    video_reader: Literal["auto", "pyav", "decord"] = "auto"
    """What decodes videos: PyAV (`auto`), or decord, which is optional."""
    workers: Count = 1
    """Processes."""
    json: bool = False
    """Print one JSON object on stdout."""


@dataclass(frozen=True)
class PrepareDeepFashionConfig:
    """Verify a copy of DeepFashion In-shop; write its manifest and packed key points."""

    raw: str = ""
    """Folder of the copy, with the lists, key points and pictures of one of the layouts."""
    out: str = ""
    """Folder to write to."""
    layout: Literal["fpdm", "nted", "patn-csv", "gfla-csv", "pcdms", "mcld"] | None = None
    """Whose files these are; told by the files if not given."""
    keypoints: tuple[str, ...] = ()
    """CSV files or folders of texts with the key points, instead of the layout's own."""
    keypoint_frame: Literal["padded256", "256x176", "unit"] | None = None
    """Where key points live: the 256 x 256 canvas with margins, 256 x 176, or 0 to 1; told by
    their values if not given."""
    rebuild_pairs: bool = False
    """Make the pairs from train.lst, test.lst and the key points instead of reading them."""
    subset: Natural = 0
    """Keep only this many records of each split, for short runs; 0 keeps all."""
    parsing: str = ""
    """Human parsing of the pictures: a SegFormer checkpoint (hub id or folder) or SCHP as an ONNX
    file, whose label maps are kept in `OUT/parts`, or a folder of label maps (PNG) named as the
    pictures."""
    label_set: LabelSetName | None = None
    """What the labels of an ONNX file or of a folder of label maps mean, where the folder's
    `label_set.txt` does not say."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the checkpoint computes."""
    json: bool = False
    """Print one JSON object on stdout."""
