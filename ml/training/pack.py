"""Makes an installed model out of a run's state: `python -m ml.training.pack RUN_FOLDER MODEL_FOLDER`."""

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch

from ml.export.folder import Card, write_folder
from ml.export.weights import NANO, fill, load_installed, nano_in
from ml.models import CandidateRule, load_model
from ml.models.install import agreement
from ml.training.run import LOG, TRAINING_LOG

DESCRIPTION = "A small model of the SAM 2.1 architecture, trained from nothing on procedural scenes. See MODEL.md."
CARD = "MODEL.md"
SCENES = 12


def pack(
    run: Path,
    folder: Path,
    rule: CandidateRule = CandidateRule.SAM2,
    *,
    feedback: bool = True,
    scenes: int = 0,
    eight_bits: bool = False,
    mean_with: tuple[Path, float] | None = None,
) -> None:
    """Writes a run's averaged weights as a model's folder, aside first; a card that is there already is kept.

    `mean_with` names a model of the same kind, such as the one that the run began with, and its share in the mean of
    both that is written (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").
    On so many held-out `scenes` it is measured whether the model may be decoded in parts, and, with `eight_bits`, in
    such, which takes the ONNX files past the 30 MB that the small model is to have.

    Raises `ModelError` for weights that are not the small model's, `FileNotFoundError` for a run without a state.
    """
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    parts = (state.get("before", {}), state["spent"])
    seconds = {stage: sum(part.get(stage, 0.0) for part in parts) for part in parts for stage in part}
    minutes = {stage: round(each / 60, 1) for stage, each in seconds.items()}
    said: dict[str, Any] = {"made_by": "ml.training.run", "steps": state["steps"], "minutes": minutes}
    weights = state["model"]
    if mean_with is not None:
        weights = _mean(weights, *mean_with)
        said["share_of_before"] = mean_with[1]
    card = Card(
        name=NANO,
        architecture=NANO,
        description=DESCRIPTION,
        source=said,
        candidate_rule=rule,
        mask_feedback=feedback,
    )
    aside = folder.with_name(folder.name + ".making")
    shutil.rmtree(aside, ignore_errors=True)
    halved = {name: tensor.half().float() for name, tensor in weights.items()}
    write_folder(fill(NANO, halved, "state.pt"), aside, card, eight_bits=eight_bits, half=True)
    for source, name in ((run / LOG, TRAINING_LOG), (folder / CARD, CARD)):
        if source.exists():
            shutil.copyfile(source, aside / name)
    model = load_model(aside)
    if scenes:
        agreement(model, scenes, print, write=True)
    if folder.exists():
        shutil.rmtree(folder)
    aside.replace(folder)


def _mean(weights: dict[str, torch.Tensor], folder: Path, share: float) -> dict[str, torch.Tensor]:
    """The mean with a model's weights, of which it has a share."""
    before = load_installed(nano_in(folder)).state_dict()
    return {name: torch.lerp(value.float(), before[name].float(), share) for name, value in weights.items()}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ml.training.pack", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rule", type=CandidateRule, default=CandidateRule.SAM2, choices=list(CandidateRule))
    parser.add_argument("--no-feedback", action="store_true", help="do not give the last mask back with the next click")
    parser.add_argument("--scenes", type=int, default=SCENES, help="to measure decoding in parts on (%(default)s)")
    parser.add_argument("--mean-with", type=Path, help="a model whose weights the written ones are the mean with")
    parser.add_argument("--share", type=float, default=0.3, help="of that model in the mean (%(default)s)")
    parser.add_argument("--eight-bits", action="store_true", help="try the decoder in eight bits too: 8 MB more")
    given = parser.parse_args()
    given.folder.parent.mkdir(parents=True, exist_ok=True)
    pack(
        given.run,
        given.folder,
        given.rule,
        feedback=not given.no_feedback,
        scenes=given.scenes,
        eight_bits=given.eight_bits,
        mean_with=(given.mean_with, given.share) if given.mean_with else None,
    )


if __name__ == "__main__":
    main()
