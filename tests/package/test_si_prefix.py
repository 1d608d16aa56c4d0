import pytest

from lrmp.si_prefix import format_number, format_quantity, si_prefix


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (1, "1.000 s"),
        (0.0123456, "12.35 ms"),
        (999.99e-6, "1.000 ms"),
        (1e-18, "0.001000 fs"),
        (5e3, "5.000 ks"),
        (2.5e19, "25,000 Ps"),
    ],
)
def test_quantities(value, text):
    assert format_quantity(value, "s") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.00012346, "0.0001235"),
        (12.345, "12.35"),
        (1234.6, "1,235"),
        (9.9999, "10.00"),
        (123456.7, "123,457"),
    ],
)
def test_numbers_have_four_significant_digits_or_all_before_the_point(value, text):
    assert format_number(value) == text


def test_prefix_leaves_a_value_from_1_to_1000():
    for exponent in range(-15, 16):
        value = 3.0 * 10.0**exponent
        factor, _ = si_prefix(value)
        assert 1 <= value / factor < 1000
