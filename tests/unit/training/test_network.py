"""The small model is of SAM 2.1's own modules, answers as they do, and can learn that the mask follows the click."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: .venv/bin/pip install '.[torch,train]' and sam2")
pytest.importorskip("sam2", reason="the package sam2 is not installed: see CONTRIBUTING.md")

from ml.decode import WHOLE, Field, Look, OnnxDecoder, Seen  # noqa: E402
from ml.embeddings.features import SHAPES, Embedding  # noqa: E402
from ml.export.folder import Card, write_folder  # noqa: E402
from ml.export.weights import NANO  # noqa: E402
from ml.models import load_model  # noqa: E402
from ml.training import losses, network, samples  # noqa: E402
from ml.training.network import Asked  # noqa: E402

MOST_BYTES = 30_000_000


@pytest.fixture(scope="module")
def model() -> Any:
    return network.build(seed=3).eval()


def test_the_embeddings_have_the_shapes_of_sam_2_1(model: Any) -> None:
    with torch.inference_mode():
        features = network.encode(model, torch.zeros(1, 3, 1024, 1024))
    assert [tuple(one.shape) for one in features] == list(SHAPES.values())


def test_what_is_exported_has_room_in_thirty_megabytes(model: Any) -> None:
    exported = ("image_encoder.", "sam_mask_decoder.", "sam_prompt_encoder.", "no_mem_embed")
    numbers = sum(one.numel() for name, one in model.state_dict().items() if name.startswith(exported))
    assert 4 * numbers < MOST_BYTES


def test_positions_of_the_whole_frame_are_those_of_sam(model: Any) -> None:
    with torch.inference_mode():
        ours, theirs = network.positions(model, 64, (0.0, 0.0)), model.sam_prompt_encoder.get_dense_pe()
    assert torch.equal(ours, theirs)


def test_positions_of_a_crop_are_those_of_its_place_in_the_frame(model: Any) -> None:
    with torch.inference_mode():
        crop, whole = network.positions(model, 16, (256.0, 512.0)), network.positions(model, 64, (0.0, 0.0))
    assert torch.allclose(crop, whole[:, :, 32:48, 16:32], atol=1e-5)


@pytest.mark.parametrize("with_mask", [False, True])
def test_a_decode_is_what_sam_s_own_heads_answer(model: Any, *, with_mask: bool) -> None:
    random = torch.Generator().manual_seed(1)
    features = [torch.randn(shape, generator=random) for shape in SHAPES.values()]
    points = torch.rand(2, 3, 2, generator=random) * 1024
    labels = torch.tensor([[1.0, 0.0, 1.0], [2.0, 3.0, 0.0]])
    previous = torch.randn(2, 1, 256, 256, generator=random) if with_mask else None
    with torch.inference_mode():
        asked = Asked(points + 0.5, labels, previous)
        ours = network.decode(model, features, network.positions(model, 64, (0, 0)), asked)
        sparse, dense = model.sam_prompt_encoder(points=(points, labels), boxes=None, masks=previous)
        for output, multimask in ((slice(0, 1), False), (slice(1, 4), True)):
            masks, scores, _, present = model.sam_mask_decoder(
                image_embeddings=features[0],
                image_pe=model.sam_prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=multimask,
                repeat_image=True,
                high_res_features=features[1:],
            )
            if not multimask and model.sam_mask_decoder.dynamic_multimask_via_stability:
                continue
            assert torch.allclose(ours[0][:, output], masks, atol=1e-4)
            assert torch.allclose(ours[1][:, output], scores, atol=1e-5)
            assert torch.allclose(ours[2], present, atol=1e-5)


@pytest.mark.parametrize("with_mask", [False, True])
def test_a_view_is_seen_as_a_click_sees_it(model: Any, tmp_path: Path, *, with_mask: bool) -> None:
    """The same masks as the exported decoder's for the same look, of a window and of the mask that is fed back."""
    random = torch.Generator().manual_seed(4)
    features = [torch.randn(shape, generator=random) for shape in SHAPES.values()]
    points, labels = torch.rand(1, 2, 2, generator=random) * 200 + 300, torch.tensor([[1.0, 0.0]])
    previous = torch.randn(1, 1, 64, 64, generator=random) if with_mask else None
    card = Card("tiny", NANO, "random weights")
    write_folder(model, tmp_path / "tiny", card, eight_bits=False)
    exported = OnnxDecoder(load_model(tmp_path / "tiny"))
    field = Field(16, 20, 16, 16)
    with torch.inference_mode():
        asked = Asked(points + 0.5, labels, previous)
        place = network.positions(model, 64, (0, 0))
        masks, scores, present = network.decode(model, features, place, asked, network.View(16, 20, 16, 4))
    last = None if previous is None else Seen(previous[0, 0].numpy(), field).over(WHOLE)[None, None]
    embedding = Embedding(*(one.numpy() for one in features))
    theirs = exported.answer(embedding, points.numpy(), labels.numpy(), last, Look(field, 4))
    assert np.allclose(masks, theirs.masks, atol=1e-3)
    assert np.allclose(scores, theirs.scores, atol=1e-4)
    assert np.allclose(present, theirs.present, atol=1e-4)


