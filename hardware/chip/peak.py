"""Peak performance: what a chip could do if its crossbars were full and never waited."""

from lrmp.errors import PresetError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.weight_slices import count_slices


def peak_ops_per_s(
    accelerator: Accelerator, weight_bits: int, activation_bits: int, tiles: int | None = None
) -> float:
    """Count the operations per second of full crossbars; a multiply-accumulate is two of them.

    Args:
        accelerator: The chip.
        weight_bits: Bits of every weight, at least 1.
        activation_bits: Bits of every activation, at least 1.
        tiles: Tiles at work; None for those of the published chip.

    Returns:
        ``2 * tiles * weights per tile / seconds per multiplication``, where a tile holds
        ``R * C / cells per weight`` weights and a multiplication takes ``(ceil(a / dac_bits) +
        extra_input_steps) * reads_per_crossbar`` reads with their conversions. Transfers are
        hidden.

    Raises:
        PresetError: If the tiles are not known.
    """
    chip = accelerator
    count = chip.tiles if tiles is None else tiles
    if not count:
        raise PresetError(
            f"Expected the number of tiles of accelerator {chip.name!r}, got 0. Pass it as tiles."
        )
    differential = 1 if chip.weight_encoding == "offset" else 2
    slices = int(count_slices(chip, weight_bits)) + chip.sum_columns
    cells_per_weight = slices * differential
    weights = chip.crossbar_rows * chip.crossbar_columns / cells_per_weight
    steps = -(-activation_bits // chip.dac_bits) + chip.extra_input_steps
    reads = steps * chip.reads_per_crossbar
    return 2 * count * weights * chip.clock_hz / (reads * chip.read_and_convert_cycles)
