"""The reader's half of pruned filters: input channels that nobody computes any more."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.hardware.space.computation import Computation
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.pruning import CHANNELS


def _leave_out(computation: Computation, percent: NDArray[Any]) -> Computation:
    return replace(
        computation,
        kept_percent=100 - percent,
        pruned_part=np.full_like(percent, CHANNELS),
    )


#: Which channels these are is the same for all layers that read them.
PRUNED_INPUTS = Knob(
    name="pruned_inputs",
    values=(0, 10, 25, 50, 75),
    plain=0,
    effect=_leave_out,
    network_effect="lrmp.accuracy.lab.quantization.filter_pruning:leave_inputs_out",
    unit="percent",
    about="Share of a layer's input channels whose filters are pruned, those of least importance "
    "to all layers that read them: their rows are not there.",
)
