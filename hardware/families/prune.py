"""The family of pruning: bits, how much of a layer is left out, and in what form.

After Balaskas et al. (arXiv 2312.15322), whose accelerator is digital: what zeros save there has no
counterpart on a crossbar. The chip is that of the ADC family, which gains by every form of zeros.
"""

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.families.adc import ADC
from lrmp.hardware.families.family import Family
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.precision import activation_bits, weight_bits
from lrmp.hardware.space.pruning import PRUNING_METHOD, PRUNING_RATIO


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    return DesignSpace((weight_bits(), activation_bits(), PRUNING_RATIO, PRUNING_METHOD))


PRUNE = Family(
    name="prune",
    label="Prune",
    title="bits, and how much of a layer is pruned in what form (Balaskas et al.)",
    networks=("lenet", "resnet20", "resnet18"),
    chip=ADC.chip,
    space=_space,
    without={
        PRUNING_RATIO.name: (PRUNING_RATIO.plain,),
        PRUNING_METHOD.name: (PRUNING_METHOD.plain,),
    },
)
