"""The best designs of chips whose layers wait for their memory, beside all designs."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lrmp.envs import evaluate, make_task
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.hardware import Accelerator, Layer, Network

CHIP = Accelerator(
    name="toy",
    crossbar_rows=16,
    crossbar_columns=16,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=2,
    clock_mhz=100,
    output_elements_per_cycle=0,
    slice_placement="packed",
)
NETWORK = Network(
    "two",
    (
        Layer("a", "conv2d", rows=16, columns=4, positions=7, input_elements=30),
        Layer.linear("b", 20, 9),
    ),
)
BITS = [2, 4, 8]
SPACE = {
    "knobs": [
        {"name": name, "values": BITS, "plain": 8} for name in ("weight_bits", "activation_bits")
    ]
}


@pytest.mark.parametrize("rate", [8, 40])
@pytest.mark.parametrize("objective", ["latency", "throughput"])
def test_the_optimum_is_the_best_of_all(objective, rate):
    task = make_task(
        NETWORK,
        replace(CHIP, memory_bits_per_cycle=rate),
        budget=20,
        objective=objective,
        accuracy={
            "weight_bits": {"a": [2, 0.7, 0], "b": [1, 0.3, 0]},
            "activation_bits": {"*": [1.5, 0.4, 0]},
            "provenance": "made up",
        },
        allowed_drop=2.0,
        space=SPACE,
    )
    best = max(
        outcome.score
        for bits in product(BITS, repeat=4)
        if (
            outcome := evaluate(
                task, {"weight_bits": np.array(bits[:2]), "activation_bits": np.array(bits[2:])}
            )
        ).score
        is not None
    )
    assert table_optimum(task).value == pytest.approx(best)
