"""Conversion: the bits that the ADCs of every layer resolve, and what follows from them."""

import numpy as np
from numpy.typing import NDArray

from lrmp.errors import DesignError
from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.adc import FEWEST_SAR_BITS, adc_bits, sar_ratio
from lrmp.hardware.frozen_arrays import IntArray, locked, read_only
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.computation import Computation

#: What ADCs do not follow the layers by.
_FIXED = ("fixed", "none")


class Conversion:
    """What the ADCs of L layers resolve, for every setting.

    A column of n weights other than 0 in a row group is converted without loss in B(n) bits
    (``adc_bits``). Where the accelerator's ``adc`` follows the layers, those of a layer resolve
    B(n) bits, and never more than the chip's ``adc_bits``, for which its times, energies and areas
    are stated. Where nobody has said n, it is all rows. From there

    - a layer whose ADCs clip (``adc_clip_bits``) has no more bits than that;
    - cycles scale as the bits (``Accelerator.read_and_convert_cycles_at``);
    - energy per conversion scales by ``sar_ratio``, ISAAC's ADC at other resolutions;
    - with ``adc = "per-layer"`` the area of the components of part ``adc`` scales by the same law,
      and their leakage as the energy.

    Attributes:
        bits: Of a conversion. This and the others have an axis per knob, of size 1 where the knob
            plays no part, and the layers last, as in `Computation`.
        cycles: Of one row group in one input step: the read and its conversions.
        energy_ratio: Energy of a conversion, of that which the chip states.
        area_ratio: Area of the ADCs in a tile, of those which the chip states.
        leakage_ratio: Their leakage, likewise.

    Args:
        network: L layers.
        accelerator: The chip.
        computation: What sits in the crossbars, for every setting.

    Raises:
        DesignError: If a knob asks for fewer bits and the chip gains nothing by that.
        PresetError: If the ADC of the chip is none that there are figures for.
    """

    def __init__(
        self, network: Network, accelerator: Accelerator, computation: Computation
    ) -> None:
        chip = accelerator
        lossless = _lossless_bits(network, chip, computation)
        clip = computation.adc_clip_bits
        if clip is not None and (clip < lossless).any():
            _check_that_adcs_follow(chip, "adc_clip_bits")
            lossless = np.minimum(lossless, clip)
        self.bits: IntArray = read_only(lossless)
        every, place = np.unique(self.bits, return_inverse=True)
        place = place.reshape(self.bits.shape)  # NumPy 2.0 gives it flat
        widths = every.tolist()
        energies, areas = zip(*(_ratios(chip.adc_bits, bits) for bits in widths), strict=True)
        same = (1.0,) * len(widths)
        in_tile = chip.adc == "per-layer"

        def at(ratios: tuple[float, ...]) -> NDArray[np.float64]:
            return locked(np.array(ratios)[place])

        cycles = np.array([chip.read_and_convert_cycles_at(bits) for bits in widths])
        self.cycles: IntArray = read_only(cycles[place])
        self.energy_ratio = at(energies)
        self.area_ratio = at(areas if in_tile else same)
        self.leakage_ratio = at(energies if in_tile else same)


def _lossless_bits(network: Network, chip: Accelerator, computation: Computation) -> IntArray:
    """Count the bits that tell all sums apart, or the chip's own if these are fewer."""
    rows, nonzeros = chip.active_rows, computation.column_nonzeros
    if nonzeros is None:
        nonzeros = np.full((1,) * computation.rows.ndim, rows)
    elif nonzeros.max() > rows:
        raise DesignError(
            f"Expected column_nonzeros of at most the {rows} active_rows of accelerator "
            f"{chip.name!r}, got {nonzeros.max()}. Declare the knob by column_nonzeros({rows})."
        )
    elif nonzeros.min() < rows:
        knob = "column_nonzeros" if computation.pruned_part is None else "pruning_method columns"
        _check_that_adcs_follow(chip, knob)
        check_that_zeros_help(chip, knob)
        # The operand of a product of two activations is not known, so that nothing is pruned.
        if network.is_matmul.any():
            nonzeros = np.where(network.is_matmul, rows, nonzeros)
    own = chip.adc_bits
    most = own if chip.adc in _FIXED else min(own, chip.lossless_adc_bits)
    signed = chip.rows_per_weight > 1
    every = np.unique(nonzeros)
    bits = [adc_bits(int(n), chip.dac_bits, chip.converted_bits, signed=signed) for n in every]
    found = np.minimum(most, bits)[np.searchsorted(every, nonzeros)]
    return np.where(nonzeros < rows, found, most)


def _ratios(own: int, bits: int) -> tuple[float, float]:
    """Return the ratios of energy and area, 1 at the chip's own bits."""
    if bits == own:
        return 1.0, 1.0
    return sar_ratio(max(own, FEWEST_SAR_BITS), max(bits, FEWEST_SAR_BITS))


def _check_that_adcs_follow(chip: Accelerator, knob: str) -> None:
    """Refuse a chip that gains nothing by fewer bits."""
    if chip.adc in _FIXED:
        raise DesignError(
            f"Expected a chip whose ADCs follow the layers where {knob} is chosen, got accelerator "
            f"{chip.name!r} with adc {chip.adc!r}. Set its adc to 'per-layer' or 'early-stop', or "
            "leave the knob out."
        )


def check_that_zeros_help(chip: Accelerator, knob: str) -> None:
    """Refuse a chip whose columns do not have small sums where many weights are 0.

    Args:
        chip: Any.
        knob: That makes weights 0.

    Raises:
        DesignError: If cells of a weight of 0 are not 0, or not read together.
    """
    if chip.weight_encoding == "offset":
        raise DesignError(
            f"Expected a chip that stores a weight of 0 as cells of 0 where {knob} is "
            f"chosen, got accelerator {chip.name!r} with weight_encoding 'offset', which moves "
            "zeros up. Set it to 'differential-columns' or 'differential-rows'."
        )
    if chip.active_rows % chip.rows_per_weight:
        raise DesignError(
            f"Expected a chip that drives both rows of a weight together where {knob} is "
            f"chosen, got accelerator {chip.name!r} with {chip.active_rows} active_rows. Take an "
            "even number."
        )
