"""Trains edgewise-nano, or goes on with it: `python -m ml.training.run FOLDER --minutes features=40,decoder=40`.

One process a core; gradients are averaged between them. The state is written every two minutes, so that a run that is
cut off goes on from there. While the file `FOLDER/pause`, or the one that --pause names, exists, it waits.
"""

import argparse
import json
import math
import os
import shutil
import socket
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as group
import torch.multiprocessing

from ml.export.weights import load_installed, nano_in
from ml.models import InstalledModel, ModelError, load_model
from ml.models.installed import MANIFEST
from ml.quality.pictures import QualityError
from ml.training import network, samples
from ml.training.bare import make_bare_pool
from ml.training.learner import Learner
from ml.training.optimizer import Optimizer, pieces
from ml.training.real import make_real_pool
from ml.training.stages import STAGES, Stage

FIRST_SEED = 1_000_000  # training scenes; validation takes its seeds below
SAVE_SECONDS, REPORT_STEPS, WARM_STEPS = 120.0, 25, 25
LONGEST_PAUSE = timedelta(days=7)  # so long a process waits for the others
REAL, REAL_SHARE = "pool-real", 0.1  # of the crops: the labelled pictures at hand are few, and soon known by heart
BARE = "pool-bare"
LOG, TRAINING_LOG = "log.jsonl", "training.jsonl"  # of a run, and of the model that comes of it
MEMORY = 0.99  # of the running mean of the weights: over 500 steps it lagged behind a stage of 240


class Run:
    """One process of a run."""

    def __init__(self, folder: Path, rank: int, processes: int, pause: Path | None = None) -> None:
        self.folder, self.rank, self.processes = folder, rank, processes
        self.pause = pause or folder / "pause"
        self.model = network.build()
        seed = int(time.time()) * 64 + rank
        bare = samples.Pool(folder / BARE) if (folder / BARE).exists() else None
        self.learner = Learner(self.model, _scenes(folder, rank), np.random.default_rng(seed), bare)
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.spent: dict[str, float] = defaultdict(float)
        self.before: dict[str, float] = {}
        self.steps = 0
        self._load()
        torch.manual_seed(seed % 2**31)

    def stage(self, stage: Stage, seconds: float) -> None:
        """Goes through a stage, or what is left of it."""
        named = self.learner.named_parameters()
        optimizer = Optimizer(named, stage, self.rank, self.processes)
        if stage.decodes and not self._has_decoded():
            torch.manual_seed(1)
            network.share_out(self.model)
        begun = saved = time.monotonic()
        since = self.spent[stage.name]
        said: dict[str, list[float]] = defaultdict(list)
        first = self.steps
        while self._agreed(self.spent[stage.name] < seconds):
            progress = min(1.0, self.spent[stage.name] / seconds)
            slope = 0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * progress))
            rate = stage.rate * slope * min(1.0, (self.steps - first + 1) / WARM_STEPS)
            report = self.learner.step(stage, self.steps, progress)
            self._average([one for _, one in named])
            torch.nn.utils.clip_grad_norm_([one for _, one in named], 1.0)
            optimizer.step(rate)
            self._remember()
            self.steps += 1
            for name, value in report.items():
                said[name].append(value)
            begun += self._paused()
            self.spent[stage.name] = since + time.monotonic() - begun
            if self.rank == 0 and self.steps % REPORT_STEPS == 0:
                self._report(stage, progress, said)
                said.clear()
            if self.rank == 0 and time.monotonic() - saved > SAVE_SECONDS:
                self.save()
                saved = time.monotonic()
        if self.rank == 0:
            self.save()

    def save(self) -> None:
        """Writes the state aside, then in place."""
        state = {
            "model": self.mean,
            "raw": self.model.state_dict(),
            "affinity": self.learner.affinity.state_dict(),
            "hints": self.learner.hints.state_dict(),
            "spent": dict(self.spent),
            "before": self.before,
            "steps": self.steps,
        }
        aside = self.folder / "state.pt.making"
        torch.save(state, aside)
        aside.replace(self.folder / "state.pt")

    def begin_with(self, trained: InstalledModel) -> None:
        """Takes a model's weights, its log and what it was trained for so far, unless this run has a state of its own.

        Each stage begins anew, with its full rate.
        """
        if self.steps > 0 or trained.weights is None:
            return
        state = load_installed(trained).state_dict()
        self.model.load_state_dict(state)
        self.mean = {name: value.clone() for name, value in state.items()}
        folder = trained.weights.path.parent
        said = json.loads((folder / MANIFEST).read_text())["source"]
        self.steps = int(said.get("steps", 0))
        self.before = {name: 60.0 * minutes for name, minutes in said.get("minutes", {}).items()}
        if self.rank == 0 and (folder / TRAINING_LOG).exists():
            shutil.copyfile(folder / TRAINING_LOG, self.folder / LOG)

    def _has_decoded(self) -> bool:
        return any(self.spent[one.name] or self.before.get(one.name) for one in STAGES.values() if one.decodes)

    def _load(self) -> None:
        path = self.folder / "state.pt"
        if path.exists():
            state = torch.load(path, weights_only=True)
            self.model.load_state_dict(state["raw"])
            self.learner.affinity.load_state_dict(state["affinity"])
            if "hints" in state:
                self.learner.hints.load_state_dict(state["hints"])
            self.mean, self.steps = state["model"], state["steps"]
            self.spent.update(state["spent"])
            self.before = state.get("before", {})

    def _agreed(self, more: bool) -> bool:
        """All processes go on for as many steps."""
        flag = torch.tensor([float(more)])
        if self.processes > 1:
            group.all_reduce(flag, group.ReduceOp.MIN)
        return bool(flag[0])

    def _average(self, parameters: list[torch.nn.Parameter]) -> None:
        if self.processes == 1:
            return
        there = torch.tensor([float(one.grad is not None) for one in parameters])
        group.all_reduce(there, group.ReduceOp.MAX)  # what one process did not use, another may have used
        gradients = []
        for one, used in zip(parameters, there, strict=True):
            if used and one.grad is None:
                one.grad = torch.zeros_like(one)
            if one.grad is not None:
                gradients.append(one.grad)
        if not gradients:  # no crop of any process had an object that could be asked for
            return
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        group.all_reduce(flat)
        flat /= self.processes
        for gradient, mean in zip(gradients, pieces(flat, gradients), strict=True):
            gradient.copy_(mean)

    @torch.no_grad()
    def _remember(self) -> None:
        share = 1 - min(MEMORY, (1 + self.steps) / (20 + self.steps))
        for name, value in self.model.state_dict().items():
            if value.is_floating_point():
                self.mean[name].lerp_(value, share)
            else:
                self.mean[name].copy_(value)

    def _paused(self) -> float:
        """Waits while it is asked to; the seconds it took."""
        begun = time.monotonic()
        while self.pause.exists():
            time.sleep(1)
        return time.monotonic() - begun

    def _report(self, stage: Stage, progress: float, said: dict[str, list[float]]) -> None:
        line: dict[str, Any] = {"stage": stage.name, "step": self.steps, "progress": round(progress, 3)}
        line |= {"minutes": round(sum([*self.spent.values(), *self.before.values()]) / 60, 1)}
        line |= {name: round(float(np.mean(values)), 4) for name, values in said.items()}
        with (self.folder / LOG).open("a") as file:
            file.write(json.dumps(line) + "\n")


