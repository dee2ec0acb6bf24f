"""How good are pictures that a decoder makes of the latents of true frames? The ceiling of a model.

Clips of a dataset, the first frame of each the source: true frames are encoded and decoded at the
model's size and compared at the size of the recording. A guided decoder also gets the source moved
to the pose, is mixed with it at the recording's size as a rendering is, and is measured without any
latents and with those of the moved source too, from which a denoiser departs. The moved source
itself and a copy of the source stand beside.

    python tools/measure_decoder.py --run runs/guided-vae --data runs/corpus --clips 30
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from signgen.checkpoints.finding import resolve
from signgen.checkpoints.models import load_into, read_weights
from signgen.data.adapter import DatasetAdapter
from signgen.data.dataset import open_dataset
from signgen.data.examples.guides import GuideMaker, to_pixels
from signgen.evaluation.clips import Clip
from signgen.evaluation.metric_choice import named_metrics
from signgen.evaluation.protocols import View
from signgen.evaluation.reports.report import COPY, GENERATED
from signgen.evaluation.scoring import evaluate_clips
from signgen.media import save_image
from signgen.media.resizing import resize_image
from signgen.models import build_stage
from signgen.models.autoencoder import AutoencoderStage
from signgen.models.inputs import PoseDrawing
from signgen.rendering.base import resize_picture
from signgen.structures import FrameRef, Guide, Record, Triplet

METRICS = ("ssim", "psnr", "hand_ssim", "face_ssim")
MOVED, BLIND, DEPARTURE = "moved source", "without latents", "latents of the moved source"
Frames = NDArray[np.uint8]


def open_stage(name: str) -> AutoencoderStage:
    """Return the autoencoder of a run of stage `vae`, or of a whole model, in eval mode."""
    folder, _, config = resolve(name)
    stage = cast(AutoencoderStage, build_stage(config, "vae"))
    own = stage.state_dict()
    weights = {key: value.float() for key, value in read_weights(folder).items() if key in own}
    load_into(stage, weights, folder)
    return stage.eval()


def pictures(pixels: Tensor, size: tuple[int, int]) -> Frames:
    """Return (B, 3, H, W) in [-1, 1] as (B, h, w, 3) uint8 at a size (h, w)."""
    values = rearrange((pixels.clamp(-1, 1) + 1) * 127.5, "b c h w -> b h w c").numpy()
    return np.stack([resize_picture(np.ascontiguousarray(value), size) for value in values])


@dataclass
class Measured:
    """Decodes clips when their turn comes, and keeps a row of each to look at.

    Args:
        stage: The autoencoder.
        dataset: Where the clips come from.
        every: One of so many frames is measured.
        rows: Source, what the systems made, and truth, of one frame of each clip.
    """

    stage: AutoencoderStage
    dataset: DatasetAdapter
    every: int
    rows: list[Frames] = field(default_factory=list)

    def open(self, record: Record) -> Clip:
        """Return one clip, decoded."""
        indices = list(range(self.every // 2, record.num_frames, self.every))
        source = self.dataset.frame(FrameRef(record, 0))
        truth = np.stack([self.dataset.frame(FrameRef(record, index)) for index in indices])
        made = self._decode(record, indices, truth, source)
        self.rows.append(np.concatenate([source, *(m[-1] for m in made.values()), truth[-1]], 1))
        return Clip(
            record.id,
            record.signer,
            made.pop(GENERATED),
            truth,
            self.dataset.poses(record).frames(indices),
            compared=made,
            source=[source],
        )

    def _decode(
        self, record: Record, indices: list[int], truth: Frames, source: Frames
    ) -> dict[str, Frames]:
        config, native = self.stage.config, (truth.shape[1], truth.shape[2])
        small = [resize_image(frame, config.size, config.resize) for frame in truth]
        with torch.inference_mode():
            target = torch.stack([to_pixels(frame) for frame in small])
            latents = self.stage.autoencoder.encode(target).latent_dist.mode()
            if self.stage.decoder is None:
                decoded = self.stage.autoencoder.decode(latents).sample
                return {GENERATED: pictures(decoded, native)}
            drawing, poses = PoseDrawing.of(config), self.dataset.poses(record)
            drawn = np.stack([drawing.draw(poses, index) for index in indices])
            pose = rearrange(torch.from_numpy(drawn), "b h w c -> b c h w").float() / 255
            maker = GuideMaker(self.dataset, native)
            first = FrameRef(record, 0)
            guide = Guide.cat(
                [maker.make(Triplet(first, FrameRef(record, index)), source) for index in indices]
            )
            made = {MOVED: guide.warped}
            fitting = guide.resized(config.size)
            departure = self.stage.autoencoder.encode(fitting.warped).latent_dist.mode()
            given = {BLIND: torch.zeros_like(latents), DEPARTURE: departure, GENERATED: latents}
            for name, value in given.items():
                painting = self.stage.decoder(value, pose, fitting)
                made[name] = painting.mix(guide.warped, guide.source, guide.moved)
        return {name: pictures(value, native) for name, value in made.items()}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True, help="run of stage vae, or a whole model")
    parser.add_argument("--data", default="sample")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=0, help="0 takes all")
    parser.add_argument("--every", type=int, default=4, help="one of so many frames")
    parser.add_argument("--sheet", help="PNG of one frame of each clip")
    options = parser.parse_args()
    stage = open_stage(options.run)
    dataset = open_dataset(options.data, [options.split])
    records = dataset.records(options.split)[: options.clips or None]
    measured = Measured(stage, dataset, options.every)
    report = evaluate_clips(
        {record.id: partial(measured.open, record) for record in records},
        named_metrics(METRICS, View()),
        baselines=(COPY,),
        compared={} if stage.decoder is None else dict.fromkeys((MOVED, BLIND, DEPARTURE)),
    )
    if options.sheet:
        save_image(Path(options.sheet), np.concatenate(measured.rows))
    scores = {
        metric: {
            name: {"value": result.value, "ci95": result.ci95}
            for name, result in report.by_system(metric).items()
        }
        for metric in METRICS
    }
    heading = {"run": options.run, "data": Path(options.data).name, "split": options.split}
    print(json.dumps({**heading, "clips": len(records), "scores": scores}, indent=1))


if __name__ == "__main__":
    main()
