"""A picture that is painted on object by object, and beside it the number of the object seen at each pixel."""

import math
from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]  # (N, 2) as (x, y) in pixels
Mask = npt.NDArray[np.uint8]  # 0 or 255

TEXTURE_SIDE = 1536
SUBPIXEL = 4  # bits of a pixel's fraction in OpenCV's drawing
HAIR = 0.5


@dataclass
class Canvas:
    """A square scene under one sun. Colours are 0..1, lengths in pixels, `metre` is pixels per metre."""

    side: int
    random: np.random.Generator
    image: Floats = field(init=False)
    objects: npt.NDArray[np.uint16] = field(init=False)
    count: int = 0
    angle: float = 0.0
    metre: float = 1.0
    sun: Points = field(init=False)
    shade: float = 0.5
    green: Floats = field(init=False)
    soil: Floats = field(init=False)

    def __post_init__(self) -> None:
        """The scene's own scale, light and palette."""
        self.image = np.zeros((self.side, self.side, 3), np.float32)
        self.objects = np.zeros((self.side, self.side), np.uint16)
        self.angle = self.between(0, math.pi)
        self.metre = self.spread(0.5, 8)
        towards = self.between(0, 2 * math.pi)
        self.sun = np.array([math.cos(towards), math.sin(towards)]) * self.between(0.3, 1.6)
        self.shade = self.between(0.25, 0.65)
        low, high = np.array([0.1, 0.25, 0.05]), np.array([0.45, 0.6, 0.35])
        self.green = self.random.uniform(low, high).astype(np.float32)
        self.soil = self.random.uniform([0.4, 0.3, 0.2], [0.75, 0.6, 0.5]).astype(np.float32)

    def between(self, low: float, high: float) -> float:
        """A number, each as likely."""
        return float(self.random.uniform(low, high))

    def spread(self, low: float, high: float) -> float:
        """A number, each order of magnitude as likely."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def number(self, low: int, high: int) -> int:
        """A whole number from low to high - 1."""
        return int(self.random.integers(low, high))

    def chance(self, share: float) -> bool:
        """True in that share of cases."""
        return bool(self.random.random() < share)

    def place(self) -> tuple[float, float]:
        """Anywhere."""
        return self.between(0, self.side), self.between(0, self.side)

    def grey(self, low: float, high: float) -> Floats:
        """A grey."""
        return np.full(3, self.between(low, high), np.float32)

    def colour(self) -> Floats:
        """Any colour at all."""
        return self.random.uniform(0.04, 0.95, 3).astype(np.float32)

    def texture(self, kind: str, shape: tuple[int, int]) -> Floats:
        """A piece of a texture of mean 0 and deviation 1."""
        sheet = _sheets(kind)[self.number(0, len(_sheets(kind)))]
        row, col = (self.number(0, TEXTURE_SIDE - n + 1) for n in shape)
        piece = sheet[row : row + shape[0], col : col + shape[1]]
        if self.chance(0.5):
            piece = piece[::-1]
        return piece.astype(np.float32)

    def surface(self, shape: tuple[int, int], colour: Floats, rough: float, kind: str = "cloud") -> Floats:
        """A rough surface of a colour."""
        texture = self.texture(kind, shape)[..., None] * rough
        return np.clip(colour * (1 + 1.6 * texture) + 0.25 * texture, 0, 1.2).astype(np.float32)

    def box(self, outline: Points, margin: int = 2) -> tuple[slice, slice] | None:
        """Rows and columns of an outline, within the scene; None outside."""
        low = np.maximum(np.floor(outline.min(0)).astype(int) - margin, 0)
        high = np.minimum(np.ceil(outline.max(0)).astype(int) + margin + 1, self.side)
        if (high - low < 2).any():
            return None
        return slice(low[1], high[1]), slice(low[0], high[0])

    def fill(self, outlines: list[Points], where: tuple[slice, slice]) -> Mask:
        """The outlines' inside, as a mask of the box."""
        mask = np.zeros((where[0].stop - where[0].start, where[1].stop - where[1].start), np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self._fixed(outline, where)], 255, shift=SUBPIXEL)
        return mask

    def line(self, outline: Points, where: tuple[slice, slice], width: int) -> Mask:
        """An outline's line, as a mask of the box."""
        mask = np.zeros((where[0].stop - where[0].start, where[1].stop - where[1].start), np.uint8)
        cv2.polylines(mask, [self._fixed(outline, where)], True, 255, width, shift=SUBPIXEL)
        return mask

    def paint(
        self, mask: Mask, where: tuple[slice, slice], surface: Floats, alpha: float = 1.0, *, counts: bool = True
    ) -> None:
        """Paints a surface where the mask is; what counts is a new object, else it belongs to what lies there."""
        opaque = (mask.astype(np.float32) / 255 * alpha)[..., None]
        self.image[where] = self.image[where] * (1 - opaque) + surface * opaque
        if counts and mask.any():
            self.count += 1
            self.objects[where][mask > 127] = self.count

    def thing(self, outline: Points, colour: Floats, rough: float = 0.04, kind: str = "cloud") -> Mask | None:
        """An object of one surface; its mask, or None outside the scene."""
        where = self.box(outline)
        if where is None:
            return None
        mask = self.fill([outline], where)
        self.paint(mask, where, self.surface(mask.shape, colour, rough, kind))
        return mask

    def shadow(self, outline: Points, height: float) -> None:
        """What a thing of a height in metres throws; no object of its own."""
        throw = self.sun * height * self.metre
        if np.abs(throw).max() < 1:
            return
        sides = [
            np.array([a, b, b + throw, a + throw]) for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True)
        ]
        where = self.box(np.concatenate([outline, outline + throw]))
        if where is None:
            return
        mask = self.fill([outline + throw, *sides], where)
        if self.metre > 1.5:
            mask = cv2.GaussianBlur(mask, (0, 0), 0.8)
        dark = (mask.astype(np.float32) / 255 * (1 - self.shade))[..., None]
        self.image[where] *= 1 - dark * np.array([1, 0.97, 0.88], np.float32)

    @staticmethod
    def _fixed(outline: Points, where: tuple[slice, slice]) -> npt.NDArray[np.int32]:
        """In OpenCV's fixed point, whose pixels have their middle at whole numbers."""
        local = outline - [where[1].start, where[0].start] - HAIR
        return np.round(local * (1 << SUBPIXEL)).astype(np.int32)


