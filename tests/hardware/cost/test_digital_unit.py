"""The digital unit is the chip's: layers on it take turns, in a pipeline too."""

from dataclasses import replace

import numpy as np
import pytest

from lrmp.hardware import (
    Accelerator,
    CostModel,
    Design,
    Layer,
    Network,
    load_network,
    load_preset,
)

CHIP = Accelerator(
    name="toy",
    crossbar_rows=16,
    crossbar_columns=16,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=0,
    digital_macs_per_cycle=8,
)


def attention(heads, parts=1):
    """Two projections around products of two activations, which may be cut into parts."""
    each = heads // parts
    products = [
        Layer.matmul(f"{name}{part}", inner, outputs, positions=16, heads=each)
        for name, inner, outputs in (("qk", 8, 16), ("av", 16, 8))
        for part in range(parts)
    ]
    ends = (Layer.linear("in", 16, 16, 16), Layer.linear("out", 16, 16, 16))
    return Network("attention", (ends[0], *products, ends[1]))


def test_the_interval_is_the_sum_of_the_turns():
    # Each product takes 4 heads x 16 positions x 8 x 16 MACs / 8 per cycle = 1024 cycles. A
    # projection takes 16 positions x 8 input bits x 4 columns per ADC = 512.
    model = CostModel(attention(heads=4), CHIP)
    report = model.baseline
    assert report.layer_cycles.tolist() == [512, 1024, 1024, 512]
    assert model.least_interval == report.bottleneck_cycles == 2048
    batch = model.evaluate_batch([model.space.plain_settings(4)], [[1] * 4])
    assert batch.bottleneck_cycles.tolist() == [2048]


def test_a_faster_unit_gives_way_to_the_slowest_layer():
    # 64 MACs per cycle: 128 + 128 cycles on the unit, below the projections' 512.
    model = CostModel(attention(heads=4), replace(CHIP, digital_macs_per_cycle=64))
    assert model.least_interval == 256
    assert model.baseline.bottleneck_cycles == 512


@pytest.mark.parametrize("parts", [2, 4])
def test_cutting_a_product_into_parts_does_not_speed_it_up(parts):
    whole, cut = (CostModel(attention(4, count), CHIP) for count in (1, parts))
    assert cut.least_interval == whole.least_interval
    assert cut.baseline.bottleneck_cycles == whole.baseline.bottleneck_cycles
    assert cut.baseline.latency_cycles == whole.baseline.latency_cycles


def test_bits_and_copies_do_not_change_the_turns():
    model = CostModel(attention(heads=4), CHIP)
    for bits in (2, 5, 8):
        report = model.evaluate(
            Design.of({"weight_bits": bits, "activation_bits": bits}, [9, 1, 1, 9])
        )
        assert report.bottleneck_cycles == model.least_interval == 2048


def test_products_written_to_crossbars_take_no_turns():
    model = CostModel(attention(heads=4), replace(CHIP, dynamic_matmul="rewrite", write_cycles=9))
    assert model.least_interval == 0
    assert model.baseline.bottleneck_cycles == model.baseline.layer_cycles.max()


@pytest.mark.parametrize(
    ("network", "preset", "cycles"),
    [
        # 24 products of 128 x 128 x 768 MACs: ceil(12,582,912 / rate) each.
        ("bert_base", "puma_asplos_2019", 24 * 11_398),
        ("bert_base", "lrmp_frontiers_2024", 24 * 12_288),
        ("bert_base", "pimcomp_2023", 24 * 109_417),
        # 24 of 50 x 50 x 768.
        ("vit_b_32", "puma_asplos_2019", 24 * 1_740),
        ("vit_b_32", "pimcomp_2023", 24 * 16_696),
    ],
)
def test_published_transformers(network, preset, cycles):
    model = CostModel(load_network(network), load_preset(preset))
    assert model.least_interval == cycles
    fewest = np.zeros((len(model.network), 2), np.int64)
    copies = np.where(model.units(fewest) > 1, 10**4, 1)
    fast = model.evaluate(Design(model.space, fewest, copies))
    assert fast.bottleneck_cycles == max(cycles, fast.layer_cycles.max())


def departures(layer_cycles, on_unit, images):
    """Run images in rounds: each layer has a buffer, and the unit serves its layers in turn."""
    turn = max(max(layer_cycles), sum(c for c, d in zip(layer_cycles, on_unit, strict=True) if d))
    left = []
    for image in range(images):
        for layer, cycles in enumerate(layer_cycles):
            # In every round a layer works on the image that the layer before it finished in the
            # last one; layers of the unit start where those before them on the unit end.
            before = sum(c for c, d in zip(layer_cycles[:layer], on_unit, strict=False) if d)
            start = (image + layer) * turn + (before if on_unit[layer] else 0)
            end = start + cycles
            assert end <= (image + layer + 1) * turn  # within its round, so nothing overlaps
        left.append(end)
    return left


def test_a_schedule_reaches_the_interval():
    rng = np.random.default_rng(0)
    for _ in range(50):
        count = int(rng.integers(1, 8))
        cycles, on_unit = rng.integers(1, 40, count).tolist(), rng.random(count) < 0.5
        report = CostModel(attention(heads=4), CHIP).baseline
        components = np.zeros((len(report.component_cycles), count), np.int64)
        components[1] = np.where(on_unit, 0, cycles)
        components[6] = np.where(on_unit, cycles, 0)
        report = replace(report, component_cycles=components)
        left = departures(cycles, on_unit.tolist(), 9)
        assert np.diff(left).tolist() == [report.bottleneck_cycles] * 8
