"""Features of the values that knobs offer, which mean the same for every knob: no names, no places.

A policy that reads them acts on knobs that it was not trained on.
"""

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs.procedural.features import HARM
from lrmp.envs.procedural.slots import MOST_KNOBS, MOST_VALUES
from lrmp.envs.scoring.observation_table import ObservationTable, Words, table_of
from lrmp.envs.task.custom_task import TaskLike, find_task
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError
from lrmp.hardware.cost.setting_table import Places

LARGEST_RATIO = 8.0  # log2 from the smallest to the largest ratio that is shown

_RATIO = f"1/2 + log2 r / {LARGEST_RATIO:g}"
_HARM = f"(log10 h + {-HARM[0]:g}) / {HARM[1] - HARM[0]:g}"
_WORDS: dict[str, Words] = {
    "place": ("place of the value among the knob's", "/ that of the last"),
    "plain": ("1 for the plain value", "as it is"),
    "tiles": ("tiles of one copy, r times the plain value's", _RATIO),
    "cycles": ("cycles with one copy, r times the plain value's", _RATIO),
    "energy": ("energy but that of copies, r times the plain value's", _RATIO),
    "harm": ("what the value adds to the accuracy spent, h; 0 if nothing", _HARM),
    "relief": ("what it takes off, h; 0 if nothing", _HARM),
}
#: Of every value, in order.
VALUE_FEATURES = tuple(_WORDS)


def describe_value_features() -> ObservationTable:
    """Say what the features of a value mean.

    Returns:
        A row per feature.
    """
    return table_of(VALUE_FEATURES, _WORDS, ("", ""))


def value_features(task: TaskLike) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Describe what every value of every knob does in every layer, the other knobs plain.

    Args:
        task: With a table for its accuracy, and at most 4 knobs of 12 values.

    Returns:
        Features, shape (L, 4, 12, 7), each in 0..1, 0 where there is no value; and which values a
        layer may have, shape (L, 4, 12).

    Raises:
        TaskError: If its accuracy is no table.
    """
    task = find_task(task)
    space, count, model = task.space, len(task.network), task.cost_model
    table = task.accuracy
    if not isinstance(table, TableAccuracy):
        raise TaskError(
            f"Expected a task whose accuracy is a table, got {task.id}. Its harms are not known."
        )
    shape = (count, MOST_KNOBS, MOST_VALUES)
    features = np.zeros((*shape, len(VALUE_FEATURES)), np.float32)
    possible = np.zeros(shape, np.int8)
    allowance = task.allowance.limit
    allowance = allowance if 0 < allowance < np.inf else 1.0
    plain = space.plain_settings(count)
    masks = space.masks(count)
    amounts = [each.of_settings for each in model.one_copy]
    if task.accelerator.energy is not None:
        amounts.append(model.energy.total_of_settings)
    before = [_at_least_1(amount(_places(task, plain))) for amount in amounts]
    spent = np.sum(table.term_values(plain), axis=0)
    for number, (knob, mask) in enumerate(zip(space, masks, strict=True)):
        turned = np.repeat(plain[None], len(knob), axis=0)
        turned[:, :, number] = np.arange(len(knob))[:, None]
        places = _places(task, turned)
        ratios = [np.log2(_at_least_1(a(places)) / b) for a, b in zip(amounts, before, strict=True)]
        ratios += [np.zeros_like(ratios[0])] * (3 - len(ratios))
        added = (np.sum(table.term_values(turned), axis=0) - spent) / allowance
        low, high = HARM
        columns = [
            np.broadcast_to(np.linspace(0, 1, len(knob))[:, None], added.shape),
            np.broadcast_to((np.arange(len(knob)) == knob.plain_index)[:, None], added.shape),
            *(0.5 + ratio / LARGEST_RATIO for ratio in ratios),
            *((np.log10(np.maximum(h, 10**low)) - low) / (high - low) for h in (added, -added)),
        ]
        found = np.clip(np.stack(columns, axis=-1), 0, 1)  # (V, L, F)
        features[:, number, : len(knob)] = np.moveaxis(found, 0, 1)
        possible[:, number, : len(knob)] = mask
    return features, possible


def _places(task: Task, settings: NDArray[np.int64]) -> Places:
    space = task.space
    return Places(settings, space.sizes, len(task.network))


def _at_least_1(amounts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.maximum(amounts, 1)
