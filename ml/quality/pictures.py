"""What is measured on: pictures of at most 1024 px with the masks of their objects."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

LEAST_PX2 = 256  # of the model's frame: a mask has 16 cells there
MOST_SHARE = 0.5  # of the picture; what is larger is rather its ground
FIRST_SCENE = 1  # training scenes begin at ml.training.run.FIRST_SEED, a million

Mask = npt.NDArray[np.bool_]


class QualityError(ValueError):
    """A folder that cannot be measured on; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Picture:
    """`pixels` uint8 (H, W, 3), H and W at most 1024, in the model's frame; `objects` are masks (H, W)."""

    name: str
    pixels: npt.NDArray[np.uint8]
    objects: tuple[Mask, ...]

    def __post_init__(self) -> None:
        if any(mask.shape != self.pixels.shape[:2] or not mask.any() for mask in self.objects):
            raise ValueError("each object has a mask of the picture's size with something in it")

    @cached_property
    def diagonal(self) -> float:
        """Its diagonal in px."""
        return float(np.hypot(*self.pixels.shape[:2]))


def held_out_scenes(count: int, objects_each: int, side: int = 1024) -> Iterator[Picture]:
    """Procedural scenes that no training has seen, on each so many of its objects, each object as likely.

    An object is what is seen of it and hangs together, from 256 px² to half the scene.
    """
    import cv2

    from ml.training.scenes import make_scene

    for seed in range(FIRST_SCENE, FIRST_SCENE + count):
        scene = make_scene(seed, side)
        parts: list[Mask] = []
        for number in np.unique(scene.objects[scene.objects > 0]):
            shape = (scene.objects == number).astype(np.uint8)
            total, labels, stats, _ = cv2.connectedComponentsWithStats(shape, connectivity=4)
            areas = stats[:, cv2.CC_STAT_AREA]
            fits = (areas >= LEAST_PX2) & (areas <= MOST_SHARE * side * side)
            parts += [labels == part for part in range(1, total) if fits[part]]
        random = np.random.default_rng(seed)
        chosen = random.permutation(len(parts))[:objects_each]
        yield Picture(f"scene {seed} ({scene.kind})", scene.image, tuple(parts[index] for index in sorted(chosen)))
