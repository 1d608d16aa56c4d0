"""Names of layers below a panel, however many there are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST_NAME, SMALLEST_NAME = 8.0, 6.5  # font sizes


def name_layers(axes: "Axes", names: Sequence[str], width_pt: float) -> None:
    """Name the layers, or every n-th where more names would overlap.

    Args:
        axes: The panel; layer i stands at i.
        names: Of the layers.
        width_pt: Of the panel.
    """
    pitch = 0.7 * width_pt / len(names)
    every = int(np.ceil(SMALLEST_NAME / pitch))
    size = float(np.clip(pitch * every, SMALLEST_NAME, LARGEST_NAME))
    axes.set_xticks(range(0, len(names), every), names[::every], rotation=90, fontsize=size)
