"""The last step of `sam2`'s mask decoder: from image tokens, upscaled four times each way, to logits of masks.

A token's 4 x 4 cells depend on no other token's, and most tokens lie far from every mask. So one cell of each token is
drawn first, an eighth of the work, and all cells only of those tokens where that one is in or near a mask. Everything
runs channel-last as matrix products, and only the four masks are brought back into rows and columns.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ml.export.shapes import shaped

WIDTH, MIDDLE, FINE = 256, 64, 32  # channels of a token, of its 2 x 2 cells, of its 4 x 4 cells
MASKS = 4
FIRST = (3, 0)  # which of a token's 2 x 2 cells, and of that one's, is drawn first: its third row and column of four
NEAR_MASK = -1.0  # logits above are near a mask: SAM's stability score counts them with its threshold lowered by 1
AROUND = 3  # tokens a side of the square about a token near a mask that is drawn as well


class Drawing(nn.Module):
    """Masks over a part of a window, of which only the neighbourhood of masks is drawn cell by cell."""

    def __init__(self, upscaling: Any, *, learns: bool = False) -> None:
        """`upscaling` is `sam2`'s `output_upscaling`, whose biases `Prepare` has added to `fine` and `middle`; with
        `learns` its weights get gradients, and all of the part is drawn."""
        super().__init__()
        self.learns = learns
        widen, self.norm, _, refine, _ = upscaling
        weights = {
            "widen": widen.weight.permute(0, 2, 3, 1).reshape(WIDTH, 4 * MIDDLE),
            "refine": refine.weight.permute(0, 2, 3, 1).reshape(MIDDLE, 4 * FINE),
        }
        for name, weight in weights.items():
            if learns:
                setattr(self, name, weight)
            else:
                self.register_buffer(name, weight.detach().clone().contiguous())

    def forward(
        self, picture: Tensor, fine: Tensor, middle: Tensor, weigh: Tensor, near: Tensor, least: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, 4, 4r, 4c) over the square `drawn` (4,) of the tokens of `near` that lie near a mask or in
        `least`, and that square. Between masks, cells have the logit of their token's first cell, -1 or less.

        `picture` (B, n, 256) are tokens, those of `near` first, row by row; `fine` (1, R, C, 512) and `middle`
        (1, R, C, 256) are what the encoder adds, of all the window's tokens; `weigh` (B, 32, 4) the hypernetworks'
        answers. `near`, `least` and `drawn` are column, row, columns and rows of the window's tokens.
        """
        many, width = picture.shape[0], fine.shape[2]
        col, row, cols, rows = near.unbind()
        down, across = torch.arange(rows) + row, torch.arange(cols) + col
        numbers = (down[:, None] * width + across).flatten()
        fine, middle = shaped(fine, 1, -1, 16 * FINE), shaped(middle, 1, -1, 4 * MIDDLE)
        if self.learns:
            cells = self._cells(picture[:, : len(numbers)], fine[:, numbers], middle[:, numbers], weigh)
            cells = cells.reshape(many, rows, cols, 2, 2, 2, 2, MASKS).permute(0, 7, 1, 3, 5, 2, 4, 6)
            return cells.reshape(many, MASKS, 4 * rows, 4 * cols), near

        first = self._first_cells(picture, fine, middle, weigh, numbers)
        marked = (first.amax((0, 2)) > NEAR_MASK).reshape(rows, cols) | (
            _within(down, least[1], least[3])[:, None] & _within(across, least[0], least[2])
        )
        marked = nn.functional.max_pool2d(marked[None, None].float(), AROUND, 1, AROUND // 2)[0, 0] > 0
        left, top, wide, high = _square(marked, cols, rows).unbind()
        inside = ((torch.arange(high) + top)[:, None] * cols + torch.arange(wide) + left).flatten()
        chosen = marked.flatten()[inside].nonzero()[:, 0]
        picked = inside[chosen]
        of_window = numbers[picked]
        cells = self._cells(
            picture.index_select(1, picked), fine.index_select(1, of_window), middle.index_select(1, of_window), weigh
        )
        masks = first.index_select(1, inside).transpose(0, 1)[..., None].expand(-1, -1, -1, 16).clone()
        masks[chosen] = cells.permute(1, 0, 6, 2, 4, 3, 5).reshape(-1, many, MASKS, 16)
        masks = masks.reshape(high, wide, many, MASKS, 4, 4).permute(2, 3, 0, 4, 1, 5)
        return masks.reshape(many, MASKS, 4 * high, 4 * wide), torch.stack([left + col, top + row, wide, high])

    def _cells(self, picture: Tensor, fine: Tensor, middle: Tensor, weigh: Tensor) -> Tensor:
        """The logits of m tokens' cells, (B, m, 2, 2, 2, 2, 4): rows and columns of two, and of those again."""
        upscaled = shaped(picture @ self.widen, 0, -1, MIDDLE) + shaped(middle, 1, -1, MIDDLE)
        upscaled = shaped(self._active(upscaled) @ self.refine, 0, -1, FINE) + shaped(fine, 1, -1, FINE)
        return shaped(nn.functional.gelu(upscaled) @ weigh, 0, -1, 2, 2, 2, 2, MASKS)

    def _first_cells(self, picture: Tensor, fine: Tensor, middle: Tensor, weigh: Tensor, numbers: Tensor) -> Tensor:
        """The logits of one cell of each token, (B, n, 4)."""
        one, other = FIRST
        middle = shaped(middle, 1, -1, MIDDLE).index_select(1, 4 * numbers + one)
        fine = shaped(fine, 1, -1, FINE).index_select(1, 16 * numbers + 4 * one + other)
        near = picture[:, : numbers.shape[0]]
        upscaled = near @ self.widen[:, MIDDLE * one : MIDDLE * (one + 1)] + middle
        refined = self._active(upscaled) @ self.refine[:, FINE * other : FINE * (other + 1)] + fine
        return nn.functional.gelu(refined) @ weigh

    def _active(self, upscaled: Tensor) -> Tensor:
        normed = nn.functional.layer_norm(upscaled, (MIDDLE,), self.norm.weight, self.norm.bias, self.norm.eps)
        return nn.functional.gelu(normed)


def _within(numbers: Tensor, begin: Tensor, length: Tensor) -> Tensor:
    return (numbers >= begin) & (numbers < begin + length)


def _square(marked: Tensor, cols: Tensor, rows: Tensor) -> Tensor:
    """Column, row, columns and rows of the smallest square about the marks, as far as (rows, cols) has room for one."""
    spans = []
    for axis, size in ((0, cols), (1, rows)):
        numbers, there = torch.arange(size), marked.any(axis)
        spans.append((torch.where(there, numbers, size).min(), torch.where(there, numbers + 1, 0).max()))
    longer = torch.maximum(*(last - first for first, last in spans))
    lengths = [torch.minimum(longer, size) for size in (cols, rows)]
    begins = [
        torch.minimum(((first + last - length) // 2).clamp(min=0), size - length)
        for (first, last), length, size in zip(spans, lengths, (cols, rows), strict=True)
    ]
    return torch.stack([*begins, *lengths])
