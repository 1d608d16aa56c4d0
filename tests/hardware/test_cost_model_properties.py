from fractions import Fraction
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.hardware import CYCLE_COMPONENTS, Accelerator, CostModel, Design, Layer, Network

reproducible = settings(derandomize=True, deadline=None, max_examples=200)


@st.composite
def chips(draw):
    rows, columns = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    return Accelerator(
        name="any",
        crossbar_rows=rows,
        crossbar_columns=columns,
        cell_bits=draw(st.integers(1, 4)),
        dac_bits=draw(st.integers(1, 3)),
        active_rows=draw(st.integers(1, rows)),
        columns_per_adc=draw(st.integers(1, min(16, columns))),
        clock_mhz=draw(st.integers(1, 2000)),
        output_elements_per_cycle=draw(st.integers(0, 5)),
    )


@st.composite
def networks(draw):
    sizes = draw(
        st.lists(
            st.tuples(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 20_000)),
            min_size=1,
            max_size=6,
        )
    )
    return Network("any", tuple(Layer(f"l{i}", "conv2d", *size) for i, size in enumerate(sizes)))


@st.composite
def costed_designs(draw):
    model = CostModel(draw(networks()), draw(chips()))

    def each(strategy):
        return draw(st.lists(strategy, min_size=len(model.network), max_size=len(model.network)))

    bits = st.integers(2, 8)
    return model, Design(each(bits), each(bits), each(st.integers(1, 30_000)))


@given(costed_designs())
@reproducible
def test_cost_follows_the_formulas_in_exact_fractions(case):
    model, design = case
    chip, report = model.accelerator, model.evaluate(design)
    for index, layer in enumerate(model.network.layers):
        copies = int(design.replication[index])
        slices = ceil(Fraction(int(design.weight_bits[index]), chip.cell_bits))
        steps = ceil(Fraction(int(design.activation_bits[index]), chip.dac_bits))
        crossbars = ceil(Fraction(layer.rows, chip.crossbar_rows)) * ceil(
            Fraction(layer.columns, chip.crossbar_columns)
        )
        groups = ceil(Fraction(min(layer.rows, chip.crossbar_rows), chip.active_rows))
        share = ceil(Fraction(layer.positions, copies))
        rate = chip.output_elements_per_cycle
        output = ceil(Fraction(layer.positions * layer.columns, rate)) if rate else 0
        assert report.layer_tiles[index] == crossbars * slices * copies
        cycles = dict(
            zip(CYCLE_COMPONENTS, report.component_cycles[:, index].tolist(), strict=True)
        )
        assert cycles["mvm"] == share * steps * groups * chip.columns_per_adc
        assert cycles["output"] == output
    assert report.latency_cycles == sum(report.layer_cycles.tolist())
    assert report.bottleneck_cycles == max(report.layer_cycles.tolist())
    assert report.bottleneck_cycles <= report.latency_cycles


@given(costed_designs(), st.data())
@reproducible
def test_fewer_bits_never_cost_more(case, data):
    model, design = case
    layer = data.draw(st.integers(0, len(design) - 1))
    for field in ("weight_bits", "activation_bits"):
        numbers = design.to_json()
        numbers[field][layer] = max(2, numbers[field][layer] - 1)
        smaller, report = model.evaluate(Design(**numbers)), model.evaluate(design)
        assert (smaller.layer_tiles <= report.layer_tiles).all()
        assert (smaller.layer_cycles <= report.layer_cycles).all()


@given(costed_designs(), st.data())
@reproducible
def test_one_more_copy_takes_tiles_and_never_time(case, data):
    model, design = case
    layer = data.draw(st.integers(0, len(design) - 1))
    numbers = design.to_json()
    numbers["replication"][layer] += 1
    larger, report = model.evaluate(Design(**numbers)), model.evaluate(design)
    assert larger.tiles - report.tiles == model.tiles_per_copy(design.weight_bits)[layer]
    assert (larger.layer_cycles <= report.layer_cycles).all()
