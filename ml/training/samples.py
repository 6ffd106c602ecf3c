"""What a step of training sees: crops of scenes, changed as sensors and weather change them, and prompts on them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from ml.training.scenes import make_scene

MEAN, STD = (
    np.array([0.485, 0.456, 0.406], np.float32),
    np.array([0.229, 0.224, 0.225], np.float32),
)  # sam2's utils/transforms.py
CELL = 4  # a mask's cell in pixels: SAM's logits are 256 x 256 over 1024 px
LEAST_PX2 = 100
MOST_SHARE = 0.75
BY_AREA = 0.3  # of the prompts: the larger an object, the likelier; else each is as likely
BOX_JITTER = 0.08  # of the side, as in SAM's training ("Segment Anything", appendix A: 10 %, at most 20 px)
BOX_JITTER_PX = 20.0

Image = npt.NDArray[np.float32]
Ids = npt.NDArray[np.uint16]
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Prompts:
    """Of one crop of R px, P prompts: `masks` bool (P, R/4, R/4), `points` (P, 2, 2) in pixels of the crop and
    `labels` (P, 2): a click (1) and padding (-1), or the two corners of a box (2, 3)."""

    masks: npt.NDArray[np.bool_]
    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]


class Crops(Protocol):
    """Where crops come from."""

    def crop(self, random: Random, size: int, zoom: tuple[float, float]) -> tuple[Image, Ids]:
        """A square, (size, size, 3) as 0..1 with its objects' numbers, at a scale between the two."""
        ...


@dataclass(frozen=True, eq=False)
class Mixed:
    """Crops of one source, and now and then, in a share of cases, of another."""

    most: Crops
    other: Crops
    share: float

    def crop(self, random: Random, size: int, zoom: tuple[float, float]) -> tuple[Image, Ids]:
        """As one of the two gives it."""
        return (self.other if random.random() < self.share else self.most).crop(random, size, zoom)


class Pool:
    """Scenes made beforehand, in two files that every process maps."""

    def __init__(self, folder: Path) -> None:
        self.images: npt.NDArray[np.uint8] = np.load(folder / "images.npy", mmap_mode="r")
        self.objects: Ids = np.load(folder / "objects.npy", mmap_mode="r")

    def crop(self, random: Random, size: int, zoom: tuple[float, float]) -> tuple[Image, Ids]:
        """A square of some scene, (size, size, 3) as 0..1 with its numbers, at a scale between the two."""
        at = int(random.integers(len(self.images)))
        side = self.images.shape[1]
        wide = int(min(side, size * math.exp(random.uniform(math.log(zoom[0]), math.log(zoom[1])))))
        row, col = random.integers(0, side - wide + 1, 2)
        image = np.ascontiguousarray(self.images[at, row : row + wide, col : col + wide])
        objects = np.ascontiguousarray(self.objects[at, row : row + wide, col : col + wide])
        if wide != size:
            way = cv2.INTER_AREA if wide > size else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, (size, size), interpolation=way))
            objects = np.asarray(cv2.resize(objects, (size, size), interpolation=cv2.INTER_NEAREST))
        if random.random() < 0.5:
            image, objects = image[:, ::-1], objects[:, ::-1]
        if random.random() < 0.5:
            image, objects = image.transpose(1, 0, 2), objects.T
        return np.asarray(image, np.float32) / np.float32(255), np.ascontiguousarray(objects)


def make_pool(folder: Path, first_seed: int, count: int, side: int, tell: Callable[[int], None]) -> None:
    """Makes scenes and writes them to two files of the folder; what is there already is kept."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, side, side, 3))
    objects = np.lib.format.open_memmap(folder / "objects.npy", "w+", np.uint16, (count, side, side))
    for number in range(count):
        scene = make_scene(first_seed + number, side)
        images[number], objects[number] = scene.image, scene.objects
        tell(number + 1)
    images.flush()
    objects.flush()
    (folder / "done").touch()


def keep_pool(folder: Path, images: Sequence[npt.NDArray[np.uint8]], objects: Sequence[Ids]) -> int:
    """Writes pictures uint8 and the numbers of their objects as `Pool` reads them; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "images.npy", np.stack(images))
    np.save(folder / "objects.npy", np.stack(objects))
    (folder / "done").touch()
    return len(images)