def _scenes(folder: Path, rank: int) -> samples.Crops:
    """A process's scenes, with real ones among them where the run has some."""
    made = samples.Pool(folder / f"pool-{rank}")
    return samples.Mixed(made, samples.Pool(folder / REAL), REAL_SHARE) if (folder / REAL).exists() else made


@dataclass(frozen=True)
class Plan:
    """What a run is to do; its processes meet at a port of this machine."""

    folder: Path
    processes: int
    minutes: Mapping[str, float]
    scenes: int
    pause: Path | None
    begin: Path | None
    port: int


def _process(rank: int, plan: Plan) -> None:
    torch.set_num_threads(1)
    torch.backends.cuda.enable_flash_sdp(False)  # on so few tokens three times as slow, on the processor too
    pool = plan.folder / f"pool-{rank}"
    samples.make_pool(pool, FIRST_SEED + rank * plan.scenes, plan.scenes, network.FIELD, lambda done: None)
    if plan.processes > 1:
        meeting = f"tcp://127.0.0.1:{plan.port}"
        group.init_process_group("gloo", meeting, rank=rank, world_size=plan.processes, timeout=LONGEST_PAUSE)
    run = Run(plan.folder, rank, plan.processes, plan.pause)
    if plan.begin is not None:
        run.begin_with(load_model(plan.begin))
    for name, minutes in plan.minutes.items():
        run.stage(STAGES[name], 60 * minutes)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m ml.training.run", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", default="features=80,clicks=70,decoder=70,together=60,finish=20")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scenes", type=int, default=400, help="made beforehand for each process")
    parser.add_argument("--pause", type=Path, help="while this file exists, the run waits")
    parser.add_argument("--begin", type=Path, help="the folder of a small model whose training goes on, if this begins")
    parser.add_argument(
        "--real", type=Path, nargs="+", default=[], help="folders of rasters, or map tiles, with polygons"
    )
    parser.add_argument("--bare", type=Path, nargs="+", default=[], help="folders of rasters without polygons")
    given = parser.parse_args()
    minutes = {name: float(value) for name, value in (part.split("=") for part in given.minutes.split(","))}
    unknown = sorted(set(minutes) - set(STAGES))
    if unknown:
        parser.error(f"there is no stage {unknown[0]}; there are {', '.join(STAGES)}")
    if given.begin is not None:
        try:
            nano_in(given.begin)
        except ModelError as error:
            parser.error(str(error))
    given.folder.mkdir(parents=True, exist_ok=True)
    try:
        if given.real:
            make_real_pool(given.folder / REAL, given.real)
        if given.bare:
            make_bare_pool(given.folder / BARE, given.bare)
    except QualityError as error:
        parser.error(str(error))
    plan = Plan(given.folder.resolve(), given.processes, minutes, given.scenes, given.pause, given.begin, _free_port())
    torch.multiprocessing.spawn(_process, (plan,), nprocs=plan.processes)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


if __name__ == "__main__":
    main()
