"""How figures are judged: percentiles, ratios, what counts as slower, and the page that shows them."""

import importlib
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.bench import harness, history
from tests.bench.__main__ import GROUPS, main
from tests.bench.harness import Gate, Row, interleaved, percentile, processor_ms, ratio, result

HERE = {"cpu": "one", "flags": [], "cores": 2, "memory_gib": 8, "system": "Linux", "load_1_min": 0.5}


def run_of(value: float, *, half: float = 0.02, name: str = "click.cpu_ratio", **machine: Any) -> dict[str, Any]:
    row = Row(
        name, value, 1.0, "higher", "x", 60, (value - half, value + half), (Gate("iou", 0.99, 0.97),), ("village",)
    )
    return result([row], [], HERE | machine)


def test_a_percentile_is_one_of_the_values_by_nearest_rank() -> None:
    values = [float(n) for n in range(1, 21)]

    assert [percentile(values, share) for share in (0.05, 0.5, 0.95, 1.0)] == [1, 10, 19, 20]
    assert percentile([7.0], 0.95) == 7


def test_a_ratio_is_theirs_over_ours_and_its_interval_holds_it() -> None:
    ours = [10.0 + n % 3 for n in range(60)]

    value, (low, high) = ratio([4 * x for x in ours], ours)

    assert value == 4
    assert low <= 4 <= high


def test_both_sides_run_equally_often_and_each_goes_first_in_turn() -> None:
    order: list[str] = []

    timed = interleaved(lambda _: order.append("a"), lambda _: order.append("b"), pairs=4, warm_up=2)

    assert (len(timed.ours_cpu), len(timed.theirs_wall)) == (4, 4)
    assert {"".join(order[i : i + 2]) for i in range(0, len(order), 2)} == {"ab", "ba"}
    assert order.count("a") == order.count("b") == 6


def test_the_processor_time_of_a_process_counts_threads_that_have_ended() -> None:
    def spin() -> None:
        until = time.thread_time() + 0.05
        while time.thread_time() < until:
            pass

    before, ours = processor_ms(os.getpid()), time.process_time()
    thread = threading.Thread(target=spin)
    thread.start()
    thread.join()

    taken = processor_ms(os.getpid()) - before
    assert taken >= 50
    assert abs(taken - (time.process_time() - ours) * 1000) < 5


def test_every_group_can_be_run_and_an_unknown_one_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert all(callable(importlib.import_module(f"tests.bench.{name}").run) for name in GROUPS)

    assert main(["tiles", "nothing"]) == 2
    said = capsys.readouterr().out
    assert "nothing" in said
    assert "measuring" not in said


def test_the_quality_of_models_is_measured_where_it_is_named_and_not_otherwise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[str] = []
    for name in (*GROUPS, "quality"):
        module = importlib.import_module(f"tests.bench.{name}")
        monkeypatch.setattr(module, "run", lambda name=name: (ran.append(name), ([], []))[1])
    monkeypatch.setattr(harness, "LATEST", tmp_path / "latest.json")
    monkeypatch.delenv("BENCH", raising=False)

    assert main([]) == 0
    assert ran == list(GROUPS)
    ran.clear()
    assert main(["quality"]) == 0
    assert ran == ["quality"]


def test_a_row_is_met_only_with_its_gates() -> None:
    met = Row("r", 2.0, 1.0, "higher", "x", 30, (1.9, 2.1), (Gate("iou", 0.98, 0.97), Gate("lost", 0, 0, "lower")))
    wrong = Row("r", 9.0, 1.0, "higher", "x", 30, (8.9, 9.1), (Gate("iou", 0.96, 0.97),))

    assert met.met
    assert not wrong.met


def test_a_ratio_that_falls_beyond_noise_is_named_and_one_within_it_is_not() -> None:
    past = [run_of(value) for value in (2.0, 2.1, 1.95)]

    assert history.slower(run_of(1.85), past) == []
    assert history.slower(run_of(2.6), past) == []
    (found,) = history.slower(run_of(1.5), past)
    assert (found.name, found.before, found.value) == ("click.cpu_ratio", 2.0, 1.5)
    assert "1.5" in str(found)


