"""Settings of `signgen eval`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signgen.config.model import Precision, Sampler
from signgen.config.pose import Device, EstimatorName
from signgen.config.ranges import Natural

__all__ = ["EvalConfig", "Items", "ProtocolName", "ScoredFrames"]

ProtocolName = Literal[
    "phoenix-fpdm", "signvip", "cfld", "fpdm-test", "pidm", "pcdms-legacy", "cleanfid"
]
Items = Literal["auto", "clips", "images"]
ScoredFrames = Literal["all", "without-source"]


@dataclass(frozen=True)
class EvalConfig:
    """Score generated against reference frames; without paths, the bundled model and sample."""

    generated: str | None = None
    """Frames to score: a video, a folder of frames, a folder of clips, a folder of images, or the
    results of FPDM, PIDM, NTED, DPTN or PCDMs on DeepFashion, recognised by their names."""
    reference: str | None = None
    """The true frames, in the same form; for results on DeepFashion its folder, or any folder that
    has the target images."""
    compare: tuple[str, ...] = ()
    """Frames of other systems, in the same form as --generated, scored beside it in the same pass
    and compared with it clip by clip."""
    source: str | None = None
    """What the systems were given, for the baseline that copies it: a picture, or a clip of as many
    frames as the true one; or a folder with one per clip. The first true frame if not given."""
    poses: str | None = None
    """Reference poses, for the hand metrics and for the baseline that warps the source: one file,
    or a folder with one file per clip."""
    source_poses: str | None = None
    """Poses of --source, for the baseline that warps it, in the form of --poses; the first are
    taken. Those of the first true frame where no source is given."""
    items: Items = "auto"
    """What pictures in a folder are: `clips`, frames in order, or single `images`, paired by name;
    `auto` is what --protocol says, images for names of DeepFashion, else clips."""
    protocol: Literal[ProtocolName, "list"] | None = None
    """Score as a published work did, sizes, filters and metrics with all their options; `list`
    says what each does. Without it frames are scored as they are."""
    model: str = "mini"
    """Model to evaluate when no generated frames are given, or `warp`; for --retrieval also a run
    of stage `ipf`, or a training YAML file whose `ipf.loss` is `none`."""
    data: str = "sample"
    """Folder that `signgen prepare` wrote or that is in the PHOENIX-2014T layout, or `sample`, to
    evaluate the model on; with paths, where signers and texts of clips of equal names are."""
    split: Literal["train", "dev", "test"] = "test"
    """Split of the data."""
    trim_ends: Natural = 0
    """Frames or key points to cut at most at the end of a clip of which generated frames, true ones
    or key points are more than the others; otherwise such a clip is not scored."""
    size: tuple[int, int] | None = None
    """Height and width that all frames are resized to (Pillow, bicubic) before they are scored,
    where no protocol says it; none are resized if not given."""
    frames: ScoredFrames | None = None
    """Score `all` frames, or all `without-source`, the first frame of each clip; if not given,
    what the protocol says, else all frames of --generated, and those of a model without the source
    it was given."""
    hand_metrics: bool = False
    """Also score the hands: Hand SSIM, and Hand PE where an estimator of hands is found."""
    faces: bool = False
    """Also score face and mouth; needs poses as the hand metrics do."""
    regions: bool = False
    """Also score face and clothing alone, by the human parsing of the true frames in --data: SSIM
    and colour distance."""
    keypoints: bool = False
    """Also find key points again in the generated frames, with an estimator: body, hands, mouth."""
    motion: bool = True
    """Score motion of clips: flicker, brightness jitter, second differences, TCD."""
    warping: bool = False
    """Also score motion by the warping error, which takes longer than all the rest."""
    per_hand: bool = False
    """Print the scores of left and right hand."""
    per_signer: bool = False
    """Print the scores of each signer."""
    estimator: EstimatorName = "auto"
    """Estimator of key points for the pose errors: `auto` is HRNet where its checkpoint is found,
    else MediaPipe."""
    estimator_weights: str | None = None
    """Checkpoint of the estimator."""
    generated_poses: str | None = None
    """Key points of the generated frames, in the form of --poses, instead of an estimator."""
    lpips_weights: str | None = None
    """Trunk of LPIPS, AlexNet of torchvision; scores LPIPS. The hub's cache if a protocol asks for
    LPIPS and this is not given."""
    inception_weights: str | None = None
    """Inception-v3 of torchvision; scores FID as CFLD, PCDMs and FPDM do."""
    fid_weights: str | None = None
    """Inception of torch-fidelity; scores the standard FID and KID."""
    i3d_weights: str | None = None
    """I3D as TorchScript; scores FVD."""
    identity_weights: str | None = None
    """Network that embeds faces, such as ArcFace, as ONNX: (1, 3, S, S) RGB in [-1, 1]; scores the
    likeness of faces, by the poses of the truth."""
    fid_reference: str | None = None
    """Real set of FID: a folder of images, or statistics that --save-statistics wrote; if not given
    the true frames, which is FPDM's FID*."""
    save_statistics: str | None = None
    """Write the statistics of the folder in --fid-reference to this file (.npz), to name there."""
    texts: str | None = None
    """True texts for --back-translate: a file of lines ID<TAB>TEXT; those of the data if not
    given."""
    back_translate: str | None = None
    """Command that turns videos into text, for generated and true clips: it reads lines
    ID<TAB>PATH on stdin, and prints as many lines ID<TAB>TEXT. Run without a shell."""
    retrieval: bool = False
    """Score stage 1 instead of frames: where the true target ranks among all pictures by its fusion
    of source and pose (FPDM's Table 2)."""
    retrieval_queries: int = 10_000
    """Pairs asked for at most, spread evenly over the split; their pictures are what is searched. 0
    asks for all."""
    study: str | None = None
    """Instead of scores, make a study for deaf raters in this new folder: a page with the videos of
    --generated and --compare, blinded and in random order, and its key. With --study-results, the
    folder of the study that was answered."""
    study_results: str | None = None
    """Folder of the answers that raters sent back: means and preferences, with intervals over
    raters and over clips."""
    study_clips: int = 12
    """Clips of a study at most, spread evenly over all."""
    study_instructions: str | None = None
    """Video that explains the study in the raters' sign language, shown first."""
    steps: int | None = None
    """Denoising steps; the model's own number if not given."""
    sampler: Sampler | None = None
    """How to denoise: `ddpm` (ancestral), `ddim` (deterministic), or a solver for few steps; the
    model's own if not given."""
    official_noise: bool | None = None
    """Draw the noise of a batch from one generator, as FPDM's published code: scores then depend on
    the frames computed together, 8 of a video. As the model's settings say if not given."""
    precision: Precision = "no"
    """Compute the networks in 16 bits: `fp16` (slow on a CPU) or `bf16`. `no` is 32, as
    published."""
    seed: int = 0
    """Seed of the noise, and of the names in a study."""
    device: Device = "auto"
    """Where to compute."""
    out: str | None = None
    """Also write the report to this JSON file."""
    report: str | None = None
    """Also write the report to this page (.html): plots, tables, the worst frames."""
    latex: str | None = None
    """Also write the scores to this LaTeX file (.tex), as a table."""
    json: bool = False
    """Print one JSON object on stdout."""
