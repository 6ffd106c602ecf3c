"""The SAM 2.1 architecture at the size of edgewise-nano, of `sam2`'s own modules, and its passes in training."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ml.export import reassociated

CONFIG = Path(__file__).with_name("edgewise_nano.yaml")
STRIDE = 16  # pixels of an image token
FIELD = 1024  # pixels of the model's frame
# The frequencies of the random Fourier features that tell places apart: `sam2` draws all of them with deviation 1, by
# which a click is known to some 80 px only. A quarter each of three and eight times as many lets a click be sharp.
FREQUENCIES = ((0.5, 1.0), (0.25, 3.0), (0.25, 8.0))

NO_POINT = -1.0  # the label of a place in a row of points that is none

Features = tuple[Tensor, Tensor, Tensor]


def build(seed: int = 0) -> Any:
    """A SAM2Base of random weights; the same for the same seed."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    torch.manual_seed(seed)
    model = instantiate(OmegaConf.load(CONFIG).model, _recursive_=True)
    _sharpen(model)
    _let_clicks_through(model)
    return model


@torch.no_grad()
def _sharpen(model: Any) -> None:
    matrix = model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix  # (2, 128)
    parts = [torch.randn(2, int(share * matrix.shape[1])) * scale for share, scale in FREQUENCIES]
    matrix.copy_(torch.cat(parts, 1))


@torch.no_grad()
def _let_clicks_through(model: Any) -> None:
    """A start from which the decoder soon learns to look where was clicked.

    Queries and keys of the attention between tokens and image begin alike, so that a token that knows a place looks
    at that place; tokens pass on what they know. All of it is trained afterwards.
    """
    transformer = model.sam_mask_decoder.transformer
    for layer in transformer.layers:
        for linear in (layer.self_attn.v_proj, layer.self_attn.out_proj):
            linear.weight.mul_(0.3).add_(torch.eye(linear.weight.shape[0]))
        for attention in (layer.cross_attn_token_to_image, layer.cross_attn_image_to_token):
            _alike(attention)
    _alike(transformer.final_attn_token_to_image)


def _alike(attention: Any) -> None:
    attention.q_proj.weight.mul_(2.5)
    attention.k_proj.weight.copy_(attention.q_proj.weight)
    attention.q_proj.bias.zero_()
    attention.k_proj.bias.zero_()


def precision() -> AbstractContextManager[object]:
    """What a step runs in: bfloat16 where this processor has tiles for it (AMX), else single precision.

    With AVX-512's bfloat16 alone the encoder takes as long, the decoder 1.5 times; with AVX2 alone 13 times.
    """
    return torch.autocast("cpu", torch.bfloat16) if has_tiles() else nullcontext()


def has_tiles() -> bool:
    """Whether this processor multiplies matrices of bfloat16 by itself."""
    return bool(torch.cpu._is_amx_tile_supported())


def encode(model: Any, pixels: Tensor) -> Features:
    """(I, 3, R, R) to the embedding (I, 256, R/16, R/16) and the high-resolution features of strides 4 and 8."""
    fine, middle, coarse = model.image_encoder(pixels)["backbone_fpn"]
    decoder = model.sam_mask_decoder
    embedding = coarse + model.no_mem_embed.view(1, -1, 1, 1)
    return embedding, decoder.conv_s0(fine), decoder.conv_s1(middle)


def positions(model: Any, tokens: int, offset: tuple[float, float]) -> Tensor:
    """(1, 256, tokens, tokens): the positional encoding of a field that lies at an offset (x, y) of the frame, px."""
    along = (torch.arange(tokens) + 0.5) * STRIDE
    y, x = torch.meshgrid(along + offset[1], along + offset[0], indexing="ij")
    encoded: Tensor = model.sam_prompt_encoder.pe_layer._pe_encoding(torch.stack([x, y], -1) / FIELD)
    return encoded.permute(2, 0, 1)[None]


class Asked(NamedTuple):
    """B prompts: `points` (B, N, 2) in the frame, px, edge convention; `labels` (B, N) as SAM's, -1 for no point;
    `previous` (B, 1, R/4, R/4), the logits of the round before, or None."""

    points: Tensor
    labels: Tensor
    previous: Tensor | None = None


@dataclass(frozen=True)
class View:
    """A square of a crop's tokens that masks are drawn in; the rest is seen in squares of `far` x `far` tokens.

    With `far` 0 the rest is not seen at all. Column, row and side are multiples of it.
    """

    col: int
    row: int
    side: int
    far: int = 0

    def span(self, each: int) -> tuple[slice, slice]:
        """Its rows and columns in what has so many entries a token."""
        return tuple(slice(each * start, each * (start + self.side)) for start in (self.row, self.col))  # type: ignore[return-value]


