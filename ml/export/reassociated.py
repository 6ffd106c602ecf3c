"""`sam2`'s prompt encoder and mask decoder with the products in another order: exact, and half the work.

Three things make the difference. The projections of image tokens are taken into the few prompt tokens (a product of
4096 x 256 x 8T in place of one of 4096 x 256 x 128 for each of key, value and query). What the first layer makes of
the image alone is made once an image (`Prepare`); the mask prompt is added to it afterwards, since the last
convolution of its branch is linear. The upscaling runs channel-last as matrix products, of those tokens alone whose
masks are wanted (each token's 4 x 4 cells depend on no other token's), and only the four masks are brought back into
rows and columns. A mask prompt's branch is run only where there is one (`MaskPrompt`).

An image token may stand for several (`counts`): in attention it then weighs as much as that many of its like, which is
exact where they are alike.

T is 6 output tokens, N points and the one padding point that SAM2ImagePredictor always adds. 8 heads of 16.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ml.export.graphs import FRAME, positions

HEADS, HEAD, INNER, WIDTH = 8, 16, 128, 256  # SAM2Base._build_sam_heads: num_heads, downsample rate 2, embedding_dim
OUTPUT_TOKENS = 6  # object score, IoU, four masks
SCALE = 1 / math.sqrt(HEAD)
NOT_THERE = -2.0  # the label of a point that is not there; -1 is SAM's padding, which is attended to
ABSENT = -1.5  # labels below
HIDDEN = -1e9  # what an absent point's attention gets before the softmax


class Prepare(nn.Module):
    """All that no prompt changes, once an image: a field's tokens, places, first projections, and upscaling terms."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        first = model.sam_mask_decoder.transformer.layers[0]
        self.key, self.value = first.cross_attn_token_to_image.k_proj, first.cross_attn_token_to_image.v_proj
        self.query = first.cross_attn_image_to_token.q_proj
        _keep(self, matrix=model.sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix)

    def forward(
        self, image_embed: Tensor, high_res_feats_0: Tensor, high_res_feats_1: Tensor, field_origin: Tensor
    ) -> tuple[Tensor, ...]:
        """For h x w tokens: `image` and `places` (1, hw, 256), `keys` (1, 8, 16, hw), `values` and `queries`
        (1, 8, hw, 16), `fine` (1, 16hw, 32) and `middle` (1, 4hw, 64), token by token."""
        rows, cols = image_embed.shape[2], image_embed.shape[3]
        image = image_embed.flatten(2).transpose(1, 2)
        places = positions(self.matrix, field_origin, rows, cols)[None]
        return (*self.of_tokens(image, places), *self.of_cells(high_res_feats_0, high_res_feats_1))

    def of_tokens(self, image: Tensor, places: Tensor) -> tuple[Tensor, ...]:
        """The first five, for tokens (1, n, 256)."""
        placed = image + places
        keys = self.key(placed).reshape(1, -1, HEADS, HEAD).permute(0, 2, 3, 1)
        return image, places, keys, _heads(self.value(image)), _heads(self.query(placed))

    def of_cells(self, high_res_feats_0: Tensor, high_res_feats_1: Tensor) -> tuple[Tensor, Tensor]:
        """The last two, for h x w tokens."""
        rows, cols = high_res_feats_1.shape[2] // 2, high_res_feats_1.shape[3] // 2
        middle = high_res_feats_1.reshape(1, 64, rows, 2, cols, 2).permute(0, 2, 4, 3, 5, 1)
        fine = high_res_feats_0.reshape(1, 32, rows, 2, 2, cols, 2, 2).permute(0, 2, 5, 3, 6, 4, 7, 1)
        return fine.reshape(1, -1, 32), middle.reshape(1, -1, 64)


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
        self.weigh = decoder.output_hypernetworks_mlps
        self.score, self.present = decoder.iou_prediction_head, decoder.pred_obj_score_head
        output = [decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight]
        _keep(
            self,
            matrix=prompts.pe_layer.positional_encoding_gaussian_matrix,
            output_tokens=torch.cat(output, 0)[None],
            kinds=torch.cat([prompts.not_a_point_embed.weight, *(kind.weight for kind in prompts.point_embeddings)], 0),
        )
        self._keep_mask_prompt(prompts)
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
            _keep(self, **{f"{name}_tell": told, f"{name}_tell_bias": out.bias})
        widen, self.norm, _, refine, _ = decoder.output_upscaling
        _keep(
            self,
            widen=widen.weight.permute(0, 2, 3, 1).reshape(WIDTH, 4 * 64),
            widen_bias=widen.bias,
            refine=refine.weight.permute(0, 2, 3, 1).reshape(64, 4 * 32),
            refine_bias=refine.bias,
        )

    def _keep_mask_prompt(self, prompts: Any) -> None:
        """The mask branch's last convolution, alone and followed by the first layer's projections."""
        last, none = prompts.mask_downscaling[6], prompts.no_mask_embed.weight[0]
        weight, bias = last.weight[:, :, 0, 0], last.bias
        _keep(self, mask=weight.t(), mask_bias=bias, mask_none=none)
        attend, tell = self.first.cross_attn_token_to_image, self.first.cross_attn_image_to_token
        for name, linear in (("key", attend.k_proj), ("value", attend.v_proj), ("query", tell.q_proj)):
            _keep(
                self,
                **{
                    f"mask_{name}": (linear.weight @ weight).t(),
                    f"mask_{name}_bias": linear.weight @ bias,
                    f"mask_{name}_none": linear.weight @ none,
                },
            )

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Masks (B, 4, 4r, 4c), IoU (B, 4), object score (B, 1) and mask tokens (B, 4, 256).

        The inputs are the seven of `Prepare` of n tokens; `counts` (n,), how many each stands for; `shown` (r, c), the
        numbers of the tokens whose masks are wanted, which `fine` and `middle` are of; points and labels as
        `PlainDecoder` takes them; `mask_features` (B, n, 16) of `MaskPrompt`, or (B, 1, 16) where no set has a mask;
        `has_mask_input` (B,). Label -2 is a point that is not there, so that sets of different lengths go into one
        batch.
        """
        image, places, keys, values, queries, fine, middle, counts, shown, *prompts = inputs
        point_coords, point_labels, mask_features, has_mask_input = prompts
        weight = torch.log(counts)
        tokens, hidden = self._tokens(point_coords, point_labels)
        many, count = tokens.shape[0], tokens.shape[1]
        has = has_mask_input.reshape(-1, 1, 1)
        drawn = mask_features * has

        def with_mask(name: str) -> Tensor:
            bias, none = getattr(self, f"{name}_bias"), getattr(self, f"{name}_none")
            return drawn @ getattr(self, name) + has * bias + (1 - has) * none

        picture = image + with_mask("mask")
        key = keys + with_mask("mask_key").reshape(many, -1, HEADS, HEAD).permute(0, 2, 3, 1)
        value = values + _heads(with_mask("mask_value"))
        query = queries + _heads(with_mask("mask_query"))

        asked = self.first.norm1(_attend(self.first.self_attn, tokens, tokens, tokens, hidden))
        attention = self.first.cross_attn_token_to_image
        weights = torch.softmax(_heads(attention.q_proj(asked + tokens)) * SCALE @ key + weight, -1)
        asked = self.first.norm2(asked + attention.out_proj(_joined(weights @ value)))
        asked = self.first.norm3(asked + self.first.mlp(asked))
        told = query @ _heads(self._key_of("first", asked + tokens)).transpose(2, 3) * SCALE + hidden
        told = torch.softmax(told, -1).permute(0, 2, 1, 3).reshape(many, -1, HEADS * count)
        picture = self.first.norm4(picture + self._tell("first", told, asked))

        placed = picture + places
        both = asked + tokens
        asked = self.second.norm1(asked + _attend(self.second.self_attn, both, both, asked, hidden))
        looked = self._look("second", asked + tokens, placed, picture, weight)
        asked = self.second.norm2(asked + looked)
        asked = self.second.norm3(asked + self.second.mlp(asked))
        told = torch.softmax(self._seen(placed, asked + tokens, hidden), -1).reshape(many, -1, HEADS * count)
        picture = self.second.norm4(picture + self._tell("second", told, asked))

        placed = picture + places
        asked = self.final_norm(asked + self._look("final", asked + tokens, placed, picture, weight))

        picture = picture.index_select(1, shown.reshape(-1))
        upscaled = (picture @ self.widen).reshape(many, -1, 64) + self.widen_bias + middle
        normed = nn.functional.layer_norm(upscaled, (64,), self.norm.weight, self.norm.bias, self.norm.eps)
        upscaled = (nn.functional.gelu(normed) @ self.refine).reshape(many, -1, 32) + self.refine_bias + fine
        mask_tokens = asked[:, 2:OUTPUT_TOKENS]
        weigh = torch.stack([self.weigh[i](mask_tokens[:, i]) for i in range(4)], 2)  # (B, 32, 4)
        rows, cols = shown.shape
        masks = (nn.functional.gelu(upscaled) @ weigh).reshape(many, rows, cols, 2, 2, 2, 2, 4)
        masks = masks.permute(0, 7, 1, 3, 5, 2, 4, 6).reshape(many, 4, 4 * rows, 4 * cols)
        return masks, self.score(asked[:, 1]), self.present(asked[:, 0]), mask_tokens

    def _tokens(self, coords: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """All tokens (B, T, 256), and what hides the absent ones in attention to tokens (B, 1, 1, T)."""
        many = coords.shape[0]
        coords = torch.cat([coords + 0.5, torch.zeros_like(coords[:, :1])], 1)
        labels = torch.cat([labels, -torch.ones_like(labels[:, :1])], 1)
        turned = (2 * (coords / FRAME) - 1) @ self.matrix * (2 * torch.pi)
        kind = labels[:, :, None]
        places = torch.cat([torch.sin(turned), torch.cos(turned)], -1) * (kind >= 0).to(turned.dtype)
        for number in range(5):  # -1 not a point, 0 and 1 points, 2 and 3 corners
            places = places + (kind == number - 1).to(turned.dtype) * self.kinds[number]
        tokens = torch.cat([self.output_tokens.expand(many, -1, -1), places], 1)
        absent = (labels < ABSENT).to(turned.dtype) * HIDDEN
        return tokens, torch.cat([torch.zeros_like(tokens[:, :OUTPUT_TOKENS, 0]), absent], 1)[:, None, None]

    def _look(self, name: str, asked: Tensor, placed: Tensor, picture: Tensor, weight: Tensor) -> Tensor:
        """Tokens attend to the image; the key's bias drops out of the softmax."""
        attention = self.final if name == "final" else self.second.cross_attn_token_to_image
        many, count = asked.shape[0], asked.shape[1]
        query = (_heads(attention.q_proj(asked)) * SCALE) @ getattr(self, f"{name}_key")
        weights = torch.softmax(query.reshape(many, HEADS * count, WIDTH) @ placed.transpose(1, 2) + weight, -1)
        seen = (weights @ picture).reshape(many, HEADS, count, WIDTH)
        return attention.out_proj(_joined(seen @ getattr(self, f"{name}_value") + getattr(self, f"{name}_value_bias")))

    def _key_of(self, name: str, asked: Tensor) -> Tensor:
        return getattr(self, name).cross_attn_image_to_token.k_proj(asked)

    def _seen(self, placed: Tensor, asked: Tensor, hidden: Tensor) -> Tensor:
        """The second layer's scores of image tokens for tokens, (B, hw, 8, T)."""
        many, count = asked.shape[0], asked.shape[1]
        key = _heads(self._key_of("second", asked)) * SCALE
        bias = (key @ self.look_bias).reshape(many, 1, HEADS, count) + hidden
        looked = (key @ self.look).reshape(many, HEADS * count, WIDTH)
        return (placed @ looked.transpose(1, 2)).reshape(many, -1, HEADS, count) + bias

    def _tell(self, name: str, weights: Tensor, asked: Tensor) -> Tensor:
        """What image tokens hear from tokens: weights (B, hw, 8T) over the tokens' projected values."""
        many, count = asked.shape[0], asked.shape[1]
        value = _heads(getattr(self, name).cross_attn_image_to_token.v_proj(asked))
        said = (value @ getattr(self, f"{name}_tell")).reshape(many, HEADS * count, WIDTH)
        return weights @ said + getattr(self, f"{name}_tell_bias")


