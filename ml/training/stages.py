"""The stages: features that hold objects together, a decoder that follows the click, both at growing resolution."""

from dataclasses import dataclass

from ml.training.network import STRIDE

# Tokens a side, squares around them, prompts: of a crop of 1024 px and of one of 512.
PARTS = ((8, 8, 32), (8, 4, 24), (16, 8, 16), (16, 4, 12), (32, 8, 6))
HALVES = ((8, 4, 32), (16, 4, 12), (32, 0, 6))
ALL_SIZES = ((16, 8, 12), (32, 8, 6), (64, 0, 8))
PAIR = (16, 8, 6)


@dataclass(frozen=True)
class Stage:
    """Crops of `size` px, `images` a step, in each the `fields`; which parts learn, and how fast.

    A prompt is corrected by up to `rounds` - 1 clicks: a model that has seen two of them goes astray with the fourth.
    Decoding parts of a large crop, as a click does, teaches more prompts a second on features that have seen it all.
    """

    name: str
    size: int
    images: int
    fields: tuple[tuple[int, int, int], ...]  # (tokens a side, squares around it, prompts): all decoded in each step
    rounds: int
    rate: float
    encoder_rate: float  # of the rate; 0: the encoder stays as it is
    zoom: tuple[float, float]
    even: tuple[float, float]  # the balanced share of the loss, from begin to end
    hold: float = 0.0  # of the loss of `glimpse` at the prompts, which keeps features holding objects together
    dense: float = 0.0  # of the loss of the stage `features`, which every pixel of a crop teaches
    hints: float = 0.0  # of the loss of what the image's tokens know of a prompt after each layer of the decoder
    keep: int = 0  # crops whose features are kept, where the encoder stays as it is: each field is of one of them
    plain: float = 0.0  # of the crops: seen as they were made
    pair: tuple[int, int, int] | None = None  # a part and prompts in it that are asked of the whole crop too
    alike: float = 0.0  # of the loss of how far the masks of the two are from each other
    bare: float = 0.0  # of the loss of the same on pictures without labels, where the run has some

    def __post_init__(self) -> None:
        if self.hold > 0 and any(side * STRIDE != self.size for side, _, _ in self.fields):
            raise ValueError("a glimpse is of the whole crop: hold belongs to fields of the crop's size")

    @property
    def decodes(self) -> bool:
        """Whether the decoder takes part."""
        return self.rounds > 0


# A prompt costs about as many tokens as it is shown: fields of 128 px teach three times as many a second as of 256 px.
STAGES = {
    one.name: one
    for one in (
        Stage("features", 256, 6, (), 0, 1e-3, 1.0, (0.6, 2.2), (1.0, 1.0)),
        Stage("clicks", 128, 6, ((8, 0, 16),), 2, 5e-4, 1.0, (0.6, 2.6), (1.0, 0.5), hold=0.5, hints=0.3),
        Stage("decoder", 256, 3, ((16, 0, 12),), 3, 5e-4, 0.6, (0.6, 2.2), (0.7, 0.3), hold=0.3, hints=0.3),
        Stage("prompts", 1024, 1, PARTS, 4, 6e-4, 0.0, (0.7, 1.0), (0.0, 0.0), hints=1.0, keep=32, plain=0.3),
        Stage("together", 512, 1, HALVES, 5, 5e-4, 1.0, (0.7, 1.4), (0.0, 0.0), hints=0.3, dense=0.5, plain=0.3),
        Stage(
            "finish",
            1024,
            1,
            ALL_SIZES,
            5,
            3e-4,
            0.5,
            (0.8, 1.0),
            (0.0, 0.0),
            hints=0.1,
            plain=0.5,
            pair=PAIR,
            alike=8.0,
            bare=0.7,
        ),
    )
}
