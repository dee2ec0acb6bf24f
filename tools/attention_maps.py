"""What the attention of a parsing-guided model looks at in the source, as pictures.

    python tools/attention_maps.py --run runs/parsing-mini-fused --data runs/corpus --out maps.png

A row an example of a split: source, target, and for each region of the source and for the rest of
it, how much of the attention of each cell of the target falls there (black 0, white 1). Attention
is that of one site to the source alone, mean of its heads, at a slightly noised target.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from signgen.checkpoints.models import load_model
from signgen.config.data import DataConfig
from signgen.data.dataset import open_dataset
from signgen.data.examples.loading import TripletDataset, collate
from signgen.media import save_image
from signgen.models.attention import SourceMemory
from signgen.models.parsing_guided.attention import Reference
from signgen.models.parsing_guided.model import ParsingGuided
from signgen.models.parsing_guided.source_net import one_hot
from signgen.structures import Batch
from signgen.training.sample_sheet import to_uint8

SEED = 0


@torch.inference_mode()
def attention_of(model: ParsingGuided, batch: Batch, timestep: int, site: int) -> Tensor:
    """Return where the attention of one site falls.

    Args:
        model: The model.
        batch: B examples with regions.
        timestep: How noisy the targets are.
        site: Number of the site among all, from the first down to the last up; may be negative.

    Returns:
        (B, 1 + R, h, w) shares of the rest and of each region of the model, sums 1.
    """
    assert batch.source_parts is not None
    z0 = model.latents.encode(batch.target, sample=False)
    noise = torch.randn(z0.shape, generator=torch.Generator().manual_seed(SEED))
    t = torch.full((len(z0),), timestep)
    conditioning = model.condition_batch(batch)
    assert conditioning.maps is not None
    compared: list[Tensor] = []
    reference = Reference(conditioning.maps, compared=compared, most=int(z0[0, 0].numel()))
    memory = SourceMemory(conditioning.tokens, conditioning.maps)
    model.denoiser([conditioning], memory, reference)(model.schedule.add_noise(z0, noise, t), t)

    # Attention (B, L, N) to the N cells of the source, whose sides are halved, rounding up
    attention = compared[site]
    height, width = z0.shape[-2:]
    while height * width > attention.shape[1]:
        height, width = -(-height // 2), -(-width // 2)
    planes = one_hot(batch.source_parts, 1 + len(model.config.regions))
    cells = rearrange(F.adaptive_avg_pool2d(planes, (height, width)), "b r h w -> b (h w) r")
    return rearrange(attention @ cells, "b (h w) r -> b r h w", h=height)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--examples", type=int, default=4)
    parser.add_argument("--timestep", type=int, default=300)
    parser.add_argument("--site", type=int, default=-1, help="number of the site; -1 is the last")
    parser.add_argument("--out", required=True, help="PNG to write")
    options = parser.parse_args()
    model = load_model(options.run)
    if not isinstance(model, ParsingGuided):
        raise SystemExit(f"{options.run} is of kind {model.config.kind}; expected parsing-guided")
    data = DataConfig(root=options.data, split=options.split, identity_rate=0.0)
    adapter = open_dataset(options.data, [options.split])
    dataset = TripletDataset(adapter, data, model.config, SEED, guided=model.config.guided)
    batch = collate([dataset.whole(i, guided=model.config.guided) for i in range(options.examples)])
    shares = attention_of(model, batch, options.timestep, options.site)
    size = cast("tuple[int, int]", tuple(batch.target.shape[-2:]))
    maps = F.interpolate(shares, size, mode="nearest").unsqueeze(2).expand(-1, -1, 3, -1, -1)
    columns = [batch.source, batch.target, *(maps * 2 - 1).unbind(dim=1)]
    rows = [np.concatenate([to_uint8(one) for one in row], 1) for row in zip(*columns, strict=True)]
    save_image(Path(options.out), np.concatenate(rows))
    print(f"columns: source, target, rest, {', '.join(model.config.regions)}")


if __name__ == "__main__":
    main()