def _attend(attention: Any, query: Tensor, key: Tensor, value: Tensor, hidden: Tensor) -> Tensor:
    """Attention among tokens, 8 heads of 32."""
    many, count, width = query.shape[0], query.shape[1], WIDTH // HEADS

    def split(x: Tensor) -> Tensor:
        return x.reshape(many, count, HEADS, width).permute(0, 2, 1, 3)

    scores = split(attention.q_proj(query)) @ split(attention.k_proj(key)).transpose(2, 3) / math.sqrt(width) + hidden
    found = torch.softmax(scores, -1) @ split(attention.v_proj(value))
    return attention.out_proj(found.permute(0, 2, 1, 3).reshape(many, count, WIDTH))


def _heads(x: Tensor) -> Tensor:
    """(B, n, 128) to (B, 8, n, 16)."""
    return x.reshape(x.shape[0], -1, HEADS, HEAD).permute(0, 2, 1, 3)


def _joined(x: Tensor) -> Tensor:
    """(B, 8, n, 16) to (B, n, 128)."""
    return x.permute(0, 2, 1, 3).reshape(x.shape[0], -1, INNER)


def _keep(module: nn.Module, **tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if getattr(module, "learns", False):
            setattr(module, name, tensor)
        else:
            module.register_buffer(name, tensor.detach().clone().contiguous())
