"""The problem of a chip in an area: a task for every chip that holds the plain design."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lrmp.envs.task.task import Task, load_task
from lrmp.envs.variant_choice.problem import VariantProblem
from lrmp.envs.variant_choice.problem_ids import ProblemObjective
from lrmp.hardware.cost.cost_report import Objective
from lrmp.hardware.families.chip import (
    AREA_PARTS,
    CHIP_SPACE,
    area_um2,
    build_chip,
    chip_name,
    most_tiles,
)
from lrmp.hardware.frozen_arrays import IntArray, read_only
from lrmp.hardware.networks.catalogue import NETWORKS
from lrmp.hardware.space.design_space import DesignSpace

if TYPE_CHECKING:
    from lrmp.envs.variant_choice.best_variant import BestVariant

#: How ids of LRMP's own tasks name what is minimised; area is the same in all their designs.
_SUFFIXES: dict[ProblemObjective, str] = {"latency": "", "energy": "-Energy", "edap": "-EDP"}
#: What a task on one chip minimises where the chip is chosen, too.
_INNER: dict[ProblemObjective, Objective] = {
    "latency": "latency",
    "energy": "energy",
    "edap": "edp",
}


@dataclass(frozen=True)
class ChipProblem(VariantProblem):
    """Choose a chip of at most an area, and a design on it.

    Of every chip that can hold the plain design in its share of the area there is a `Task`, with as
    many tiles as fit. LRMP's chip, the plain one, fills the area. With ``"edap"`` the cost is
    energy x delay x area, that of the whole chip as built.
    """

    noun: ClassVar[str] = "chip"
    prefix: ClassVar[str] = "chip_"

    @property
    def space(self) -> DesignSpace:
        """The knobs of a chip."""
        return CHIP_SPACE

    @property
    def requirement(self) -> str:
        """That the chip holds the plain design."""
        return f"a chip that holds the plain design of {self.id} in its share of the area"

    def counts(self, setting: IntArray) -> bool:
        """Say whether a chip holds the plain design in its share of the area.

        Args:
            setting: Places of values in ``CHIP_SPACE``, shape (5,).

        Returns:
            Whether it does.
        """
        needed = _plain_tiles(self.network, setting[:2].tobytes())
        return area_um2(build_chip(setting), needed) <= self._share_um2(setting)

    @cached_property
    def area_budget_um2(self) -> int:
        """The area of LRMP's chip with the tiles of the plain design."""
        return area_um2(self.plain_task.accelerator, self.plain_task.budget)

    @cached_property
    def plain_task(self) -> Task:
        """LRMP's own task of the network with this objective."""
        return load_task(f"LRMP-{NETWORKS[self.network].label}{_SUFFIXES[self.objective]}-v0")

    @cached_property
    def variants(self) -> IntArray:
        """Settings of ``CHIP_SPACE`` that count, shape (V, 5)."""
        return read_only([setting for setting in CHIP_SPACE.settings if self.counts(setting)])

    @property
    def count(self) -> int:
        """How many chips count."""
        return len(self.variants)

    def setting(self, number: int) -> IntArray:
        """Return a chip.

        Args:
            number: Among `variants`.

        Returns:
            Places of values in ``CHIP_SPACE``, shape (5,).
        """
        chip: IntArray = self.variants[number]
        return chip

    @cached_property
    def _numbers(self) -> dict[tuple[int, ...], int]:
        return {tuple(setting): number for number, setting in enumerate(self.variants.tolist())}

    def number_of(self, setting: IntArray) -> int | None:
        """Find a chip.

        Args:
            setting: Places of values in ``CHIP_SPACE``, shape (5,).

        Returns:
            Its number among `variants`; None if it does not hold the plain design.
        """
        return self._numbers.get(tuple(int(place) for place in setting))

    def nearest(self, setting: IntArray) -> int:
        """Find a chip, or the one most like it that holds the plain design.

        Args:
            setting: Places of values in ``CHIP_SPACE``, shape (5,).

        Returns:
            Its number among `variants`; of those as near by places, the first.
        """
        number = self.number_of(setting)
        if number is None:
            number = int(np.abs(self.variants - setting).sum(axis=1).argmin())
        return number

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the objective and of the tasks of all chips."""
        tasks = [self.task(number).fingerprint for number in range(self.count)]
        text = json.dumps([self.id, self.objective, self.variants.tolist(), tasks])
        return hashlib.sha256(text.encode()).hexdigest()

    def area_um2(self, number: int) -> int:
        """Return the area that a chip takes.

        Args:
            number: Among `variants`.

        Returns:
            Square micrometres of the chip with all its tiles.
        """
        task = self.task(number)
        return area_um2(task.accelerator, task.budget)

    def build_task(self, number: int) -> Task:
        """Build the task of a chip that is not LRMP's.

        Args:
            number: Among `variants`.

        Returns:
            The network on the chip with the tiles of its area.
        """
        setting, plain = self.setting(number), self.plain_task
        chip = build_chip(setting)
        return Task(
            id=f"{self.id}:{chip_name(setting)}",
            workload=plain.workload,
            accelerator=chip,
            budget=most_tiles(chip, self._share_um2(setting)),
            objective=_INNER[self.objective],
            space=plain.space,
        )

    def plain_cost(self, number: int) -> int:
        """Return the cost of the plain design on a chip.

        Args:
            number: Among `variants`.

        Returns:
            What is minimised; with ``"edap"`` times the area of the chip.
        """
        area = self.area_um2(number) if self.objective == "edap" else 1
        return super().plain_cost(number) * area

    def info(self, number: int) -> dict[str, Any]:
        """Return what infos say of a chip beside the values of its knobs.

        Args:
            number: Among `variants`.

        Returns:
            Its area in square millimetres.
        """
        return {"chip_mm2": np.float64(self.area_um2(number) / 1e6)}

    def search(self, log: Callable[[str], None]) -> "BestVariant":
        """Find the best chip and design: chips in the order of their bounds.

        Args:
            log: Called with a line on the bounds, and for every chip that is solved.

        Returns:
            The best of all chips.
        """
        # Whoever plays a problem needs no solver.
        from lrmp.envs.variant_choice.best_variant import search_by_bounds
        from lrmp.envs.variant_choice.chip_bounds import chip_bounds

        return search_by_bounds(self, chip_bounds(self, log), log)

    def to_json(self) -> dict[str, Any]:
        """Return what the problem is, in few plain JSON values.

        Returns:
            As of any problem, and the area.
        """
        document = super().to_json()
        del document["budget_tiles"]  # every chip has its own
        return document | {
            "accelerator": "to be chosen",
            "area_budget_um2": self.area_budget_um2,
            "chips": self.count,
        }

    def _share_um2(self, setting: IntArray) -> int:
        """Return how much of the area budget a chip may take."""
        share = CHIP_SPACE.decode(setting)["area_eighths"]
        return self.area_budget_um2 * int(share) // AREA_PARTS


@cache
def _plain_tiles(network: str, crossbar: bytes) -> int:
    """Count the tiles of the plain design, on crossbars of a side and bits of a cell."""
    from lrmp.hardware.cost.cost_model import CostModel
    from lrmp.hardware.networks import load_network

    setting = CHIP_SPACE.plain.copy()
    setting[:2] = np.frombuffer(crossbar, dtype=np.int64)
    return CostModel(load_network(network), build_chip(setting)).baseline.tiles
