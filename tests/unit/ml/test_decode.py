"""From prompts to candidates: the order of outputs, SAM's frame, and masks where the shapes are."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
import rasterio.features
from shapely.geometry import Polygon

from fixtures.scenes import calibration
from ml.decode import Candidate, OnnxDecoder, PromptError, PromptSet, offered, rank_candidates
from ml.embeddings import Embedding
from ml.models import CandidateRule, InstalledModel
from ml.vectorize import polygon_from_logits
from ml.windows import Window

SHAPES = {shape.name: shape for shape in calibration.shapes()}
Logits = npt.NDArray[np.float32]


def point(x: float, y: float, label: int = 1) -> PromptSet:
    return PromptSet(np.array([[x, y]]), np.array([label]))


def points(*given: tuple[float, float, int]) -> PromptSet:
    return PromptSet(np.array([p[:2] for p in given], float), np.array([p[2] for p in given]))


def box(outline: Polygon) -> PromptSet:
    return PromptSet(np.empty((0, 2)), np.empty(0, int), outline.bounds)


def masks(*areas: int) -> Logits:
    """Four masks of so many cells, far from the threshold."""
    found = np.full((4, 256, 256), -10, np.float32)
    for mask, area in zip(found, areas, strict=True):
        mask.flat[:area] = 10
    return found


def order(rule: CandidateRule, prompts: PromptSet, scores: list[float], logits: Logits | None = None) -> list[int]:
    given = masks(50, 60, 70, 80) if logits is None else logits
    ranked = rank_candidates(given, np.array(scores, np.float32), rule, prompts)
    for candidate in ranked:
        assert candidate.logits is given[candidate.index] or np.array_equal(candidate.logits, given[candidate.index])
    return [candidate.index for candidate in ranked]


ONE = point(5, 5)
TWO = points((5, 5, 1), (9, 9, 0))
BOX = PromptSet(np.empty((0, 2)), np.empty(0, int), (1, 1, 9, 9))
UNSTABLE = masks(50, 60, 70, 80)
UNSTABLE[0].flat[50:100] = 0.01  # half of what lies above -0.05 lies below 0.05


@pytest.mark.parametrize(
    ("rule", "prompts", "scores", "expected"),
    [
        # the single mask first, whatever its score, then the two best of the rest
        (CandidateRule.SINGLE_FIRST, ONE, [0.1, 0.2, 0.9, 0.5], [0, 2, 3]),
        (CandidateRule.SINGLE_FIRST, TWO, [0.1, 0.7, 0.6, 0.5], [0, 1, 2]),
        (CandidateRule.SINGLE_FIRST, BOX, [0.9, 0.3, 0.2, 0.5], [0, 3, 1]),
        # SAM 2: three meanings of one click, by score
        (CandidateRule.SAM2, ONE, [0.99, 0.2, 0.9, 0.5], [2, 3, 1]),
        # several prompts or a box: the single mask, while it is stable
        (CandidateRule.SAM2, TWO, [0.1, 0.2, 0.9, 0.5], [0, 2, 3]),
        (CandidateRule.SAM2, BOX, [0.1, 0.2, 0.9, 0.5], [0, 2, 3]),
    ],
)
def test_candidates_come_in_the_rules_order(
    rule: CandidateRule, prompts: PromptSet, scores: list[float], expected: list[int]
) -> None:
    assert order(rule, prompts, scores) == expected


def test_an_unstable_single_mask_gives_way_to_the_best_of_the_three() -> None:
    scores = [0.99, 0.2, 0.9, 0.5]

    assert order(CandidateRule.SAM2, TWO, scores, UNSTABLE) == [2, 3, 1]
    assert order(CandidateRule.SINGLE_FIRST, TWO, scores, UNSTABLE) == [0, 2, 3]


def test_an_empty_single_mask_counts_as_stable() -> None:
    """As in sam2's `_get_stability_scores`: no area at all is 1."""
    assert order(CandidateRule.SAM2, TWO, [0.1, 0.2, 0.9, 0.5], masks(0, 60, 70, 80)) == [0, 2, 3]