def seen(image: Image, random: Random) -> Image:
    """The same ground by another sensor, light and air; 0..1."""
    if random.random() < 0.2:
        image = image[..., random.permutation(3)]
    if random.random() < 0.25:  # false colour
        mixed = np.eye(3) + random.normal(0, 0.25, (3, 3))
        image = image @ (mixed / max(0.5, mixed.sum(1).mean())).astype(np.float32)
    if random.random() < 0.14:  # one band
        grey = image @ random.dirichlet([1, 1, 1]).astype(np.float32)
        image = np.repeat(grey[..., None], 3, 2)
    if random.random() < 0.04:  # radar's speckle
        looks = random.uniform(2, 9)
        image = image * random.gamma(looks, 1 / looks, image.shape[:2]).astype(np.float32)[..., None]
    image = np.asarray(np.clip(image, 0, 1.5), np.float32)
    if random.random() < 0.7:
        image = image ** np.float32(math.exp(random.uniform(-0.45, 0.45)))
    if random.random() < 0.8:
        image = image * (random.uniform(0.6, 1.35) * random.uniform(0.85, 1.15, 3)).astype(np.float32)
    if random.random() < 0.3:  # haze
        thick = random.uniform(0, 0.45)
        haze = np.array([0.75, 0.8, 0.88]) * random.uniform(0.7, 1.15)
        image = image * np.float32(1 - thick) + (thick * haze).astype(np.float32)
    if random.random() < 0.5:  # contrast
        middle = image.mean()
        image = (image - middle) * np.float32(random.uniform(0.6, 1.5)) + np.float32(
            middle + random.uniform(-0.08, 0.08)
        )
    if random.random() < 0.35:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.4, 1.7)))
    if random.random() < 0.5:
        noise = random.standard_normal(image.shape, dtype=np.float32)
        image = image + noise * np.float32(random.uniform(0.003, 0.05))
    image = np.asarray(np.clip(image, 0, 1), np.float32)
    if random.random() < 0.15:
        _, packed = cv2.imencode(".jpg", (image * 255).astype(np.uint8), [1, int(random.uniform(25, 85))])
        image = np.asarray(cv2.imdecode(packed, 1)).astype(np.float32) / np.float32(255)
    return image.astype(np.float32)


def normalised(image: Image) -> Image:
    """(H, W, 3) of 0..1 as the model takes it, (3, H, W)."""
    return np.ascontiguousarray(((image - MEAN) / STD).transpose(2, 0, 1))


def prompts_on(
    objects: Ids, count: int, random: Random, *, boxes: float, within: tuple[slice, slice] | None = None
) -> Prompts | None:
    """So many prompts, a share of them boxes, on objects of all sizes; None on a crop without objects.

    With `within`, clicks and boxes lie in those rows and columns; an object that goes on beyond them gets no box.
    """
    size = objects.shape[0]
    near = np.zeros_like(objects)
    shown = within or (slice(0, size), slice(0, size))
    near[shown] = objects[shown]
    ids, areas = np.unique(near, return_counts=True)
    ids = ids[(ids > 0) & (areas >= LEAST_PX2)]
    anywhere = np.flatnonzero(near)
    if not len(ids):
        return None
    masks, points, labels = [], [], []
    for _ in range(4 * count):
        if random.random() < BY_AREA:
            at = int(anywhere[random.integers(len(anywhere))])
        else:  # each object as likely
            there = np.flatnonzero(near == ids[random.integers(len(ids))])
            at = int(there[random.integers(len(there))])
        mask = connected(objects == objects.flat[at], *divmod(at, size))
        area = int(np.count_nonzero(mask))
        coarse = mask.reshape(size // CELL, CELL, size // CELL, CELL).sum((1, 3)) >= CELL * CELL / 2
        if not LEAST_PX2 <= area <= MOST_SHARE * size * size or coarse.sum() < 2:
            continue
        clicked = np.zeros_like(mask)
        clicked[shown] = mask[shown]
        boxed = random.random() < boxes and np.count_nonzero(clicked) == area
        masks.append(coarse)
        points.append(_corners(mask, random) if boxed else [_inside(clicked, random), (0.0, 0.0)])
        labels.append((2, 3) if boxed else (1, -1))
        if len(masks) == count:
            break
    if not masks:
        return None
    chosen = [i % len(masks) for i in range(count)]
    return Prompts(
        np.stack(masks)[chosen],
        np.asarray(points, np.float32)[chosen].reshape(count, 2, 2),
        np.asarray(labels, np.float32)[chosen],
    )


def connected(mask: npt.NDArray[np.bool_], row: int, col: int) -> npt.NDArray[np.uint8]:
    """The part of a mask that holds a pixel, 0 or 1."""
    where = _around(mask)
    _, parts = cv2.connectedComponents(mask[where].astype(np.uint8), connectivity=4)
    found = np.zeros(mask.shape, np.uint8)
    found[where] = parts == parts[row - where[0].start, col - where[1].start]
    return found


def _around(mask: npt.NDArray[Any]) -> tuple[slice, slice]:
    """The rows and columns that hold all of a mask."""
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(cols[0]), int(cols[-1]) + 1)


def _inside(mask: npt.NDArray[np.uint8], random: Random) -> tuple[float, float]:
    """Where somebody may click: mostly towards the middle, now and then anywhere inside."""
    where = _around(mask)
    part = np.pad(mask[where], 1)
    depth = np.asarray(cv2.distanceTransform(part, cv2.DIST_L2, 3))[1:-1, 1:-1].ravel().astype(np.float64)
    power = (2.0, 2.0, 0.7, 0.0)[int(random.integers(4))]
    weight = np.cumsum(np.where(depth > 0, depth**power, 0))
    at = min(int(np.searchsorted(weight, random.random() * weight[-1])), len(weight) - 1)
    row, col = divmod(at, where[1].stop - where[1].start)
    return where[1].start + col + 0.5, where[0].start + row + 0.5


def _corners(mask: npt.NDArray[np.uint8], random: Random) -> npt.NDArray[np.float64]:
    """A box as drawn by hand."""
    rows, cols = _around(mask)
    low, high = np.array([cols.start, rows.start]), np.array([cols.stop, rows.stop])
    off = np.clip(random.normal(0, BOX_JITTER, (2, 2)) * (high - low), -BOX_JITTER_PX, BOX_JITTER_PX)
    return np.clip(np.stack([low, high]) + off, 0, mask.shape[0])
