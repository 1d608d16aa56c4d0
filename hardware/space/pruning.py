"""The knobs of pruning: how much of a layer is left out, and what that is made of.

After Balaskas et al., "Hardware-aware DNN compression via diverse pruning and mixed-precision
quantization" (arXiv 2312.15322), where an agent chooses for every layer a ratio and one of several
methods. A crossbar gains by a 0 only where it has a form:

- ``channels``: input channels of least norm. Their rows are not there, in any column.
- ``columns``: the smallest weights of every column and row group, so that its sum stays small and
  the ADC needs fewer bits (as ``column_nonzeros``).
- ``fine``: the smallest weights of the layer, wherever they are. Their cells draw no current.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob

#: The numbers of the parts in `Computation`.
CHANNELS, COLUMNS, FINE = 1, 2, 3
PARTS = {"channels": CHANNELS, "columns": COLUMNS, "fine": FINE}
_EFFECTS = "lrmp.accuracy.lab.quantization.pruning"


def pruned_count(total: int, percent: int) -> int:
    """Count what a ratio takes away.

    Args:
        total: What there is.
        percent: The ratio.

    Returns:
        ``floor(ratio * total)``.
    """
    return total * percent // 100


def _leave_out(computation: Computation, percent: NDArray[Any]) -> Computation:
    return replace(computation, kept_percent=100 - percent)


def _choose(computation: Computation, labels: NDArray[Any]) -> Computation:
    parts = np.array([PARTS[label] for label in labels.flat])
    return replace(computation, pruned_part=parts.reshape(labels.shape))


PRUNING_RATIO = Knob(
    name="pruning_ratio",
    values=(0, 25, 50, 75, 90),
    plain=0,
    effect=_leave_out,
    network_effect=f"{_EFFECTS}:prune",
    unit="percent",
    about="Share of a layer's input channels, of the weights of its columns, or of all its weights "
    "that are left out; pruning_method says which.",
)
PRUNING_METHOD = Knob(
    name="pruning_method",
    values=tuple(PARTS),
    plain="fine",
    effect=_choose,
    network_effect=f"{_EFFECTS}:choose_method",
    acts_with=PRUNING_RATIO.name,
    about="What pruning_ratio leaves out: input channels, which free rows; weights of every column "
    "and row group, which makes ADCs smaller; or the smallest weights anywhere, whose cells draw "
    "no current.",
)
