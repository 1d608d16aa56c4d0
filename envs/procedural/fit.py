"""Fits the distributions of random sensitivities to the measured networks' tables.

``python -m lrmp.envs.procedural.fit`` writes ``distributions.toml``. New numbers are a new family:
the published instances and their optima are those of the numbers in the file, which were fitted to
the tables as they were measured layer by layer, before tables were refined.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_table
from lrmp.whole_file import write_whole

#: The measured networks of LRMP-Procedural-v0; those for MNIST are too small to fit a trend to.
FITTED_ON = ("resnet8", "resnet20", "squeezenet1_1", "resnet18")
#: Where a layer's level is read, and the widths its slope is fitted to: below the rounding of
#: float32, above the saturation of 2 bits.
LEVEL_BITS = 4
SLOPE_BITS = (3, 4, 5, 6, 7)
FLOOR = 1e-9  # nats
ALLOWED = 1.0  # points
STEEP = 5.0  # points; the map's exponent is read between the two


def describe_table(table: SensitivityTable) -> dict[str, float]:
    """Summarise one network.

    Args:
        table: Measured.

    Returns:
        Per operand: level (log10 of nats at 4 bits, mean over layers), trend (change of the level
        from the first layer to the last), spread (of the levels about the trend), slope (log10 per
        bit), slope_spread, noise (of single entries); the correlation of the operands' levels;
        log10 of the divergence that costs one point; the exponent of the map; its ceiling.
    """
    found: dict[str, float] = {}
    depth = np.linspace(-0.5, 0.5, len(table.layers))
    bits = np.array(SLOPE_BITS) - LEVEL_BITS
    rest: list[NDArray[np.float64]] = []
    for operand in ("weight", "activation"):
        knob = f"{operand}_bits"
        logs = np.log10(np.maximum(table.terms[knob,] ** table.exponent, FLOOR))
        widths = table.space[knob].values
        inside = logs[:, [widths.index(width) for width in SLOPE_BITS]]
        slopes, levels = np.polyfit(bits, inside.T, 1)
        trend, level = np.polyfit(depth, levels, 1)
        rest.append(levels - level - trend * depth)
        found |= {
            f"{operand}_level": level,
            f"{operand}_trend": trend,
            f"{operand}_spread": rest[-1].std(),
            f"{operand}_slope": slopes.mean(),
            f"{operand}_slope_spread": slopes.std(),
            f"{operand}_noise": (inside.T - np.outer(bits, slopes) - levels).std(),
        }
    one, five = (
        table.exponent * float(np.log10(table.drop_map.threshold(points)))
        for points in (ALLOWED, STEEP)
    )
    return found | {
        "correlation": float(np.asarray(np.corrcoef(rest))[0, 1]),
        "allowance": one,
        "exponent": float(np.log10(STEEP / ALLOWED)) / (five - one),
        "ceiling": table.drop_map.ceiling,
    }


def fit_distributions(tables: list[SensitivityTable]) -> dict[str, Any]:
    """Take mean and standard deviation over networks.

    Args:
        tables: At least two.

    Returns:
        For every key of ``describe_table`` a pair, mean and sample standard deviation.
    """
    networks = [describe_table(table) for table in tables]
    pairs = {}
    for key in networks[0]:
        values = np.array([network[key] for network in networks])
        pairs[key] = (round(float(values.mean()), 3), round(float(values.std(ddof=1)), 3))
    return pairs


def to_toml(tables: list[SensitivityTable]) -> str:
    """Write the distributions with their source.

    Args:
        tables: What they are fitted to.

    Returns:
        The text of ``distributions.toml``.
    """
    names = ", ".join(f'"{table.network}"' for table in tables)
    lines = [
        "# Mean and standard deviation over the measured networks of what `describe_table` reads",
        "# from their sensitivity tables; written by `python -m lrmp.envs.procedural.fit`.",
        f"fitted_on = [{names}]",
        "",
        "[distributions]",
        *(f"{key} = {list(pair)}" for key, pair in fit_distributions(tables).items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file beside this one."""
    path = Path(__file__).resolve().with_name("distributions.toml")
    write_whole(path, to_toml([load_table(name) for name in FITTED_ON]))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
