"""Muon in single precision does what torch's does in bfloat16."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.training import network, optimizer  # noqa: E402
from ml.training.muon import Muon, even  # noqa: E402

BFLOAT16 = 0.03  # of the update: it has 8 bits, and five steps


def after(make: Any, shape: tuple[int, int]) -> Any:
    """A matrix after three steps by the same gradients."""
    random = torch.Generator().manual_seed(2)
    matrix = torch.nn.Parameter(torch.randn(shape, generator=random))
    begun = matrix.detach().clone()
    taken = make([{"params": [matrix], "weight_decay": 0.03}])
    for _ in range(3):
        matrix.grad = torch.randn(shape, generator=random)
        taken.step()
    return matrix.detach() - begun


@pytest.mark.parametrize("shape", [(32, 48), (48, 32), (24, 24)])
def test_it_moves_a_matrix_as_the_one_of_torch_does(shape: tuple[int, int]) -> None:
    ours = after(lambda groups: Muon(groups, 1e-2), shape)
    theirs = after(lambda groups: torch.optim.Muon(groups, lr=1e-2, adjust_lr_fn="match_rms_adamw"), shape)
    assert float((ours - theirs).norm() / theirs.norm()) < BFLOAT16


def test_the_singular_values_of_an_uneven_matrix_come_near_one() -> None:
    torch.manual_seed(1)
    left, _, right = torch.linalg.svd(torch.randn(20, 40), full_matrices=False)
    found = torch.linalg.svdvals(even(left @ torch.diag(torch.logspace(0, -1.5, 20)) @ right))
    assert 0.5 < float(found.min()) <= float(found.max()) < 1.4


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = torch.nn.Parameter(torch.ones(16, 16))
    Muon([{"params": [matrix]}], 1.0).step()
    assert torch.equal(matrix, torch.ones(16, 16))


@pytest.mark.parametrize(("has", "wanted"), [(True, torch.optim.Muon), (False, Muon)])
def test_the_one_of_torch_is_taken_where_the_processor_has_tiles_for_bfloat16(
    monkeypatch: pytest.MonkeyPatch, has: bool, wanted: type
) -> None:
    monkeypatch.setattr(network, "has_tiles", lambda: has)
    assert isinstance(optimizer._muon([{"params": [torch.nn.Parameter(torch.ones(16, 16))]}], 1e-3), wanted)
