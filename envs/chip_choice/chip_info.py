"""What infos say of a design where the chip is chosen, too."""

from typing import Any

import numpy as np

from lrmp.envs.chip_choice.optimum import stored_chip_optimum
from lrmp.envs.chip_choice.problem import ChipProblem
from lrmp.envs.scoring.design_info import design_info, fresh, no_design
from lrmp.envs.scoring.outcome import Outcome
from lrmp.hardware.families.chip import CHIP_SPACE


def chip_info(
    problem: ChipProblem, chip: int, outcome: Outcome | None, *, finished: bool
) -> dict[str, Any]:
    """Say what is known of a design and its chip, and of the problem.

    Args:
        problem: What is solved.
        chip: Number of the chip among the problem's.
        outcome: The design, in the task of the chip; None if there is none yet.
        finished: Whether the episode is over.

    Returns:
        Arrays and scalars of NumPy, the same keys, shapes and types whatever the design.
    """
    info = no_design(problem.task(chip)) if outcome is None else design_info(outcome)
    if outcome is not None:
        info["score"] = np.float64(problem.score(chip, outcome) or 0.0)
        info["gain"] = np.float64(outcome.gain * np.exp(problem.offset(chip)))
    proven = stored_chip_optimum(problem.id)
    numbers = CHIP_SPACE.numbers(problem.chips[chip][None])
    return fresh(
        {
            **info,
            **{f"chip_{name}": np.int64(value[0]) for name, value in numbers.items()},
            "chip_mm2": np.float64(problem.area_um2(chip) / 1e6),
            "finished": np.array(finished),
            "optimum_known": np.array(proven is not None),
            "optimum": np.float64(0.0 if proven is None else proven.value),
            "optimum_bound": np.float64(0.0 if proven is None else proven.bound),
            "optimum_without": np.float64(0.0 if proven is None else proven.without),
        }
    )
