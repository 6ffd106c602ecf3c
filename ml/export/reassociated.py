"""`sam2`'s prompt encoder and mask decoder with the products in another order: exact, and half the work.

Three things make the difference. The projections of image tokens are taken into the few prompt tokens (a product of
4096 x 256 x 8T in place of one of 4096 x 256 x 128 for each of key, value and query). What the first layer makes of
the image alone is made once an image, without a mask prompt (`Prepare`); what one changes is added afterwards, since
the last convolution of its branch is linear. Masks are drawn only where there are any (`ml/export/drawing.py`). A mask
prompt's branch is run only where there is one (`MaskPrompt`).

A sum over all image tokens is bound by memory and costs half of what their product with a matrix does. So biases are
added once an image, or carried by the few rows that attention, whose weights sum to 1, spreads over the image; and
what a mask prompt and `counts` add to every token are further columns of products (`EXTRA`).

An image token may stand for several (`counts`): in attention it then weighs as much as that many of its like, which is
exact where they are alike.

T is 6 output tokens, N points and the one padding point that SAM2ImagePredictor always adds. 8 heads of 16.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ml.export.drawing import Drawing
from ml.export.graphs import FRAME, positions
from ml.export.shapes import shaped

HEADS, HEAD, WIDTH = 8, 16, 256  # SAM2Base._build_sam_heads: num_heads, downsample rate 2, embedding_dim
OUTPUT_TOKENS = 6  # object score, IoU, four masks
WEIGHING = 3  # layers of a hypernetwork
SCALE = 1 / math.sqrt(HEAD)
NOT_THERE = -2.0  # the label of a point that is not there; -1 is SAM's padding, which is attended to
ABSENT = -1.5  # labels below
HIDDEN = -1e9  # what an absent point's attention gets before the softmax
DRAWN = 16  # channels of the mask prompt's branch before its last convolution
# What every image token has besides: the mask prompt's channels, whether there is one, 1, and the log of its count.
EXTRA, HAS, ONE, WEIGHT = DRAWN + 3, DRAWN, DRAWN + 1, DRAWN + 2


class Prepare(nn.Module):
    """All that no prompt changes, once an image: a field's tokens, places, first projections, and upscaling terms."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        first = model.sam_mask_decoder.transformer.layers[0]
        self.key, self.value = first.cross_attn_token_to_image.k_proj, first.cross_attn_token_to_image.v_proj
        self.query = first.cross_attn_image_to_token.q_proj
        self.no_mask = model.sam_prompt_encoder.no_mask_embed
        self.widen, _, _, self.refine, _ = model.sam_mask_decoder.output_upscaling
        _keep(self, matrix=model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix)

    def forward(
        self, image_embed: Tensor, high_res_feats_0: Tensor, high_res_feats_1: Tensor, field_origin: Tensor
    ) -> tuple[Tensor, ...]:
        """For h x w tokens: `image` and `places` (1, hw, 256), `keys`, `values` and `queries` (1, 8, hw, 16), `fine`
        (1, h, w, 512) and `middle` (1, h, w, 256), token by token: its 4 x 4 and 2 x 2 cells."""
        rows, cols = image_embed.shape[2], image_embed.shape[3]
        image = image_embed.flatten(2).transpose(1, 2)
        places = positions(self.matrix, field_origin, rows, cols)[None]
        return (*self.of_tokens(image, places), *self.of_cells(high_res_feats_0, high_res_feats_1))

    def of_tokens(self, image: Tensor, places: Tensor) -> tuple[Tensor, ...]:
        """The first five, for tokens (1, n, 256)."""
        image = image + self.no_mask.weight
        placed = image + places
        return image, places, _heads(self.key(placed)), _heads(self.value(image)), _heads(self.query(placed))

    def of_cells(self, high_res_feats_0: Tensor, high_res_feats_1: Tensor) -> tuple[Tensor, Tensor]:
        """The last two, for h x w tokens, with the biases of the upscaling that they are added to."""
        rows, cols = high_res_feats_1.shape[2] // 2, high_res_feats_1.shape[3] // 2
        middle = high_res_feats_1.reshape(1, 64, rows, 2, cols, 2).permute(0, 2, 4, 3, 5, 1)
        fine = high_res_feats_0.reshape(1, 32, rows, 2, 2, cols, 2, 2).permute(0, 2, 5, 3, 6, 4, 7, 1)
        fine, middle = fine.reshape(1, rows, cols, 16, 32), middle.reshape(1, rows, cols, 4, 64)
        return (fine + self.refine.bias).flatten(3), (middle + self.widen.bias).flatten(3)


