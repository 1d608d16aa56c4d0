"""The best variant and design known for a problem, as it is stored with lrmp."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Self

from lrmp.envs.task.optimum import Certificate, Constant
from lrmp.envs.variant_choice.problem import VariantProblem
from lrmp.foreign_text import parse_json
from lrmp.hardware.space.design import Design

FOLDER = "optima"  # one JSON file per problem, beside this module


@dataclass(frozen=True)
class VariantOptimum(Certificate):
    """The best variant and design known for a problem, and bounds on all.

    Attributes:
        problem: Id.
        problem_fingerprint: SHA-256 of the problem's definition when it was solved.
        variant: The value of every knob of the variant, by name.
        design: What ``Design.to_json`` returns.
        without: Score of the proven best design of the plain variant, in LRMP's own task.
        constant_variant: The variant of the best constant, of those that
            `VariantProblem.constants` names.
        variants: That count.
        solved: Problems of settings and copies that were solved on the way.
    """

    problem: str
    problem_fingerprint: str
    variant: dict[str, int]
    design: dict[str, list[int]]
    without: float
    constant_variant: dict[str, int]
    variants: int
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
def stored_variant_optimum(problem_id: str) -> VariantOptimum | None:
    """Read the optimum that ships with lrmp.

    Args:
        problem_id: Of the layer-wise environment.

    Returns:
        The optimum, or None if there is no file.
    """
    file = resources.files("lrmp.envs.variant_choice").joinpath(FOLDER, f"{problem_id}.json")
    return VariantOptimum.from_text(file.read_text("utf-8")) if file.is_file() else None


def optimal_design(problem: VariantProblem, optimum: VariantOptimum) -> tuple[int, Design]:
    """Read the best design of a problem.

    Args:
        problem: What was solved.
        optimum: Its optimum.

    Returns:
        The number of its variant, and the design in the task of this.
    """
    (setting,) = problem.space.encode(optimum.variant, [""])
    number = problem.number_of(setting)
    assert number is not None
    return number, Design.from_json(optimum.design, problem.task(number).space)
