"""The widths that the quantisers have steps for; calibration and weight files go by them."""

BIT_WIDTHS = tuple(range(2, 9))
MIN_BITS = BIT_WIDTHS[0]
