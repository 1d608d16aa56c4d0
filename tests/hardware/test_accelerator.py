import copy
import pickle
import re
from dataclasses import replace

import pytest

from lrmp.errors import PresetError
from lrmp.hardware import Accelerator
from lrmp.hardware.accelerator import PARAMETERS

CHIP = Accelerator(
    name="chip",
    crossbar_rows=64,
    crossbar_columns=32,
    cell_bits=2,
    dac_bits=1,
    active_rows=16,
    columns_per_adc=4,
    clock_mhz=100,
    output_elements_per_cycle=2,
)

CHOICES = {
    "slice_placement": ("separate", "packed"),
    "weight_encoding": ("offset", "differential-columns", "differential-rows"),
    "shared_work": ("positions", "row-groups"),
    "weight_loading": ("stationary", "time-multiplexed"),
    "dynamic_matmul": ("digital", "rewrite"),
    "idle_power": ("gated", "leaking"),
    "output_path": ("shared", "per-copy"),
    "overlap": ("none", "positions"),
}
MAY_BE_ZERO = (
    "output_elements_per_cycle",
    "technology_nm",
    "reference_columns",
    "adc_resolution_bits",
    "tiles",
    "read_cycles",
    "input_bits_per_cycle",
    "accumulation_cycles",
    "vector_lanes",
    "noc_bits_per_cycle",
    "noc_hop_cycles",
    "write_cycles",
    "digital_macs_per_cycle",
)
POSITIVE = tuple(key for key in PARAMETERS if key not in CHOICES and key not in MAY_BE_ZERO)


def another(key):
    """Return a change of one parameter, together with what it cannot do without."""
    if key in CHOICES:
        return {"tiles": 1, key: next(c for c in CHOICES[key] if c != getattr(CHIP, key))}
    return {key: getattr(CHIP, key) + 1}


@pytest.mark.parametrize(
    ("active_rows", "cell_bits", "dac_bits", "adc_bits"),
    [
        (1, 1, 1, 1),  # sums 0..1
        (7, 1, 1, 3),  # sums 0..7: eight codes
        (8, 1, 1, 4),  # sums 0..8: nine codes
        (9, 1, 1, 4),
        (16, 2, 1, 6),  # 16 * 3 = 48
        (2, 2, 2, 5),  # 2 * 3 * 3 = 18
    ],
)
def test_adc_bits_tell_every_column_sum_apart(active_rows, cell_bits, dac_bits, adc_bits):
    chip = replace(CHIP, active_rows=active_rows, cell_bits=cell_bits, dac_bits=dac_bits)
    assert chip.adc_bits == adc_bits


def test_clock_in_hertz():
    assert CHIP.clock_hz == 100_000_000


def test_accelerators_are_values():
    twin = replace(CHIP)
    assert twin == CHIP
    assert hash(twin) == hash(CHIP)
    assert pickle.loads(pickle.dumps(CHIP)) == CHIP
    assert copy.deepcopy(CHIP) == CHIP


@pytest.mark.parametrize("key", PARAMETERS)
def test_every_parameter_counts_in_equality(key):
    assert replace(CHIP, **another(key)) != CHIP


@pytest.mark.parametrize("key", POSITIVE + MAY_BE_ZERO)
@pytest.mark.parametrize("value", [-1, 1.5, True, "8", None, float("nan"), float("inf"), 2**31])
def test_parameters_must_be_integers_in_range(key, value):
    least = 0 if key in MAY_BE_ZERO else 1
    limits = {"cell_bits": "from 1 to 4", "dac_bits": "from 1 to 8"}.get(key, f">= {least}")
    message = f"Expected {key} of accelerator 'chip' to be an integer {limits}, got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, **{key: value})


@pytest.mark.parametrize("key", POSITIVE)
def test_zero_is_refused_where_it_has_no_meaning(key):
    with pytest.raises(PresetError, match=rf"Expected {key} of accelerator 'chip' .*, got 0\."):
        replace(CHIP, **{key: 0})


@pytest.mark.parametrize("key", MAY_BE_ZERO)
def test_zero_leaves_out_what_is_not_known(key):
    assert getattr(replace(CHIP, **{key: 0}), key) == 0


@pytest.mark.parametrize("key", CHOICES)
@pytest.mark.parametrize("value", ["other", "", 0, None, True])
def test_choices_must_be_known(key, value):
    known = ", ".join(CHOICES[key])
    message = f"Expected {key} of accelerator 'chip' to be one of {known}; got {value!r}."
    with pytest.raises(PresetError, match=re.escape(message)):
        replace(CHIP, **{key: value})


def test_more_active_rows_than_the_crossbar_has_are_refused():
    assert replace(CHIP, active_rows=64).active_rows == 64
    message = r"Expected active_rows of accelerator 'chip' to be at most its crossbar_rows \(64\), "
    with pytest.raises(PresetError, match=message + r"got 65\."):
        replace(CHIP, active_rows=65)
