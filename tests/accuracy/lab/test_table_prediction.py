"""Predicted tables: monotone, labelled, and worse for a stranger than for a relative."""

import numpy as np
import pytest

from lrmp.accuracy.lab.table_prediction import (
    PREDICTED,
    fit_and_predict,
    layer_features,
    leave_one_out,
    measured_tables,
    predict_table,
    shares,
)
from lrmp.accuracy.model.sensitivity_table import load_table
from lrmp.hardware import load_network

TABLES = measured_tables()


def test_features_tell_first_and_last_layers():
    features = layer_features(load_network("resnet20"))
    assert features.shape == (20, 8)
    assert features[:, 5].tolist() == [1.0] + [0.0] * 19
    assert features[:, 6].tolist() == [0.0] * 19 + [1.0]
    assert features[0, 0] == np.log2(27)


@pytest.mark.parametrize("name", ["resnet34", "resnet101", "vgg16"])
def test_predictions_are_positive_and_never_grow_with_bits(name):
    terms = fit_and_predict(TABLES, load_network(name))
    assert list(terms) == [("weight_bits",), ("activation_bits",)]
    for table in terms.values():
        assert table.shape == (len(load_network(name)), 7)
        assert (table > 0).all()
        assert (np.diff(table, axis=1) <= 0).all()


@pytest.mark.parametrize("name", PREDICTED)
def test_shipped_prediction_is_repeated(name):
    shipped, again = load_table(name), predict_table(name, TABLES)
    assert again.terms.keys() == shipped.terms.keys()
    for axes, entries in shipped.terms.items():
        np.testing.assert_allclose(again.terms[axes], entries, rtol=1e-4)
    assert again.space.to_json() == shipped.space.to_json()
    assert again.provenance["fitted_on"] == shipped.provenance["fitted_on"]


@pytest.mark.long
def test_known_network_is_predicted_better_with_its_own_table():
    results = {result.network: result for result in leave_one_out(TABLES)}
    assert len(results) >= 4
    for table in TABLES:
        if table.network not in results:  # not judged
            continue
        own = fit_and_predict(TABLES, load_network(table.network))
        logs = [
            np.abs(np.log(np.maximum(predicted, 1e-6) / np.maximum(shares(table)[axes], 1e-6)))
            for axes, predicted in own.items()
        ]
        assert np.exp(np.mean(logs)) < results[table.network].factor


def test_shares_are_of_what_costs_a_point():
    table = TABLES[0]
    settings = table.space.uniform(len(table.layers))[20]
    share = sum(
        entries[np.arange(len(table.layers)), settings[:, place]].sum()
        for place, entries in enumerate(shares(table).values())
    )
    assert share == pytest.approx(table.sums(settings) / table.drop_map.threshold(1.0))
    assert (share <= 1) == (table.drop_map(table.sums(settings)) <= 1)
