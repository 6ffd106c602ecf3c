"""What a comparison with Meta's code found: how far each kind of output lies from the reference's."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

# A difference is judged in units of what it is a difference of: the standard deviation of the reference's numbers.
# Single precision has 24 bits (6e-8); some thousand sums and products in another order leave 1e-6 to 1e-4 of that.
BOUND = 1e-3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Difference:
    """How far one kind of output lies from the reference's at most, and where the line is drawn, in its own unit."""

    what: str
    largest: float
    bound: float
    compared: int

    @property
    def passed(self) -> bool:
        """Whether it is small enough; a number that is none is not."""
        return self.largest <= self.bound


@dataclass
class Parity:
    """All that was compared."""

    model: str
    differences: list[Difference] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether all of it is small enough."""
        return bool(self.differences) and all(one.passed for one in self.differences)

    def table(self) -> str:
        """For people to read."""
        rows = [
            f"  {'ok  ' if one.passed else 'FAIL'}  {one.what:<62} {one.largest:.1e}  (at most {one.bound:.0e}, "
            f"{one.compared} compared)"
            for one in self.differences
        ]
        return "\n".join([f"{self.model}: {'pass' if self.passed else 'FAIL'}", *rows])

    def as_json(self) -> dict[str, Any]:
        """For the page of models: whether it passed, the kind that came nearest to its bound, and the table."""
        worst = max(self.differences, key=lambda one: one.largest / one.bound, default=None)
        return {
            "passed": self.passed,
            "largest": worst.largest if worst else None,
            "bound": worst.bound if worst else None,
            "what": worst.what if worst else None,
            "table": self.table(),
        }

    def note(self, what: str, ours: Floats, theirs: Floats, *, compared: int = 1, bound: float = BOUND) -> None:
        """Adds the largest difference over the reference's standard deviation, or size where it is a single number."""
        spread = float(theirs.std()) or float(np.abs(theirs).max()) or 1.0
        self.differences.append(Difference(what, float(np.abs(ours - theirs).max()) / spread, bound, compared))

    def note_mean(self, what: str, ours: Floats, theirs: Floats, *, bound: float = BOUND) -> None:
        """Adds the root mean square difference over the reference's standard deviation."""
        spread = float(theirs.std()) or 1.0
        self.differences.append(Difference(what, float(np.sqrt(((ours - theirs) ** 2).mean())) / spread, bound, 1))

    def note_scores(self, what: str, pairs: list[tuple[Floats, Floats]], bound: float) -> None:
        """Adds the largest difference of scores in 0..1."""
        largest = max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
        self.differences.append(Difference(what, largest, bound, len(pairs)))
