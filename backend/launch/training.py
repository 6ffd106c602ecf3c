"""`make train-nano`: trains the small model anew, or goes on with its training, and installs it."""

import os
import subprocess

from backend.launch.console import Console
from backend.launch.errors import LaunchError
from backend.launch.paths import Paths
from backend.launch.supervisor import StopSignals

NEEDED = "import cv2, hydra, onnx, safetensors, sam2, torch"
MISSING = (
    "Training needs torch and the package sam2, which are not installed. Run `make run` once, then:\n"
    "    .venv/bin/pip install '.[torch,train]'\n"
    "    SAM2_BUILD_CUDA=0 .venv/bin/pip install --no-build-isolation --no-deps sam2==1.1.0\n"
    "and run this again."
)


def train_nano(paths: Paths, console: Console) -> int:
    """MINUTES=features=100,decoder=120,... says how long each stage takes; what was stopped goes on where it was."""
    can = paths.python.exists() and subprocess.run([paths.python, "-c", NEEDED], capture_output=True, check=False)
    if not can or can.returncode != 0:
        raise LaunchError(MISSING)
    StopSignals().listen()
    run, model = paths.var / "train" / "nano", paths.var / "data" / "models" / "edgewise-nano"
    minutes = ["--minutes", os.environ["MINUTES"]] if os.environ.get("MINUTES") else []
    console.say(f"Training in {run}: its log is log.jsonl, a file named pause there makes it wait, Ctrl-C stops it.")
    steps = (
        ["ml.training.run", str(run), *minutes],
        ["ml.training.pack", str(run), str(model)],
        ["ml.quality", str(model), "--out", str(run / "quality")],
    )
    for step in steps:
        code = subprocess.run(["nice", paths.python, "-m", *step], cwd=paths.root, check=False).returncode
        if code != 0:
            return code
    console.say(f"Installed in {model}; the figures and the worst twenty are in {run / 'quality'}.")
    return 0
