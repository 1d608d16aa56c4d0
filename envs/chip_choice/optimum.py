"""The best chip and design known for a problem, as it is stored with lrmp."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

from lrmp.envs.chip_choice.problem import ChipProblem
from lrmp.envs.task.optimum import Certificate, Constant
from lrmp.foreign_text import parse_json
from lrmp.hardware.families.chip import CHIP_SPACE
from lrmp.hardware.space.design import Design

FOLDER = "optima"  # one JSON file per problem, beside this module


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
