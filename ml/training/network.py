"""The SAM 2.1 architecture at the size of edgewise-nano, of `sam2`'s own modules, and its passes in training."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ml.encode.torch_encoder import has_bfloat16

CONFIG = Path(__file__).with_name("edgewise_nano.yaml")
STRIDE = 16  # pixels of an image token
FIELD = 1024  # pixels of the model's frame
# The frequencies of the random Fourier features that tell places apart: `sam2` draws all of them with deviation 1, by
# which a click is known to some 80 px only. A quarter each of three and eight times as many lets a click be sharp.
FREQUENCIES = ((0.5, 1.0), (0.25, 3.0), (0.25, 8.0))

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
    """What a step runs in: bfloat16 where this processor multiplies it itself, as elsewhere it takes ten times as long
    as single precision (13 times, on a processor with AVX2 alone)."""
    return torch.autocast("cpu", torch.bfloat16) if has_bfloat16() else nullcontext()


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
    """B prompts: `points` (B, N, 2) in the frame, px, edge convention; `labels` (B, N) as SAM's; `previous`
    (B, 1, R/4, R/4), the logits of the round before, or None."""

    points: Tensor
    labels: Tensor
    previous: Tensor | None = None


def decode(model: Any, features: Sequence[Tensor], place: Tensor, asked: Asked) -> tuple[Tensor, Tensor, Tensor]:
    """Masks (B, 4, R/4, R/4), predicted IoU (B, 4) and object score (B, 1) of B prompts, as `SAM2Base` gives them.

    `features` of I images, image i for the prompts from i * B / I on; `place` as of `positions`.
    """
    encoder, decoder = model.sam_prompt_encoder, model.sam_mask_decoder
    each = len(asked.points) // len(features[0])
    embedding, fine, middle = (one.repeat_interleave(each, 0) for one in features)
    sparse = encoder._embed_points(asked.points - 0.5, asked.labels, pad=True)  # `sam2` adds the half
    if asked.previous is None:
        dense = encoder.no_mask_embed.weight.reshape(1, -1, 1, 1).expand_as(embedding)
    else:
        dense = encoder.mask_downscaling(asked.previous)
    masks, scores, _, present = decoder.predict_masks(
        image_embeddings=embedding,
        image_pe=place,
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        repeat_image=False,
        high_res_features=[fine, middle],
    )
    return masks.float(), scores.float(), present.float()


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
