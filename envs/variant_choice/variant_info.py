"""What infos say of a design where a variant is chosen, too."""

from typing import Any

import numpy as np

from lrmp.envs.scoring.design_info import design_info, fresh, no_design
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.variant_choice.optimum import stored_variant_optimum
from lrmp.envs.variant_choice.problem import VariantProblem


def variant_info(
    problem: VariantProblem, variant: int, outcome: Outcome | None, *, finished: bool
) -> dict[str, Any]:
    """Say what is known of a design and its variant, and of the problem.

    Args:
        problem: What is solved.
        variant: Number of the variant among the problem's.
        outcome: The design, in the task of the variant; None if there is none yet.
        finished: Whether the episode is over.

    Returns:
        Arrays and scalars of NumPy, the same keys, shapes and types whatever the design.
    """
    info = no_design(problem.task(variant)) if outcome is None else design_info(outcome)
    if outcome is not None:
        info["score"] = np.float64(problem.score(variant, outcome) or 0.0)
        info["gain"] = np.float64(outcome.gain * np.exp(problem.offset(variant)))
    proven = stored_variant_optimum(problem.id)
    numbers = problem.space.numbers(problem.setting(variant)[None])
    return fresh(
        {
            **info,
            **{f"{problem.prefix}{name}": np.int64(value[0]) for name, value in numbers.items()},
            **problem.info(variant),
            "finished": np.array(finished),
            "optimum_known": np.array(proven is not None),
            "optimum": np.float64(0.0 if proven is None else proven.value),
            "optimum_bound": np.float64(0.0 if proven is None else proven.bound),
            "optimum_without": np.float64(0.0 if proven is None else proven.without),
        }
    )
