"""What is exported as it stands in `sam2`: the image encoder, and the plain decoder that the fast one is held to."""

from typing import Any

import torch
from torch import Tensor, nn

FRAME = 1024.0  # side of the model's frame in px, sam2.1_hiera_*.yaml: image_size
STRIDE = 16  # px a token of the image, SAM2Base: backbone_stride


class ImageEncoder(nn.Module):
    """Normalised pixels (B, 3, 1024, 1024) to the features that SAM2ImagePredictor.set_image keeps.

    Gives the embedding with the no-memory embedding added, and the two high-resolution maps after the decoder's own
    projections. Two 1x1 convolutions in a row (neck, then decoder) are one here.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        neck, decoder = model.image_encoder.neck, model.sam_mask_decoder
        if model.image_encoder.scalp != 1 or list(neck.fpn_top_down_levels) != [2, 3] or neck.fuse_type != "sum":
            raise ValueError("not the neck of SAM 2.1")
        self.trunk = model.image_encoder.trunk
        self.coarsest, self.coarse = neck.convs[0].conv, neck.convs[1].conv
        self.middle = _one_after_other(neck.convs[2].conv, decoder.conv_s1)
        self.fine = _one_after_other(neck.convs[3].conv, decoder.conv_s0)
        self.no_memory = nn.Parameter(model.no_mem_embed.detach().reshape(1, -1, 1, 1).clone())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`image_embed`, `high_res_feats_0`, `high_res_feats_1`."""
        quarter, eighth, sixteenth, thirtysecond = self.trunk(image)
        above = nn.functional.interpolate(self.coarsest(thirtysecond), scale_factor=2.0, mode="nearest")
        return self.coarse(sixteenth) + above + self.no_memory, self.fine(quarter), self.middle(eighth)


class PlainDecoder(nn.Module):
    """`sam2`'s prompt encoder and mask decoder for B prompt sets on one image, or on a field of it."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.prompts, self.decoder = model.sam_prompt_encoder, model.sam_mask_decoder

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Masks (B, 4, 4h, 4w), IoU (B, 4), object score (B, 1) and mask tokens (B, 4, 256) of a field of h x w tokens.

        The inputs are `image_embed`, `high_res_feats_0`, `high_res_feats_1`, `field_origin` (2,), which is the field's
        corner (x, y) in the frame, px, then `point_coords` (B, N, 2), the frame's and never the field's,
        `point_labels` (B, N), `mask_input` (B, 1, 4h, 4w) and `has_mask_input` (B,). With 64 x 64 tokens at (0, 0)
        this is what SAM2ImagePredictor asks.
        """
        image_embed, fine, middle, field_origin, point_coords, point_labels, mask_input, has_mask_input = inputs
        sparse = self.prompts._embed_points(point_coords, point_labels, pad=True)
        has = has_mask_input.reshape(-1, 1, 1, 1)
        none = self.prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        dense = has * self.prompts.mask_downscaling(mask_input) + (1 - has) * none
        rows, cols = image_embed.shape[2], image_embed.shape[3]
        matrix = self.prompts.pe_layer.positional_encoding_gaussian_matrix
        place = positions(matrix, field_origin, rows, cols).transpose(0, 1).reshape(1, -1, rows, cols)
        many = point_labels.shape[0]
        masks, scores, tokens, present = self.decoder.predict_masks(
            image_embeddings=image_embed.expand(many, -1, -1, -1),
            image_pe=place,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            repeat_image=False,
            high_res_features=[fine, middle],
        )
        return masks, scores, present, tokens


def positions(matrix: Tensor, origin: Tensor, rows: int, cols: int) -> Tensor:
    """(rows * cols, 256): the encoding of the centres of a field's tokens, as PositionEmbeddingRandom encodes them."""
    x = (torch.arange(cols, dtype=torch.float32) + 0.5) * STRIDE + origin[0]
    y = (torch.arange(rows, dtype=torch.float32) + 0.5) * STRIDE + origin[1]
    grid = torch.stack([x[None].expand(rows, cols), y[:, None].expand(rows, cols)], -1).reshape(-1, 2) / FRAME
    turned = 2 * torch.pi * ((2 * grid - 1) @ matrix)
    return torch.cat([torch.sin(turned), torch.cos(turned)], -1)


def _one_after_other(first: nn.Conv2d, second: nn.Conv2d) -> nn.Conv2d:
    """One 1x1 convolution that does what two do."""
    both = nn.Conv2d(first.in_channels, second.out_channels, 1)
    left, right = second.weight.detach()[:, :, 0, 0], first.weight.detach()[:, :, 0, 0]
    both.weight = nn.Parameter((left @ right)[:, :, None, None].contiguous())
    both.bias = nn.Parameter(left @ first.bias.detach() + second.bias.detach())
    return both
