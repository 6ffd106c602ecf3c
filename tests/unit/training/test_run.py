"""A run of the training: goes through a stage, keeps its state, goes on where it was cut off, waits when asked to."""

import dataclasses
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.training import losses, network, samples  # noqa: E402
from ml.training import run as training  # noqa: E402
from ml.training.run import Run, main  # noqa: E402
from ml.training.stages import STAGES, Learner  # noqa: E402

ROOT = Path(__file__).parents[3]
LITTLE: dict[str, Any] = {"size": 64, "images": 1, "prompts": 2, "fields": ()}
FEATURES = dataclasses.replace(STAGES["features"], **LITTLE)
A_STEP = 0.01  # seconds; a step takes longer
DECODER = dataclasses.replace(STAGES["decoder"], **LITTLE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    samples.make_pool(tmp_path / "pool-0", 70, 2, 128, lambda done: None)
    return tmp_path


def weights(run: Run) -> Any:
    return run.model.sam_mask_decoder.mask_tokens.weight.detach().clone()


def test_a_stage_changes_the_weights_and_is_kept(folder: Path) -> None:
    run = Run(folder, 0, 1)
    before = weights(run)
    run.stage(FEATURES, A_STEP)
    assert run.steps >= 1
    assert not torch.equal(before, weights(run))
    assert run.spent["features"] > 0
    assert (folder / "state.pt").exists()
    assert not (folder / "state.pt.making").exists()


def test_a_run_goes_on_where_it_was_and_does_not_repeat_a_stage(folder: Path) -> None:
    first = Run(folder, 0, 1)
    first.stage(FEATURES, A_STEP)
    again = Run(folder, 0, 1)
    assert again.steps == first.steps
    assert torch.equal(weights(again), weights(first))
    assert all(torch.equal(again.mean[name], value) for name, value in first.mean.items())
    again.stage(FEATURES, A_STEP)
    assert again.steps == first.steps
    again.stage(DECODER, A_STEP)
    assert again.steps > first.steps


def test_a_run_waits_while_it_is_asked_to_and_does_not_count_that_as_training(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(folder, 0, 1)
    run.stage(FEATURES, A_STEP)  # the first step takes longest
    waits: list[float] = []
    paused = run._paused
    monkeypatch.setattr(run, "_paused", lambda: waits.append(paused()) or waits[-1])
    (folder / "pause").touch()
    threading.Timer(4, (folder / "pause").unlink).start()
    before, began = run.spent["features"], time.monotonic()
    run.stage(FEATURES, before + A_STEP)
    took = time.monotonic() - began
    assert took >= 4
    assert sum(waits) > 0
    assert 0 < run.spent["features"] - before <= took - sum(waits)


def test_what_only_the_other_process_used_is_averaged_with_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(folder, 0, 1)
    run.processes = 2
    ours, theirs, nobodys = (torch.nn.Parameter(torch.zeros(3)) for _ in range(3))
    ours.grad = torch.full((3,), 4.0)
    others = [torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.0] * 3 + [6.0] * 3)]

    def all_reduce(tensor: Any, operation: Any = None) -> None:
        other = others.pop(0)
        tensor.copy_(torch.maximum(tensor, other) if operation is not None else tensor + other)

    monkeypatch.setattr(training.group, "all_reduce", all_reduce)
    run._average([ours, theirs, nobodys])
    assert not others
    assert (ours.grad.tolist(), theirs.grad.tolist(), nobodys.grad) == ([2.0] * 3, [3.0] * 3, None)  # type: ignore[union-attr]


