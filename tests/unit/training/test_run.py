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

from ml.training import bare, losses, network, samples  # noqa: E402
from ml.training import run as training  # noqa: E402
from ml.training.learner import Learner, _corrected  # noqa: E402
from ml.training.run import Run, main  # noqa: E402
from ml.training.stages import STAGES  # noqa: E402

ROOT = Path(__file__).parents[3]
LITTLE: dict[str, Any] = {"size": 64, "images": 1, "fields": ((4, 0, 2),)}
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

    def watched(model: Any, features: Any, place: Any, asked: network.Asked, view: network.View) -> Any:
        seen.append(asked)
        found = decode(model, features, place, asked, view)
        answered.append(found[0])
        return found

    monkeypatch.setattr(network, "decode", watched)
    three = dataclasses.replace(DECODER, rounds=3)
    report = learner.step(three, 2, progress=1.0)
    assert [one.points.shape[1] for one in seen] == [2, 3, 4]
    assert seen[0].previous is None
    assert seen[1].previous is not None
    assert set(seen[2].labels[:, 2:].unique().tolist()) <= {0.0, 1.0}
    assert "iou_round3" in report
    assert [masks.requires_grad for masks in answered] == [True, False, True]
    assert any(one.grad is not None and bool(one.grad.any()) for _, one in learner.named_parameters())
    assert all(bool(torch.isfinite(one.grad).all()) for _, one in learner.named_parameters() if one.grad is not None)


def test_a_part_of_a_crop_is_decoded_where_it_lies_with_prompts_on_its_objects(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = network.build(seed=0)
    learner = Learner(model, samples.Pool(folder / "pool-0"), np.random.default_rng(3))
    asked, views, places, features, truths = [], [], [], [], []
    decode, judge, positions, encode = network.decode, losses.judge, network.positions, network.encode

    def encoding(model: Any, pixels: Any) -> Any:
        features.append(encode(model, pixels))
        return features[-1]

    def decoding(model: Any, given: Any, place: Any, prompts: network.Asked, view: network.View) -> Any:
        features.append(given)
        asked.append(prompts)
        views.append(view)
        return decode(model, given, place, prompts, view)

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
    part = dataclasses.replace(DECODER, size=128, fields=((4, 4, 8),), rounds=1, hold=0.0)
    learner.step(part, 1, progress=0.0)

    (tokens, left, top), whole, given = places[0], features[0], features[1]
    assert (tokens, left % 16, top % 16) == (8, 0, 0)
    assert all(torch.equal(one, other) for one, other in zip(whole, given, strict=True))
    assert (views[0].side, views[0].far, views[0].col % 4, views[0].row % 4) == (4, 4, 0, 0)
    left, top = left + 16 * views[0].col, top + 16 * views[0].row
    assert len(asked[0].points) == 8
    clicked = asked[0].labels[:, 0] == 1
    cells = ((asked[0].points[clicked, 0] - torch.tensor([left, top])) / 4).long()
    assert bool(clicked.any())
    assert bool(((cells >= 0) & (cells < 16)).all())
    assert truths[0].shape[1:] == (16, 16)
    near = torch.nn.functional.max_pool2d(truths[0][clicked][:, None], 3, 1, 1)[:, 0]  # thin things hold no whole cell
    assert bool((near[torch.arange(len(cells)), cells[:, 1], cells[:, 0]] > 0).all())


def learner_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Learner, list[Any]]:
    """A learner on the folder's scenes, and all features that it has encoded so far."""
    learner = Learner(network.build(seed=0), samples.Pool(folder / "pool-0"), np.random.default_rng(5))
    encoded: list[Any] = []
    encode = network.encode
    monkeypatch.setattr(network, "encode", lambda model, pixels: encoded.append(encode(model, pixels)) or encoded[-1])
    return learner, encoded


def test_all_fields_of_a_step_share_the_features_and_teach_the_encoder_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, encoded = learner_on(folder, monkeypatch)
    both = dataclasses.replace(DECODER, size=128, fields=((4, 2, 3), (8, 0, 2)), hold=0.0, hints=0.3)
    said = learner.step(both, 0, progress=0.0)
    assert len(encoded) == 1
    assert np.isfinite(said["loss"])
    gradients = {name: one.grad for name, one in learner.named_parameters()}
    assert gradients["hints.1.weight"].abs().max() > 0
    stem = next(one for name, one in gradients.items() if name.startswith("image_encoder.trunk.patch_embed"))
    assert stem.abs().max() > 0


