"""CIM-AQ's chip, and what its layers may have."""

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import CostModel, load_network, load_preset
from lrmp.hardware.families.cim_aq import CIM_AQ, CIM_AQ_2_BIT, cim_aq_chip, cim_aq_space

NETWORK = load_network("resnet18")
EVERY = tuple(range(2, 9))


def allowed(space, layer):
    """The weight and activation bits that a layer may have."""
    return [
        tuple(knob.decode(places).tolist())
        for knob, places in zip(space, space.choices(layer), strict=True)
    ]


def test_chips_differ_in_their_cells_alone():
    four, two = cim_aq_chip(), cim_aq_chip(2)
    assert four == load_preset("cim_aq_date_2026") == CIM_AQ.chip()
    assert two == CIM_AQ_2_BIT.chip()
    different = {k for k, value in two.parameters.items() if value != four.parameters[k]}
    assert different == {"cell_bits"}
    assert two.name != four.name
    assert set(two.provenance) == set(four.provenance)
    assert "rcell2" in two.provenance["cell_bits"].source


@pytest.mark.parametrize("cell_bits", [0, 1, 3, "4"])
def test_other_cells_are_refused(cell_bits):
    with pytest.raises(DesignError, match=rf"Expected cells of 2 or 4 bits, got {cell_bits!r}\. O"):
        cim_aq_chip(cell_bits)


@pytest.mark.parametrize(("cell_bits", "whole"), [(2, (2, 4, 6, 8)), (4, (4, 8))])
@pytest.mark.parametrize("whole_cells", [True, False])
@pytest.mark.parametrize("pinned", [True, False])
def test_what_layers_may_have(cell_bits, whole, whole_cells, pinned):
    space = cim_aq_space(NETWORK, cim_aq_chip(cell_bits), whole_cells=whole_cells, pinned=pinned)
    weights = whole if whole_cells else EVERY
    ends = [(8,), (8,)] if pinned else [weights, EVERY]
    assert [allowed(space, layer) for layer in range(21)] == [
        ends,
        *[[weights, EVERY]] * 19,
        ends,
    ]
    assert space.names == ("weight_bits", "activation_bits")


@pytest.mark.parametrize("family", [CIM_AQ, CIM_AQ_2_BIT])
def test_whole_cells_cost_no_speed(family):
    """As many cells hold any bits that round up to the same multiple."""
    chip = family.chip()
    free = cim_aq_space(NETWORK, chip, whole_cells=False, pinned=False)
    model = CostModel(NETWORK, chip, free)
    design = free.sample(np.random.default_rng(0), 21)
    bits = free.decode(design)
    filled = -(-bits["weight_bits"] // chip.cell_bits) * chip.cell_bits
    names = [layer.name for layer in NETWORK.layers]
    rounded = free.encode({**bits, "weight_bits": filled}, names)
    assert (rounded != design).any()
    assert model.layer_cycles(rounded).tolist() == model.layer_cycles(design).tolist()


def test_weights_of_small_networks_cost_nothing():
    """At most 64 columns of 2 slices of 2 cells are the 256 of a crossbar."""
    network, chip = load_network("resnet20"), CIM_AQ.chip()
    assert network.columns.max() == 64
    model = CostModel(network, chip)
    four, eight = (
        model.layer_cycles(model.space.encode({"weight_bits": bits}, [""] * 20)) for bits in (4, 8)
    )
    assert four.tolist() == eight.tolist()
    assert CIM_AQ.networks == CIM_AQ_2_BIT.networks == ("resnet18",)