def test_what_is_reported_is_written_as_lines(folder: Path) -> None:
    run = Run(folder, 0, 1)
    run._report(FEATURES, 0.25, {"loss": [1.0, 2.0]})
    (line,) = (folder / "log.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert (said["stage"], said["progress"], said["loss"]) == ("features", 0.25, 1.5)


def test_later_rounds_click_into_what_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network.build(seed=0)
    learner = Learner(model, samples.Pool(folder / "pool-0"), np.random.default_rng(1))
    seen: list[network.Asked] = []
    answered: list[torch.Tensor] = []
    decode = network.decode

    def watched(model: Any, features: Any, place: Any, asked: network.Asked) -> Any:
        seen.append(asked)
        found = decode(model, features, place, asked)
        answered.append(found[0])
        return found

    monkeypatch.setattr(network, "decode", watched)
    three = dataclasses.replace(DECODER, rounds=3)
    loss, report = learner.step(three, 2, progress=1.0)
    assert [one.points.shape[1] for one in seen] == [2, 3, 4]
    assert seen[0].previous is None
    assert seen[1].previous is not None
    assert set(seen[2].labels[:, 2:].unique().tolist()) <= {0.0, 1.0}
    assert "iou_round3" in report
    assert [masks.requires_grad for masks in answered] == [True, False, True]
    loss.backward()
    assert all(bool(torch.isfinite(one.grad).all()) for _, one in learner.named_parameters() if one.grad is not None)


def test_a_part_of_a_crop_is_decoded_where_it_lies_with_prompts_on_its_objects(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network.build(seed=0)
    learner = Learner(model, samples.Pool(folder / "pool-0"), np.random.default_rng(3))
    asked, places, features, truths = [], [], [], []
    decode, judge, positions, encode = network.decode, losses.judge, network.positions, network.encode

    def encoding(model: Any, pixels: Any) -> Any:
        features.append(encode(model, pixels))
        return features[-1]

    def decoding(model: Any, given: Any, place: Any, prompts: network.Asked) -> Any:
        features.append(given)
        asked.append(prompts)
        return decode(model, given, place, prompts)

    def judging(masks: Any, scores: Any, present: Any, truth: Any, even: float) -> Any:
        truths.append(truth)
        return judge(masks, scores, present, truth, even)

    def placing(model: Any, tokens: int, offset: tuple[float, float]) -> Any:
        places.append((tokens, *offset))
        return positions(model, tokens, offset)

    monkeypatch.setattr(network, "encode", encoding)
    monkeypatch.setattr(network, "decode", decoding)
    monkeypatch.setattr(network, "positions", placing)
    monkeypatch.setattr(losses, "judge", judging)
    part = dataclasses.replace(DECODER, size=128, fields=(4,), rounds=1)
    learner.step(part, 1, progress=0.0)

    (tokens, left, top), whole, given = places[0], features[0], features[1]
    assert (tokens, left % 16, top % 16) == (4, 0, 0)
    assert [tuple(one.shape[2:]) for one in given] == [(4, 4), (16, 16), (8, 8)]
    assert any(
        torch.equal(given[0], whole[0][..., row : row + 4, col : col + 4])
        and torch.equal(given[1], whole[1][..., 4 * row : 4 * row + 16, 4 * col : 4 * col + 16])
        and torch.equal(given[2], whole[2][..., 2 * row : 2 * row + 8, 2 * col : 2 * col + 8])
        for row in range(5)
        for col in range(5)
    )
    assert len(asked[0].points) == 4 * DECODER.prompts
    clicked = asked[0].labels[:, 0] == 1
    cells = ((asked[0].points[clicked, 0] - torch.tensor([left, top])) / 4).long()
    assert bool(clicked.any())
    assert bool(((cells >= 0) & (cells < 16)).all())
    assert truths[0].shape[1:] == (16, 16)
    near = torch.nn.functional.max_pool2d(truths[0][clicked][:, None], 3, 1, 1)[:, 0]  # thin things hold no whole cell
    assert bool((near[torch.arange(len(cells)), cells[:, 1], cells[:, 0]] > 0).all())


def test_the_ambiguous_outputs_are_begun_once_with_the_first_stage_that_decodes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    share_out = network.share_out
    monkeypatch.setattr(network, "share_out", lambda model: (begun.append(1), share_out(model)))
    run = Run(folder, 0, 1)
    run.stage(FEATURES, A_STEP)
    assert not begun
    run.stage(dataclasses.replace(STAGES["clicks"], **LITTLE), A_STEP)
    run.stage(DECODER, A_STEP)
    Run(folder, 0, 1).stage(dataclasses.replace(STAGES["together"], **LITTLE), A_STEP)
    assert begun == [1]


def test_two_processes_go_through_the_stages_together_from_a_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ml.training.run", str(tmp_path), "--processes", "2", "--scenes", "1"]
    ran = subprocess.run(
        [*command, "--minutes", "clicks=0.001,decoder=0.001"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert state["steps"] >= 2
    assert set(state["spent"]) >= {"clicks", "decoder"}


def test_a_stage_that_there_is_not_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", str(tmp_path / "run"), "--minutes", "nonsense=1"])
    with pytest.raises(SystemExit):
        main()
    assert "there is no stage nonsense; there are features, clicks" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
