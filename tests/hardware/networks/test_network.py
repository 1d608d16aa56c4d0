import copy
import pickle

import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, Network

A = Layer.conv2d("a", 3, 5, kernel_size=3, input_size=4)
B = Layer.linear("b", 80, 10, vector_ops=7)


def test_arrays_list_the_layers_in_network_order():
    network = Network("two", (A, B))
    assert len(network) == 2
    assert network.rows.tolist() == [27, 80]
    assert network.columns.tolist() == [5, 10]
    assert network.positions.tolist() == [16, 1]
    assert network.groups.tolist() == [1, 1]
    assert network.time_steps.tolist() == [1, 1]
    assert network.input_elements.tolist() == [48, 80]
    assert network.vector_ops.tolist() == [0, 7]
    assert network.macs_by_layer.tolist() == [27 * 5 * 16, 800]
    assert network.is_matmul.tolist() == [False, False]
    assert network.macs == 27 * 5 * 16 + 800


def test_arrays_list_what_special_layers_have():
    layers = (
        Layer.lstm("lstm", input_size=4, hidden_size=6, time_steps=7),
        Layer.matmul("qk", inner=10, outputs=3, positions=4, heads=2),
    )
    network = Network("special", layers)
    assert network.groups.tolist() == [1, 2]
    assert network.time_steps.tolist() == [7, 1]
    assert network.is_matmul.tolist() == [False, True]


ARRAYS = (
    "rows",
    "columns",
    "positions",
    "groups",
    "time_steps",
    "input_elements",
    "vector_ops",
    "macs_by_layer",
    "is_matmul",
)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize(
    "copied",
    [lambda n: n, copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))],
    ids=["itself", "copy", "deepcopy", "pickle"],
)
def test_arrays_are_read_only(array, copied):
    network = Network("two", (A, B))
    getattr(network, array)  # cached from now on
    with pytest.raises(ValueError, match="read-only"):
        getattr(copied(network), array)[0] = 1


def test_networks_are_values():
    network, twin = Network("two", (A, B)), Network("two", (A, B))
    assert network.rows.tolist() == [27, 80]  # a cached array is no part of the value
    assert network == twin
    assert hash(network) == hash(twin)
    assert network != Network("two", (B, A))
    assert pickle.loads(pickle.dumps(network)) == twin


def test_network_without_layers_is_refused():
    with pytest.raises(NetworkError, match=r"network 'none' to have at least one layer, got 0\."):
        Network("none", ())


def test_duplicate_layer_names_are_refused():
    message = r"Expected unique layer names in network 'twice', got 'a' twice\."
    with pytest.raises(NetworkError, match=message):
        Network("twice", (B, A, A))


def test_edges_are_sorted_and_part_of_the_value():
    network = Network("three", (A, B, Layer.linear("c", 10, 2)), [[1, 2], (0, 1), (0, 2), (0, 1)])
    assert network.edges == ((0, 1), (0, 2), (1, 2))
    assert network.edges_or_chain == network.edges
    assert network != Network("three", network.layers)
    assert pickle.loads(pickle.dumps(network)) == network
    assert network.to_json()["edges"] == [[0, 1], [0, 2], [1, 2]]


def test_edges_that_are_not_known_are_none_and_a_chain_when_asked_for():
    network = Network("two", (A, B))
    assert network.edges is None
    assert network.to_json()["edges"] is None
    assert network.edges_or_chain == ((0, 1),)
    assert Network("one", (A,)).edges_or_chain == ()


@pytest.mark.parametrize("edge", [(0, 2), (-1, 0), (0,), (0, 1, 1), (0, True), (0, 1.0), "01", 7])
def test_edges_between_no_layers_are_refused(edge):
    message = "every edge of network 'two' to be two numbers of layers, 0 to 1: .*; got "
    with pytest.raises(NetworkError, match=message):
        Network("two", (A, B), (edge,))


def test_edges_that_are_no_pairs_are_refused():
    with pytest.raises(NetworkError, match=r"edges of network 'two' as pairs .* or None .*; got 5"):
        Network("two", (A, B), 5)
