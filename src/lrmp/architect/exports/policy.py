"""The policy of HAQ and CIM-AQ: weight and activation bits of every layer, as ``.npy``.

Both keep an array of integers of shape (L, 2) and load it with ``np.load``: HAQ
(github.com/mit-han-lab/haq, ``rl_quantize.py``) and CIM-AQ (github.com/jmkle/cim-aq,
``finetune.py --strategy_file``). Their layers come in the order in which the module defines them,
ours in that in which they run: for the networks that both have the two are the same.
"""

import io
from pathlib import Path

import numpy as np

from lrmp.errors import DesignError
from lrmp.foreign_file import read_foreign
from lrmp.hardware.space.design import Design
from lrmp.hardware.space.knob import Value
from lrmp.whole_file import write_whole

BITS = ("weight_bits", "activation_bits")
MAX_BYTES = 2**20


def write_policy(design: Design, path: Path) -> None:
    """Write the bits of a design.

    Args:
        design: With the knobs ``weight_bits`` and ``activation_bits``.
        path: The file.

    Raises:
        DesignError: If the design has no such knobs, or others that a policy cannot say.
        OSError: If the file cannot be written.
    """
    check_bits(design)
    buffer = io.BytesIO()
    np.save(buffer, np.stack([design[name] for name in BITS], axis=1).astype(np.int64))
    write_whole(path, buffer.getvalue())


def read_policy(path: Path) -> dict[str, list[Value]]:
    """Read the bits of a policy.

    Args:
        path: The file.

    Returns:
        By the name of a knob its value in every layer.

    Raises:
        DesignError: If it is no array of integers of shape (L, 2).
    """
    try:
        file = io.BytesIO(read_foreign(path, MAX_BYTES))
        found = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
        raise DesignError(f"Expected a policy of HAQ or CIM-AQ at {path}: {error}.") from error
    if found.ndim != 2 or found.shape[1] != 2 or found.dtype.kind not in "iu":
        raise DesignError(
            f"Expected a policy of HAQ or CIM-AQ in {path}, whole numbers of shape (layers, 2), "
            f"got {found.dtype} of shape {found.shape}."
        )
    return {name: found[:, place].tolist() for place, name in enumerate(BITS)}


def check_bits(design: Design) -> None:
    """Check that a design is one of bits alone.

    Args:
        design: Any.

    Raises:
        DesignError: If it has other knobs.
    """
    if design.space.names != BITS:
        raise DesignError(
            f"Expected a design of {' and '.join(BITS)} for this format, got one of "
            f"{', '.join(design.space.names)}. Export it as csv."
        )
