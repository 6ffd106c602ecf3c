"""A run's state becomes an installed model: its averaged weights, its log, its card."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.decode import OnnxDecoder, PromptSet  # noqa: E402
from ml.encode import OnnxEncoder  # noqa: E402
from ml.export.weights import load_installed  # noqa: E402
from ml.models import ModelError, load_model  # noqa: E402
from ml.training import network, samples  # noqa: E402
from ml.training.pack import pack  # noqa: E402
from ml.training.run import Run  # noqa: E402

MOST_BYTES = 30_000_000


def test_a_run_becomes_a_model_that_answers_as_its_averaged_weights_do(tmp_path: Path) -> None:
    run, folder = tmp_path / "run", tmp_path / "edgewise-nano"
    samples.make_pool(run / "pool-0", 70, 1, 64, lambda done: None)
    trained = Run(run, 0, 1)
    trained.steps, trained.spent["features"] = 7, 90.0
    trained.mean = {name: value.clone() for name, value in network.build(seed=9).state_dict().items()}
    trained.save()
    (run / "log.jsonl").write_text('{"step": 7}\n')
    folder.mkdir()
    (folder / "MODEL.md").write_text("a card")

    pack(run, folder)

    assert sorted(tmp_path.iterdir()) == [folder, run]
    model = load_model(folder)
    said = json.loads((folder / "model.json").read_text())
    assert said["source"] == {"made_by": "ml.training.run", "steps": 7, "minutes": {"features": 1.5}}
    assert (folder / "training.jsonl").read_text() == '{"step": 7}\n'
    assert (folder / "MODEL.md").read_text() == "a card"
    assert sum(path.stat().st_size for path in folder.iterdir()) < MOST_BYTES
    weights = load_installed(model)
    assert all(torch.equal(value, trained.mean[name].half().float()) for name, value in weights.state_dict().items())

    pixels = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    asked = PromptSet(np.array([[300.0, 400.0]]), np.array([1]))
    answered = OnnxDecoder(model).decode(OnnxEncoder(model).encode(pixels), asked).candidates
    with torch.inference_mode():
        image = torch.from_numpy(samples.normalised(pixels.astype(np.float32) / 255))[None]
        place = network.positions(weights, 64, (0.0, 0.0))
        prompt = network.Asked(torch.tensor([[[300.0, 400.0]]]), torch.ones(1, 1))
        masks, _, _ = network.decode(weights, network.encode(weights, image), place, prompt)
    for candidate in answered:
        wanted = masks[0, candidate.index].numpy()
        assert np.abs(candidate.logits - wanted).max() < 1e-3 * max(1.0, float(wanted.std()))


def test_what_is_written_may_be_the_mean_with_what_the_run_began_with(tmp_path: Path) -> None:
    run, before, after = tmp_path / "run", tmp_path / "before", tmp_path / "after"
    samples.make_pool(run / "pool-0", 70, 1, 64, lambda done: None)
    trained = Run(run, 0, 1)
    trained.steps = 7
    trained.save()
    pack(run, before)
    trained.mean = {name: value.clone() for name, value in network.build(seed=9).state_dict().items()}
    trained.save()

    pack(run, after, mean_with=(before, 0.25))

    one, other, both = (load_installed(load_model(folder)).state_dict() for folder in (before, run_packed(run), after))
    assert json.loads((after / "model.json").read_text())["source"]["share_of_before"] == 0.25
    moved = [name for name in one if not torch.equal(one[name], other[name])]
    assert len(moved) > 100
    for name in moved:
        assert torch.allclose(both[name], 0.25 * one[name] + 0.75 * other[name], rtol=2e-3, atol=2e-3), name


def run_packed(run: Path) -> Path:
    """The same run's weights alone, as a model."""
    pack(run, run.with_name("alone"))
    return run.with_name("alone")


def test_a_mean_with_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    samples.make_pool(run / "pool-0", 70, 1, 64, lambda done: None)
    trained = Run(run, 0, 1)
    trained.save()
    pack(run, tmp_path / "other")
    manifest = tmp_path / "other" / "model.json"
    manifest.write_text(manifest.read_text().replace('"architecture": "edgewise-nano"', '"architecture": "another"'))
    with pytest.raises(ModelError, match="holds no weights of edgewise-nano"):
        pack(run, tmp_path / "mean", mean_with=(tmp_path / "other", 0.5))
    assert not (tmp_path / "mean").exists()


def test_the_training_of_a_packed_model_goes_on_in_a_new_folder(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        samples.make_pool(folder / "pool-0", 70, 1, 64, lambda done: None)
    trained = Run(first, 0, 1)
    trained.steps, trained.spent["clicks"] = 7, 90.0
    trained.save()
    (first / "log.jsonl").write_text('{"step": 7}\n')
    pack(first, tmp_path / "edgewise-nano")

    again = Run(second, 0, 1)
    again.begin_with(load_model(tmp_path / "edgewise-nano"))

    assert (again.steps, dict(again.spent)) == (7, {})
    assert again._has_decoded()
    assert (second / "log.jsonl").read_text() == '{"step": 7}\n'
    assert all(
        torch.equal(value, trained.mean[name].half().float()) for name, value in again.model.state_dict().items()
    )
    again.steps, again.spent["clicks"], again.spent["decoder"] = 8, 30.0, 60.0
    again.save()
    resumed = Run(second, 0, 1)
    resumed.begin_with(load_model(tmp_path / "edgewise-nano"))
    assert resumed.steps == 8  # its own state comes first
    pack(second, tmp_path / "again")
    said = json.loads((tmp_path / "again" / "model.json").read_text())
    assert said["source"]["minutes"] == {"clicks": 2.0, "decoder": 1.0}


def test_a_run_that_never_saved_gives_no_model(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pack(tmp_path, tmp_path / "model")
    assert not list(tmp_path.iterdir())
