"""Makes an installed model out of a run's state: `python -m ml.training.pack RUN_FOLDER MODEL_FOLDER`."""

import argparse
import shutil
from pathlib import Path

import torch

from ml.export.folder import Card, write_folder
from ml.export.weights import NANO, fill
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
) -> None:
    """Writes a run's averaged weights as a model's folder, aside first; a card that is there already is kept.

    On so many held-out `scenes` it is measured whether the model may be decoded in parts, and, with `eight_bits`, in
    such, which takes the ONNX files past the 30 MB that the small model is to have.

    Raises `ModelError` for weights that are not the small model's, `FileNotFoundError` for a run without a state.
    """
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    parts = (state.get("before", {}), state["spent"])
    seconds = {stage: sum(part.get(stage, 0.0) for part in parts) for part in parts for stage in part}
    minutes = {stage: round(each / 60, 1) for stage, each in seconds.items()}
    card = Card(
        name=NANO,
        architecture=NANO,
        description=DESCRIPTION,
        source={"made_by": "ml.training.run", "steps": state["steps"], "minutes": minutes},
        candidate_rule=rule,
        mask_feedback=feedback,
    )
    aside = folder.with_name(folder.name + ".making")
    shutil.rmtree(aside, ignore_errors=True)
    weights = {name: tensor.half().float() for name, tensor in state["model"].items()}
    write_folder(fill(NANO, weights, "state.pt"), aside, card, eight_bits=eight_bits, half=True)
    for source, name in ((run / LOG, TRAINING_LOG), (folder / CARD, CARD)):
        if source.exists():
            shutil.copyfile(source, aside / name)
    model = load_model(aside)
    if scenes:
        agreement(model, scenes, print, write=True)
    if folder.exists():
        shutil.rmtree(folder)
    aside.replace(folder)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ml.training.pack", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rule", type=CandidateRule, default=CandidateRule.SAM2, choices=list(CandidateRule))
    parser.add_argument("--no-feedback", action="store_true", help="do not give the last mask back with the next click")
    parser.add_argument("--scenes", type=int, default=SCENES, help="to measure decoding in parts on (%(default)s)")
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
    )


if __name__ == "__main__":
    main()
