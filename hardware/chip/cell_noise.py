"""Device noise: how far the cells of a chip are from what was written into them."""

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, Literal, get_args

from lrmp.errors import PresetError
from lrmp.hardware.chip.component import check_amount
from lrmp.hardware.given_fields import given_fields

DriftCompensation = Literal["none", "global"]
_RAMP = ("slope", "offset", "least", "most")


@dataclass(frozen=True, slots=True)
class DeviceNoise:
    """Statistics of the cells of a chip, and the time at which they are read.

    A cell holds a conductance g of 0 to G, its largest; ``x = g / G`` is what was meant. The model
    is that of IBM's aihwkit (`aihwkit.inference.noise`, class ``PCMLikeNoiseModel``), with its
    constants as fields. Every xi is standard normal and drawn apart, for every cell:

    - programming: ``g_0 = max(0, g + s(x) xi + r xi')``, where s is a polynomial, and r what cells
      have moved since, by a fixed time;
    - drift: ``g_t = g_0 ((t + t_0) / t_0) ** -nu``, ``nu = |m(x) + d(x) xi|``; m and d are ramps
      ``clamp(slope ln x + offset, least, most)``;
    - flicker (1/f noise that piled up since programming): ``g_t max(0, 1 + q(x) xi)`` with ``q =
      min(flicker_scale / x ** flicker_exponent, flicker_most) sqrt(ln((t + t_0 + t_read) / (2
      t_read)))``;
    - read: every read of a cell adds ``read_microsiemens xi``, drawn anew.

    Programming, drift and flicker stay as they are during an inference.

    Attributes:
        max_conductance_microsiemens: G in microsiemens.
        programming_microsiemens: Coefficients of s in microsiemens, from the constant one on.
        relaxation_microsiemens: r.
        read_microsiemens: Standard deviation of a read.
        flicker_scale: See above; 0 where there is no flicker.
        flicker_exponent: See above.
        flicker_most: See above.
        read_time_s: ``t_read``, seconds that a read takes.
        drift_mean: Slope, offset, least and most of m; four zeros where nothing drifts.
        drift_deviation: The same of d.
        drift_reference_s: ``t_0``, seconds after programming from which drift counts.
        elapsed_s: t, seconds from ``t_0`` to the inference.
        drift_compensation: ``"global"``: outputs of a layer are scaled by what the sum of its
            conductances has lost. ``"none"``: they are not.

    Raises:
        PresetError: If a number is none, out of range, or contradicts another one.
    """

    max_conductance_microsiemens: float
    programming_microsiemens: tuple[float, ...]
    relaxation_microsiemens: float = 0.0
    read_microsiemens: float = 0.0
    flicker_scale: float = 0.0
    flicker_exponent: float = 0.0
    flicker_most: float = 0.0
    read_time_s: float = 0.0
    drift_mean: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    drift_deviation: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    drift_reference_s: float = 0.0
    elapsed_s: float = 0.0
    drift_compensation: DriftCompensation = "none"

    def __post_init__(self) -> None:
        for key in _AMOUNTS:
            check_amount(f"{key} of the noise", getattr(self, key))
        if not self.max_conductance_microsiemens:
            raise PresetError(
                "Expected max_conductance_microsiemens of the noise to be positive, got 0."
            )
        for key in _LISTS:
            object.__setattr__(self, key, _finite(key, getattr(self, key)))
        for key in ("drift_mean", "drift_deviation"):
            ramp = getattr(self, key)
            if len(ramp) != len(_RAMP) or not 0 <= ramp[2] <= ramp[3]:
                raise PresetError(
                    f"Expected {key} of the noise as {', '.join(_RAMP)} with 0 <= least <= most, "
                    f"got {list(ramp)}."
                )
        if self.drifts and not self.drift_reference_s:
            raise PresetError(
                "Expected noise that drifts to give drift_reference_s, the time after programming "
                "that drift counts from, got 0."
            )
        if self.flicker_scale and not self.read_time_s:
            raise PresetError(
                "Expected noise with flicker to give read_time_s, the time that a read takes, "
                "got 0."
            )
        if self.elapsed_s and not self.drifts and not self.flicker_scale:
            raise PresetError(
                "Expected noise that changes with time where elapsed_s is given, got neither drift "
                f"nor flicker and elapsed_s {self.elapsed_s}. Take statistics of that time."
            )
        if self.drift_compensation not in get_args(DriftCompensation):
            raise PresetError(
                "Expected drift_compensation of the noise to be one of "
                f"{', '.join(get_args(DriftCompensation))}; got {self.drift_compensation!r}."
            )

    @property
    def drifts(self) -> bool:
        """Whether conductances shrink with time."""
        return self.drift_mean[3] > 0 or self.drift_deviation[3] > 0

    @property
    def definition(self) -> dict[str, Any]:
        """Everything that defines the noise, ready for JSON; what has its default is left out."""
        return {key: _as_float(value) for key, value in given_fields(self).items()}


def _as_float(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return float(value) if isinstance(value, int) else value


def _finite(key: str, values: object) -> tuple[float, ...]:
    """Take a list of finite numbers, not empty."""
    found = tuple(values) if isinstance(values, list | tuple) else ()
    if not found or any(
        isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value)
        for value in found
    ):
        raise PresetError(f"Expected {key} of the noise as a list of numbers, got {values!r}.")
    return tuple(map(float, found))


NOISE = tuple(field.name for field in fields(DeviceNoise))
_LISTS = ("programming_microsiemens", "drift_mean", "drift_deviation")
_AMOUNTS = tuple(key for key in NOISE if key not in (*_LISTS, "drift_compensation"))
#: What a table of noise may leave out: nothing of the kind happens then.
NOISE_LEFT_OUT = NOISE[2:]
