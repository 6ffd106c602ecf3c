"""Meta's own predictor as the reference, on a machine with torch and without torchvision."""

import sys
import types
from pathlib import Path
from typing import Any

MISSING = "torch and sam2 are not installed (see CONTRIBUTING.md: the [torch] extra)"


def available() -> bool:
    """Whether the reference can run here."""
    try:
        import sam2  # noqa: F401
        import torch  # noqa: F401
    except ImportError:
        return False
    return True


def predictor(config: Path, weights: Path) -> Any:
    """A `SAM2ImagePredictor` for a hydra configuration file and a `{"model": state_dict}` file, on the CPU.

    The file is read with `weights_only`; every key must match. Raises `RuntimeError` otherwise.
    """
    _stand_in_for_torchvision()
    import torch
    from hydra.utils import instantiate
    from omegaconf import OmegaConf
    from sam2.sam2_image_predictor import SAM2ImagePredictor

    cfg = OmegaConf.load(config)
    OmegaConf.resolve(cfg)
    model = instantiate(cfg.model, _recursive_=True)
    state = torch.load(weights, map_location="cpu", weights_only=True)["model"]
    model.load_state_dict(state, strict=True)
    return SAM2ImagePredictor(model.eval())


def _stand_in_for_torchvision() -> None:
    """The three transforms that sam2 uses, with the same numbers (Resize is `interpolate` with antialiasing)."""
    if "torchvision" in sys.modules:
        return
    import numpy as np
    import torch
    from torch import nn
    from torch.nn import functional

    class Resize(nn.Module):
        def __init__(self, size: tuple[int, int]) -> None:
            super().__init__()
            self.height, self.width = int(size[0]), int(size[1])

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            size = [self.height, self.width]
            return functional.interpolate(image[None], size, mode="bilinear", antialias=True, align_corners=False)[0]

    class Normalize(nn.Module):
        def __init__(self, mean: list[float], std: list[float]) -> None:
            super().__init__()
            self.mean = torch.tensor(mean)[:, None, None]
            self.std = torch.tensor(std)[:, None, None]

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return (image - self.mean) / self.std

    class ToTensor:
        def __call__(self, image: Any) -> torch.Tensor:
            array = np.asarray(image)
            return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1))).float().div(255)

    transforms = types.ModuleType("torchvision.transforms")
    for name, value in {"Resize": Resize, "Normalize": Normalize, "ToTensor": ToTensor}.items():
        setattr(transforms, name, value)
    package = types.ModuleType("torchvision")
    package.transforms = transforms  # type: ignore[attr-defined]
    sys.modules["torchvision"] = package
    sys.modules["torchvision.transforms"] = transforms
