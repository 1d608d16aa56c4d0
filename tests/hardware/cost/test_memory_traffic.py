"""A buffer and the memory off the chip, by hand."""

from dataclasses import replace

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Accelerator, CostModel, Design, Layer, Network, load_network
from lrmp.hardware.networks.shared_network import SharedNetwork

# A crossbar of 16 x 16 cells of 8 bits; 8 input steps of a cycle each.
CHIP = Accelerator(
    name="toy",
    crossbar_rows=16,
    crossbar_columns=16,
    cell_bits=4,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=1,
    clock_mhz=100,
    output_elements_per_cycle=0,
    slice_placement="packed",
)
ONE_TILE = replace(CHIP, weight_loading="time-multiplexed", tiles=1, write_cycles=16)


def layer(name, rows, columns, positions, inputs):
    return Layer(
        name, "conv2d", rows=rows, columns=columns, positions=positions, input_elements=inputs
    )


NETWORK = Network(
    "three", (layer("a", 16, 8, 10, 100), layer("b", 16, 8, 10, 80), layer("c", 16, 8, 10, 80))
)


def report_of(chip, network=NETWORK):
    return CostModel(network, chip).evaluate(Design.plain(len(network)))


def test_a_stationary_chip_sends_what_does_not_fit():
    """Layers of 10 positions of 8 cycles each, with 80 outputs of 8 bits."""
    assert report_of(CHIP).layer_cycles.tolist() == [80, 80, 80]
    # The network's inputs, 100 x 8 bits at 8 a cycle, and its outputs, 80 x 8; the rest fits.
    roomy = replace(CHIP, off_chip_bits_per_cycle=8, buffer_bits=1280)
    model = CostModel(NETWORK, roomy)
    settings = Design.plain(3).settings
    assert model.shared_cycles(settings).tolist() == [100, 0, 80]
    report = report_of(roomy)
    assert report.layer_cycles.tolist() == [100, 80, 80]
    assert report.bottleneck_cycles == 180  # layers of a pipeline take turns off the chip
    # b moves 80 + 80 elements, 1280 bits; with 1000 in the buffer 280 go off the chip.
    tight = replace(roomy, buffer_bits=1000)
    assert CostModel(NETWORK, tight).shared_cycles(settings).tolist() == [100, 35, 80]
    assert report_of(tight).bottleneck_cycles == 215
    # At 2 bits a cycle the buffer is what b waits for: 1000 bits. a has 640 in it, c 640.
    slow = report_of(replace(tight, memory_bits_per_cycle=2))
    assert slow.layer_cycles.tolist() == [320, 500, 320]
    # Without a buffer all goes off the chip.
    none = CostModel(NETWORK, replace(CHIP, off_chip_bits_per_cycle=8))
    assert none.shared_cycles(settings).tolist() == [180, 160, 160]
    assert none.evaluate(Design.plain(3)).bottleneck_cycles == 500


def test_batches_know_the_shared_memory():
    model = CostModel(NETWORK, replace(CHIP, off_chip_bits_per_cycle=8))
    design = Design.plain(3)
    batch = model.evaluate_batch(design.settings[None], design.replication[None])
    assert batch.bottleneck_cycles.tolist() == [500]
    assert model.shared_cycles(design.settings[None]).tolist() == [[180, 160, 160]]


def test_networks_in_a_round_share_it_as_often_as_they_run():
    chip = replace(CHIP, off_chip_bits_per_cycle=8, buffer_bits=1280)
    both = SharedNetwork.of((NETWORK, NETWORK), (1, 3))
    model = CostModel(both, chip)
    found = model.shared_cycles(Design.plain(6).settings).tolist()
    assert found == [100, 0, 80, 300, 0, 240]
    assert model.evaluate(Design.plain(6)).bottleneck_cycles == 720


DEEP = Network("deep", (layer("deep", 48, 8, 10, 100),))  # 3 row tiles in 3 rounds


