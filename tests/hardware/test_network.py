import pickle

import pytest

from lrmp.errors import NetworkError
from lrmp.hardware import Layer, Network

A = Layer.conv2d("a", 3, 5, kernel_size=3, input_size=4)
B = Layer.linear("b", 80, 10)


def test_arrays_list_the_layers_in_network_order():
    network = Network("two", (A, B))
    assert len(network) == 2
    assert network.rows.tolist() == [27, 80]
    assert network.columns.tolist() == [5, 10]
    assert network.positions.tolist() == [16, 1]
    assert network.macs == 27 * 5 * 16 + 800


@pytest.mark.parametrize("array", ["rows", "columns", "positions"])
def test_arrays_are_read_only(array):
    network = Network("two", (A, B))
    with pytest.raises(ValueError, match="read-only"):
        getattr(network, array)[0] = 1


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
