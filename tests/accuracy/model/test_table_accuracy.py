"""The additive table, and the estimate from published whole-network results."""

import math

import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy, published_table
from lrmp.accuracy.lab.fit_published_ptq import fit_rows, main, predict
from lrmp.accuracy.model.table import read_published
from lrmp.errors import AccuracyTableError
from lrmp.hardware import Layer, Network, load_network

NETWORKS = ["resnet18", "resnet34", "resnet50", "resnet101"]
FAMILIES = ["basic", "bottleneck"]


def table(weight_drop, activation_drop, is_estimate=False):
    return TableAccuracy(weight_drop, activation_drop, "by hand", is_estimate=is_estimate)


@pytest.fixture
def by_hand():
    """Layer l loses 10 l + (8 - w) points by its weights and (8 - a) / 10 by its activations."""
    steps = np.arange(6, -1, -1.0)
    return table(np.stack([steps, 10 + steps]), np.stack([steps / 10, steps / 10]))


@pytest.mark.parametrize(
    ("weight_bits", "activation_bits", "drop"),
    [
        ([8, 8], [8, 8], 10.0),
        ([2, 8], [8, 8], 16.0),
        ([8, 5], [8, 8], 13.0),
        ([8, 8], [3, 8], 10.5),
        ([2, 3], [4, 7], 6 + 15 + 0.4 + 0.1),
    ],
)
def test_drop_is_the_sum_of_the_entries(by_hand, weight_bits, activation_bits, drop):
    found = by_hand.drop(np.array(weight_bits), np.array(activation_bits))
    assert type(found) is float
    assert found == pytest.approx(drop, rel=1e-12)


def test_drop_leaves_the_bits_alone(by_hand):
    bits = np.array([2, 8])
    by_hand.drop(bits, bits)
    assert bits.tolist() == [2, 8]


def test_table_holds_no_test_images(by_hand):
    assert by_hand.test_drop(np.array([8, 8]), np.array([8, 8])) is None
    assert by_hand.kind == "table"
    assert by_hand.is_estimate is False
    assert by_hand.provenance == "by hand"


def test_fingerprint_follows_both_tables():
    zeros, other = np.zeros((2, 7)), np.zeros((2, 7))
    other[1, 3] = 1e-6
    assert table(zeros, zeros).fingerprint == table(zeros.copy(), zeros).fingerprint
    prints = {table(*pair).fingerprint for pair in ((zeros, zeros), (other, zeros), (zeros, other))}
    assert len(prints) == 3


NAN = np.zeros((2, 7))
NAN[1, 2] = math.nan
INFINITE = np.zeros((2, 7))
INFINITE[0, :2] = math.inf


@pytest.mark.parametrize(
    ("weight_drop", "activation_drop", "message"),
    [
        (
            np.zeros((2, 6)),
            np.zeros((2, 7)),
            r"weight_table .* \(2, 7\), got shape \(2, 6\) with 0",
        ),
        (np.zeros(7), np.zeros((2, 7)), r"weight_table .* \(7, 7\), got shape \(7,\) with 0"),
        (np.zeros((2, 7)), np.zeros((3, 7)), r"activation_table .* got shape \(3, 7\) with 0"),
        (np.zeros((2, 7)), np.zeros((2, 7, 1)), r"activation_table .* got shape \(2, 7, 1\)"),
        (NAN, np.zeros((2, 7)), r"weight_table .* got shape \(2, 7\) with 1 non-finite"),
        (np.zeros((2, 7)), INFINITE, r"activation_table .* got shape \(2, 7\) with 2 non-finite"),
        (
            np.full((2, 7), 1e307),
            np.zeros((2, 7)),
            r"entries whose sum .* 1e\+307, got up to 2e\+307",
        ),
        (np.full((2, 7), -1e308), np.full((2, 7), 1.7e308), r"entries whose sum .* got up to inf"),
    ],
)
def test_malformed_table_is_refused(weight_drop, activation_drop, message):
    with pytest.raises(AccuracyTableError, match=rf"^Expected {message}"):
        table(weight_drop, activation_drop)


