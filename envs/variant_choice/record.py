"""Records of problems with variants: the variant's knobs have one value in all layers."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from lrmp.envs.records.record import Claim, Record
from lrmp.envs.scoring.outcome import Outcome
from lrmp.envs.variant_choice.problem import VariantProblem, load_problem
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.errors import DesignError
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.knob import Value


def record_of(
    problem: VariantProblem | str, variant: int, outcome: Outcome, **about: Any
) -> Record:
    """Write down a design and its variant.

    Args:
        problem: Or its id.
        variant: Number of the variant among the problem's.
        outcome: The best design of the run, in the task of the variant.
        about: As ``Record.of`` takes it: agent, seed, designs and steps, time.

    Returns:
        The record, of the problem; its score and gain are over the plain design of the plain
        variant.
    """
    if isinstance(problem, str):
        problem = load_problem(problem)
    return replace(
        Record.of(outcome, **about),
        task=problem.id,
        task_fingerprint=problem.fingerprint,
        design=whole_design(problem, variant, outcome.design),
        claim=claim_of(outcome, problem.offset(variant)),
    )


def whole_design(problem: VariantProblem, variant: int, design: Design) -> dict[str, list[Value]]:
    """Write a design with its variant, as records hold it.

    Args:
        problem: What is solved.
        variant: Number of the variant among the problem's.
        design: In the task of the variant.

    Returns:
        By the name of a knob its value in every layer, those of the variant the same in all; and
        the copies as ``"replication"``.
    """
    layers = len(design.settings)
    of_variant: dict[str, list[Value]] = {
        name: [value] * layers for name, value in problem.values(variant).items()
    }
    return {**of_variant, **design.to_json()}


def variant_of(record: Record) -> tuple[VariantProblem, int]:
    """Read which variant a record is about.

    Args:
        record: Of a problem of ``VARIANT_PROBLEMS``.

    Returns:
        The problem, and the number of the variant among the problem's.

    Raises:
        DesignError: If the variant is not said, differs from layer to layer, is not said
            once for each, or does not count.
    """
    problem, values = load_problem(record.task), {}
    layers = len(problem.plain_task.network)
    for knob in problem.space:
        given = record.design.get(knob.name, [])
        # Another length would be the same design under another hash.
        if len(given) != layers or any(value != given[0] for value in given):
            more = f" and {len(given) - layers} more" if len(given) > layers else ""
            raise DesignError(
                f"Expected one {knob.name} for the whole {problem.noun} of {problem.id}, the same "
                f"in each of {layers} layers, got {given[:layers] or 'none'}{more}."
            )
        values[knob.name] = given[0]
    (setting,) = problem.space.encode({name: np.array([v]) for name, v in values.items()}, [""])
    number = problem.number_of(setting)
    if number is None:
        raise DesignError(
            f"Expected {problem.requirement}, got "
            f"{', '.join(f'{name} {value}' for name, value in values.items())}."
        )
    return problem, number


def scale_of(record: Record) -> float:
    """Say what the score of a record has beyond the score in the task that it is costed in.

    Args:
        record: Any, of an existing task or problem.

    Returns:
        0; of a problem with variants the `VariantProblem.offset` of its variant.

    Raises:
        DesignError: If the record is of such a problem and has no variant of it.
    """
    if record.task not in VARIANT_PROBLEMS:
        return 0.0
    problem, variant = variant_of(record)
    return problem.offset(variant)


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