@pytest.mark.parametrize("rule", CandidateRule)
@pytest.mark.parametrize("prompts", [ONE, TWO, BOX])
@pytest.mark.parametrize("logits", [masks(50, 60, 70, 80), UNSTABLE])
def test_what_may_be_offered_holds_what_is(rule: CandidateRule, prompts: PromptSet, logits: Logits) -> None:
    counts = offered(rule, prompts)
    for scores in ([0.1, 0.2, 0.9, 0.5], [0.9, 0.8, 0.7, 0.6], [0.5, 0.4, 0.6, 0.9]):
        counted = [index for index in range(4) if counts[index]]
        if counts[4]:
            counted.remove(min((1, 2, 3), key=lambda index: scores[index]))
        assert set(order(rule, prompts, scores, logits)) <= set(counted)
    assert len(counted) == 3 or rule is CandidateRule.SAM2, "a model that offers the single mask needs no fourth"


def test_scores_are_the_models_within_0_and_1() -> None:
    ranked = rank_candidates(masks(1, 2, 3, 4), np.array([1.2, -0.1, 0.5, 0.4], np.float32), CandidateRule.SAM2, TWO)

    assert [candidate.score for candidate in ranked] == pytest.approx([1.0, 0.5, 0.4])


def test_points_are_given_to_sam_half_a_pixel_less() -> None:
    """SAM counts pixel indices and adds the half itself; ours are edges."""
    coordinates, labels = points((10.5, 20.5, 1), (0, 1024, 0)).tokens()

    assert coordinates.tolist() == [[[10, 20], [-0.5, 1023.5]]]
    assert labels.tolist() == [[1, 0]]
    assert coordinates.dtype == labels.dtype == np.float32


def test_box_corners_come_first_as_labels_2_and_3() -> None:
    prompts = PromptSet(np.array([[50.0, 60.0]]), np.array([1]), (10, 20, 110, 120))

    coordinates, labels = prompts.tokens()

    assert coordinates.tolist() == [[[9.5, 19.5], [109.5, 119.5], [49.5, 59.5]]]
    assert labels.tolist() == [[2, 3, 1]]


