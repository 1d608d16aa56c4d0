"""Repeat the fit behind ``published_ptq.toml``.

``python -m lrmp.accuracy.lab.fit_published_ptq`` prints the constants as they stand in the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from lrmp.accuracy.model.table import read_published


def predict(fit: Mapping[str, float], weight_bits: Any, activation_bits: Any) -> Any:
    """Return the whole-network drop that a fit gives.

    Args:
        fit: The four constants of one entry of ``[fits]``.
        weight_bits: Numbers or arrays.
        activation_bits: Numbers or arrays.

    Returns:
        Percentage points, of the broadcast shape.
    """
    weights = fit["weight_scale"] * np.exp(-fit["weight_decay"] * (weight_bits - 2))
    activations = fit["activation_scale"] * np.exp(-fit["activation_decay"] * (activation_bits - 2))
    return weights + activations


def fit_rows(rows: Sequence[Sequence[Any]]) -> dict[str, float]:
    """Fit the four constants to published rows.

    Args:
        rows: Entries of ``[rows]``: weight bits, activation bits, float top-1, top-1, source.

    Returns:
        The constants by name.
    """
    names = ("weight_scale", "weight_decay", "activation_scale", "activation_decay")
    table = np.array([row[:4] for row in rows], dtype=np.float64)
    drops = table[:, 2] - table[:, 3]

    def residuals(logs: NDArray[np.float64]) -> NDArray[np.float64]:
        fit: dict[str, float] = dict(zip(names, np.exp(logs), strict=True))
        return np.asarray(np.log(predict(fit, table[:, 0], table[:, 1])) - np.log(drops))

    solution = least_squares(residuals, np.log([4.0, 1.0, 12.0, 1.3]))
    return dict(zip(names, np.exp(solution.x).tolist(), strict=True))


def main() -> None:
    """Print the fits as TOML, with their largest relative residual."""
    for family, rows in read_published()["rows"].items():
        if family == "columns":
            continue
        fit = fit_rows(rows)
        misses = [abs(predict(fit, w, a) / (f - q) - 1) for w, a, f, q, _ in rows]
        print(f"[fits.{family}]  # largest residual {max(misses):.1%}")
        for name, value in fit.items():
            print(f"{name} = {value:.4f}" if name.endswith("scale") else f"{name} = {value:.5f}")


if __name__ == "__main__":
    main()
