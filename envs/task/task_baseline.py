"""The design that a task's gains are measured against, where that is not the plain one."""

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from lrmp.errors import DesignError, NetworkError, TaskError, unknown_name
from lrmp.hardware.networks.network import Network
from lrmp.hardware.readers.file_bits import FileBits
from lrmp.hardware.space.design import REPLICATION, Design
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import PRECISION

FromFile = Literal["from-file"]
(FROM_FILE,) = get_args(FromFile)

#: How a baseline is given: a design, values by the name of a knob, or the bits of the network's own
#: file; None for the plain design.
Baseline = Design | Mapping[str, ArrayLike] | FromFile | None

_SHOWN = 3


def baseline_design(
    baseline: Baseline, network: Network, bits: FileBits | None, space: DesignSpace
) -> Design | None:
    """Make the design that a task's gains are measured against.

    Args:
        baseline: How it is given.
        network: L layers.
        bits: Those of the network's file; None if it was not read from one that may have some.
        space: The task's knobs.

    Returns:
        The design; None for the plain one.

    Raises:
        DesignError: If it has a knob or a value that the task does not, not one for each layer, or
            the file has no bits.
        NetworkError: If the bits of a file are asked for and there is no such file.
        TaskError: If it is given in no such way.
    """
    if baseline is None or isinstance(baseline, Design):
        return baseline
    layers = [layer.name for layer in network.layers]
    if isinstance(baseline, str):
        if baseline != FROM_FILE:
            raise TaskError(unknown_name("baseline", baseline, (FROM_FILE,)))
        if bits is None:
            raise NetworkError(
                f"Expected an ONNX file beside baseline {FROM_FILE!r}, got {network.name!r}, which "
                "has no bits of its own. Give values by knob: baseline={'weight_bits': 4}."
            )
        bits.require_any()
        baseline = _bits_within(bits, space)
    if not isinstance(baseline, Mapping):
        raise TaskError(
            f"Expected baseline as a design, values by knob, or {FROM_FILE!r}; got "
            f"{baseline!r:.80}."
        )
    values = {name: value for name, value in baseline.items() if name in space.names}
    if others := [name for name in baseline if name not in (*space.names, REPLICATION)]:
        raise DesignError(
            unknown_name("each key of baseline", others[0], (*space.names, REPLICATION))
        )
    copies = baseline.get(REPLICATION, np.ones(len(layers), dtype=np.int64))
    return Design(space, space.encode(values, layers), copies)  # type: ignore[arg-type]


def _bits_within(bits: FileBits, space: DesignSpace) -> dict[str, list[int]]:
    """Return the bits of a file by knob; say of which layers the task has no such."""
    found = {}
    for name, widths in bits.values().items():
        knob = space[name] if name in space.names else PRECISION[name]
        known = knob.values if name in space.names else (knob.plain,)
        layers = [layer.name for layer in bits.network.layers]
        outside = [
            f"{width} for {layer}"
            for layer, width in zip(layers, widths, strict=True)
            if width not in known
        ]
        if outside:
            more = f" and {len(outside) - _SHOWN} more" * (len(outside) > _SHOWN)
            raise DesignError(
                f"Expected the file of {bits.network.name} to have {name} of the task's space, "
                f"{', '.join(map(str, known))}; got {', '.join(outside[:_SHOWN])}{more}. Give the "
                f"task a space with them, of knobs such as {{'name': {name!r}, 'values': "
                f"[{', '.join(map(str, sorted({*known, *widths})))}], 'plain': {knob.plain}}}."
            )
        if name in space.names:
            found[name] = widths
    return found
