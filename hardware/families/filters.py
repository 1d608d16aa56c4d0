"""The family of pruned filters: what the network is made narrower by, before its bits are chosen.

After Li et al., "Pruning Filters for Efficient ConvNets" (ICLR 2017, arXiv 1608.08710), and the
filters among the methods of Balaskas et al. (arXiv 2312.15322). A filter frees a column of the
layer that computes it and rows of those that read it, so that what a layer costs depends on what
others have lost: the widths of the whole network are chosen first, and each choice is a network of
its own.
"""

from functools import cache, partial

from lrmp.hardware.chip.accelerator import Accelerator
from lrmp.hardware.chip.preset import load_preset
from lrmp.hardware.families.family import Family
from lrmp.hardware.frozen_arrays import IntArray
from lrmp.hardware.networks.catalogue import load_network
from lrmp.hardware.networks.filter_groups import FilterGroup, filter_groups, narrowed
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.design_space import DesignSpace
from lrmp.hardware.space.knob import Knob
from lrmp.hardware.space.precision import activation_bits, weight_bits
from lrmp.hardware.space.pruned_inputs import PRUNED_INPUTS
from lrmp.hardware.space.pruning import pruned_count


def filter_knob(network: Network, group: FilterGroup) -> Knob:
    """Declare how many filters of a group are pruned.

    Args:
        network: L layers.
        group: Of the network.

    Returns:
        A knob of the whole network, named after the first layer that computes the channels.
    """
    producers = [network.layers[number].name for number in group.producers]
    return Knob(
        f"pruned_filters_{producers[0].replace('.', '_')}",
        PRUNED_INPUTS.values,
        plain=PRUNED_INPUTS.plain,
        unit="percent",
        about=f"Share of the {group.channels} filters of {' and '.join(producers)} to prune: "
        "the least important, their columns there and rows of all layers that read them.",
    )


@cache
def groups_of(network: str) -> tuple[FilterGroup, ...]:
    """Find the groups of filters of a known network.

    Args:
        network: Its name.

    Returns:
        G groups.
    """
    return filter_groups(load_network(network))


@cache
def filter_space(network: str) -> DesignSpace:
    """Declare what is chosen of a network before its bits.

    Args:
        network: Its name.

    Returns:
        A knob for each of its G groups of filters, in their order.
    """
    layout = load_network(network)
    return DesignSpace(filter_knob(layout, group) for group in groups_of(network))


def narrow_network(network: str, setting: IntArray) -> Network:
    """Prune the filters of a network.

    Args:
        network: Its name.
        setting: Places of values in its ``filter_space``, shape (G,).

    Returns:
        The network without them; of n filters ``floor(ratio * n)`` go.
    """
    layout, space, kept = load_network(network), filter_space(network), {}
    for group, knob, place in zip(groups_of(network), space, setting.tolist(), strict=True):
        if place != knob.plain_index:
            percent = int(knob.values[place])
            kept[group] = group.channels - pruned_count(group.channels, percent)
    return narrowed(layout, kept)


def _space(network: Network, chip: Accelerator) -> DesignSpace:
    """Declare designs whose pruned filters are seen by those that would read them."""
    readers = {number for group in filter_groups(network) for number in group.readers}
    every, none = PRUNED_INPUTS.values, (PRUNED_INPUTS.plain,)
    allowed = [every if number in readers else none for number in range(len(network))]
    return DesignSpace(
        (weight_bits(), activation_bits(), PRUNED_INPUTS), {PRUNED_INPUTS.name: allowed}
    )


#: Not among the families of tasks on one network: its tables are measured like theirs.
FILTERS = Family(
    name="filters",
    label="Filters",
    title="how many filters are pruned, and bits (after Li et al.)",
    networks=("lenet", "resnet20"),
    chip=partial(load_preset, "lrmp_frontiers_2024"),
    space=_space,
    objectives=("latency", "throughput", "energy"),
)
