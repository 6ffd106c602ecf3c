"""From pixels to features: the model's input to the last digit, and small windows padded, not stretched."""

import numpy as np
import numpy.typing as npt
import pytest

from ml.embeddings import Embedding
from ml.encode import OnnxEncoder
from ml.encode.onnx_encoder import prepare
from ml.models import InstalledModel

Pixels = npt.NDArray[np.uint8]


def test_the_input_is_rgb_over_255_less_the_mean_over_the_deviation(model: InstalledModel) -> None:
    pixels = np.zeros((1024, 1024, 3), np.uint8)
    pixels[10, 20] = (255, 128, 0)

    image = prepare(pixels, model)

    assert image.shape == (1, 3, 1024, 1024)
    assert image.dtype == np.float32
    # ImageNet's numbers, as SAM 2's transforms have them
    expected = [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (0 - 0.406) / 0.225]
    assert image[0, :, 10, 20].tolist() == pytest.approx(expected, abs=1e-6)
    assert image[0, 0, 0, 0] == pytest.approx(-0.485 / 0.229, abs=1e-6)


def test_a_smaller_window_is_padded_with_the_mean_colour_and_not_stretched(model: InstalledModel) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (300, 77, 3), np.uint8)
    whole = np.zeros((1024, 1024, 3), np.uint8)
    whole[:300, :77] = pixels

    image = prepare(pixels, model)

    assert np.array_equal(image[:, :, :300, :77], prepare(whole, model)[:, :, :300, :77])
    assert not image[:, :, 300:, :].any()
    assert not image[:, :, :, 77:].any()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((10, 10, 3), np.float32),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((1025, 10, 3), np.uint8),
        np.zeros((10, 1025, 3), np.uint8),
    ],
)
def test_pixels_of_another_form_are_refused(model: InstalledModel, pixels: Pixels) -> None:
    with pytest.raises(ValueError, match=r"must be uint8|px a side"):
        prepare(pixels, model)


def test_the_same_pixels_give_the_same_features(encoder: OnnxEncoder, scene: Pixels, embedding: Embedding) -> None:
    again = encoder.encode(scene)

    assert np.array_equal(again.image_embed, embedding.image_embed)
    assert np.array_equal(again.high_res_feats_0, embedding.high_res_feats_0)
    assert np.array_equal(again.high_res_feats_1, embedding.high_res_feats_1)
    assert again.image_embed.dtype == np.float32
    assert np.isfinite(again.image_embed).all()


def test_other_pixels_give_other_features(encoder: OnnxEncoder, scene: Pixels, embedding: Embedding) -> None:
    other = encoder.encode(scene[::-1])

    assert float(np.abs(other.image_embed - embedding.image_embed).max()) > 0.1


def test_a_window_of_one_pixel_can_be_encoded(encoder: OnnxEncoder) -> None:
    assert np.isfinite(encoder.encode(np.full((1, 1, 3), 200, np.uint8)).image_embed).all()
