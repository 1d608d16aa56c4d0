"""One design as its layers change one by one: what is seen of it costs no more than the change."""

import numpy as np
from numpy.typing import NDArray

from lrmp.envs.scoring.dynamics import Dynamics
from lrmp.hardware.frozen_arrays import IntArray


class RunningDesign:
    """The settings of a design and its totals with one copy of every layer.

    Args:
        dynamics: Of the task; the design starts as the plain one.

    Attributes:
        settings: Places of values, shape (L, K); not to be written.
    """

    def __init__(self, dynamics: Dynamics) -> None:
        self._dynamics = dynamics
        self.settings = dynamics.plain
        entries = [dynamics.lookup(layer, s) for layer, s in enumerate(self.settings.tolist())]
        self._layer_tiles = [entry.tiles for entry in entries]
        self._layer_cycles = [entry.cycles for entry in entries]
        self._beyond_plain = np.array([entry.spent_beyond_plain for entry in entries])
        self._features = np.array([entry.features for entry in entries], dtype=np.float32)

    def change(self, layer: int, settings: IntArray) -> None:
        """Give a layer another setting.

        Args:
            layer: Its number.
            settings: Of the new design, which differs in this layer alone; shape (L, K).
        """
        self.settings = settings
        entry = self._dynamics.lookup(layer, settings[layer].tolist())
        self._layer_tiles[layer] = entry.tiles
        self._layer_cycles[layer] = entry.cycles
        self._beyond_plain[layer] = entry.spent_beyond_plain
        self._features[layer] = entry.features

    def observe(self, *behind: float) -> NDArray[np.float32]:
        """Describe the design.

        Args:
            *behind: What else is seen.

        Returns:
            The numbers of ``observe_designs``, shape (K L + 4 and one for each behind,),
            a number more for every network beyond the first.
        """
        dynamics, cycles = self._dynamics, self._layer_cycles
        if dynamics.has_table:
            beyond = self._beyond_plain.sum(axis=0)
            spent = dynamics.start_spent + (beyond if beyond.ndim else float(beyond))
        else:
            spent = dynamics.drop(self.settings)
        totals = dynamics.totals(sum(self._layer_tiles), spent, sum(cycles), max(cycles))
        knobs = self._features.size
        seen = np.empty(knobs + len(totals) + len(behind), np.float32)
        seen[:knobs] = self._features.ravel()
        seen[knobs:] = (*totals, *behind)
        return seen