def test_a_ratio_that_should_be_small_is_named_when_it_grows() -> None:
    past, grown, shrunk = run_of(0.5), run_of(0.7), run_of(0.3)
    for run in (past, grown, shrunk):
        run["rows"][0]["better"] = "lower"

    assert [found.value for found in history.slower(grown, [past])] == [0.7]
    assert history.slower(shrunk, [past]) == []


def test_an_uncertain_figure_is_not_called_slower() -> None:
    assert history.slower(run_of(1.5, half=0.6), [run_of(2.0)]) == []


def test_recent_runs_that_differ_among_themselves_allow_as_much() -> None:
    past = [run_of(value) for value in (2.0, 2.6, 2.0)]

    assert history.slower(run_of(1.5), past) == []
    assert len(history.slower(run_of(1.3), past)) == 1


def test_only_the_last_runs_count() -> None:
    past = [run_of(9.0), *(run_of(2.0) for _ in range(history.RECENT))]

    assert history.slower(run_of(1.9), past) == []


def test_another_processor_allows_twice_the_noise_and_its_runs_do_not_count_beside_our_own() -> None:
    elsewhere = run_of(2.0, cpu="two")

    assert history.slower(run_of(1.65), [elsewhere]) == []
    assert len(history.slower(run_of(1.5), [elsewhere])) == 1
    assert history.slower(run_of(1.5), [elsewhere, run_of(1.5)]) == []


def test_other_inputs_and_rows_that_are_no_ratio_are_not_compared() -> None:
    other = run_of(9.0)
    other["rows"][0]["inputs"] = ["village", "drone"]
    late = run_of(9.0)
    late["rows"][0]["unit"] = "ms"
    now = run_of(1.0)
    now["rows"][0]["unit"] = "ms"

    assert history.slower(run_of(1.0), [other]) == []
    assert history.slower(now, [late]) == []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of its own."""
    monkeypatch.setattr(history, "FOLDER", tmp_path)
    for name, file in (("RUNS", "history.json"), ("CHART", "ratios.svg"), ("PAGE", "page.md")):
        monkeypatch.setattr(history, name, tmp_path / file)
    (tmp_path / "page.md").write_text(f"# Before\n\n{history.BEGIN}\nold\n{history.END}\n\nAfter\n")
    return tmp_path


def test_a_kept_run_is_in_the_history_the_page_and_the_chart(place: Path) -> None:
    history.keep(run_of(2.0))
    history.keep(run_of(2.5))

    assert [run["rows"][0]["value"] for run in history.runs()] == [2.0, 2.5]
    page = (place / "page.md").read_text()
    assert page.startswith("# Before")
    assert page.endswith("After\n")
    assert "old" not in page
    assert "**2.5×**" in page
    assert (place / "ratios.svg").read_text().count("<circle") == 2


def test_a_run_whose_gate_fails_is_not_kept(place: Path) -> None:
    wrong = run_of(9.0)
    wrong["rows"][0]["gates"][0]["value"] = 0.5

    with pytest.raises(ValueError, match="iou"):
        history.keep(wrong)

    assert sorted(path.name for path in place.iterdir()) == ["page.md"]
    assert "old" in (place / "page.md").read_text()


def test_the_committed_page_and_chart_are_those_of_the_committed_history() -> None:
    kept = history.runs()

    assert kept, "docs/benchmarks/history.json holds no run"
    assert history.page(history.PAGE.read_text(), kept) == history.PAGE.read_text()
    assert history.chart(kept) == history.CHART.read_text()
    assert all(set(row) >= {"name", "value", "goal", "gates", "spread", "n"} for run in kept for row in run["rows"])
    assert json.loads(history.RUNS.read_text())["runs"] == kept
