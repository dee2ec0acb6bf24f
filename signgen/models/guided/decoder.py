"""The guided decoder: latents, the drawn pose and the source moved to it become a picture.

Where nothing moves in either pose the picture is the source's own, by rule.
"""

# Differs from FPDM: its decoder is Stable Diffusion's, which sees the latents alone, because at
# 32 MB nothing else keeps faces, clothes and the background of a photograph.

from __future__ import annotations

from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor

from signgen.config.autoencoder import DecoderConfig
from signgen.config.model import FPDMConfig
from signgen.models.guided.painting import Painter, Painting, with_detail
from signgen.models.guided.windows import FACE, HANDS, SIDE, WindowPainter
from signgen.structures import Conditioning, ExitCode, Guide, UserError

__all__ = ["GuidedDecoder", "build_decoder", "fitting"]


class GuidedDecoder(Painter):
    """A `Painter` of whole pictures, and where the settings say so of windows after it.

    Args:
        config: Sizes.
        latent_channels: Channels of the latents.
        factor: Side of one latent cell in pixels.
        embedding: Width of the signer's embedding; 0 for none.

    Raises:
        UserError: If the sizes do not fit together.
    """

    def __init__(
        self, config: DecoderConfig, latent_channels: int, factor: int, embedding: int = 0
    ) -> None:
        _check(config, factor)
        super().__init__(
            config.channels,
            config.blocks,
            config.max_flow,
            latent_channels=latent_channels,
            factor=factor,
            embedding=embedding,
        )
        face, hands = config.face_channels, config.hand_channels
        self.face = WindowPainter(face, (FACE,)) if face else None
        self.hands = WindowPainter(hands, HANDS) if hands else None

    @property
    def painters(self) -> dict[str, WindowPainter]:
        """What paints in windows, in this order: hands are before the face."""
        both = {"face": self.face, "hands": self.hands}
        return {name: painter for name, painter in both.items() if painter is not None}

    def picture(self, latents: Tensor, conditioning: Conditioning, guide: Guide | None) -> Tensor:
        """Paint a picture at the size of the drawn pose, and mix it at the size of the guide.

        Outside of training, which is on the painting as it is, lost detail comes back.

        Args:
            latents: (B, C, h, w), not scaled.
            conditioning: With the drawn poses.
            guide: Of B frames, or of one that all share; at any size.

        Returns:
            (B, 3, H, W) of the guide's size, not clamped.

        Raises:
            ValueError: If there is no guide or no drawing.
        """
        drawing = conditioning.drawing
        if guide is None or drawing is None:
            raise ValueError("the guided decoder needs a guide and the drawn poses")
        if len(guide.source) == 1:
            guide = guide.expand(len(latents))
        small = fitting(guide, drawing)
        painting: Painting = self(latents, drawing, small, conditioning.embedding)
        picture = painting.mix(guide.warped, guide.source, guide.moved)
        if not self.training:
            picture = with_detail(picture, guide)
        if guide.windows is not None:
            for painter in self.painters.values():
                picture = painter(picture, guide)
        return picture


def fitting(guide: Guide | None, drawing: Tensor) -> Guide:
    """Return the guide of B drawn poses (B, 3, H, W) at their size; one may be shared by all."""
    if guide is None:
        raise ValueError("a guided model needs a guide, the source moved to the poses")
    shared = guide.expand(len(drawing)) if len(guide.source) == 1 else guide
    return shared.resized((int(drawing.shape[-2]), int(drawing.shape[-1])))


def build_decoder(
    config: FPDMConfig, autoencoder: AutoencoderKL, embedding: int = 0
) -> GuidedDecoder | None:
    """Build the guided decoder and take out the autoencoder's own; None where that one is kept.

    Args:
        config: Settings of the whole model.
        autoencoder: What makes the latents.
        embedding: Width of the embedding of the signer; 0 for none.
    """
    if not config.guided:
        return None
    del autoencoder.decoder, autoencoder.post_quant_conv
    factor = 2 ** (len(autoencoder.config["block_out_channels"]) - 1)
    return GuidedDecoder(config.decoder, autoencoder.config["latent_channels"], factor, embedding)


def _check(config: DecoderConfig, factor: int) -> None:
    levels = max(3, factor.bit_length() - 1)
    if len(config.channels) < levels:
        raise UserError(
            f"model: decoder.channels has {len(config.channels)} entries; expected at least "
            f"{levels}; the autoencoder divides sizes by {factor}.",
            ExitCode.USAGE,
        )
    most = SIDE.bit_length() - 1
    for name in ("hand_channels", "face_channels"):
        sizes = getattr(config, name)
        if sizes and not 3 <= len(sizes) <= most:
            raise UserError(
                f"model: decoder.{name} has {len(sizes)} entries; expected 3 to {most}, because "
                f"every one halves a window of {SIDE} x {SIDE}.",
                ExitCode.USAGE,
            )
