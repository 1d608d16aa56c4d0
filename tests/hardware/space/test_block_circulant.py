"""The knobs of ReBoc."""

import numpy as np
import pytest

from lrmp.errors import DesignError
from lrmp.hardware import CostModel, Design, DesignSpace
from lrmp.hardware.families.circulant import CIRCULANT
from lrmp.hardware.networks.layer import Layer
from lrmp.hardware.networks.network import Network
from lrmp.hardware.space.block_circulant import BLOCK_SIZE, ROTATIONS, side
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json


def test_blocks_are_in_order_of_accuracy_and_one_weight_is_plain():
    assert [side(block) for block in BLOCK_SIZE.values] == [16, 8, 4, 2, 1]
    assert (side(BLOCK_SIZE.plain), ROTATIONS.plain) == (1, 1)


def test_accuracy_depends_on_the_blocks_alone():
    assert BLOCK_SIZE.changes_network
    assert not ROTATIONS.changes_network


def test_files_may_name_them():
    space = DesignSpace((BLOCK_SIZE, ROTATIONS))
    assert is_catalogued(space)
    assert space_from_json(space.to_json()) == space


MIXED = Network(
    "mixed",
    (
        Layer.conv2d("first", 3, 8, 3, 8),
        Layer.conv2d("depthwise", 8, 8, 3, 8, groups=8),
        Layer.conv2d("grouped", 8, 8, 3, 8, groups=2),
        Layer.lstm("lstm", 8, 8, 4),
        Layer.matmul("qk", 8, 8, 4),
        Layer.linear("fc", 8, 10),
    ),
)


def test_family_leaves_layers_dense_that_form_no_blocks():
    space = CIRCULANT.space(MIXED, CIRCULANT.chip())
    settings = {"block_size": "2x2", "rotations": 2}
    nearest = space.nearest(np.tile(DesignSpace(space.knobs).encode(settings, [""]), (6, 1)))
    found = space.decode(nearest)
    assert found["block_size"].tolist() == ["2x2", "1x1", "1x1", "1x1", "1x1", "2x2"]
    assert found["rotations"].tolist() == [2, 1, 1, 1, 1, 2]


def test_block_in_a_layer_that_forms_none_is_refused():
    space = CIRCULANT.space(MIXED, CIRCULANT.chip())
    model = CostModel(MIXED, CIRCULANT.chip(), space)
    everywhere = DesignSpace(space.knobs).encode({"block_size": "2x2"}, [""] * 6)
    message = r"Expected block_size of layer 1 \(depthwise\) among 1x1; got 2x2\."
    with pytest.raises(DesignError, match=message):
        model.tiles_per_copy(everywhere)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"block_size": "3x3"}, r"Expected block_size among 16x16, .*, 1x1, got 3x3"),
        ({"block_size": 4}, r"Expected block_size to be labels, got int64 4"),
        ({"rotations": 3}, r"Expected rotations among 1, 2, 4, 8, got 3"),
    ],
)
def test_values_that_there_are_none_of_are_refused(values, message):
    with pytest.raises(DesignError, match=message):
        Design.of(values, layers=2, space=DesignSpace((BLOCK_SIZE, ROTATIONS)))
