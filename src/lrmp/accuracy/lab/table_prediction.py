"""Tables of networks without weights, predicted from layers of measured networks.

What is predicted is a term's share of the sum that costs one point. Networks differ in how errors
combine, and so in the unit of their terms and in their maps; of shares, what every network allows
is 1.

``python -m lrmp.accuracy.lab.table_prediction`` writes the shipped predictions and prints how well
the same method tells each of the measured networks from the others.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.lab.fidelity import judge
from lrmp.accuracy.model.design_result import design_result, settings_of
from lrmp.accuracy.model.sensitivity_table import (
    SensitivityTable,
    load_designs,
    load_table,
    shipped_networks,
)
from lrmp.accuracy.model.table_fit import is_random
from lrmp.hardware.networks import NETWORKS, load_network
from lrmp.hardware.networks.network import Network
from lrmp.whole_file import write_whole

#: The networks whose tables are predicted.
PREDICTED = [entry.name for entry in NETWORKS.values() if entry.known_by == "prediction"]
#: They borrow exponent and map of this measured one.
MAP_OF = "resnet18"
#: Networks whose layers say nothing about large ones.
FOR_MNIST = ("lenet", "mlp")
#: Of 0.03, 0.1, ..., 100 the one with the least error on designs that optimisers pick, when each
#: network is predicted from the others: 1.3 points, and 1.1 on random designs (at 10: 1.4 and 1.2).
#: Chosen in sight of these errors, which therefore flatter.
RIDGE = 1.0
FLOOR = 1e-6  # of what costs one point; below it a share is rounding
ALLOWED = 1.0  # points


@dataclass(frozen=True)
class LeftOut:
    """How well a network's table is predicted by the others.

    Attributes:
        network: Its name.
        factor: Geometric mean of the ratio, whichever way, of predicted and measured shares.
        spearman: Rank correlation of the predicted sum and the true divergence of random designs.
        mean_error: Of the drop of random designs where the true drop is small, in points.
        excess: Mean of the network's drop less the predicted one, in points, of the designs that
            optimisers picked from the network's own table, on the test images.
        optimised_error: Mean of the same without the sign.
    """

    network: str
    factor: float
    spearman: float
    mean_error: float
    excess: float
    optimised_error: float


def layer_features(network: Network) -> NDArray[np.float64]:
    """Describe layers by their topology.

    Args:
        network: L layers.

    Returns:
        Shape (L, 8): logarithms of rows, columns, positions and kernel side, depth, whether the
        layer is the first, the last, and the logarithm of L.
    """
    count = len(network)
    depth = np.arange(count)
    return np.column_stack(
        [
            np.log2(network.rows),
            np.log2(network.columns),
            np.log2(network.positions),
            np.log2([layer.kernel_size for layer in network.layers]),
            depth / max(1, count - 1),
            depth == 0,
            depth == count - 1,
            np.full(count, np.log2(count)),
        ]
    )


def fit_and_predict(
    tables: Sequence[SensitivityTable], network: Network
) -> dict[tuple[str, ...], NDArray[np.float64]]:
    """Predict shares by ridge regression of their logarithms, one by one for every value.

    Args:
        tables: Measured ones, of the same knobs.
        network: The network to predict.

    Returns:
        Terms as shares of the sum that costs one point; they never grow from a value of a knob to
        the next.
    """
    rows = np.concatenate([layer_features(load_network(table.network)) for table in tables])
    # Every network counts alike, however many layers it has.
    weights = np.concatenate([np.full(len(t.layers), 1 / len(t.layers)) for t in tables])
    center = np.average(rows, axis=0, weights=weights)
    scale = np.sqrt(np.average((rows - center) ** 2, axis=0, weights=weights)) + 1e-9
    inputs = (rows - center) / scale
    wanted = (layer_features(network) - center) / scale
    gram = inputs.T @ (weights[:, None] * inputs) + RIDGE * np.eye(inputs.shape[1])
    predicted = {}
    for axes in tables[0].terms:
        measured = np.concatenate([shares(table)[axes] for table in tables])
        targets = np.log(np.maximum(measured, FLOOR)).reshape(len(rows), -1)
        mean = np.average(targets, axis=0, weights=weights)
        slopes = np.linalg.solve(gram, inputs.T @ (weights[:, None] * (targets - mean)))
        logs = (wanted @ slopes + mean).reshape(-1, *measured.shape[1:])
        for axis in range(1, logs.ndim):
            logs = np.minimum.accumulate(logs, axis=axis)
        predicted[axes] = np.exp(logs)
    return predicted


def shares(table: SensitivityTable) -> dict[tuple[str, ...], NDArray[np.float64]]:
    """Return the terms of a table in the unit that networks have in common.

    Args:
        table: Any.

    Returns:
        Terms as shares of the sum that costs one point.
    """
    allowed = table.drop_map.threshold(ALLOWED)
    return {axes: entries / allowed for axes, entries in table.terms.items()}


def predict_table(network: str, tables: Sequence[SensitivityTable]) -> SensitivityTable:
    """Predict the table of a network.

    Args:
        network: Its name.
        tables: Measured ones of other networks.

    Returns:
        The table, with exponent and map of ``MAP_OF``, or of the first where that is not among
        them.
    """
    borrowed = next((table for table in tables if table.network == MAP_OF), tables[0])
    allowed = borrowed.drop_map.threshold(ALLOWED)
    predicted = fit_and_predict(tables, load_network(network))
    return SensitivityTable(
        network,
        "predicted",
        tuple(layer.name for layer in load_network(network).layers),
        borrowed.space,
        {axes: allowed * entries for axes, entries in predicted.items()},
        borrowed.drop_map,
        {
            "recipe": borrowed.provenance["recipe"],
            "fitted_on": [table.network for table in tables],
            "map_of": borrowed.network,
            "command": "python -m lrmp.accuracy.lab.table_prediction",
        },
        borrowed.exponent,
    )


def leave_one_out(tables: Sequence[SensitivityTable]) -> list[LeftOut]:
    """Predict every measured network from the others.

    Args:
        tables: At least two measured ones.

    Returns:
        One result per network that random and optimised designs were run on, on its test images.
    """
    return [
        judge_prediction(table, [other for other in tables if other is not table])
        for table in tables
        if len({is_random(line) for line in _judging(table.network)}) == 2
    ]


def _judging(network: str) -> list[dict[str, Any]]:
    return [line for line in load_designs(network) if line["split"] == "test"]


def judge_prediction(table: SensitivityTable, others: Sequence[SensitivityTable]) -> LeftOut:
    """Predict a measured network from others.

    Args:
        table: Of the network, with shipped designs.
        others: Measured ones of other networks.

    Returns:
        How well that went.
    """
    predicted = predict_table(table.network, others)
    own, given = shares(table), shares(predicted)
    logs = [
        np.log(np.maximum(given[axes], FLOOR) / np.maximum(own[axes], FLOOR)).ravel()
        for axes in own
    ]
    lines = _judging(table.network)
    random = judge(predicted, lines)
    optimised = [line for line in lines if not is_random(line)]
    sums = predicted.sums(settings_of(optimised, predicted.space, predicted.layers))
    misses = np.array([design_result(line).drop for line in optimised]) - predicted.drop_map(sums)
    return LeftOut(
        table.network,
        float(np.exp(np.abs(np.concatenate(logs)).mean())),
        random.spearman,
        random.mean_error,
        float(misses.mean()),
        float(np.abs(misses).mean()),
    )


def measured_tables() -> list[SensitivityTable]:
    """Load the measured tables that predictions are fitted on.

    Returns:
        In order of the networks' names.
    """
    tables = (load_table(name) for name in shipped_networks() if name not in FOR_MNIST)
    return [table for table in tables if table.kind == "measured"]


def main() -> None:
    """Write the predicted tables beside the measured ones."""
    tables = measured_tables()
    left_out = leave_one_out(tables)
    for network in PREDICTED:
        path = Path(__file__).resolve().parents[1] / "tables" / f"{network}.json"
        table = predict_table(network, tables)
        errors = [
            {
                name: value if isinstance(value, str) else round(value, 3)
                for name, value in asdict(each).items()
            }
            for each in left_out
        ]
        provenance = table.provenance | {"leave_one_network_out": errors}
        write_whole(path, replace(table, provenance=provenance).to_text())
        print(f"wrote {path}")
    for each in left_out:
        print(json.dumps(asdict(each)))


if __name__ == "__main__":
    main()
