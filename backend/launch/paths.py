"""Where everything lies in a checkout."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The folders and files of one checkout; everything that is made lies under `.venv`, `var` and `frontend`."""

    root: Path

    @classmethod
    def of_this_checkout(cls) -> "Paths":
        """The checkout that this file belongs to."""
        return cls(Path(__file__).resolve().parents[2])

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The virtual environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def requirements(self) -> Path:
        return self.root / "requirements"

    @property
    def frontend(self) -> Path:
        return self.root / "frontend"

    @property
    def var(self) -> Path:
        return self.root / "var"

    @property
    def logs(self) -> Path:
        return self.var / "log"

    @property
    def locks(self) -> Path:
        return self.var / "lock"

    @property
    def stamps(self) -> Path:
        return self.var / "stamps"

    @property
    def data(self) -> Path:
        """Rasters, embeddings and exports, unless EDGEWISE_DATA_DIR names another folder."""
        return self.var / "data"

    @property
    def cluster(self) -> Path:
        return self.var / "pg"

    @property
    def cluster_elsewhere(self) -> Path:
        """Where the cluster lies when its operating-system user cannot reach this checkout (below a closed home)."""
        name = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return Path("/var/lib/edgewise") / name

    @property
    def node(self) -> Path:
        """Node.js, where the machine has none that is new enough."""
        return self.var / "node"

    @property
    def secret_key(self) -> Path:
        return self.var / "secret_key"