def decode(
    model: Any, features: Sequence[Tensor], place: Tensor, asked: Asked, view: View | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks (B, 4, R/4, R/4), predicted IoU (B, 4) and object score (B, 1) of B prompts, as `SAM2Base` gives them.

    `features` of I crops, crop i for the prompts from i * B / I on; `place` as of `positions`. With a view the masks,
    and those fed back, are those of its part of the crops, which is seen as a click sees it (`ml/decode/look.py`).
    """
    prepare, branch = reassociated.Prepare(model), reassociated.MaskPrompt(model)
    decoder = reassociated.Decoder(model, learns=True)
    images = len(features[0])
    each = len(asked.points) // images
    whole = View(0, 0, features[0].shape[-1])
    view = view or whole
    outside = _outside(view, whole.side)
    counts = torch.cat([torch.ones(view.side**2), torch.full((int(outside.sum()),), float(view.far**2))])
    near = torch.arange(view.side**2).reshape(1, view.side, view.side).repeat(2, 1, 1)
    places = _tokens(place, view, outside)
    found = []
    for number in range(images):
        mine = slice(number * each, (number + 1) * each)
        embedding, fine, middle = (one[number : number + 1] for one in features)
        tokens = prepare.of_tokens(_tokens(embedding, view, outside), places)
        cells = prepare.of_cells(fine[(..., *view.span(4))], middle[(..., *view.span(2))])
        points, labels = asked.points[mine] - 0.5, asked.labels[mine]  # `sam2` adds the half
        labels = torch.where(labels == NO_POINT, torch.full_like(labels, reassociated.NOT_THERE), labels)
        if asked.previous is None:
            drawn, has = torch.zeros(1, 1, 16), torch.zeros(each)
        else:
            drawn, has = _drawn(branch, asked.previous[mine], view, outside), torch.ones(each)
        found.append(
            decoder(*tokens, *cells, counts, near, torch.ones_like(near[0]), torch.ones(5), points, labels, drawn, has)[
                :3
            ]
        )
    masks, scores, present = (torch.cat(one).float() for one in zip(*found, strict=True))
    return masks, scores, present


def _outside(view: View, side: int) -> Tensor:
    """Which of the crop's squares, row by row, lie beside the view."""
    if not view.far:
        return torch.zeros(0, dtype=torch.bool)
    outside = torch.ones(side // view.far, side // view.far, dtype=torch.bool)
    first, last = (view.row // view.far, view.col // view.far), view.side // view.far
    outside[first[0] : first[0] + last, first[1] : first[1] + last] = False
    return outside.flatten()


def _tokens(grid: Tensor, view: View, outside: Tensor) -> Tensor:
    """(1, C, h, w) to the tokens (1, n, C) of a view: its own row by row, then the squares beside it."""
    near = grid[(..., *view.span(1))].flatten(2)
    if view.far:
        squares = nn.functional.avg_pool2d(grid, view.far).flatten(2)
        near = torch.cat([near, squares[..., outside]], 2)
    return near.transpose(1, 2)


def _drawn(branch: nn.Module, previous: Tensor, view: View, outside: Tensor) -> Tensor:
    """What the mask prompt's branch makes of logits (B, 1, 4s, 4s) over a view, at its tokens: (B, n, 16).

    Beside the view a mask is as far as at the view's rim (`ml.decode.fields.Seen.over`).
    """
    near: Tensor = branch(previous)
    if not view.far:
        return near
    rim = torch.cat([previous[..., 0, :], previous[..., -1, :], previous[..., :, 0], previous[..., :, -1]], -1)
    side = round(math.sqrt(len(outside)))
    window = rim.mean(-1).clamp(max=0)[..., None, None].repeat(1, 1, 4 * side, 4 * side)
    rows, cols = (slice(4 * one.start // view.far, 4 * one.stop // view.far) for one in view.span(1))
    window[..., rows, cols] = nn.functional.avg_pool2d(previous, view.far)
    return torch.cat([near, branch(window)[:, outside]], 1)


def glimpse(model: Any, features: Features, clicks: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder would answer to clicks if each token looked at exactly the clicked token and nowhere else.

    `clicks` (I, K, 2) in pixels of the image. Gives logits (I, K, R/4, R/4), and the upscaled features
    (I, 32, R/4, R/4). With it features learn to hold objects together without the cost of attention.
    """
    decoder = model.sam_mask_decoder
    transformer = decoder.transformer
    first, second = transformer.layers
    embedding, fine, middle = features
    images, width, rows, cols = embedding.shape
    flat = second.norm4(first.norm4(embedding.flatten(2).transpose(1, 2)))
    source = flat.transpose(1, 2).reshape(images, width, rows, cols)
    grid = clicks / (STRIDE * cols) * 2 - 1
    looked = nn.functional.grid_sample(source.float(), grid[:, :, None], mode="bilinear", align_corners=False)
    final = transformer.final_attn_token_to_image
    known = final.out_proj(final.v_proj(looked[..., 0].transpose(1, 2).to(source.dtype)))
    token = transformer.norm_final_attn(decoder.mask_tokens.weight[0] + known)
    shrink, norm, active, shrink_again, active_again = decoder.output_upscaling
    upscaled = active_again(shrink_again(active(norm(shrink(source) + middle))) + fine)
    weights = decoder.output_hypernetworks_mlps[0](token)
    logits = weights @ upscaled.flatten(2)
    return logits.float().reshape(images, -1, *upscaled.shape[-2:]), upscaled.float()


@torch.no_grad()
def share_out(model: Any) -> None:
    """After the first stage: the three ambiguous outputs begin as the single one did, a little apart."""
    decoder = model.sam_mask_decoder
    learned = decoder.output_hypernetworks_mlps[0].state_dict()
    for other in list(decoder.output_hypernetworks_mlps)[1:]:
        other.load_state_dict({name: weight + 0.03 * _jitter(weight) for name, weight in learned.items()})
    for number in range(1, decoder.mask_tokens.weight.shape[0]):
        token = decoder.mask_tokens.weight[0]
        decoder.mask_tokens.weight[number].copy_(token + 0.1 * _jitter(token))


def _jitter(weight: Tensor) -> Tensor:
    return torch.randn_like(weight) * (weight.std() if weight.numel() > 1 else math.sqrt(1e-4))
