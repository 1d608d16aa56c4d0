"""The knob of TinyADC."""

import pytest

from lrmp.errors import DesignError
from lrmp.hardware import DesignSpace
from lrmp.hardware.space.catalogue import is_catalogued, space_from_json
from lrmp.hardware.space.column_nonzeros import column_nonzeros


@pytest.mark.parametrize(
    ("active_rows", "values"),
    [(128, (4, 8, 16, 32, 64, 128)), (9, (4, 9)), (36, (4, 9, 18, 36)), (7, (7,)), (4, (4,))],
)
def test_rows_are_halved_down_to_four(active_rows, values):
    knob = column_nonzeros(active_rows)
    assert (knob.values, knob.plain) == (values, active_rows)


def test_files_may_name_it():
    space = DesignSpace((column_nonzeros(64),))
    assert is_catalogued(space)
    assert space_from_json(space.to_json()) == space


def test_too_few_rows_are_refused():
    with pytest.raises(DesignError, match=r"at least 4 rows .* got 3\. Leave the knob out\."):
        column_nonzeros(3)
