"""The family of device noise: copies that are averaged, beside bits of weights and activations.

Its chip is NeuRRAM's macro (Wan et al., Nature 608, 2022) with cells of CMO/HfOx ReRAM one day
after programming; the two were not built together. With the cells of NeuRRAM itself, ResNet-18
loses several points even where 8 copies are averaged. A cell holds 4 bits, so a weight of 5 to 8
bits takes two columns, as one of 8 bits does: of weights, 4 and 8 bits are all that is worth a
choice. The plain chip averages 4 copies of everything, and so has four times the tiles that the
weights need once: a design spends them on averages where a layer needs them, and on speed
elsewhere.
"""

from dataclasses import replace

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset, with_noise
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.averaging import averaging_copies
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits

_COPIES = 4
_WEIGHT_BITS = (4, 8)
_ACTIVATION_BITS = (4, 5, 6, 8)


def noisy_chip() -> Accelerator:
    """Build NeuRRAM with noisy cells.

    Programming, relaxation and 1/f noise are those of the cells. The short-term noise of reads is
    left out, for it takes as long to draw as the network takes to run: at the 1 % that aihwkit
    advises it would add three quarters of the variance of the cells.

    Returns:
        The chip, with the source of every number.
    """
    chip = load_preset("neurram_nature_2022")
    return with_noise(chip, "rram_falcone_2024_1_day", read_microsiemens=0.0)


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace(
        (
            replace(weight_bits(), values=_WEIGHT_BITS),
            replace(activation_bits(), values=_ACTIVATION_BITS),
            averaging_copies(_COPIES, plain=_COPIES),
        )
    )


NOISE = Family(
    name="noise",
    label="Noise",
    title="copies averaged against device noise (NeuRRAM)",
    networks=("lenet", "resnet20"),
    chip=noisy_chip,
    space=_space,
    without={"averaging_copies": (_COPIES,)},
)
