"""Fine-tuning a design on the protocol's training images, and what that brings."""

import time
from dataclasses import dataclass
from pathlib import Path

from lrmp.accuracy.lab.evaluator import NetworkEvaluator
from lrmp.accuracy.lab.protocol import SplitName
from lrmp.accuracy.lab.quantization.fine_tuning import FineTuning, fine_tune, trainable_copy
from lrmp.accuracy.model.design_result import DesignResult
from lrmp.hardware.space.design import Design

CHECKED: tuple[SplitName, ...] = ("search", "test")


@dataclass(frozen=True)
class TunedDesign:
    """A design before and after fine-tuning, against the float network.

    Attributes:
        before: Its results by split, quantised after training.
        after: Its results by split, fine-tuned.
        images: Training images of an epoch.
        seconds: Wall time of the training, or of what was left of it when it was resumed.
    """

    before: dict[SplitName, DesignResult]
    after: dict[SplitName, DesignResult]
    images: int
    seconds: float


def tune_design(
    evaluator: NetworkEvaluator,
    design: Design,
    settings: FineTuning,
    checkpoint: Path | None = None,
    limit: int | None = None,
) -> TunedDesign:
    """Fine-tune a design and run it before and after.

    Args:
        evaluator: Of the network.
        design: Of L layers.
        settings: Of the recipe.
        checkpoint: Folder to which every epoch is saved, and from which training goes on.
        limit: Train on the first of the images alone; None for all.

    Returns:
        The results.

    Raises:
        AccuracyDataError: If there are no training images, the network cannot have the design, or
            the checkpoint belongs to other settings.
    """
    images, labels = evaluator.labelled_images("training", limit)
    before: dict[SplitName, DesignResult] = {
        split: evaluator.evaluate(design, split) for split in CHECKED
    }
    model = trainable_copy(evaluator.network, design)
    start = time.perf_counter()
    fine_tune(model, images, labels, settings, checkpoint)
    seconds = time.perf_counter() - start
    after: dict[SplitName, DesignResult] = {
        split: evaluator.compare(model, split) for split in CHECKED
    }
    return TunedDesign(before, after, len(labels), seconds)