class MaskPrompt(nn.Module):
    """The mask prompt's branch up to its last convolution."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.branch = nn.Sequential(*list(model.sam_prompt_encoder.mask_downscaling)[:6])

    def forward(self, mask_input: Tensor) -> Tensor:
        """Logits (B, 1, 4h, 4w) to (B, hw, 16), token by token."""
        found: Tensor = self.branch(mask_input).flatten(2).transpose(1, 2)
        return found


class Decoder(nn.Module):
    """B prompt sets over what `Prepare` made of one image or field."""

    def __init__(self, model: Any, *, learns: bool = False) -> None:
        """`learns`: the model's weights get gradients through this; it is then to be made anew after each change."""
        super().__init__()
        self.learns = learns
        decoder, prompts = model.sam_mask_decoder, model.sam_prompt_encoder
        transformer = decoder.transformer
        self.first, self.second = transformer.layers
        self.final, self.final_norm = transformer.final_attn_token_to_image, transformer.norm_final_attn
        self.score, self.present = decoder.iou_prediction_head, decoder.pred_obj_score_head
        output = [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
        _keep(
            self,
            matrix=prompts.pe_layer.positional_encoding_gaussian_matrix,
            output_tokens=torch.cat(output, 0)[None],
            kinds=torch.cat([prompts.not_a_point_embed.weight, *(kind.weight for kind in prompts.point_embeddings)], 0),
            kind=torch.arange(-1.0, 4.0),  # not a point, points 0 and 1, corners 2 and 3
        )
        self._keep_mask_prompt(prompts)
        for number, layers in enumerate(zip(*(one.layers for one in decoder.output_hypernetworks_mlps), strict=True)):
            weight, bias = (torch.stack([getattr(one, what) for one in layers]) for what in ("weight", "bias"))
            _keep(self, **{f"weigh_{number}": weight.transpose(1, 2), f"weigh_{number}_bias": bias[:, None]})
        for name, attention in (("second", self.second.cross_attn_token_to_image), ("final", self.final)):
            value = attention.v_proj
            _keep(
                self,
                **{
                    f"{name}_key": attention.k_proj.weight.reshape(HEADS, HEAD, WIDTH),
                    f"{name}_value": value.weight.reshape(HEADS, HEAD, WIDTH).transpose(1, 2),
                    f"{name}_value_bias": value.bias.reshape(1, HEADS, 1, HEAD),
                },
            )
        query = self.second.cross_attn_image_to_token.q_proj
        _keep(self, look=query.weight.reshape(HEADS, HEAD, WIDTH), look_bias=query.bias.reshape(1, HEADS, HEAD, 1))
        for name, layer in (("first", self.first), ("second", self.second)):
            out = layer.cross_attn_image_to_token.out_proj
            told = out.weight.reshape(WIDTH, HEADS, HEAD).permute(1, 2, 0)
            _keep(self, **{f"{name}_tell": told, f"{name}_tell_bias": out.bias / HEADS})
        self.draw = Drawing(decoder.output_upscaling, learns=learns)

    def _keep_mask_prompt(self, prompts: Any) -> None:
        """What `EXTRA` adds to the image (EXTRA, 256), and to the first layer's projections of it: the mask branch's
        last convolution in place of the embedding of no mask, which `Prepare` has added."""
        last = prompts.mask_downscaling[6]
        attend, tell = self.first.cross_attn_token_to_image, self.first.cross_attn_image_to_token
        mask = torch.cat([last.weight[:, :, 0, 0].t(), last.bias[None] - prompts.no_mask_embed.weight], 0)
        pad = nn.functional.pad

        def projected(linear: Any) -> Tensor:
            """(1, 8, EXTRA, 16)."""
            return _heads(pad(mask @ linear.weight.t(), (0, 0, 0, EXTRA - HAS - 1))[None])

        ones = torch.eye(EXTRA)
        _keep(
            self,
            mask=pad(mask, (0, 0, 0, EXTRA - HAS - 1))[None],
            mask_key=projected(attend.k_proj).transpose(2, 3),
            mask_value=projected(attend.v_proj),
            mask_query=projected(tell.q_proj),
            **{"has": ones[HAS], "one": ones[ONE], "weight": ones[WEIGHT]},
        )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Masks (B, 4, 4h, 4w) over a square, IoU (B, 4), object score (B, 1), mask tokens (B, 4, 256), that square.

        The inputs are the seven of `Prepare`, the first five of n tokens; `counts` (n,), how many each stands for;
        `near` and `least` as `Drawing` takes them, and the square as it gives it; `offered` (5,), 1 for each mask that
        may be offered, and 1 where the one of the least score of the last three is not; points and labels as
        `PlainDecoder` takes them; `mask_features` (B, n, 16) of `MaskPrompt`, or (B, 1, 16) where no set has a mask;
        `has_mask_input` (B,). Label -2 is a point that is not there, so that sets of different lengths go into one
        batch.
        """
        image, places, keys, values, queries, fine, middle, counts, near, least, offered, *prompts = inputs
        point_coords, point_labels, mask_features, has_mask_input = prompts
        weight = torch.log(counts)
        tokens, hidden = self._tokens(point_coords, point_labels)
        has = has_mask_input[:, None, None]
        extra = self._extra(mask_features, has, weight)

        asked = self.first.norm1(_attend(self.first.self_attn, tokens, tokens, tokens, hidden))
        attention = self.first.cross_attn_token_to_image
        attending = _heads(attention.q_proj(asked + tokens)) * SCALE
        besides = (attending @ self.mask_key + self.weight) @ extra[:, None].transpose(2, 3)
        weights = torch.softmax(attending @ keys.transpose(2, 3) + besides, -1)
        seen = weights @ values + weights @ extra[:, None] @ self.mask_value
        asked = self.first.norm2(asked + attention.out_proj(_joined(seen)))
        asked = self.first.norm3(asked + self.first.mlp(asked))
        key = _heads(self._key_of("first", asked + tokens)).transpose(2, 3) * SCALE
        besides = extra @ shaped((self.mask_query @ key + self.one[:, None] * hidden).permute(0, 2, 1, 3), 0, 0, -1)
        told = torch.softmax((queries @ key).permute(0, 2, 1, 3) + shaped(besides, 0, 0, HEADS, -1), -1)
        told = shaped(told, 0, 0, -1)
        said = torch.cat([self._said("first", asked), self.mask + 0 * has], 1)
        picture = self.first.norm4(image + torch.cat([told, extra], 2) @ said)

        placed = picture + places
        both = asked + tokens
        asked = self.second.norm1(asked + _attend(self.second.self_attn, both, both, asked, hidden))
        looked = self._look("second", asked + tokens, placed, picture, weight)
        asked = self.second.norm2(asked + looked)
        asked = self.second.norm3(asked + self.second.mlp(asked))
        told = shaped(torch.softmax(self._seen(placed, asked + tokens, hidden), -1), 0, 0, -1)
        picture = self.second.norm4(picture + told @ self._said("second", asked))

        placed = picture + places
        asked = self.final_norm(asked + self._look("final", asked + tokens, placed, picture, weight))

        mask_tokens = asked[:, 2:OUTPUT_TOKENS]
        weigh = mask_tokens[:, :, None]
        for number in range(WEIGHING):
            weigh = weigh @ getattr(self, f"weigh_{number}") + getattr(self, f"weigh_{number}_bias")
            weigh = weigh if number == WEIGHING - 1 else torch.relu(weigh)
        scores = self.score(asked[:, 1])
        worst = (scores[:, 1:] <= scores[:, 1:].amin(1, keepdim=True)).to(scores.dtype)
        counted = offered[:4] - nn.functional.pad(worst, (1, 0)) * offered[4:]
        masks, drawn = self.draw(picture, (fine, middle), weigh[:, :, 0].transpose(1, 2), (near, least), counted)
        return masks, scores, self.present(asked[:, 0]), mask_tokens, drawn

    def _tokens(self, coords: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """All tokens (B, T, 256), and what hides the absent ones in attention to tokens (B, 1, 1, T)."""
        pad = nn.functional.pad
        coords, labels = pad(coords + 0.5, (0, 0, 0, 1)), pad(labels, (0, 1), value=-1.0)
        turned = (2 * (coords / FRAME) - 1) @ self.matrix * (2 * torch.pi)
        kind = labels[:, :, None]
        places = torch.cat([torch.sin(turned), torch.cos(turned)], -1) * (kind >= 0).to(turned.dtype)
        places = places + (kind == self.kind).to(turned.dtype) @ self.kinds
        tokens = torch.cat([self.output_tokens + 0 * kind[:, :1], places], 1)
        absent = (labels < ABSENT).to(turned.dtype) * HIDDEN
        return tokens, pad(absent, (OUTPUT_TOKENS, 0))[:, None, None]

    def _extra(self, mask_features: Tensor, has: Tensor, weight: Tensor) -> Tensor:
        """`EXTRA` of every image token, (B, n, EXTRA)."""
        drawn = nn.functional.pad(mask_features, (0, EXTRA - DRAWN)) * has
        return drawn + has * self.has + self.one + weight[:, None] * self.weight

    def _look(self, name: str, asked: Tensor, placed: Tensor, picture: Tensor, weight: Tensor) -> Tensor:
        """Tokens attend to the image; the key's bias drops out of the softmax."""
        attention = self.final if name == "final" else self.second.cross_attn_token_to_image
        query = shaped((_heads(attention.q_proj(asked)) * SCALE) @ getattr(self, f"{name}_key"), 0, -1, WIDTH)
        weights = torch.softmax(query @ placed.transpose(1, 2) + weight, -1)
        seen = shaped(weights @ picture, 0, HEADS, -1, WIDTH)
        return attention.out_proj(_joined(seen @ getattr(self, f"{name}_value") + getattr(self, f"{name}_value_bias")))

    def _key_of(self, name: str, asked: Tensor) -> Tensor:
        return getattr(self, name).cross_attn_image_to_token.k_proj(asked)

    def _seen(self, placed: Tensor, asked: Tensor, hidden: Tensor) -> Tensor:
        """The second layer's scores of image tokens for tokens, (B, hw, 8, T)."""
        key = _heads(self._key_of("second", asked)) * SCALE
        bias = (key @ self.look_bias).permute(0, 3, 1, 2) + hidden
        looked = shaped(key @ self.look, 0, -1, WIDTH)
        return shaped(placed @ looked.transpose(1, 2), 0, 0, HEADS, -1) + bias

    def _said(self, name: str, asked: Tensor) -> Tensor:
        """What image tokens hear where they attend to one token alone, (B, 8T, 256): its projected value, and of the
        bias each head's share."""
        value = _heads(getattr(self, name).cross_attn_image_to_token.v_proj(asked))
        return shaped(value @ getattr(self, f"{name}_tell") + getattr(self, f"{name}_tell_bias"), 0, -1, WIDTH)


def _attend(attention: Any, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor) -> Tensor:
    """Attention among tokens, 8 heads of 32."""
    width = WIDTH // HEADS

    def split(x: Tensor) -> Tensor:
        return shaped(x, 0, -1, HEADS, width).permute(0, 2, 1, 3)

    scores = split(attention.q_proj(query)) @ split(attention.k_proj(key)).transpose(2, 3) / math.sqrt(width) + hidden
    found = torch.softmax(scores, -1) @ split(attention.v_proj(value))
    return attention.out_proj(_joined(found))


def _heads(x: Tensor) -> Tensor:
    """(B, n, 128) to (B, 8, n, 16)."""
    return shaped(x, 0, -1, HEADS, HEAD).permute(0, 2, 1, 3)


def _joined(x: Tensor) -> Tensor:
    """(B, 8, n, c) to (B, n, 8c)."""
    return shaped(x.permute(0, 2, 1, 3), 0, 0, -1)


def _keep(module: nn.Module, **tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if getattr(module, "learns", False):
            setattr(module, name, tensor)
        else:
            module.register_buffer(name, tensor.detach().clone().contiguous())