def test_sums_wait_between_rounds():
    """80 sums of 16 bits, written and read after the first and the second round: 5120 bits."""
    free = report_of(ONE_TILE, DEEP)
    assert free.layer_cycles.tolist() == [3 * (80 + 16)]
    chip = replace(ONE_TILE, partial_sum_bits=16, off_chip_bits_per_cycle=8)
    # 48 x 8 weights, 100 inputs and 80 outputs of 8 bits, and the sums.
    assert report_of(chip, DEEP).layer_cycles.tolist() == [384 + 180 + 640]
    # With room for them they never leave.
    roomy = replace(chip, buffer_bits=1280)
    assert report_of(roomy, DEEP).layer_cycles.tolist() == [384 + 180]
    # 2 tiles: two rounds, one after another; 3 tiles: sums are added at once.
    for tiles, bits in ((2, 2560), (3, 0)):
        cycles = report_of(replace(chip, tiles=tiles), DEEP).layer_cycles.tolist()
        assert cycles == [384 + 180 + bits // 8]


def test_positions_in_blocks_where_that_is_faster():
    """A buffer of half the sums: send the rest off the chip, or write all weights twice."""
    half = replace(
        ONE_TILE, partial_sum_bits=16, off_chip_bits_per_cycle=8, buffer_bits=640, write_cycles=50
    )
    # Sums off the chip: 2 x 2 x 640 bits are 320 cycles; weights again are 384.
    once = report_of(half, DEEP)
    assert once.layer_cycles.tolist() == [384 + 180 + 320]
    assert once.cycle_breakdown["write"] == 3 * 50
    # Sums of 32 bits in a buffer of as many: 640 cycles, so the weights are written twice.
    wide = replace(half, partial_sum_bits=32, buffer_bits=1280)
    twice = report_of(wide, DEEP)
    assert twice.layer_cycles.tolist() == [384 * 2 + 180]
    assert twice.cycle_breakdown["write"] == 2 * 3 * 50
    # Writes that stop the array for longer than the sums take.
    slow = report_of(replace(wide, write_cycles=400), DEEP)
    assert slow.layer_cycles.tolist() == [3 * (80 + 400)]
    assert slow.cycle_breakdown["write"] == 3 * 400
    # Sums of one position that do not fit cannot be cut.
    tiny = report_of(replace(wide, buffer_bits=200), DEEP)
    assert tiny.layer_cycles.tolist() == [384 + 180 + 2 * 2 * (2560 - 200) // 8]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"buffer_bits": 64}, "with buffer_bits to give the off_chip_bits_per_cycle"),
        (
            {"off_chip_bits_per_cycle": 8, "memory_bits_per_cycle": 8},
            "to give the buffer_bits of what it reaches, got 0",
        ),
        (
            {
                "off_chip_bits_per_cycle": 8,
                "active_columns": 4,
                "weight_loading": "time-multiplexed",
                "tiles": 1,
            },
            "to have active_columns 0, got 4",
        ),
        ({"off_chip_bits_per_cycle": -1}, "off_chip_bits_per_cycle .* to be an integer >= 0"),
    ],
)
def test_contradictions_are_refused(changes, message):
    with pytest.raises(PresetError, match=message):
        replace(CHIP, **changes)


def test_one_tile_with_a_small_buffer():
    """The chip of ZigZag's example of an analog macro, as the page on validation has it."""
    chip = Accelerator(
        name="aimc",
        crossbar_rows=128,
        crossbar_columns=256,
        cell_bits=4,
        dac_bits=2,
        active_rows=128,
        columns_per_adc=1,
        clock_mhz=100,
        output_elements_per_cycle=0,
        slice_placement="packed",
        weight_loading="time-multiplexed",
        tiles=1,
        weight_bits_per_cycle=64,
        off_chip_bits_per_cycle=64,
        memory_bits_per_cycle=512,
        buffer_bits=262_144,
    )
    network = load_network("resnet18")
    report = report_of(chip, network)
    assert report.latency_cycles == 3_098_208
    # conv1: 49 blocks of 75,264 bits of weights, and 953,344 values of 8 bits, at 64 a cycle.
    cycles = dict(zip([each.name for each in network.layers], report.layer_cycles, strict=True))
    assert cycles["conv1"] == 49 * 1176 + 953_344 * 8 // 64 == 176_792
    # layer2.1: 9 rounds, in each of 7 blocks, of 2048 cycles, and 9 x 784 x 4 cycles of products.
    assert cycles["layer2.1.conv1"] == 7 * 9 * 2048 + 9 * 784 * 4 == 157_248