@pytest.mark.parametrize(
    ("xy", "labels"),
    [
        (np.empty((0, 2)), np.empty(0, int)),
        (np.zeros((1, 3)), np.array([1])),
        (np.zeros((2, 2)), np.array([1])),
        (np.zeros((1, 2)), np.array([2])),
        (np.zeros((1, 2)), np.array([-1])),
        (np.array([[np.nan, 0]]), np.array([1])),
        (np.array([[np.inf, 0]]), np.array([1])),
        (np.zeros((101, 2)), np.ones(101, int)),
    ],
)
def test_prompts_that_mean_nothing_are_refused(xy: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> None:
    with pytest.raises(PromptError):
        PromptSet(xy, labels)


@pytest.mark.parametrize("corners", [(9, 1, 1, 9), (1, 9, 9, 1), (1, 1, 1, 9), (1, 1, np.nan, 9), (1, 1, np.inf, 9)])
def test_a_box_without_an_inside_is_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(PromptError):
        PromptSet(np.empty((0, 2)), np.empty(0, int), corners)


@pytest.mark.parametrize("name", ["tilted", "tiny", "t-shape", "l-shape"])  # which the shipped model outlines well
def test_a_click_outlines_the_shape_it_falls_on(decoder: OnnxDecoder, embedding: Embedding, name: str) -> None:
    shape = SHAPES[name]

    best = decoder.decode(embedding, point(*shape.click)).candidates[0]

    assert overlap(best, shape.outline, shape.click) > 0.85


def test_a_mask_lies_where_the_click_is_and_not_half_a_cell_beside(decoder: OnnxDecoder, embedding: Embedding) -> None:
    """The outline's middle against the true one: a shift between frames would show here."""
    for name in ("tilted", "tiny", "t-shape"):
        shape = SHAPES[name]
        traced = outline(decoder.decode(embedding, point(*shape.click)).candidates[0], shape.click)

        assert traced.centroid.distance(shape.outline.centroid) < 1.0, name


def test_a_box_and_a_box_with_a_point_outline_the_shape(decoder: OnnxDecoder, embedding: Embedding) -> None:
    shape = SHAPES["circle"]
    with_point = PromptSet(np.array([shape.click]), np.array([1]), shape.outline.bounds)

    for prompts in (box(shape.outline), with_point):
        best = decoder.decode(embedding, prompts).candidates[0]
        assert overlap(best, shape.outline, shape.click) > 0.8


def test_three_candidates_are_offered_with_scores(decoder: OnnxDecoder, embedding: Embedding) -> None:
    decoded = decoder.decode(embedding, point(*SHAPES["circle"].click))

    assert len(decoded.candidates) == 3
    assert decoded.candidates[0].index == 0
    assert len({candidate.index for candidate in decoded.candidates}) == 3
    for candidate in decoded.candidates:
        assert candidate.logits.shape == (256, 256)
        assert 0 <= candidate.score <= 1
        assert np.isfinite(candidate.logits).all()


def test_a_mask_fed_back_changes_the_answer_and_its_size_does_not_matter(
    decoder: OnnxDecoder, embedding: Embedding
) -> None:
    prompts = point(*SHAPES["circle"].click)
    first = decoder.decode(embedding, prompts).candidates[0].logits

    fed = decoder.decode(embedding, prompts, first).candidates[0].logits
    blown_up = decoder.decode(embedding, prompts, np.sign(first) * 1e6).candidates[0].logits
    clamped = decoder.decode(embedding, prompts, np.sign(first) * 32).candidates[0].logits

    assert float(np.abs(fed - first).max()) > 0.01
    assert np.array_equal(blown_up, clamped)


def test_half_precision_on_disk_moves_no_outline(decoder: OnnxDecoder, embedding: Embedding) -> None:
    halved = replace(
        embedding,
        image_embed=embedding.image_embed.astype(np.float16).astype(np.float32),
        high_res_feats_0=embedding.high_res_feats_0.astype(np.float16).astype(np.float32),
        high_res_feats_1=embedding.high_res_feats_1.astype(np.float16).astype(np.float32),
    )
    for shape in SHAPES.values():
        exact = decoder.decode(embedding, point(*shape.click)).candidates[0].logits > 0
        stored = decoder.decode(halved, point(*shape.click)).candidates[0].logits > 0
        assert (exact & stored).sum() >= 0.995 * (exact | stored).sum(), shape.name


def test_many_threads_get_the_answers_that_one_gets(
    decoder: OnnxDecoder, embedding: Embedding, model: InstalledModel
) -> None:
    prompts = [point(*shape.click) for shape in SHAPES.values()]
    alone = [decoder.decode(embedding, prompt).candidates[0].logits for prompt in prompts]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda prompt: decoder.decode(embedding, prompt).candidates[0].logits, prompts))

    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert decoder.model is model


def test_a_model_by_the_sam2_rule_offers_three_meanings_of_one_click(
    decoder: OnnxDecoder, embedding: Embedding, model: InstalledModel
) -> None:
    by_score = OnnxDecoder(replace(model, candidate_rule=CandidateRule.SAM2))

    indexes = [c.index for c in by_score.decode(embedding, point(*SHAPES["square"].click)).candidates]

    assert sorted(indexes) == [1, 2, 3]


def outline(candidate: Candidate, click: tuple[float, float]) -> Polygon:
    shape = polygon_from_logits(candidate.logits, Window(0, 0), width=1024, height=1024, points=[click])
    assert shape is not None
    parts = list(getattr(shape, "geoms", [shape]))
    return max(parts, key=lambda part: part.area)


def overlap(candidate: Candidate, truth: Polygon, click: tuple[float, float]) -> float:
    """IoU on pixels, by GDAL's rasteriser."""
    shape = polygon_from_logits(candidate.logits, Window(0, 0), width=1024, height=1024, points=[click])
    assert shape is not None
    found, wanted = (rasterio.features.rasterize([geometry], (1024, 1024)).astype(bool) for geometry in (shape, truth))
    return float((found & wanted).sum() / (found | wanted).sum())
