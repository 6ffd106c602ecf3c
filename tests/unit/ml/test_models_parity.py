"""The exported models answer as Meta's own code does with the same weights, and a difference is noticed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ml.decode import Field, Look, OnnxDecoder
from ml.embeddings import Embedding
from ml.models import InstalledModel
from ml.models.registry import PUBLISHED, Published
from tests.support.sam2_models import TINY, with_torch

pytestmark = [with_torch, pytest.mark.timeout(600)]

# In units of the reference's standard deviation; measured: 5e-6 for features, 8e-6 for logits.
BOUND = 5e-5


@pytest.fixture(scope="module")
def features() -> Embedding:
    rng = np.random.default_rng(3)
    shapes = ((1, 256, 64, 64), (1, 32, 256, 256), (1, 64, 128, 128))
    return Embedding(*(rng.normal(0, 1, shape).astype(np.float32) for shape in shapes))


def test_an_installed_checkpoint_answers_200_prompt_sets_as_sam2_does(tiny: InstalledModel) -> None:
    from ml.models.install import verify

    found = verify(tiny, 200, lambda _: None)

    assert found.passed, found.table()
    pictures = [one for one in found.differences if "memory" not in one.what]  # that is kept in bfloat16
    assert max(one.largest for one in pictures) < BOUND, found.table()
    by_name = {one.what: one for one in found.differences}
    assert by_name["input, from uint8 pixels"].largest == 0
    assert by_name["logits of three masks against predict"].compared == 200
    assert by_name["logits of three masks against SAM2Base, windows and fields"].compared == 15
    assert {"memory of picture 1, root mean square", "pointer of picture 1"} <= by_name.keys()


def test_the_small_architecture_answers_as_sam2_does(small: InstalledModel) -> None:
    from ml.models.install import verify

    found = verify(small, 10, lambda _: None)

    assert found.passed, found.table()
    assert max(one.largest for one in found.differences if "memory" not in one.what) < BOUND, found.table()


@pytest.mark.parametrize(
    "weight",
    [
        "sam_prompt_encoder.point_embeddings.3.weight",
        "sam_prompt_encoder.mask_downscaling.6.bias",
        "sam_mask_decoder.transformer.layers.1.cross_attn_image_to_token.q_proj.bias",
        "sam_mask_decoder.iou_prediction_head.layers.2.bias",
        "sam_mask_decoder.pred_obj_score_head.layers.2.bias",
    ],
)
def test_a_weight_of_the_decoder_that_differs_a_little_is_noticed(
    small: InstalledModel, features: Embedding, weight: str
) -> None:
    from ml.export.differences import Parity
    from ml.export.parity import compare_fields

    found = Parity("small")
    compare_fields(found, changed(small, weight), OnnxDecoder(small), features)

    assert not found.passed


@pytest.mark.parametrize("weight", ["image_encoder.trunk.blocks.0.mlp.layers.0.bias", "no_mem_embed"])
def test_a_weight_of_the_encoder_that_differs_a_little_is_noticed(small: InstalledModel, weight: str) -> None:
    from ml.export.parity import compare

    found = compare(replace(small, memory_attention=None), changed(small, weight), prompt_sets=1)

    passed = [one.passed for one in found.differences if "image_embed" in one.what]
    assert passed == [False, False], "of a whole window and of one at a raster's edge"


def changed(model: InstalledModel, weight: str) -> Any:
    """The torch model with 0.03 more in one weight."""
    import torch

    from ml.export.weights import load_installed

    loaded = load_installed(model)
    with torch.no_grad():
        loaded.state_dict()[weight].add_(0.03)
    return loaded


def test_points_that_are_absent_change_nothing(tiny: InstalledModel, features: Embedding) -> None:
    decoder = OnnxDecoder(tiny)
    points = np.array([[[300, 300], [500, 200]]], np.float32)
    labels = np.array([[1, 0]], np.float32)
    more = np.concatenate([points, np.array([[[9, 9], [700, 40]]], np.float32)], 1)

    alone = decoder.answer(features, points, labels)
    padded = decoder.answer(features, more, np.array([[1, 0, -2, -2]], np.float32))
    told = decoder.answer(features, more, np.array([[1, 0, -1, -1]], np.float32))

    assert np.abs(padded.masks - alone.masks).max() < 1e-5 * alone.masks.std()
    assert np.abs(padded.scores - alone.scores).max() < 1e-6
    assert np.abs(told.masks - alone.masks).max() > 0.1 * alone.masks.std()  # SAM's own padding is attended to


def test_a_batch_answers_as_each_set_alone(tiny: InstalledModel, features: Embedding) -> None:
    decoder = OnnxDecoder(tiny)
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 1024, (7, 3, 2)).astype(np.float32)
    labels = rng.integers(0, 4, (7, 3)).astype(np.float32)

    together = decoder.answer(features, points, labels)

    for row in range(7):
        alone = decoder.answer(features, points[row : row + 1], labels[row : row + 1])
        assert np.abs(together.masks[row] - alone.masks[0]).max() < 1e-5 * alone.masks.std()


def test_a_field_is_decoded_at_its_own_place(tiny: InstalledModel, features: Embedding) -> None:
    """The same features at another place are another question: positions are those of the window."""
    decoder = OnnxDecoder(tiny)
    points, labels = np.array([[[100, 100]]], np.float32), np.array([[1]], np.float32)
    tiled = Embedding(
        *(
            np.tile(one[:, :, : one.shape[2] // 4, : one.shape[3] // 4], (1, 1, 4, 4))
            for one in (features.image_embed, features.high_res_feats_0, features.high_res_feats_1)
        )
    )

    here = decoder.answer(tiled, points, labels, look=Look(Field(0, 0, 16, 16)))
    there = decoder.answer(tiled, points, labels, look=Look(Field(32, 16, 16, 16)))

    assert here.masks.shape == (1, 4, 64, 64)
    assert np.abs(here.masks - there.masks).max() > 0.01 * here.masks.std()


@pytest.mark.parametrize("cut", [(-1, 0, 4, 4), (0, 0, 65, 1), (60, 0, 8, 8), (0, 0, 0, 4)])
def test_a_field_outside_the_window_is_refused(cut: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="a field lies within"):
        Field(*cut)


def test_the_plain_decoder_answers_as_the_fast_one_and_whole_windows_only(
    tiny: InstalledModel, features: Embedding, tmp_path: Path
) -> None:
    """The graph as it stands in `sam2`, in one file, through the same class."""
    import hashlib

    from ml.export.onnx_files import export_plain_decoder
    from ml.export.weights import load_installed
    from ml.models import ModelFile

    path = tmp_path / "plain.onnx"
    export_plain_decoder(load_installed(tiny), path)
    file = ModelFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
    plain = OnnxDecoder(replace(tiny, decoder=file, prepare=None, mask=None))
    points = np.array([[[300, 300], [500, 200]], [[10, 40], [900, 800]]], np.float32)
    labels = np.array([[1, 0], [2, 3]], np.float32)

    ours, theirs = OnnxDecoder(tiny).answer(features, points, labels), plain.answer(features, points, labels)

    assert np.abs(ours.masks - theirs.masks).max() < BOUND * theirs.masks.std()
    with pytest.raises(ValueError, match="whole windows only"):
        plain.answer(features, points, labels, look=Look(Field(0, 0, 16, 16)))


@pytest.mark.parametrize("published", PUBLISHED[:2], ids=lambda one: one.name)  # the larger two take long to build
def test_the_registry_says_of_a_size_what_sam2_builds(published: Published) -> None:
    from ml.export.weights import PATCH, build

    model = build(published.name)

    assert sum(one.numel() for one in model.parameters()) == published.parameters
    assert len(model.image_encoder.trunk.blocks) == published.blocks
    assert model.state_dict()[PATCH].shape[0] == published.width


def test_only_named_architectures_are_built() -> None:
    from ml.export.weights import build
    from ml.models import ModelError

    for name in ("", "../../evil", "sam2.1_hiera_huge", str(Path(__file__))):
        with pytest.raises(ModelError, match="no architecture"):
            build(name)
    assert build(TINY) is not None
