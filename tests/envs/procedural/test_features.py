"""Features that mean the same in every network."""

import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.envs.procedural.features import transfer_feature_names, transfer_features
from lrmp.envs.procedural.generator import draw_task
from lrmp.hardware.space.precision import PRECISION

SAMPLE = range(40)


@pytest.fixture(scope="module")
def drawn():
    return [draw_task("train", number) for number in SAMPLE]


def test_features_are_in_range_and_vary(drawn):
    stacked = np.concatenate([transfer_features(task) for task in drawn])
    assert stacked.shape[1] == len(transfer_feature_names(PRECISION))
    assert np.isfinite(stacked).all()
    assert stacked.min() >= 0
    assert stacked.max() <= 1
    assert (np.ptp(stacked, axis=0) > 0.2).all()


def test_features_by_hand():
    task = load_task("LRMP-ResNet18-v0")
    layer, shown = 5, transfer_features(task)[5]
    model, table = task.cost_model, task.accuracy
    plain = model.baseline
    allowance = table.drop_map.threshold(1.0)
    harm = [
        (np.log10((entries[layer, bits - 2] - entries[layer, 6]) / allowance) + 5) / 8
        for entries in (table.terms["weight_bits",], table.terms["activation_bits",])
        for bits in (4, 2)
    ]
    expected = [
        5 / 20,
        0.0,
        np.log2(task.network.layers[layer].rows) / 20,
        np.log2(task.network.layers[layer].columns) / 20,
        np.log2(task.network.layers[layer].positions) / 20,
        1 + np.log10(plain.layer_cycles[layer] / plain.latency_cycles) / 6,
        1 + np.log10(plain.layer_tiles[layer] / plain.tiles) / 6,
        0.25,  # 2 of 8 one-bit cells
        model.layer_cycles(np.zeros((21, 2), int))[layer] / plain.layer_cycles[layer],
        *harm,
        0.0,
    ]
    assert shown == pytest.approx(expected, abs=1e-6)
