"""Meta's own predictor on a machine without torchvision, as what every export is compared with."""

import sys
import types
import warnings
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def predictor_of(model: Any) -> Any:
    """A `SAM2ImagePredictor` around a SAM2Base, on the processor."""
    stand_in_for_torchvision()
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it scripts its transforms, which torch has deprecated
        return SAM2ImagePredictor(model.eval())


class Resize(nn.Module):
    """`torchvision.transforms.Resize` of a tensor, which is `interpolate` with antialiasing."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = [int(size[0]), int(size[1])]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """An image (C, H, W) at the given size."""
        if list(image.shape[-2:]) == self.size:
            return image
        return functional.interpolate(image[None], self.size, mode="bilinear", antialias=True, align_corners=False)[0]


class Normalize(nn.Module):
    """`torchvision.transforms.Normalize`."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.mean, self.std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Less the mean, over the deviation."""
        return (image - self.mean) / self.std


class ToTensor:
    """`torchvision.transforms.ToTensor` of uint8 pixels (H, W, 3)."""

    def __call__(self, image: Any) -> torch.Tensor:
        pixels = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
        return torch.from_numpy(pixels).float().div(255)


def stand_in_for_torchvision() -> None:
    """Puts the three transforms that `sam2` uses in the place of torchvision, where that is not there."""
    if "torchvision" in sys.modules:
        return
    transforms = types.ModuleType("torchvision.transforms")
    for one in (Resize, Normalize, ToTensor):
        setattr(transforms, one.__name__, one)
    package = types.ModuleType("torchvision")
    package.transforms = transforms  # type: ignore[attr-defined]
    sys.modules["torchvision"] = package
    sys.modules["torchvision.transforms"] = transforms
