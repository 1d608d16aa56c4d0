import copy
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest

from lrmp.errors import DesignError, PresetError
from lrmp.hardware import CYCLE_COMPONENTS, ENERGY_COMPONENTS, CostReport


def components(count, **by_name):
    """Return a row per component, zero where it is not given."""
    return {name: np.array(by_name.get(name, [0, 0, 0])) for name in count}


CYCLES = components(CYCLE_COMPONENTS, mvm=[30, 100, 7], output=[10, 20, 3])
ENERGY = components(ENERGY_COMPONENTS, adc=[500, 200, 100], leakage=[1, 2, 4])
REPORT = CostReport(
    layer_tiles=np.array([4, 2, 1]),
    component_cycles=np.array(list(CYCLES.values())),
    component_energy_fj=np.array(list(ENERGY.values())),
    clock_hz=1_000_000,
)


def report_of(layer_cycles, **changes):
    cycles = np.zeros((len(CYCLE_COMPONENTS), len(layer_cycles)), np.int64)
    cycles[1] = layer_cycles
    return replace(REPORT, component_cycles=cycles, **changes)


def test_totals():
    assert REPORT.layer_cycles.tolist() == [40, 120, 10]
    assert REPORT.layer_energy_fj.tolist() == [501, 202, 104]
    assert REPORT.tiles == 7
    assert REPORT.latency_cycles == 170
    assert REPORT.bottleneck_cycles == 120
    assert REPORT.fill_cycles == 50
    assert REPORT.energy_fj == 807
    assert REPORT.edp == 807 * 170


def test_units():
    assert REPORT.latency_s == 170e-6
    assert REPORT.throughput_per_s == 1_000_000 / 120
    assert REPORT.energy_j == 807e-15


def test_breakdowns_name_every_component_and_sum_exactly():
    assert REPORT.cycle_breakdown == dict.fromkeys(CYCLE_COMPONENTS, 0) | {"mvm": 137, "output": 33}
    assert sum(REPORT.cycle_breakdown.values()) == REPORT.latency_cycles
    energy = dict.fromkeys(ENERGY_COMPONENTS, 0) | {"adc": 800, "leakage": 7}
    assert REPORT.energy_breakdown_fj == energy
    assert sum(REPORT.energy_breakdown_fj.values()) == REPORT.energy_fj


@pytest.mark.parametrize(
    ("objective", "cost"),
    [("latency", 170), ("throughput", 120), ("energy", 807), ("edp", 807 * 170)],
)
def test_objective_selects_its_cost(objective, cost):
    assert REPORT.cost(objective) == cost


def test_totals_are_plain_integers():
    totals = (
        *(REPORT.tiles, REPORT.latency_cycles, REPORT.bottleneck_cycles, REPORT.fill_cycles),
        *(REPORT.energy_fj, REPORT.edp, REPORT.interval_cycles(), REPORT.interval_cycles(2)),
        *(*REPORT.cycle_breakdown.values(), *REPORT.energy_breakdown_fj.values()),
    )
    assert {type(total) for total in totals} == {int}


def test_energy_delay_product_exceeds_64_bits():
    large = np.zeros_like(REPORT.component_energy_fj)
    large[0] = 2**60
    assert replace(REPORT, component_energy_fj=large).edp == 3 * 2**60 * 170


def test_time_multiplexed_layers_cannot_be_pipelined():
    in_turn = replace(REPORT, pipelined=False)
    assert in_turn.bottleneck_cycles == in_turn.latency_cycles == 170
    assert in_turn.fill_cycles == 0
    assert in_turn.interval_cycles(3) == in_turn.interval_cycles() == 170
    assert in_turn.throughput_per_s == 1_000_000 / 170
    assert in_turn != REPORT


