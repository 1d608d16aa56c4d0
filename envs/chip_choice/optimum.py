"""The proven best chip and design: chips one by one, those left out that cannot be better."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Self

from lrmp.envs.chip_choice.problem import ChipProblem, load_chip_problem
from lrmp.envs.scoring.best_constant import best_constant
from lrmp.envs.scoring.reward import STEEP
from lrmp.envs.scoring.table_optimum import joint_problem, table_optimum
from lrmp.envs.task.optimum import Certificate, Constant
from lrmp.foreign_text import parse_json
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.chip import AREA, CHIP_SPACE
from lrmp.hardware.space.design import Design
from lrmp.solvers.joint.solve import solve_joint

FOLDER = "optima"  # one JSON file per problem, beside this module
_FULL = AREA.values.index(AREA.plain)
_AREA = CHIP_SPACE.place(AREA.name)


@dataclass(frozen=True)
class ChipOptimum(Certificate):
    """The best chip and design known for a problem, and bounds on all.

    Attributes:
        problem: Id.
        problem_fingerprint: SHA-256 of the problem's definition when it was solved.
        chip: The value of every knob of the chip, by name.
        design: What ``Design.to_json`` returns.
        without: Score of the proven best design on LRMP's own chip, which fills the same area.
        constant_chip: The chip of the best constant, likewise.
        chips: That hold the plain design.
        solved: Of these, how many were solved; the bounds of the others are no better.
    """

    problem: str
    problem_fingerprint: str
    chip: dict[str, int]
    design: dict[str, list[int]]
    without: float
    constant_chip: dict[str, int]
    chips: int
    solved: int

    def to_text(self) -> str:
        """Write the file's text.

        Returns:
            JSON, one key per line, ending in a newline.
        """
        document = {**vars(self), "constant": self.constant and vars(self.constant)}
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote.

        Args:
            text: JSON.

        Returns:
            The optimum.
        """
        document: dict[str, Any] = parse_json(text)
        constant = document.pop("constant")
        return cls(**document, constant=constant and Constant(**constant))


@cache
def stored_chip_optimum(problem_id: str) -> ChipOptimum | None:
    """Read the optimum that ships with lrmp.

    Args:
        problem_id: Of the layer-wise environment.

    Returns:
        The optimum, or None if there is no file.
    """
    file = resources.files("lrmp.envs.chip_choice").joinpath(FOLDER, f"{problem_id}.json")
    return ChipOptimum.from_text(file.read_text("utf-8")) if file.is_file() else None


def prove_chip_optimum(
    problem: ChipProblem | str, log: Callable[[str], None] = lambda line: None
) -> ChipOptimum:
    """Find the best chip and design, and bound all others.

    Every chip is a problem of settings and copies, which the joint solver proves. Two bounds spare
    most chips: a chip of less area is no better than its twin of the whole area, which has more
    tiles and is otherwise the same, where the area itself costs nothing; and where energy times
    delay counts, the least energy times the least delay, each proven alone. Both bound rewards
    beyond the allowance, too.

    Args:
        problem: Or its id.
        log: Called with a line for every chip that is solved.

    Returns:
        The best of all chips.

    Raises:
        InfeasibleAccuracyError: If no design of a chip is within the allowed drop.
    """
    if isinstance(problem, str):
        problem = load_chip_problem(problem)
    bounds = _bounds(problem, log)
    best: tuple[float, int, Any] | None = None
    most, most_reward, solved = 0.0, 0.0, 0
    for number in sorted(range(len(problem.chips)), key=lambda n: -bounds[n]):
        if best is not None and bounds[number] <= best[0]:
            most = max(most, bounds[number])
            break  # and so are all that follow
        found, offset = table_optimum(problem.task(number)), problem.offset(number)
        solved += 1
        value = found.value + offset
        log(f"{found.task}: {value:.9f}, bound {found.bound + offset:.9f}")
        most = max(most, found.bound + offset)
        most_reward = max(most_reward, found.reward_bound + offset)
        if best is None or value > best[0]:
            best = value, number, found
    assert best is not None
    value, number, found = best
    constant, chip = _best_constant(problem)
    plain = table_optimum(problem.task(problem.plain_chip))
    return ChipOptimum(
        value=value,
        bound=max(most, value),
        reward_bound=max(most_reward, most, value),
        constant=constant,
        problem=problem.id,
        problem_fingerprint=problem.fingerprint,
        chip=chip_values(problem, number),
        design=found.design.to_json(),
        without=plain.value,
        constant_chip=chip_values(problem, chip),
        chips=len(problem.chips),
        solved=solved,
    )


def chip_values(problem: ChipProblem, number: int) -> dict[str, int]:
    """Return the values of a chip's knobs.

    Args:
        problem: What is solved.
        number: Of the chip.

    Returns:
        By name.
    """
    decoded = CHIP_SPACE.decode(problem.chips[number])
    return {name: int(value) for name, value in decoded.items()}


def optimal_design(problem: ChipProblem, optimum: ChipOptimum) -> tuple[int, Design]:
    """Read the best design of a problem.

    Args:
        problem: What was solved.
        optimum: Its optimum.

    Returns:
        The number of its chip, and the design in the task of this.
    """
    (setting,) = CHIP_SPACE.encode(optimum.chip, [""])
    number = problem.number_of(setting)
    assert number is not None
    return number, Design.from_json(optimum.design, problem.plain_task.space)


def _bounds(problem: ChipProblem, log: Callable[[str], None]) -> list[float]:
    """Bound scores and default rewards on every chip, of designs within the allowance or not."""
    bound = _product_bound if problem.objective == "edap" else _whole_area_bound
    remembered: dict[int, float] = {}
    found = [bound(problem, number, remembered) for number in range(len(problem.chips))]
    log(f"{problem.id}: bounds of {len(found)} chips, at most {max(found):.9f}")
    return found


def _product_bound(problem: ChipProblem, number: int, remembered: dict[int, float]) -> float:
    """Bound by the least delay and the least energy, each alone with half of the penalty."""
    task = problem.task(number)
    alone: tuple[Objective, ...] = ("latency", "energy")
    halves = (joint_problem(replace(task, objective=each), STEEP / 2) for each in alone)
    return max(sum(solve_joint(half).bound for half in halves), 0.0) + problem.offset(number)


def _whole_area_bound(problem: ChipProblem, number: int, remembered: dict[int, float]) -> float:
    """Bound by the twin of the whole area, whose plain design costs the same."""
    twin = problem.chips[number].copy()
    twin[_AREA] = _FULL
    whole = problem.number_of(twin)
    assert whole is not None  # more area holds the plain design, too
    if whole not in remembered:
        found = table_optimum(problem.task(whole))
        remembered[whole] = max(found.bound, found.reward_bound) + problem.offset(whole)
    return remembered[whole]


def _best_constant(problem: ChipProblem) -> tuple[Constant | None, int]:
    """Find the best chip and setting for all layers alike."""
    best, chip = None, problem.plain_chip
    for number in range(len(problem.chips)):
        found = best_constant(problem.task(number))
        if found is None:
            continue
        value = found.value + problem.offset(number)
        if best is None or value > best.value:
            best, chip = Constant(found.setting, value), number
    return best, chip
