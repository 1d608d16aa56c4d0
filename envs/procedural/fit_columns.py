"""Fits the distribution of random sensitivities to zeros in columns, where spaces are drawn, too.

``python -m lrmp.envs.procedural.fit_columns`` writes ``column_distributions.toml``. New numbers are
a new family: the published instances of `LRMP-Procedural-Spaces-v0` are those of the numbers in the
file.
"""

from pathlib import Path

import numpy as np

from lrmp.accuracy.model.sensitivity_table import SensitivityTable, load_table
from lrmp.envs.procedural.fit import FLOOR
from lrmp.hardware.families.adc import ADC
from lrmp.whole_file import write_whole

KNOB = "column_nonzeros"
#: Halvings of the weights that a column keeps, at which the slope is fitted; all below saturation.
HALVINGS = (1, 2, 3, 4)
LEVEL_HALVINGS = 2  # where a layer's level is read


def describe_columns(table: SensitivityTable) -> dict[str, float]:
    """Summarise one network.

    Args:
        table: Measured, of a space with ``column_nonzeros``.

    Returns:
        Level (log10 of nats where a column keeps a quarter, mean over layers), trend (change of the
        level from the first layer to the last), spread (of the levels about the trend), slope
        (log10 per halving), slope_spread, noise (of single entries).
    """
    depth = np.linspace(-0.5, 0.5, len(table.layers))
    logs = np.log10(np.maximum(table.terms[KNOB,] ** table.exponent, FLOOR))
    last = table.space[KNOB].plain_index
    halvings = np.array(HALVINGS)
    inside = logs[:, last - halvings]
    slopes, levels = np.polyfit(halvings - LEVEL_HALVINGS, inside.T, 1)
    trend, level = np.polyfit(depth, levels, 1)
    noise = inside.T - np.outer(halvings - LEVEL_HALVINGS, slopes) - levels
    return {
        "column_level": level,
        "column_trend": trend,
        "column_spread": (levels - level - trend * depth).std(),
        "column_slope": slopes.mean(),
        "column_slope_spread": slopes.std(),
        "column_noise": noise.std(),
    }


def to_toml(tables: list[SensitivityTable]) -> str:
    """Write the distributions with their source.

    Args:
        tables: What they are fitted to, at least two.

    Returns:
        The text of ``column_distributions.toml``.
    """
    names = ", ".join(f'"{table.network}"' for table in tables)
    found = [describe_columns(table) for table in tables]
    lines = [
        "# Mean and standard deviation over the measured networks of what `describe_columns` reads",
        "# from their tables; written by `python -m lrmp.envs.procedural.fit_columns`.",
        f"fitted_on = [{names}]",
        "",
        "[distributions]",
    ]
    for key in found[0]:
        values = np.array([each[key] for each in found])
        lines.append(f"{key} = [{values.mean():.3f}, {values.std(ddof=1):.3f}]")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the file beside this one."""
    path = Path(__file__).resolve().with_name("column_distributions.toml")
    write_whole(path, to_toml([load_table(name, ADC.name) for name in ADC.networks]))
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