def test_an_encoder_that_stays_as_it_is_is_asked_now_and_then_and_gets_no_gradient(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, encoded = learner_on(folder, monkeypatch)
    kept = dataclasses.replace(STAGES["prompts"], size=128, fields=((4, 4, 3), (4, 0, 2)), keep=3)
    for number in range(1, 9):  # three at first, then with the fourth and the eighth step
        learner.step(kept, number, progress=0.0)
    assert len(encoded) == 5
    assert len(learner._kept) == 3
    told = {name.split(".")[0] for name, one in learner.named_parameters() if one.grad is not None}
    assert "image_encoder" not in told
    assert {"sam_mask_decoder", "sam_prompt_encoder", "hints"} <= told


def test_a_part_and_the_whole_crop_learn_to_draw_alike(folder: Path) -> None:
    learner = Learner(network.build(seed=0), samples.Pool(folder / "pool-0"), np.random.default_rng(1))
    pairs = dataclasses.replace(STAGES["finish"], size=128, fields=(), pair=(4, 4, 3), bare=0.0)
    before = float(learner.step(pairs, 4, progress=0.0)["agreed"])
    assert 0 <= before <= 1
    told = {name.split(".")[0]: one.grad for name, one in learner.named_parameters() if one.grad is not None}
    assert {"image_encoder", "sam_mask_decoder", "sam_prompt_encoder"} <= set(told)
    assert all(bool(gradient.isfinite().all()) for gradient in told.values())
    assert learner._known == []  # what the layers knew is not kept with its gradients


def test_pictures_without_labels_teach_the_decoder_what_it_sees_of_them_whole(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def guess(logits: np.ndarray, click: np.ndarray) -> np.ndarray:
        assert logits.shape == (32, 32)
        col, row = (click // samples.CELL).astype(int)
        found = np.zeros(logits.shape, bool)
        found[max(0, row - 2) : row + 3, max(0, col - 2) : col + 3] = True
        return found

    monkeypatch.setattr(bare, "cleaned", guess)
    pool = samples.Pool(folder / "pool-0")
    learner = Learner(network.build(seed=0), pool, np.random.default_rng(1), pool)
    pairs = dataclasses.replace(STAGES["finish"], size=128, fields=(), pair=(4, 4, 3))
    said = learner.step(pairs, 1, progress=0.0)
    assert {"agreed", "agreed_bare", "iou_whole_bare"} <= set(said)
    without = learner.step(dataclasses.replace(pairs, bare=0.0), 1, progress=0.0)
    assert "agreed_bare" not in without


def test_a_box_is_hinted_at_by_the_tokens_that_lie_in_it(folder: Path) -> None:
    model = network.build(seed=0)
    learner = Learner(model, samples.Pool(folder / "pool-0"), np.random.default_rng(5))
    asked = network.Asked(torch.tensor([[[96.0, 64.0], [128.0, 112.0]]]), torch.tensor([[2.0, 3.0]]))
    # the field's upper left lies at (64, 64): the box is its columns 2 and 3, rows 0 to 2
    truth = torch.zeros(1, 16, 16)
    truth[:, 0:8, 8:16] = 1
    within = torch.zeros(4, 4)
    within[0:3, 2:4] = 1
    inside = torch.nn.functional.avg_pool2d(truth, 4)[0]
    sure = torch.stack([inside, within], -1).view(1, 16, 2) * 40 - 20
    for hint in learner.hints:
        torch.nn.init.zeros_(hint.weight)
        torch.nn.init.zeros_(hint.bias)
        hint.weight.data[:, :2] = torch.eye(2)
    for right in (1.0, -1.0):
        known = torch.zeros(1, 16, 256)
        known[..., :2] = right * sure
        learner._known = [known, known]
        loss = float(learner._hinted(asked, truth, (64.0, 64.0)).detach())
        assert loss < 0.01 if right > 0 else loss > 10


def test_half_of_the_corrections_lie_in_the_middle_of_what_is_wrong() -> None:
    truth = torch.zeros(40, 16, 16)
    truth[:, 3:10, 3:10] = 1
    asked = network.Asked(torch.zeros(40, 2, 2), torch.tensor([[1.0, -1.0]] * 40))
    nothing = torch.full((40, 16, 16), -5.0)
    later = _corrected(nothing, truth, asked, (32.0, 0.0), np.random.default_rng(1))
    middle = (later.points[:, 2] - torch.tensor([32.0 + 6.5 * 4, 6.5 * 4])).abs().max(1).values == 0
    assert 8 <= int(middle.sum()) <= 32
    assert bool((later.labels[:, 2] == 1).all())
    cells = ((later.points[:, 2] - torch.tensor([32.0, 0.0])) / 4).long()
    assert bool(truth[torch.arange(40), cells[:, 1], cells[:, 0]].all())


def test_only_whole_crops_are_held_together() -> None:
    with pytest.raises(ValueError, match="whole crop"):
        dataclasses.replace(DECODER, fields=((8, 0, 4),))


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