def test_layers_on_the_digital_unit_take_turns():
    # Three layers of 40, 120 and 10 cycles, and two of 70 on the digital unit: 140 an image.
    cycles = np.pad(REPORT.component_cycles, [(0, 0), (0, 2)])
    cycles[CYCLE_COMPONENTS.index("digital"), 3:] = 70
    shared = replace(REPORT, component_cycles=cycles.copy())
    assert shared.latency_cycles == 310
    assert shared.bottleneck_cycles == shared.interval_cycles() == shared.cost("throughput") == 140
    assert shared.interval_cycles(2) == 155
    assert shared.fill_cycles == 170
    assert shared.throughput_per_s == 1_000_000 / 140
    cycles[CYCLE_COMPONENTS.index("digital"), 3:] = 60  # 120 in turn: as the slowest layer
    assert replace(REPORT, component_cycles=cycles).bottleneck_cycles == 120
    in_turn = replace(shared, pipelined=False)
    assert in_turn.bottleneck_cycles == 310


@pytest.mark.parametrize(
    ("images", "interval"),
    # 170 cycles shared by the images on the chip, rounded up, but at least the bottleneck's 120.
    [(1, 170), (2, 120), (3, 120), (10**9, 120), (None, 120)],
)
def test_interval_between_results(images, interval):
    assert REPORT.interval_cycles(images) == interval


def test_interval_is_rounded_up():
    assert report_of([5, 5, 4]).interval_cycles(2) == 7
    assert report_of([5, 5, 5]).interval_cycles(2) == 8


@pytest.mark.parametrize("images", [0, -1])
def test_no_image_in_flight_is_refused(images):
    message = rf"Expected at least 1 image in flight, got {images}\."
    with pytest.raises(DesignError, match=message):
        REPORT.interval_cycles(images)


def departures(layer_cycles, images, in_flight=None, *, buffers):
    """Run images through the layers one by one and return when each leaves the chip.

    Without buffers an image stays in a layer until the next one is free.
    """
    left = [[0] * len(layer_cycles) for _ in range(images)]
    for image in range(images):
        ready = 0 if in_flight is None or image < in_flight else left[image - in_flight][-1]
        for layer, cycles in enumerate(layer_cycles):
            if image:
                ready = max(ready, left[image - 1][layer])
            ready += cycles
            if image and not buffers and layer + 1 < len(layer_cycles):
                ready = max(ready, left[image - 1][layer + 1])
            left[image][layer] = ready
    return [layers[-1] for layers in left]


def random_layers():
    rng = random.Random(0)
    return [[rng.randint(1, 30) for _ in range(rng.randint(1, 7))] for _ in range(60)]


@pytest.mark.parametrize("buffers", [True, False])
def test_pipelined_images_take_the_fill_and_a_bottleneck_each(buffers):
    for layer_cycles in random_layers():
        report = report_of(layer_cycles)
        for image, left in enumerate(departures(layer_cycles, 25, buffers=buffers), start=1):
            assert left == report.fill_cycles + image * report.bottleneck_cycles


@pytest.mark.parametrize("buffers", [True, False])
def test_limited_images_in_flight_reach_the_interval(buffers):
    for layer_cycles in random_layers():
        report = report_of(layer_cycles)
        for in_flight in (1, 2, 3, len(layer_cycles)):
            left = departures(layer_cycles, 40 * in_flight, in_flight, buffers=buffers)
            turn = left[-1] - left[-1 - in_flight]  # in which every image in flight leaves once
            assert -(-turn // in_flight) == report.interval_cycles(in_flight)


def test_without_energy():
    report = replace(REPORT, component_energy_fj=None)
    with pytest.raises(PresetError, match=r"gives the energy of its events, got none\. Take anoth"):
        _ = report.energy_fj
    assert report.cost("latency") == 170
    assert report != REPORT
    assert pickle.loads(pickle.dumps(report)) == report


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_copies_keep_derived_arrays_read_only(copied):
    report = replace(REPORT)
    report.layer_cycles, report.layer_energy_fj, report.tiles  # noqa: B018  cached from now on
    twin = copied(report)
    assert twin == report
    for array in (twin.layer_cycles, twin.layer_energy_fj):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