@pytest.mark.parametrize("name", NETWORKS)
def test_published_drop_is_an_equal_share_per_layer(name):
    network = load_network(name)
    document = read_published()
    fit = document["fits"][{"resnet18": "basic", "resnet34": "basic"}.get(name, "bottleneck")]
    rng = np.random.default_rng(0)
    weight_bits, activation_bits = rng.integers(2, 9, (2, len(network)))
    shares = [
        fit["weight_scale"] * math.exp(-fit["weight_decay"] * (w - 2))
        + fit["activation_scale"] * math.exp(-fit["activation_decay"] * (a - 2))
        for w, a in zip(weight_bits.tolist(), activation_bits.tolist(), strict=True)
    ]
    expected = sum(shares) / len(network)
    found = published_table(network).drop(weight_bits, activation_bits)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_published_drop_shrinks_with_every_bit(name):
    accuracy = published_table(load_network(name))
    for entries in (accuracy.weight_table, accuracy.activation_table):
        assert (entries > 0).all()
        assert (np.diff(entries, axis=1) < 0).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_published_drop_is_called_an_estimate(name):
    accuracy = published_table(load_network(name))
    assert accuracy.is_estimate is True
    assert accuracy.kind == "table"
    fitted_on = "ResNet-18" if name in ("resnet18", "resnet34") else "ResNet-50"
    assert f"fitted on {fitted_on}" in accuracy.provenance


@pytest.mark.parametrize(("bits", "drop"), [(2, 4.4991 + 12.0854), (4, 1.59256)])
def test_uniform_resnet18_loses_the_whole_fit(bits, drop):
    fit = read_published()["fits"]["basic"]
    found = published_table(load_network("resnet18")).drop(np.full(21, bits), np.full(21, bits))
    assert found == pytest.approx(predict(fit, bits, bits), rel=1e-12)
    assert found == pytest.approx(drop, abs=1e-4)


def test_network_without_published_results_is_refused():
    with pytest.raises(
        AccuracyTableError,
        match=r"Expected network with published accuracies to be one of resnet101, resnet18, "
        r"resnet34, resnet50; got 'digits_cnn'\.",
    ):
        published_table(load_network("digits_cnn"))
    with pytest.raises(AccuracyTableError, match=r"got 'resnet19'\. Did you mean 'resnet18'\?"):
        published_table(Network("resnet19", (Layer.linear("fc", 8, 8),)))


@pytest.mark.parametrize("family", FAMILIES)
def test_fit_is_reproduced_to_the_printed_digits(family):
    document = read_published()
    printed = document["fits"][family]
    for name, value in fit_rows(document["rows"][family]).items():
        digits = len(str(printed[name]).partition(".")[2])
        assert digits >= 4
        assert round(value, digits) == printed[name], name


def test_fit_program_prints_the_constants_of_the_file(capsys):
    main()
    printed = capsys.readouterr().out.splitlines()
    for family in FAMILIES:
        for name, value in read_published()["fits"][family].items():
            if name != "fitted_on":
                assert f"{name} = {value}" in printed


@pytest.mark.parametrize("family", FAMILIES)
def test_every_published_row_is_met_within_twelve_percent(family):
    document = read_published()
    rows = document["rows"][family]
    assert len(rows) == 9
    for weight_bits, activation_bits, float_top1, top1, source in rows:
        predicted = predict(document["fits"][family], weight_bits, activation_bits)
        assert predicted == pytest.approx(float_top1 - top1, rel=0.12), source


def test_every_network_names_a_fit():
    document = read_published()
    assert sorted(document["networks"]) == sorted(NETWORKS)
    assert set(document["networks"].values()) == set(document["fits"]) == set(FAMILIES)
