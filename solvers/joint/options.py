"""Everything that every layer can choose, in one flat list: setting and copies."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.joint.floats import Floats
from lrmp.solvers.joint.problem import JointProblem
from lrmp.solvers.replication.choices import Choices

MOST_COMPARED = 2**20  # pairs of options of a layer that are held against each other


@dataclass(frozen=True, eq=False)
class JointOptions:
    """All options of L layers, in one flat list of N, layer by layer.

    Attributes:
        first: First option of every layer, shape (L,).
        layer: Layer of every option, shape (N,).
        setting: Shape (N,).
        copies: Shape (N,).
        tiles: Shape (N,).
        cycles: Fixed ones included, shape (N,).
        energy_fj: Shape (N,); zeros if the objective needs no energies.
    """

    first: IntArray
    layer: IntArray
    setting: IntArray
    copies: IntArray
    tiles: Floats
    cycles: IntArray
    energy_fj: IntArray

    @classmethod
    def of(cls, problem: JointProblem) -> "JointOptions":
        """List every setting with every useful number of copies that leaves the others room.

        Args:
            problem: The task.

        Returns:
            At least one option per layer.

        Raises:
            InfeasibleBudgetError: If one copy of every layer does not fit with any settings.
        """
        columns: list[tuple[NDArray[Any], ...]] = []
        tiles = problem.tiles
        problem.simple_designs()  # refuses a budget that is too small for any
        least = tiles.min(axis=1)
        room = problem.budget - least.sum() + least
        for setting, one in enumerate(problem.uniform):
            choices = Choices.of(one)
            fits = choices.tiles <= room[choices.block]
            layer = choices.block[fits]
            columns.append(
                (
                    layer,
                    np.full(len(layer), setting),
                    choices.copies[fits],
                    choices.tiles[fits].astype(float),
                    choices.cycles[fits] + one.fixed_cycles[layer],
                    np.zeros(len(layer), np.int64)
                    if choices.energy_fj is None
                    else choices.energy_fj[fits],
                )
            )
        joined = [np.concatenate(column) for column in zip(*columns, strict=True)]
        order = np.argsort(joined[0], kind="stable")
        layer, *rest = (column[order] for column in joined)
        return cls(np.searchsorted(layer, np.arange(len(least))), layer, *rest)

    def only(self, kept: NDArray[Any]) -> "JointOptions":
        """Keep some options.

        Args:
            kept: Indices or a mask; at least one option of every layer.

        Returns:
            Those options.
        """
        layer = self.layer[kept]
        return JointOptions(
            np.searchsorted(layer, np.arange(len(self.first))),
            layer,
            self.setting[kept],
            self.copies[kept],
            self.tiles[kept],
            self.cycles[kept],
            self.energy_fj[kept],
        )

    def least(self, values: Floats) -> Floats:
        """Return the least of some values by layer.

        Args:
            values: Shape (N,).

        Returns:
            Shape (L,).
        """
        smallest: Floats = np.minimum.reduceat(values, self.first)
        return smallest

    def most(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the most of some values by layer.

        Args:
            values: Shape (N,).

        Returns:
            Shape (L,).
        """
        largest: NDArray[Any] = np.maximum.reduceat(values, self.first)
        return largest


def undominated(*columns: Floats) -> NDArray[np.intp]:
    """Find the options that no other one beats or equals in every column.

    Args:
        columns: What is better the smaller it is, each of shape (n,).

    Returns:
        Indices, ascending; of equal options the first is kept.
    """
    count = len(columns[0])
    if count < 2 or count * count > MOST_COMPARED:
        return np.arange(count)  # needless options cost time, never correctness
    order = np.lexsort(columns[::-1])
    beaten = np.tril(np.ones((count, count), dtype=bool), -1)  # only earlier ones can beat
    for column in columns:
        values = column[order]
        beaten &= values[:, None] >= values
    kept: NDArray[np.intp] = np.sort(order[~beaten.any(axis=1)])
    return kept
