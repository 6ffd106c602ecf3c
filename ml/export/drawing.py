"""The last step of `sam2`'s mask decoder: from image tokens, upscaled four times each way, to logits of masks.

A token's 4 x 4 cells depend on no other token's, and most tokens lie far from every mask. So one cell of each token is
drawn first, an eighth of the work, and all cells only of those tokens where that one is in or near a mask. Everything
runs channel-last as matrix products, and only the four masks are brought back into rows and columns.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ml.export.shapes import cut, first_and_last, shaped

WIDTH, MIDDLE, FINE = 256, 64, 32  # channels of a token, of its 2 x 2 cells, of its 4 x 4 cells
MASKS = 4
FIRST = (3, 0)  # which of a token's 2 x 2 cells, and of that one's, is drawn first: its third row and column of four
NEAR_MASK = -1.0  # logits above are near a mask: SAM's stability score counts them with its threshold lowered by 1
NOWHERE = -1e4  # what is added to the logits of a mask that does not count
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
        self, picture: Tensor, cells: tuple[Tensor, Tensor], weigh: Tensor, look: tuple[Tensor, Tensor], counts: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, 4, 4h, 4w), and the square (4,) that they cover, which holds the tokens near a mask and those that
        are wanted in any case: its row, column, rows h and columns w among those looked at closely. Between masks,
        cells have the logit of their token's first cell, -1 or less.

        `picture` (B, n, 256) are tokens. `look` are the numbers (2, r, c) of those looked at closely, among these and
        among all of the window, and (r, c) 1 where one is drawn in any case, else 0. `cells` are what the encoder adds
        to the window's tokens, (1, R, C, 512) and (1, R, C, 256); `weigh` (B, 32, 4) the hypernetworks' answers;
        `counts` (B, 4) is 1 for the masks that count, 0 for those whose neighbourhood is not drawn for their sake.
        """
        near, least = look
        fine, middle = shaped(cells[0], 1, -1, 16 * FINE), shaped(cells[1], 1, -1, 4 * MIDDLE)
        if self.learns:
            ours, of_window = shaped(near, 2, -1)
            drawn = self._cells(picture[:, ours], fine[:, of_window], middle[:, of_window], weigh)
            (rows, cols), many = near.shape[1:], picture.shape[0]
            drawn = drawn.reshape(many, rows, cols, 2, 2, 2, 2, MASKS).permute(0, 7, 1, 3, 5, 2, 4, 6)
            return drawn.reshape(many, MASKS, 4 * rows, 4 * cols), torch.tensor([0, 0, rows, cols])

        first = self._first_cells(picture, fine, middle, weigh, shaped(near, 2, -1))
        size = torch._shape_as_tensor(least)
        marked = torch.maximum(
            ((first + (1 - counts[:, None]) * NOWHERE).amax((0, 2)) > NEAR_MASK).to(least.dtype).reshape(size.unbind()),
            least,
        )
        marked = nn.functional.max_pool2d(marked[None, None], AROUND, 1, AROUND // 2)[0, 0]
        begin, length = _square(marked, size)
        inside = shaped(cut(near, begin, begin + length), 2, -1)
        chosen = cut(marked, begin, begin + length).flatten().nonzero()[:, 0]
        ours, of_window = inside[:, chosen].unbind()
        drawn = self._cells(
            picture.index_select(1, ours), fine.index_select(1, of_window), middle.index_select(1, of_window), weigh
        )
        masks = first.index_select(1, inside[0]).transpose(0, 1)[..., None].expand(-1, -1, -1, 16)
        masks = masks.index_put((chosen,), shaped(drawn.permute(1, 0, 6, 2, 4, 3, 5), 0, 0, 0, -1))
        masks = masks.reshape(*length.unbind(), -1, MASKS, 4, 4).permute(2, 3, 0, 4, 1, 5)
        return masks.flatten(4, 5).flatten(2, 3), torch.cat([begin, length])

    def _cells(self, picture: Tensor, fine: Tensor, middle: Tensor, weigh: Tensor) -> Tensor:
        """The logits of m tokens' cells, (B, m, 2, 2, 2, 2, 4): rows and columns of two, and of those again."""
        upscaled = shaped(picture @ self.widen, 0, -1, MIDDLE) + shaped(middle, 1, -1, MIDDLE)
        upscaled = shaped(self._active(upscaled) @ self.refine, 0, -1, FINE) + shaped(fine, 1, -1, FINE)
        return shaped(nn.functional.gelu(upscaled) @ weigh, 0, -1, 2, 2, 2, 2, MASKS)

    def _first_cells(self, picture: Tensor, fine: Tensor, middle: Tensor, weigh: Tensor, near: Tensor) -> Tensor:
        """The logits of one cell of each token of `near` (2, k), (B, k, 4)."""
        one, other = FIRST
        middle = shaped(middle, 1, -1, MIDDLE).index_select(1, 4 * near[1] + one)
        fine = shaped(fine, 1, -1, FINE).index_select(1, 16 * near[1] + 4 * one + other)
        widened = picture @ self.widen[:, MIDDLE * one : MIDDLE * (one + 1)]
        upscaled = widened.index_select(1, near[0]) + middle
        refined = self._active(upscaled) @ self.refine[:, FINE * other : FINE * (other + 1)] + fine
        return nn.functional.gelu(refined) @ weigh

    def _active(self, upscaled: Tensor) -> Tensor:
        normed = nn.functional.layer_norm(upscaled, (MIDDLE,), self.norm.weight, self.norm.bias, self.norm.eps)
        return nn.functional.gelu(normed)


def _square(marked: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Where the smallest square about the marks begins, (2,) row and column, and its rows and columns, as far as
    `marked` (r, c), of which at least one is above 0, has room for one."""
    spans = [first_and_last(marked.amax(axis)) for axis in (1, 0)]
    first, last = (torch.cat(ends) for ends in zip(*spans, strict=True))
    length = torch.minimum((last - first + 1).max(), size)
    return torch.minimum(((first + last + 1 - length) // 2).clamp(min=0), size - length), length
