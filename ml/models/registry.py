"""The models that are published: Meta's SAM 2.1 family, where each checkpoint lies and how it is recognised."""

from dataclasses import dataclass

from ml.models.installed import ModelError

MEAN = (0.485, 0.456, 0.406)  # sam2/utils/transforms.py: SAM2Transforms
STD = (0.229, 0.224, 0.225)
LICENCE = "Apache-2.0"  # of Meta's code and checkpoints alike
HOST = "https://dl.fbaipublicfiles.com/segment_anything_2/092824"  # the addresses of checkpoints/download_ckpts.sh


@dataclass(frozen=True)
class Published:
    """One published checkpoint.

    `config` lies in the package sam2. `width` (channels of the patch embedding) and `blocks` tell which size a
    checkpoint is of. `sha256` and `bytes` are those of the file that Meta publishes.
    """

    name: str
    config: str
    width: int
    blocks: int
    parameters: int
    bytes: int
    sha256: str | None

    @property
    def file_name(self) -> str:
        return f"{self.name}.pt"

    @property
    def address(self) -> str:
        return f"{HOST}/{self.file_name}"


PUBLISHED = (
    Published(
        name="sam2.1_hiera_tiny",
        config="configs/sam2.1/sam2.1_hiera_t.yaml",
        width=96,
        blocks=12,
        parameters=38_962_498,
        bytes=156_008_466,
        sha256="7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    Published(
        name="sam2.1_hiera_small",
        config="configs/sam2.1/sam2.1_hiera_s.yaml",
        width=96,
        blocks=16,
        parameters=46_060_354,
        bytes=184_416_285,
        sha256="6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
    ),
    Published(
        name="sam2.1_hiera_base_plus",
        config="configs/sam2.1/sam2.1_hiera_b+.yaml",
        width=112,
        blocks=24,
        parameters=80_850_178,
        bytes=323_606_802,
        sha256="a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    Published(
        name="sam2.1_hiera_large",
        config="configs/sam2.1/sam2.1_hiera_l.yaml",
        width=144,
        blocks=48,
        parameters=224_446_642,
        bytes=898_083_611,
        sha256="2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
    ),
)


def published(name: str) -> Published:
    """The model of this name. Raises `ModelError`."""
    for model in PUBLISHED:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in PUBLISHED)
    raise ModelError(f"There is no published model named {name!r}. Published: {known}.")
