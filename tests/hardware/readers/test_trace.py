import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, load_network
from lrmp.hardware.networks.network_builder import NetworkBuilder
from lrmp.hardware.readers.trace import Trace, transposed


@st.composite
def products(draw):
    """Axes of two operands: letters with sizes, common to both or not, summed or kept."""
    letters = draw(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=5, unique=True))
    sizes = {letter: draw(st.integers(1, 4)) for letter in letters}
    left, right, out = [], [], []
    for letter in letters:
        kind = draw(st.sampled_from(["inner", "group", "left", "right"]))
        if kind != "right":
            left.append(letter)
        if kind != "left":
            right.append(letter)
        if kind != "inner":
            out.append(letter)
    left.append("z")  # a product that sums over nothing is element-wise, no layer
    right.append("z")
    sizes["z"] = draw(st.integers(1, 4))
    return "".join(left), "".join(right), "".join(out), sizes


@given(products(), st.sampled_from(["left", "right", None]))
def test_products_have_the_multiplications_of_the_einsum(product, constant):
    left, right, out, sizes = product
    shapes = [tuple(sizes[letter] for letter in labels) for labels in (left, right)]
    ones = np.einsum(f"{left},{right}->{out}", np.ones(shapes[0]), np.ones(shapes[1]))
    trace = Trace("net")
    a, b = (
        trace.known(shape, side, f"{side}.weight") if constant == side else trace.input(shape)
        for side, shape in zip(("left", "right"), shapes, strict=True)
    )
    result = trace.contract(a, b, (left, right, out), ones.shape, where="m")
    (layer,) = trace.build().layers
    assert layer.macs == int(ones.sum())
    assert layer.outputs == ones.size
    assert result.shape == ones.shape
    assert layer.name == (constant or "m.matmul")
    assert layer.kind == ("linear" if constant else "matmul")
    matrix, stream = (shapes[0], shapes[1]) if constant == "left" else (shapes[1], shapes[0])
    assert layer.weights == np.prod(matrix)
    assert layer.input_elements == np.prod(stream)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), min_size=1, max_size=12))
def test_time_steps_are_the_longest_chain_of_uses(uses):
    # Every use reads the result of an earlier one, or the input: (which, extra rows)
    trace = Trace("net")
    weight = trace.known((8, 8), "w", "w.weight")
    results, depths = [trace.input((1, 8))], [0]
    for which, _ in uses:
        source = which % len(results)
        x = trace.pointwise((results[source],), (1, 8))
        results.append(trace.matmul(x, weight, (1, 8), where="m"))
        depths.append(depths[source] + 1)
    (layer,) = trace.build().layers
    assert layer.positions == len(uses)
    assert layer.positions % layer.time_steps == 0
    longest = max(depths)
    divisors = [d for d in range(1, len(uses) + 1) if len(uses) % d == 0]
    assert layer.time_steps == min(d for d in divisors if d >= longest)


def test_equal_names_get_numbers():
    trace = Trace("net")
    x = trace.input((1, 4))
    for key in ("first", "second", "third"):
        x = trace.matmul(x, trace.known((4, 4), key, "fc.weight"), (1, 4), where="")
    assert [layer.name for layer in trace.build().layers] == ["fc", "fc.1", "fc.2"]


def test_transposing_twice_gives_the_matrix_again():
    assert transposed(transposed("w")) == "w"
    assert transposed("w") != "w"
    assert transposed(None) is None


def test_convolution_checks_its_channels():
    trace = Trace("net")
    x, weight = trace.input((1, 4, 8, 8)), trace.known((6, 3, 3, 3), "w", "c.weight")
    with pytest.raises(NetworkError, match="Expected 6 input channels of layer 'c', got 4"):
        trace.convolve(x, weight, (1, 6, 6, 6), strides=(1,), groups=2, channels_axis=1, where="")


@given(st.lists(st.integers(0, 100), min_size=1, max_size=6), st.data())
@settings(max_examples=50)
def test_vector_operations_belong_to_the_layer_before(counts, data):
    net, expected = NetworkBuilder("net"), []
    early = data.draw(st.integers(0, 100))
    net.add_vector_ops(early)
    for number, count in enumerate(counts):
        behind = data.draw(st.integers(0, 100))
        layer = Layer.linear(f"fc{number}", 4, 4, vector_ops=1)
        net.add(layer, vector_ops=count).add_vector_ops(behind)
        expected.append(1 + count + behind)
    expected[0] += early
    assert [layer.vector_ops for layer in net.build().layers] == expected


def test_catalogue_counts_no_operation_twice():
    # Of ViT: position embedding, per block two norms, softmax, GELU and two additions, the norm.
    tokens, elements = 50, 50 * 768
    norm = 7 * elements + tokens
    block = 2 * norm + 5 * 12 * tokens**2 + tokens * 3072 + 2 * elements
    total = sum(layer.vector_ops for layer in load_network("vit_b_32").layers)
    assert total == elements + 12 * block + norm


def test_edges_pass_through_all_that_holds_no_crossbars():
    trace = Trace("net")
    a, b, c = (trace.known((8, 8), name, f"{name}.weight") for name in "abc")
    x = trace.matmul(trace.input((1, 8)), a, (1, 8), where="m")
    y = trace.matmul(trace.pool(trace.same(x), (1, 8), 2), b, (1, 8), where="m")
    total = trace.pointwise((x, y), (1, 8))  # a shortcut
    trace.matmul(trace.move([total], (1, 8)), c, (1, 8), where="m")
    assert trace.build().edges == ((0, 1), (0, 2), (1, 2))


def test_a_matrix_that_reads_its_own_results_has_an_edge_to_itself():
    trace = Trace("net")
    a, b = (trace.known((8, 8), name, f"{name}.weight") for name in "ab")
    x = trace.input((1, 8))
    for matrix in (a, a, b, a):
        x = trace.matmul(x, matrix, (1, 8), where="m")
    assert trace.build().edges == ((0, 0), (0, 1), (1, 0))
