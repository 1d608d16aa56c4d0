"""The family of device noise: what its tasks turn, and what a tile buys there."""

import numpy as np
import pytest

from lrmp.accuracy.model.factories import noise_seeds
from lrmp.baselines.experiments.optimum import find_optimum
from lrmp.envs import make_task
from lrmp.hardware import CostModel, Design, load_network
from lrmp.hardware.families import find_family
from lrmp.hardware.space.catalogue import is_catalogued

FAMILY = find_family("noise")


@pytest.mark.parametrize("network", FAMILY.networks)
def test_the_plain_chip_holds_every_weight_four_times(network):
    network, chip = load_network(network), FAMILY.chip()
    space = FAMILY.space(network, chip)
    assert is_catalogued(space)
    assert space.names == ("weight_bits", "activation_bits", "averaging_copies")
    model = CostModel(network, chip, space)
    once = CostModel(network, chip)
    assert model.baseline.tiles == 4 * once.baseline.tiles
    assert model.baseline.latency_cycles == once.baseline.latency_cycles
    # 4 bits fit one cell where 8 take two columns, and never more tiles.
    few = Design.of({"weight_bits": 4, "averaging_copies": 1}, layers=len(network), space=space)
    assert (4 * model.evaluate(few).layer_tiles <= model.baseline.layer_tiles).all()


def test_its_chip_has_noise_and_its_runs_have_seeds():
    assert FAMILY.chip().noise is not None
    assert noise_seeds(FAMILY.chip()) == (0, 1, 2)
    assert noise_seeds(find_family("precision").chip()) == ()


def test_the_optimum_spends_tiles_on_averages_where_they_are_needed():
    network, chip = load_network("lenet"), FAMILY.chip()
    # A last layer whose noise costs 3 points for one copy, and others that hardly mind: drops fall
    # with the copies, as variances do.
    points = {
        "weight_bits": {"*": [0.0, 0.0]},
        "activation_bits": {"*": [9.0, 9.0, 9.0, 0.0]},
        "averaging_copies": {
            "*": [0.04, 0.02, 0.01],
            "fc2": [3.2, 1.6, 0.8],
        },
        "provenance": "made up",
    }
    task = make_task(
        network, chip, accuracy=points, allowed_drop=1.0, space=FAMILY.space(network, chip)
    )
    found = find_optimum(task)
    assert found.gap < 1e-9
    copies = found.design["averaging_copies"]
    assert copies[-1] == 4
    # One crossbar set of the others leaves the tiles to copies that divide the time.
    assert copies[:2].tolist() == [1, 1]
    assert (found.design.replication[:2] > 4).all()
    assert np.isclose(task.accuracy.drop(found.design), 0.8 + 3 * 0.04, atol=0.04)
