"""SAM 2.1's memory as graphs: what is remembered of a picture and its mask, and a picture seen in that light.

The rotations of the attention's positions are complex products in `sam2`; here they are real, as ONNX needs them.
"""

from typing import Any

import torch
from torch import Tensor, nn

TOKENS = 64 * 64
NO_OBJECT = -1024.0  # sam2_base.py: NO_OBJ_SCORE
SIDE = 1024
CHUNK = 512  # query tokens at once: seven memories and all queries would need 470 MB for each product


class Remember(nn.Module):
    """A picture, the mask chosen in it and its token to what the memory keeps, one object at a time."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        if not (model.no_obj_embed_spatial is not None and model.fixed_no_obj_ptr and not model.soft_no_obj_ptr):
            raise ValueError("not the memory of SAM 2.1")
        self.encoder, self.point = model.memory_encoder, model.obj_ptr_proj
        self.scale, self.shift = model.sigmoid_scale_for_mem_enc, model.sigmoid_bias_for_mem_enc
        for name, tensor in (
            ("no_memory", model.no_mem_embed.reshape(1, -1, 1, 1)),
            ("nothing_there", model.no_obj_embed_spatial.reshape(1, -1, 1, 1)),
            ("nothing_pointed", model.no_obj_ptr),
        ):
            self.register_buffer(name, tensor.detach().clone())

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """`memory` (1, 64, 64, 64) and `pointer` (1, 256).

        The inputs are `image_embed` as it is stored, `mask` (1, 1, 256, 256) logits, `mask_token` (1, 256),
        `object_score` (1, 1), and `from_points` (1,), which is 1 where a person has prompted.
        """
        image_embed, mask, mask_token, object_score, from_points = inputs
        there = (object_score > 0).to(mask.dtype)
        mask = there[:, :, None, None] * mask + (1 - there[:, :, None, None]) * NO_OBJECT
        large = nn.functional.interpolate(mask, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        clicked = from_points.reshape(1, 1, 1, 1)
        sure = clicked * (large > 0).to(mask.dtype) + (1 - clicked) * torch.sigmoid(large)
        masked = self.encoder.mask_downsampler(sure * self.scale + self.shift)
        kept = self.encoder.fuser(self.encoder.pix_feat_proj(image_embed - self.no_memory) + masked)
        memory = self.encoder.out_proj(kept) + (1 - there[:, :, None, None]) * self.nothing_there
        return memory, there * self.point(mask_token) + (1 - there) * self.nothing_pointed


class Recall(nn.Module):
    """A picture's embedding as the decoder is to see it after M memories and P pointers of one object."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        attention = model.memory_attention
        self.layers, self.norm = attention.layers, attention.norm
        self.tell_time = model.obj_ptr_tpos_proj
        empty = torch.zeros(1, 1, 64, 64)
        seen = model.image_encoder.neck.position_encoding(empty).flatten(2).transpose(1, 2)
        kept = model.memory_encoder.position_encoding(empty).flatten(2).transpose(1, 2)
        turns = self.layers[0].self_attn.compute_cis(end_x=64, end_y=64)  # (4096, 128) complex
        for name, tensor in (
            ("no_memory", model.no_mem_embed.reshape(1, -1, 1, 1)),
            ("seen_at", seen),
            ("kept_at", kept),
            ("times", model.maskmem_tpos_enc.reshape(-1, 1, model.mem_dim)),
            ("cos", turns.real),
            ("sin", turns.imag),
        ):
            self.register_buffer(name, tensor.detach().clone().contiguous())

    def forward(self, *inputs: Tensor) -> Tensor:
        """`conditioned` (1, 256, 64, 64).

        The inputs are `image_embed` as it is stored, `memories` (M, 64, 64, 64), `memory_times` (M,) int64, from 0 for
        the picture just before to 5, and 6 for those that were prompted, `pointers` (P, 256), and `pointer_times` (P,),
        pictures between over the most there can be.
        """
        image_embed, memories, memory_times, pointers, pointer_times = inputs
        picture = (image_embed - self.no_memory).flatten(2).transpose(1, 2) + 0.1 * self.seen_at
        spatial = memories.flatten(2).transpose(1, 2)  # (M, 4096, 64)
        pointed = pointers.reshape(1, -1, spatial.shape[2])  # a pointer is four tokens
        when = self.tell_time(_sine(pointer_times, pointers.shape[1]))[:, None].expand(-1, 4, -1)
        memory = torch.cat([spatial.reshape(1, -1, spatial.shape[2]), pointed], 1)
        times = torch.nn.functional.embedding(memory_times, self.times[:, 0])[:, None]
        places = torch.cat(
            [(self.kept_at + times).reshape(1, -1, spatial.shape[2]), when.reshape(1, -1, spatial.shape[2])], 1
        )
        for layer in self.layers:
            normed = layer.norm1(picture)
            attention = layer.self_attn
            query, key = self._turned(attention.q_proj(normed)), self._turned(attention.k_proj(normed))
            picture = picture + attention.out_proj(_attend(query, key, attention.v_proj(normed)))
            attention = layer.cross_attn_image
            key = attention.k_proj(memory + places)
            count = memories.shape[0] * TOKENS
            turned = self._turned(key[:, :count].reshape(-1, TOKENS, key.shape[2])).reshape(1, -1, key.shape[2])
            key = torch.cat([turned, key[:, count:]], 1)
            query = self._turned(attention.q_proj(layer.norm2(picture)))
            picture = picture + attention.out_proj(_attend(query, key, attention.v_proj(memory)))
            picture = picture + layer.linear2(layer.activation(layer.linear1(layer.norm3(picture))))
        return self.norm(picture).transpose(1, 2).reshape(1, -1, 64, 64)

    def _turned(self, x: Tensor) -> Tensor:
        """(B, 4096, 256), each pair of channels turned by its token's angles."""
        pairs = x.reshape(x.shape[0], TOKENS, -1, 2)
        first, second = pairs[..., 0], pairs[..., 1]
        turned = torch.stack([first * self.cos - second * self.sin, first * self.sin + second * self.cos], -1)
        return turned.reshape(x.shape[0], TOKENS, -1)


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """One head, some queries at a time."""
    key = key.transpose(1, 2) * query.shape[2] ** -0.5
    parts = [query[:, start : start + CHUNK] for start in range(0, TOKENS, CHUNK)]
    return torch.cat([torch.softmax(part @ key, -1) @ value for part in parts], 1)


def _sine(times: Tensor, width: int) -> Tensor:
    """(P, width): `sam2`'s get_1d_sine_pe."""
    half = width // 2
    pace = 10000 ** (2 * torch.div(torch.arange(half, dtype=torch.float32), 2, rounding_mode="floor") / half)
    turned = times[:, None] / pace
    return torch.cat([turned.sin(), turned.cos()], -1)
