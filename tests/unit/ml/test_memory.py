"""The exported memory follows an object as SAM2VideoPredictor does with the same weights."""

from typing import Any

import numpy as np
import pytest

from ml.decode import Answers
from ml.embeddings import Embedding
from ml.memory import OnnxMemory, Remembered, chosen
from ml.memory.onnx_memory import _in_bfloat16
from ml.models import InstalledModel, ModelError
from tests.support.sam2_models import small_model, with_torch

BOUND = 5e-5  # of the standard deviation; measured 5e-6 for logits, 4e-6 for pointers


def answers(masks: Any = None, scores: Any = (0.1, 0.2, 0.9, 0.3), present: float = 1.0) -> Answers:
    rng = np.random.default_rng(2)
    return Answers(
        rng.normal(0, 1, (1, 4, 256, 256)).astype(np.float32) if masks is None else masks,
        np.array([scores], np.float32),
        np.array([[present]], np.float32),
        rng.normal(0, 1, (1, 4, 256)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def gone(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    """The small architecture to which an object is never there."""
    return small_model(tmp_path_factory.mktemp("gone") / "gone", there=False)


@with_torch
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "masks"), [("small", 3), ("gone", 0)])
def test_an_object_is_followed_as_sam2_follows_it(request: pytest.FixtureRequest, name: str, masks: int) -> None:
    from ml.export.differences import Parity
    from ml.export.memory_parity import compare_memory
    from ml.export.weights import load_installed

    installed: InstalledModel = request.getfixturevalue(name)
    found = Parity("memory")

    compare_memory(found, installed, load_installed(installed), pictures=3)

    assert found.passed, found.table()
    exact = [one for one in found.differences if "memory" not in one.what]
    assert max(one.largest for one in exact) < BOUND, found.table()
    assert sum("logits" in one.what for one in found.differences) == masks


@with_torch
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "weight",
    ["maskmem_tpos_enc", "memory_attention.layers.0.cross_attn_image.k_proj.weight", "obj_ptr_tpos_proj.bias"],
)
def test_a_weight_of_the_memory_that_differs_is_noticed(small: InstalledModel, weight: str) -> None:
    import torch

    from ml.export.differences import Parity
    from ml.export.memory_parity import compare_memory
    from ml.export.weights import load_installed

    changed = load_installed(small)
    with torch.no_grad():
        changed.state_dict()[weight].add_(3 * torch.randn(changed.state_dict()[weight].shape))
    found = Parity("memory")

    compare_memory(found, small, changed)

    assert max(one.largest for one in found.differences if "logits" in one.what) > 2 * BOUND


@with_torch
def test_older_pictures_and_gaps_are_taken_in_any_number(small: InstalledModel) -> None:
    memory = OnnxMemory(small)
    rng = np.random.default_rng(1)
    shapes = ((1, 256, 64, 64), (1, 32, 256, 256), (1, 64, 128, 128))
    embedding = Embedding(*(rng.normal(0, 1, shape).astype(np.float32) for shape in shapes))
    clicked = memory.remember(embedding, answers(), points=1)
    followed = memory.remember(embedding, answers(), points=0)

    near = memory.recall(embedding, [followed, None, clicked], 40)
    again = memory.recall(embedding, [followed, None, clicked], 40)
    nearer = memory.recall(embedding, [None, followed, clicked], 40)

    assert np.array_equal(near.image_embed, again.image_embed)
    assert near.high_res_feats_0 is embedding.high_res_feats_0
    assert not np.array_equal(near.image_embed, nearer.image_embed)  # the time between is told


@with_torch
def test_nothing_is_recalled_without_a_prompted_picture(small: InstalledModel) -> None:
    memory = OnnxMemory(small)
    blank = Embedding(
        *(np.zeros(shape, np.float32) for shape in ((1, 256, 64, 64), (1, 32, 256, 256), (1, 64, 128, 128)))
    )
    kept = Remembered(np.zeros((1, 64, 64, 64), np.float32), np.zeros((1, 256), np.float32), prompted=False)

    for past in ([], [None], [kept, None]):
        with pytest.raises(ValueError, match="no picture before this one was prompted"):
            memory.recall(blank, past, 5)


def test_a_model_without_memory_says_so(model: InstalledModel) -> None:
    with pytest.raises(ModelError, match="has no memory for series"):
        OnnxMemory(model)


def test_the_mask_to_go_on_with_is_chosen_as_sam2_chooses() -> None:
    """SAM2Base: several masks for at most one point, the single one, if it is stable, for more."""
    stable = np.where(np.arange(256)[:, None] < 100, 9.0, -9.0) * np.ones((1, 4, 1, 256))
    ragged = np.zeros((1, 4, 256, 256), np.float32)

    assert chosen(answers(stable.astype(np.float32)), 0) == (2, 2)
    assert chosen(answers(stable.astype(np.float32)), 1) == (2, 2)
    assert chosen(answers(stable.astype(np.float32)), 2) == (0, 0)
    assert chosen(answers(ragged), 2) == (2, 0)


def test_memory_is_rounded_as_bfloat16_is() -> None:
    given = np.array([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, 1.004, -2.7182817, 0.0, 1e-30, 3e38], np.float32)

    rounded = _in_bfloat16(given)

    assert rounded.tolist()[:4] == [1.0, 1.0, 1.015625, 1.0078125]
    assert np.abs(rounded - given).max() <= 2**-8 * np.abs(given).max()
    assert not (rounded.view(np.uint32) & 0xFFFF).any()


@with_torch
def test_bfloat16_is_that_of_torch() -> None:
    import torch

    given = np.random.default_rng(0).normal(0, 3, 10_000).astype(np.float32)

    assert np.array_equal(_in_bfloat16(given), torch.from_numpy(given).to(torch.bfloat16).float().numpy())
