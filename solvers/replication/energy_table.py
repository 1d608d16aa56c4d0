"""Energies of layers with every useful copy count, by their settings, remembered as they come."""

from dataclasses import dataclass
from threading import Lock

import numpy as np

from lrmp.hardware.cost.cost_model import CostModel
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.solvers.replication.problem import useful_copies

MOST_REMEMBERED = 2**13  # settings of layers; a few KiB each


#: Threads may share a table; one for all tables, so that those are copied and sent as before.
_LOCK = Lock()


@dataclass(frozen=True, eq=False)
class LayerEnergies:
    """A layer in a setting.

    Attributes:
        energy_fj: With each of its useful copy counts.
        most: The largest of them.
        least: The smallest.
        copies: The fewest with that.
    """

    energy_fj: IntArray
    most: int
    least: int
    copies: int


class EnergyTable:
    """Looks energies up by the settings of layers: a search changes few of them at a time.

    Args:
        cost_model: Whose units do not depend on the settings.
    """

    def __init__(self, cost_model: CostModel) -> None:
        self._model = cost_model
        units = cost_model.most_copy_costs.units.tolist()
        self._copies = [useful_copies(each) for each in units]
        self._count = int(np.prod(cost_model.space.sizes))
        self._found: dict[int, LayerEnergies] = {}
        # The energies of all, one after the other in memory that grows, and where each begins.
        self._flat: IntArray = np.empty(2**10, dtype=np.int64)
        self._used = 0
        self._starts: dict[int, int] = {}

    def of_design(self, settings: IntArray) -> list[LayerEnergies]:
        """Look the layers of a design up.

        Args:
            settings: Places of the layers' values, shape (L, K).

        Returns:
            One for each layer.
        """
        codes = self._codes(settings).tolist()
        with _LOCK:
            self._remember(codes)
            return [self._found[code] for code in codes]

    def of_designs(self, settings: IntArray) -> tuple[IntArray, IntArray]:
        """Look the layers of many designs up.

        Args:
            settings: Shape (B, L, K).

        Returns:
            Femtojoules of all settings that are remembered, with all useful copy counts, one after
            the other, and where those of every layer begin, shape (B, L).
        """
        codes, places = np.unique(self._codes(settings), return_inverse=True)
        with _LOCK:
            self._remember(codes.tolist())
            starts = np.array([self._starts[code] for code in codes.tolist()])
            energies = self._flat[: self._used]
        return energies, starts[places.reshape(settings.shape[:-1])]

    def cheapest(self, settings: IntArray) -> tuple[IntArray, IntArray]:
        """Choose for every layer the copies that cost least energy, whatever tiles they take.

        Args:
            settings: Shape (B, L, K).

        Returns:
            The fewest such copies and femtojoules, each of shape (B, L).
        """
        codes, places = np.unique(self._codes(settings), return_inverse=True)
        with _LOCK:
            self._remember(codes.tolist())
            entries = [self._found[code] for code in codes.tolist()]
        copies = np.array([entry.copies for entry in entries])
        least = np.array([entry.least for entry in entries])
        places = places.reshape(settings.shape[:-1])
        return copies[places], least[places]

    def _codes(self, settings: IntArray) -> IntArray:
        """Number settings of layers, the layer in front."""
        codes = np.broadcast_to(np.arange(settings.shape[-2]), settings.shape[:-1])
        for knob, size in enumerate(self._model.space.sizes):
            codes = codes * size + settings[..., knob]
        return codes

    def _remember(self, codes: list[int]) -> None:
        """Cost settings that are new, as many layers at a time as there are."""
        new = [code for code in codes if code not in self._found]
        if not new:
            return
        if len(self._found) + len(new) > MOST_REMEMBERED:
            self._found.clear()
            self._starts.clear()
            self._flat = np.empty(2**10, dtype=np.int64)  # the other one may be in use
            self._used, new = 0, codes
        settings = np.array(self._model.space.plain_settings(len(self._copies)))
        waiting: dict[int, list[int]] = {}
        for code in dict.fromkeys(new):
            waiting.setdefault(code // self._count, []).append(code)
        while waiting:
            taken = {layer: own.pop() for layer, own in waiting.items()}
            waiting = {layer: own for layer, own in waiting.items() if own}
            for layer, code in taken.items():
                settings[layer] = np.unravel_index(code % self._count, self._model.space.sizes)
            energies = self._model.copies_energy_fj(settings, self._copies)
            for layer, code in taken.items():
                own = energies[layer]
                best = int(own.argmin())
                self._found[code] = LayerEnergies(
                    own, int(own.max()), int(own[best]), int(self._copies[layer][best])
                )
                self._store(code, own)

    def _store(self, code: int, energies: IntArray) -> None:
        start, end = self._used, self._used + len(energies)
        if end > len(self._flat):
            larger = np.empty(2 * end, dtype=np.int64)
            larger[:start] = self._flat[:start]
            self._flat = larger  # who was given the other one before keeps it
        self._flat[start:end] = energies
        self._starts[code], self._used = start, end
