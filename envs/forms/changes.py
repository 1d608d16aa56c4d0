"""The changes of the refinement form: one knob of one layer, one allowed value down or up."""

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.space.design_space import DesignSpace


class Changes:
    """What an action does to designs of L layers with K knobs.

    Action 0 changes nothing. Else, with k = action - 1, layer ``k // (2 K)`` changes: ``k % (2 K)``
    is 0 to take its first knob a value down, 1 to take it up, 2 and 3 for the second knob, and so
    on. A change to a value that the layer may not have skips it; one beyond the last is impossible.

    Args:
        space: K knobs.
        layers: L.

    Attributes:
        count: Actions, ``2 K L + 1``.
        steps_per_layer: As many changes as lead from the plain setting to the farthest.
    """

    def __init__(self, space: DesignSpace, layers: int) -> None:
        self._actions_per_layer = 2 * len(space)
        self.count = self._actions_per_layer * layers + 1
        self.steps_per_layer = sum(
            max(int(plain), size - 1 - int(plain))
            for plain, size in zip(space.plain, space.sizes, strict=True)
        )
        #: Where a step leads, by layer and knob, place, and down or up; -1 where it is impossible.
        leads = np.full((layers, len(space), max(space.sizes), 2), -1, dtype=np.int64)
        for layer in range(layers):
            for knob, choices in enumerate(space.choices(layer)):
                leads[layer, knob, choices[1:], 0] = choices[:-1]
                leads[layer, knob, choices[:-1], 1] = choices[1:]
        self._leads: IntArray = leads.reshape(-1, *leads.shape[2:])
        self._possible: NDArray[np.int8] = (leads >= 0).astype(np.int8).reshape(-1, 2)
        self._leads_of_one: list[list[list[int]]] = self._leads.tolist()
        self._starts: IntArray = np.arange(len(self._leads)) * leads.shape[2]

    def layer_of(self, action: int) -> int:
        """Say which layer an action changes.

        Args:
            action: 1 to 2 K L.

        Returns:
            Its number.
        """
        return (int(action) - 1) // self._actions_per_layer

    def masks(self, settings: IntArray) -> NDArray[np.int8]:
        """Say which changes are possible.

        Args:
            settings: Places of values, shape (B, L, K).

        Returns:
            1 for a possible action, else 0; shape (B, 2 K L + 1).
        """
        masks = np.ones((len(settings), self.count), dtype=np.int8)
        places = settings.reshape(len(settings), -1) + self._starts
        masks[:, 1:] = self._possible.take(places, axis=0).reshape(len(settings), -1)
        return masks

    def apply_one(self, settings: IntArray, action: int) -> tuple[IntArray, bool]:
        """Apply an action to one design, if it is possible.

        Args:
            settings: Places of values, shape (L, K).
            action: 0 to 2 K L.

        Returns:
            New settings, shape (L, K), and whether the action was possible.
        """
        if action == 0:
            return settings, True
        knob, up = divmod(int(action) - 1, 2)  # the knobs of all layers in a row
        lead = self._leads_of_one[knob][settings.item(knob)][up]
        if lead < 0:
            return settings, False
        changed = settings.copy()
        changed.flat[knob] = lead
        return changed, True

    def apply(self, settings: IntArray, actions: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
        """Apply actions where they are possible.

        Args:
            settings: Places of values, shape (B, L, K).
            actions: Shape (B,), each 0 to 2 K L.

        Returns:
            New settings, shape (B, L, K), and whether the actions were possible, shape (B,).
        """
        rows, actions = np.arange(len(settings)), actions.astype(np.int64)  # narrow ones wrap at -1
        changed = settings.reshape(len(settings), -1).copy()
        knob, up = np.divmod(np.maximum(actions - 1, 0), 2)  # the knobs of all layers in a row
        leads = self._leads[knob, changed[rows, knob], up]
        moves = (actions > 0) & (leads >= 0)
        changed[rows[moves], knob[moves]] = leads[moves]
        return changed.reshape(settings.shape), moves | (actions == 0)
