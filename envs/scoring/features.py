"""Features of layers as users list them: by name, or by functions of their own."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lrmp.envs.scoring.own_function import call_own, find_function, function_name
from lrmp.envs.task.task import Task
from lrmp.errors import TaskError, unknown_name

#: A documented feature by its name, or a function from a task to a number for each of its L layers,
#: itself or as ``"package.module:function"``.
Feature: TypeAlias = str | Callable[[Task], ArrayLike]


def feature_name(feature: Feature) -> str:
    """Name a feature.

    Args:
        feature: A name or a function.

    Returns:
        The name, or that of the function.
    """
    return function_name(feature) if callable(feature) else feature


def check_features(features: Iterable[Feature], known: Sequence[str]) -> tuple[Feature, ...]:
    """Refuse a list that does not say what is shown.

    Args:
        features: Names and functions, or where these are.
        known: The documented names.

    Returns:
        The list of names and functions.

    Raises:
        TaskError: If a name is not known, two are the same, or there is none.
    """
    # One name in place of a list would be read letter by letter.
    listed = [features] if isinstance(features, str) else [_found(each) for each in features]
    for feature in listed:
        if callable(feature):
            continue
        if not isinstance(feature, str):
            raise TaskError(
                f"Expected a feature to be a name, or a function of the task; got {feature!r}."
            )
        if feature not in known:
            raise TaskError(unknown_name("feature", feature, known))
    names = [feature_name(feature) for feature in listed]
    if not names or len(set(names)) < len(names) or isinstance(features, str):
        raise TaskError(
            f"Expected a list of at least one feature, each of another name; got {names}."
        )
    return tuple(listed)


def _found(feature: Feature) -> Feature:
    return find_function(feature) if isinstance(feature, str) and ":" in feature else feature


def own_feature(function: Callable[[Task], ArrayLike], task: Task) -> NDArray[np.float64]:
    """Compute a feature by a function of the user's own.

    Args:
        function: Takes the task and returns a number per layer, in any unit.
        task: What is solved.

    Returns:
        Shape (L,), finite.

    Raises:
        TaskError: If the function raises, or returns something else.
    """
    layers = len(task.network)
    wanted = f"{layers} finite numbers, one per layer of {task.id}"

    def numbers(task: Task) -> NDArray[np.float64]:
        return np.asarray(function(task), dtype=np.float64)

    numbers.__name__ = function_name(function)
    values: NDArray[np.float64] = call_own(numbers, task, wanted)
    if values.shape != (layers,):
        got = f"an array of shape {values.shape}"
    elif not math.isfinite(float(values.max()) - float(values.min())):
        got = f"{values.min():g} to {values.max():g}"
    else:
        return values
    raise TaskError(
        f"Expected {function_name(function)} to return {wanted}, got {got}. Mend the function."
    )
