"""How weights follow gradients: matrices evenly in all directions, each worked out by one process for all."""

import dataclasses
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.training import optimizer  # noqa: E402
from ml.training.optimizer import Optimizer, mixes, pieces  # noqa: E402
from ml.training.stages import STAGES, Stage  # noqa: E402

DECODER = STAGES["decoder"]


def small() -> Any:
    """A matrix and a bias of the decoder, a matrix of the trunk, and tokens, with gradients."""
    torch.manual_seed(3)
    named = {
        "sam_mask_decoder.proj.weight": torch.nn.Parameter(torch.randn(32, 48)),
        "sam_mask_decoder.proj.bias": torch.nn.Parameter(torch.randn(32)),
        "image_encoder.trunk.proj.weight": torch.nn.Parameter(torch.randn(24, 40)),
        "sam_mask_decoder.mask_tokens.weight": torch.nn.Parameter(torch.randn(16, 64)),
    }
    for one in named.values():
        one.grad = torch.randn_like(one)
    return list(named.items())


def moved(stage: Stage, rate: float) -> dict[str, float]:
    """How far each moves on average in a step."""
    named = small()
    before = [one.detach().clone() for _, one in named]
    Optimizer(named, stage, 0, 1).step(rate)
    return {name: float((one.detach() - old).abs().mean()) for (name, one), old in zip(named, before, strict=True)}


def test_matrices_between_layers_are_told_from_tokens_embeddings_and_biases() -> None:
    attention = torch.nn.Parameter(torch.zeros(128, 256))
    assert mixes("sam_mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight", attention)
    assert not mixes("sam_mask_decoder.obj_score_token.weight", torch.nn.Parameter(torch.zeros(16, 256)))
    assert not mixes("sam_prompt_encoder.point_embeddings.weight", torch.nn.Parameter(torch.zeros(16, 256)))
    assert not mixes("image_encoder.trunk.norm.weight", torch.nn.Parameter(torch.zeros(256)))
    assert not mixes("sam_mask_decoder.head.weight", torch.nn.Parameter(torch.zeros(1, 256)))


def test_a_matrix_moves_by_about_as_much_in_each_direction_however_uneven_its_gradient() -> None:
    named = small()
    matrix = named[0][1]
    left, _, right = torch.linalg.svd(torch.randn(32, 48), full_matrices=False)
    matrix.grad = left @ torch.diag(torch.logspace(0, -2, 32)) @ right
    before = matrix.detach().clone()
    Optimizer(named, DECODER, 0, 1).step(1e-3)
    along = torch.linalg.svdvals(before - matrix.detach())
    assert float(along.max() / along.median()) < 2.0
    assert all(one.grad is None for _, one in named)


def test_the_trunk_follows_more_slowly_than_the_decoder() -> None:
    stage = dataclasses.replace(DECODER, encoder_rate=0.25)
    assert moved(stage, 1e-3)["image_encoder.trunk.proj.weight"] == pytest.approx(
        0.25 * moved(dataclasses.replace(stage, encoder_rate=1.0), 1e-3)["image_encoder.trunk.proj.weight"], rel=1e-3
    )
    assert moved(stage, 1e-3)["sam_mask_decoder.proj.weight"] > 1e-5


def test_nothing_moves_at_rate_zero() -> None:
    assert set(moved(DECODER, 0.0).values()) == {0.0}


def test_two_processes_that_share_the_work_come_to_the_weights_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = small()
    Optimizer(alone, DECODER, 0, 1).step(1e-3)
    first, second = small(), small()
    told: list[Any] = []
    monkeypatch.setattr(optimizer.group, "all_reduce", lambda flat: told.append(flat.clone()))
    Optimizer(second, DECODER, 1, 2).step(1e-3)
    monkeypatch.setattr(optimizer.group, "all_reduce", lambda flat: flat.add_(told[0]))
    Optimizer(first, DECODER, 0, 2).step(1e-3)
    assert any(float(part.abs().sum()) == 0 for part in pieces(told[0], [one for _, one in first[::2][:2]]))
    for (name, one), (_, wanted) in zip(first, alone, strict=True):
        assert torch.equal(one, wanted), name


def test_what_lies_in_a_flat_tensor_is_found_again() -> None:
    like = [torch.zeros(2, 3), torch.zeros(4)]
    found = pieces(torch.arange(10.0), like)
    assert found[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found[1].tolist() == [6, 7, 8, 9]
