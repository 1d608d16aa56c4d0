"""The latency model of CIM-AQ (DATE 2026) as a special case: one crossbar, weights in turn.

Its formula (a lookup table in the repository jmkle/cim-aq): with c-bit cells, 256 x 256 crossbars,
    columns = M * ceil(w/c), twice that for differential columns, one more for offset weights
    rows = K, twice that for differential rows
    crossbars = ceil(columns/256) * ceil(rows/256)
    latency = crossbars * 56 us to write + P * crossbars * a * 1.4 us to multiply, over all layers
Slices are packed: they widen the block before it is cut.
"""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from lrmp.hardware import PRECISION, Accelerator, CostModel, Design, load_network, load_preset

# In cycles of 0.1 us: 560 to write, 13 to read and 1 to convert.
CIM_AQ = Accelerator(
    name="cim-aq",
    crossbar_rows=256,
    crossbar_columns=256,
    cell_bits=4,
    dac_bits=1,
    active_rows=256,
    columns_per_adc=1,
    clock_mhz=10,
    output_elements_per_cycle=0,
    slice_placement="packed",
    weight_encoding="differential-columns",
    weight_loading="time-multiplexed",
    tiles=1,
    read_cycles=13,
    write_cycles=560,
)


@pytest.mark.parametrize(
    ("cell_bits", "milliseconds", "crossbars"),
    [(4, 1507.464, 727), (2, 3014.928, 1454), (1, 6029.7216, 2906)],
)
def test_resnet18_with_8_bits(cell_bits, milliseconds, crossbars):
    model = CostModel(load_network("resnet18"), replace(CIM_AQ, cell_bits=cell_bits))
    assert model.baseline.tiles == crossbars
    assert model.baseline.latency_cycles == milliseconds * 10_000
    assert model.baseline.latency_s * 1000 == milliseconds


def test_the_preset_is_this_chip():
    model = CostModel(load_network("resnet18"), load_preset("cim_aq_date_2026"))
    assert model.baseline.tiles == 727
    assert model.baseline.latency_s == 1.507464


@pytest.mark.parametrize("cell_bits", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("encoding", "row_factor", "column_factor", "reference"),
    [("differential-columns", 1, 2, 0), ("differential-rows", 2, 1, 0), ("offset", 1, 1, 1)],
)
@pytest.mark.parametrize("network", ["resnet18", "resnet50"])
def test_formula(network, encoding, row_factor, column_factor, reference, cell_bits):
    chip = replace(
        CIM_AQ, weight_encoding=encoding, reference_columns=reference, cell_bits=cell_bits
    )
    model = CostModel(load_network(network), chip)
    rng = np.random.default_rng(0)
    bits = rng.integers(2, 9, (2, len(model.network)))
    report = model.evaluate(Design.of(dict(zip(PRECISION.names, bits, strict=True))))
    microseconds = 0
    for layer, w, a in zip(model.network.layers, *bits, strict=True):
        columns = layer.columns * ceil(w / cell_bits) * column_factor + reference
        crossbars = ceil(columns / 256) * ceil(layer.rows * row_factor / 256)
        microseconds += crossbars * (56 + layer.positions * int(a) * 1.4)
    assert report.latency_s * 1e6 == pytest.approx(microseconds, rel=1e-12)