@cache
def _sheets(kind: str) -> list[npt.NDArray[np.float16]]:
    """Large textures that pieces are cut from: clouds of several sizes, fine grain, tree crowns."""
    random = np.random.default_rng(7)
    if kind == "grain":
        made = [_blurred(random.standard_normal((TEXTURE_SIDE, TEXTURE_SIDE)), sigma) for sigma in (0.6, 1.0, 1.8)]
    elif kind == "crowns":
        made = [_crowns(random, radius) for radius in (3, 5, 8, 13, 20)]
    else:
        made = [_cloud(random, cells) for cells in (4, 6, 9, 14, 22, 40, 90, 200)]
    return [((sheet - sheet.mean()) / sheet.std()).astype(np.float16) for sheet in made]


def _blurred(field: npt.NDArray[np.float64], sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(field.astype(np.float32), (0, 0), sigma))


def _cloud(random: np.random.Generator, cells: int) -> Floats:
    """Value noise of rising frequency and falling strength."""
    made, strength = np.zeros((TEXTURE_SIDE, TEXTURE_SIDE), np.float32), 1.0
    while cells <= TEXTURE_SIDE // 2 and strength > 0.08:
        coarse = random.standard_normal((cells, cells)).astype(np.float32)
        made += strength * cv2.resize(coarse, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC)
        strength, cells = strength * 0.6, int(cells * 2.3)
    return made


def _crowns(random: np.random.Generator, radius: int) -> Floats:
    """Tree crowns from above: dark discs, each with a lit disc on it."""
    made = np.full((TEXTURE_SIDE, TEXTURE_SIDE), -0.8, np.float32)
    light = random.uniform(-0.4, 0.4, 2)
    for _ in range(min(9000, int(1.6 * TEXTURE_SIDE**2 / radius**2))):
        at, size, tone = (
            random.uniform(0, TEXTURE_SIDE, 2),
            radius * random.uniform(0.5, 1.3),
            random.uniform(-0.5, 0.6),
        )
        lit = at + light * size
        cv2.circle(made, (int(at[0]), int(at[1])), max(1, int(size)), tone - 0.4, -1)
        cv2.circle(made, (int(lit[0]), int(lit[1])), max(1, int(0.65 * size)), tone + 0.5, -1)
    return np.asarray(cv2.GaussianBlur(made, (0, 0), max(0.6, radius * 0.12)))
