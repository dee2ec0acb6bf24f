"""A region of another picture in place of a signer's own: what attention sees is exchanged."""

from __future__ import annotations

import torch

from signgen.config.parsing_guided import ParsingGuidedConfig
from signgen.config.regions import Region
from signgen.errors import ExitCode, UserError
from signgen.structures import SourceFeatures

__all__ = ["borrowed"]


def borrowed(
    config: ParsingGuidedConfig, source: SourceFeatures, donor: SourceFeatures, region: Region
) -> SourceFeatures:
    """Return features of a signer with a region of another picture in place of its own.

    Tokens of both pictures are joined: the signer's without the region, the donor's of the region
    alone. Plain attention sees the donor's too, because it was trained to see every region.

    Args:
        config: Settings of the model.
        source: Features (B, ...) of the signer.
        donor: Features (B, ...) of the picture that has the region.
        region: One of `reference.fused`, face or cloth.

    Raises:
        UserError: If the region has no attention of its own.
    """
    if source.maps is None or donor.maps is None:
        raise ValueError("these are no features of a parsing-guided model")
    fused = config.reference.fused
    if region not in fused:
        raise UserError(
            f"model: reference.fused is {list(fused)}; expected {region} among them, to take it "
            "from another picture.",
            ExitCode.USAGE,
        )
    number, tokens = fused.index(region), source.tokens
    if config.alignment.context:
        # The view of the whole would show the region as it was
        whole, face, cloth = source.tokens.split(config.alignment.queries, dim=1)
        _, other_face, other_cloth = donor.tokens.split(config.alignment.queries, dim=1)
        face, cloth = (other_face, cloth) if region == "face" else (face, other_cloth)
        tokens = torch.cat([torch.zeros_like(whole), face, cloth], dim=1)
    maps = source.maps.without(number).joined(donor.maps.only(number))
    return SourceFeatures(tokens, source.pooled, maps)
