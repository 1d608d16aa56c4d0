"""What infos say of designs: the same keys, shapes and types before there is one and after.

Numbers are NumPy's scalars; truth values are arrays of no dimension, since neither Gymnasium's
vector environments nor its conversions to arrays know NumPy's ``bool``. Where there is no design
there are zeros and not NaN, which is never equal to itself: checkers would see other infos in every
run. No info shares an array with another.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.scoring.dynamics import Scores
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.task.task import Task
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace

#: Numbers of a design, and their types: attributes of `Outcome`, and of `Scores` as arrays.
NUMBERS: dict[str, type[np.float64 | np.bool_]] = {
    "score": np.float64,
    "gain": np.float64,
    "accuracy_drop": np.float64,
    "divergence": np.float64,
    "within_allowance": np.bool_,
    "proven_optimal": np.bool_,
}


def fresh(info: dict[str, Any]) -> dict[str, Any]:
    """Copy an info with its arrays.

    Args:
        info: NumPy's scalars and arrays.

    Returns:
        The same, in memory of its own.
    """
    info = info.copy()
    for key, value in info.items():
        if type(value) is np.ndarray:  # scalars cannot change
            info[key] = value.copy()
    return info


def no_design(task: Task) -> dict[str, Any]:
    """Say in an info that there is no design: zeros in place of all that one has.

    Args:
        task: Of L layers.

    Returns:
        The keys of ``design_info``. What is said of the task's accuracy is known without a design.
    """
    nothing = np.zeros(len(task.network), dtype=np.int64)
    return fresh(
        {
            **{name: _number(kind, 0) for name, kind in NUMBERS.items()},
            **_about_accuracy(task),
            **{f"design_{name}": nothing for name in task.space.names},
            "replication": nothing,
        }
    )


def design_info(outcome: Outcome) -> dict[str, Any]:
    """Describe a design in an info.

    Args:
        outcome: The design and its score.

    Returns:
        By name: its numbers, the values of every knob (``design_weight_bits``; of labels their
        places) and the copies in every layer, shape (L,).
    """
    design = outcome.design
    return {
        # A design without a score has that of the plain one, 0.
        **{name: _number(kind, getattr(outcome, name) or 0) for name, kind in NUMBERS.items()},
        **_about_accuracy(outcome.task),
        **_named(design.space, design.settings),
        "replication": design.replication.copy(),
    }


def no_designs(task: Task, count: int) -> dict[str, NDArray[Any]]:
    """Say for many episodes that there is no design.

    Args:
        task: Of L layers.
        count: B.

    Returns:
        As ``no_design``, arrays whose first axis is (B,).
    """
    return {key: np.stack([value] * count) for key, value in no_design(task).items()}


def designs_info(
    task: Task, settings: IntArray, scores: Scores, which: NDArray[np.bool_] | slice = slice(None)
) -> dict[str, NDArray[Any]]:
    """Describe many designs.

    Args:
        task: What they are for.
        settings: Shape (B, L, K).
        scores: Of these designs, or of more.
        which: Those of the scores that are theirs.

    Returns:
        As ``design_info``, arrays whose first axis is (B,).
    """
    return {
        **{name: getattr(scores, name)[which] for name in NUMBERS},
        **{key: np.full(len(settings), value) for key, value in _about_accuracy(task).items()},
        **_named(task.space, settings),
        "replication": scores.replication[which],
    }


def _about_accuracy(task: Task) -> dict[str, NDArray[np.bool_]]:
    return {
        "accuracy_is_estimate": np.array(task.accuracy.is_estimate),
        "accuracy_holds": np.array(task.accuracy_holds),
    }


def _number(kind: type[np.float64 | np.bool_], value: float) -> np.float64 | NDArray[np.bool_]:
    return np.array(value, dtype=bool) if kind is np.bool_ else np.float64(value)


def _named(space: DesignSpace, settings: IntArray) -> dict[str, IntArray]:
    return {f"design_{name}": values for name, values in space.numbers(settings).items()}
