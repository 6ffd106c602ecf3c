"""Makes the folder of an installed model out of a torch one: ONNX files, weights and manifest."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.export.halves import halve
from ml.export.int8 import write_int8
from ml.export.onnx_files import export_decoder, export_encoder, export_memory
from ml.export.weights import save_weights
from ml.models.installed import INPUT_SIZE, MANIFEST, CandidateRule
from ml.models.registry import MEAN, STD

LICENCE = "Apache-2.0"
FAST_DECODER = ("prepare", "mask", "decoder")


@dataclass(frozen=True)
class Card:
    """What a manifest says of a model beside its files; `source` says where its weights came from."""

    name: str
    architecture: str
    description: str
    source: dict[str, Any] = field(default_factory=dict)
    candidate_rule: CandidateRule = CandidateRule.SAM2
    mask_feedback: bool = True
    licence: str = LICENCE


def write_folder(
    model: Any,
    folder: Path,
    card: Card,
    tell: Callable[[str], None] = lambda _: None,
    *,
    memory: bool = False,
    eight_bits: bool = True,
    half: bool = False,
) -> None:
    """Writes all files of a model into an empty folder, the manifest last; `tell` hears what is being written.

    `memory` is for models that were trained with it: 36 MB more. `eight_bits` writes the decoder once more, 8 MB; it is
    used only after `ml.quality.agreement` has measured that it may be. `half` keeps the weights in half precision: the
    same model in half the room, for weights that are exact in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("encoder", lambda: export_encoder(model, folder / "encoder.onnx")),
        ("decoder", lambda: export_decoder(model, *(folder / f"{part}.onnx" for part in FAST_DECODER))),
        ("weights", lambda: save_weights(model, folder / "weights.safetensors", half=half)),
    ]
    if eight_bits:
        both = folder / "decoder.onnx", folder / "decoder_int8.onnx"
        steps.insert(2, ("decoder in eight bits", lambda: write_int8(*both)))
    if memory:
        paths = folder / "memory_encoder.onnx", folder / "memory_attention.onnx"
        steps.append(("memory", lambda: export_memory(model, *paths)))
    for what, step in steps:
        tell(what)
        step()
    if half:
        for path in folder.glob("*.onnx"):
            halve(path)
    files = {path.stem: _entry(path) for path in sorted(folder.iterdir()) if path.suffix in (".onnx", ".safetensors")}
    manifest = {
        "name": card.name,
        "description": card.description,
        "licence": card.licence,
        "architecture": card.architecture,
        "source": card.source,
        "files": files,
        "input_size": INPUT_SIZE,
        "mean": list(MEAN),
        "std": list(STD),
        "candidate_rule": card.candidate_rule.value,
        "mask_feedback": card.mask_feedback,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _entry(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {
            "path": path.name,
            "sha256": hashlib.file_digest(file, "sha256").hexdigest(),
            "bytes": path.stat().st_size,
        }