def test_each_image_answers_its_own_prompts(model: Any) -> None:
    random = torch.Generator().manual_seed(2)
    first, second = ([torch.randn(shape, generator=random) for shape in SHAPES.values()] for _ in range(2))
    points, labels = torch.rand(4, 1, 2, generator=random) * 1024, torch.ones(4, 1)
    place = network.positions(model, 64, (0, 0))
    with torch.inference_mode():
        both = [torch.cat(pair) for pair in zip(first, second, strict=True)]
        together, _, _ = network.decode(model, both, place, Asked(points, labels, None))
        alone, _, _ = network.decode(model, second, place, Asked(points[2:], labels[2:], None))
    assert torch.allclose(together[2:], alone, atol=1e-4)


def test_losses_are_least_where_the_mask_is_right() -> None:
    truth = torch.zeros(1, 32, 32)
    truth[:, 8:20, 8:20] = 1
    right, wrong = (truth * 2 - 1) * 9, (truth * 2 - 1) * -9
    for loss in (losses.dice, losses.focal, losses.balanced):
        assert float(loss(right, truth)) < 0.01 < 0.5 < float(loss(wrong, truth))
    overlaps = losses.overlap(torch.stack([right, wrong], 1), truth)
    assert overlaps.tolist() == [[1.0, 0.0]]


def test_masks_are_alike_where_they_are_equal_however_sure_they_are() -> None:
    masks = torch.zeros(1, 2, 32, 32) - 9
    masks[:, :, 8:20, 8:20] = 9
    assert float(losses.alike(masks, masks).max()) < 1e-6
    unsure = masks / 9
    assert float(losses.alike(unsure, unsure).max()) < 1e-6
    other = masks.flip(-1)  # columns 12 to 24 instead of 8 to 20: two thirds of each lie in both
    assert losses.alike(masks, other)[0].tolist() == pytest.approx([1 / 3, 1 / 3], abs=0.01)


def test_a_score_is_judged_by_the_overlap_that_was_reached() -> None:
    truth = torch.zeros(1, 32, 32)
    truth[:, 8:20, 8:20] = 1
    masks = ((truth * 2 - 1) * 9)[:, None].expand(-1, 4, -1, -1)
    sure, unsure = (
        losses.judge(masks, torch.full((1, 4), value), torch.full((1, 1), 9.0), truth, 0.0) for value in (1.0, 0.2)
    )
    assert float(unsure.loss - sure.loss) == pytest.approx(0.8, abs=1e-4)


def crop_with_objects() -> tuple[Any, np.ndarray]:
    """A crop of 128 px with three things on it, two of them of one colour."""
    objects = np.zeros((128, 128), np.uint16)
    objects[8:56, 12:60], objects[70:120, 8:40], objects[64:104, 72:120] = 1, 2, 3
    image = np.full((128, 128, 3), 0.45, np.float32)
    for number, colour in ((1, (0.8, 0.3, 0.2)), (2, (0.8, 0.3, 0.2)), (3, (0.2, 0.3, 0.7))):
        image[objects == number] = colour
    image += np.random.default_rng(0).normal(0, 0.02, image.shape).astype(np.float32)
    return torch.from_numpy(samples.normalised(np.clip(image, 0, 1)))[None], objects


def test_one_image_can_be_learned_end_to_end_and_the_mask_follows_the_click() -> None:
    pixels, objects = crop_with_objects()
    random = np.random.default_rng(0)
    truth = torch.from_numpy(np.stack([objects[2::4, 2::4] == number for number in (1, 2, 3)])).float()
    box = torch.tensor([[[12.0, 8.0], [60.0, 56.0]]])
    model = network.build(seed=0)
    place = network.positions(model, 8, (0.0, 0.0))
    learned = [one for name, one in model.named_parameters() if name.startswith(("image_encoder.", "sam_"))]
    optimizer = torch.optim.AdamW(learned, lr=1e-3)

    def clicks() -> Any:
        """Somewhere in each of the three things."""
        places = [np.argwhere(objects == number)[random.integers((objects == number).sum())] for number in (1, 2, 3)]
        points = torch.tensor(np.array(places)[:, ::-1].copy(), dtype=torch.float32) + 0.5
        return torch.stack([points, torch.zeros_like(points)], 1)

    right = 0
    for step in range(200):  # about 80 are needed
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * min(1, (step + 1) / 15)
        asked = Asked(torch.cat([clicks(), box]), torch.tensor([[1.0, -1], [1, -1], [1, -1], [2, 3]]))
        answer = network.decode(model, network.encode(model, pixels), place, asked)
        judged = losses.judge(*answer, truth[[0, 1, 2, 0]], 0.5)
        judged.loss.backward()
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        right = right + 1 if float(judged.overlaps[:, 0].min()) > 0.9 else 0
        if right == 8:
            break
    with torch.inference_mode():
        features = network.encode(model, pixels)
        one_each = torch.tensor([[1.0, -1]] * 3)
        found = [network.decode(model, features, place, Asked(clicks(), one_each))[0] for _ in range(5)]
        boxed, _, _ = network.decode(model, features, place, Asked(box, torch.tensor([[2.0, 3.0]])))
    overlaps = torch.cat([losses.overlap(masks[:, :1], truth) for masks in found])
    assert float(overlaps.mean()) > 0.9
    assert float(losses.overlap(boxed[:, :1], truth[:1])) > 0.9
