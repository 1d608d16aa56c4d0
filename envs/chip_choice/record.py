"""Records of chip problems: a design whose knobs of the chip have one value in all layers."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lrmp.envs.chip_choice.optimum import chip_values
from lrmp.envs.chip_choice.problem import ChipProblem, load_chip_problem
from lrmp.envs.chip_choice.problem_ids import CHIP_PROBLEMS
from lrmp.envs.records.record import Claim, Record
from lrmp.envs.scoring.outcome import Outcome
from lrmp.errors import DesignError
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.knob import Value


def record_of(problem: ChipProblem | str, chip: int, outcome: Outcome, **about: Any) -> Record:
    """Write down a design and its chip.

    Args:
        problem: Or its id.
        chip: Number of the chip among the problem's.
        outcome: The best design of the run, in the task of the chip.
        about: As ``Record.of`` takes it: agent, seed, designs and steps, time.

    Returns:
        The record, of the problem; its score and gain are over the plain design on LRMP's chip.
    """
    if isinstance(problem, str):
        problem = load_chip_problem(problem)
    return replace(
        Record.of(outcome, **about),
        task=problem.id,
        task_fingerprint=problem.fingerprint,
        design=whole_design(problem, chip, outcome.design),
        claim=claim_of(outcome, problem.offset(chip)),
    )


def whole_design(problem: ChipProblem, chip: int, design: Design) -> dict[str, list[Value]]:
    """Write a design with its chip, as records hold it.

    Args:
        problem: What is solved.
        chip: Number of the chip among the problem's.
        design: In the task of the chip.

    Returns:
        By the name of a knob its value in every layer, those of the chip the same in all; and the
        copies as ``"replication"``.
    """
    layers = len(design.settings)
    of_chip: dict[str, list[Value]] = {
        name: [value] * layers for name, value in chip_values(problem, chip).items()
    }
    return {**of_chip, **design.to_json()}


def chip_of(record: Record) -> tuple[ChipProblem, int]:
    """Read which chip a record of a chip problem is about.

    Args:
        record: Of a problem of ``CHIP_PROBLEMS``.

    Returns:
        The problem, and the number of the chip among the problem's.

    Raises:
        DesignError: If the chip is not said, differs from layer to layer, or does not hold the
            plain design.
    """
    problem, values = load_chip_problem(record.task), {}
    for knob in CHIP_SPACE:
        given = record.design.get(knob.name, [])
        if not given or any(value != given[0] for value in given):
            raise DesignError(
                f"Expected one {knob.name} for the whole chip of {problem.id}, the same in every "
                f"layer, got {given or 'none'}."
            )
        values[knob.name] = given[0]
    (setting,) = CHIP_SPACE.encode({name: np.array([v]) for name, v in values.items()}, [""])
    number = problem.number_of(setting)
    if number is None:
        raise DesignError(
            f"Expected a chip that holds the plain design of {problem.id} in its share of the "
            f"area, got {', '.join(f'{name} {value}' for name, value in values.items())}."
        )
    return problem, number


def scale_of(record: Record) -> float:
    """Say what the score of a record has beyond the score in the task that it is costed in.

    Args:
        record: Any, of an existing task or problem.

    Returns:
        0; of a chip problem the `ChipProblem.offset` of its chip.

    Raises:
        DesignError: If the record is of a chip problem and has no chip of it.
    """
    if record.task not in CHIP_PROBLEMS:
        return 0.0
    problem, chip = chip_of(record)
    return problem.offset(chip)


def claim_of(outcome: Outcome, scale: float) -> Claim:
    """Claim what an outcome shows, on the scale of its problem.

    Args:
        outcome: A finished design.
        scale: What ``scale_of`` returned.

    Returns:
        Its numbers.
    """
    claim = Claim.of(outcome)
    if not scale:
        return claim
    score = None if claim.score is None else claim.score + scale
    return replace(claim, score=score, gain=claim.gain * math.exp(scale))
