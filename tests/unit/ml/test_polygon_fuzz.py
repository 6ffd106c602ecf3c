"""Every 199th of the 100,000 masks that `python -m tests.bench.polygon_fuzz` outlines."""

import pytest
from shapely.geometry import Polygon

from tests.bench import polygon_fuzz
from tests.bench.polygon_fuzz import MASKS, drawn, fault, faults


@pytest.mark.timeout(600)
def test_masks_of_every_kind_have_valid_outlines_by_any_recipe() -> None:
    # 1760 has a road as narrow as a hair, 51605 one of no length among others
    assert faults([1760, 51605, *range(0, MASKS, 199)]) == {}


def test_a_number_always_draws_the_same_mask() -> None:
    assert all((drawn(n).logits == drawn(n).logits).all() and drawn(n).placing == drawn(n).placing for n in range(6))


def test_an_invalid_outline_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Bowtie:
        shape = Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
        lines = ()

    monkeypatch.setattr(polygon_fuzz, "outline", lambda *_: Bowtie())

    assert fault(0).startswith("invalid: Self-intersection")
