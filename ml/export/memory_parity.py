"""Compares the exported memory with SAM2VideoPredictor: what is clicked in one picture is followed into others."""

from typing import Any
from unittest import mock

import numpy as np
import torch

from ml.decode import OnnxDecoder
from ml.embeddings import Embedding
from ml.encode.onnx_encoder import prepare
from ml.export.differences import Parity
from ml.export.pictures import picture
from ml.export.weights import build_video
from ml.memory import OnnxMemory, Remembered, chosen
from ml.models.installed import InstalledModel

CLICK = (412.0, 300.0)
SHIFT = 24  # px from picture to picture
# Memory is kept in bfloat16 (8 bits): where a number lies just between two of its steps, one part in 10 million decides
# which it becomes, and the next picture's masks move a little.
STEP_BOUND = 1e-2


def compare_memory(
    found: Parity, installed: InstalledModel, model: Any, *, pictures: int = 2, threads: int = 1, seed: int = 0
) -> None:
    """Adds the masks, memory and pointer of an object that is clicked in the first picture and followed from there."""
    pixels = [np.roll(picture(seed), SHIFT * number, axis=1) for number in range(pictures)]
    images = torch.from_numpy(np.concatenate([prepare(one, installed) for one in pixels]))
    predictor = build_video(model, installed.architecture)
    seen_by_both: dict[int, Any] = {}  # encoders are compared elsewhere: each picture is encoded once, by `sam2`

    def look(image: torch.Tensor) -> Any:
        number = next(i for i in range(pictures) if torch.equal(images[i], image[0]))
        if number not in seen_by_both:
            seen_by_both[number] = type(predictor).forward_image(predictor, image)
        maps = seen_by_both[number]
        return {**maps, "backbone_fpn": list(maps["backbone_fpn"]), "vision_pos_enc": list(maps["vision_pos_enc"])}

    predictor.forward_image = look
    theirs = _followed(predictor, images)
    decoder, memory = OnnxDecoder(installed, threads), OnnxMemory(installed, threads)
    past: list[Remembered | None] = []
    for number in range(pictures):
        fine, middle, coarse = seen_by_both[number]["backbone_fpn"]
        with torch.inference_mode():
            coarse = coarse + model.no_mem_embed.reshape(1, -1, 1, 1)
        embedding = Embedding(coarse.numpy(), fine.numpy(), middle.numpy())
        seen = memory.recall(embedding, past, pictures) if past else embedding
        place, label = (CLICK, 1) if number == 0 else ((0.0, 0.0), -1)
        answers = decoder.answer(seen, np.array([[place]], np.float32), np.array([[label]], np.float32))
        mask, _ = chosen(answers, points=int(number == 0))
        kept = memory.remember(embedding, answers, points=int(number == 0))
        wanted = theirs[number]
        if bool(answers.present[0, 0] > 0):  # else the masks are all one number
            ours = answers.masks[:, mask : mask + 1]
            found.note(f"logits of picture {number} against SAM2VideoPredictor", ours, wanted["mask"], bound=STEP_BOUND)
        found.note(f"object score of picture {number}", answers.present, wanted["present"])
        found.note_mean(f"memory of picture {number}, root mean square", kept.memory, wanted["memory"])
        found.note(f"pointer of picture {number}", kept.pointer, wanted["pointer"], bound=STEP_BOUND)
        past.insert(0, kept)


def _followed(predictor: Any, images: torch.Tensor) -> list[dict[str, Any]]:
    """What Meta's predictor answers and keeps for each picture."""
    import sam2.sam2_video_predictor as module

    side = images.shape[-1]
    with (
        mock.patch.object(module, "load_video_frames", lambda **_: (images, side, side)),
        mock.patch.object(module, "tqdm", lambda pictures, **_: pictures),  # no bar
    ):
        state = predictor.init_state("")
        predictor.add_new_points_or_box(state, frame_idx=0, obj_id=1, points=[CLICK], labels=[1])
        for _ in predictor.propagate_in_video(state):
            pass
    outputs = state["output_dict_per_obj"][0]
    kept = {**outputs["cond_frame_outputs"], **outputs["non_cond_frame_outputs"]}
    return [
        {
            "mask": kept[number]["pred_masks"].numpy(),
            "present": kept[number]["object_score_logits"].numpy(),
            "memory": kept[number]["maskmem_features"].float().numpy(),
            "pointer": kept[number]["obj_ptr"].numpy(),
        }
        for number in range(len(images))
    ]
