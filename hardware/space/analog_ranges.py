"""Knobs of analog ranges: what the DACs of a layer cover, and what its ADCs do. They cost nothing.

What a range does depends on the bits that are spread over it, and what the ADCs see on what the
DACs clip: so both act with ``activation_bits``.

Lammie et al., "Improving the accuracy of analog-based in-memory computing accelerators
post-training", ISCAS 2024 (arXiv 2401.09859): K is a percentile of the inputs, L a number of
standard deviations of the sums of a column.
"""

from lrmp.hardware.space.knob import Knob

_EFFECTS = "lrmp.accuracy.lab.quantization.analog_ranges"
#: K; 100 covers the largest input.
PERCENTILES = ("95", "99", "99.9", "99.99", "100")
#: The range that calibration finds: that of least squared error for every width.
LEAST_ERROR = "least-error"
#: L.
DEVIATIONS = ("0", "1", "2", "3", "4", "6", "8", "12")
#: An ADC that loses nothing.
IDEAL = "ideal"

INPUT_RANGE = Knob(
    name="input_range",
    values=(*PERCENTILES, LEAST_ERROR),
    plain=LEAST_ERROR,
    network_effect=f"{_EFFECTS}:cover_inputs",
    about="Percentile of the magnitudes of a layer's inputs that its range covers: a lower one "
    "clips more of them and rounds the others more finely.",
    acts_with="activation_bits",
)

COLUMN_RANGE = Knob(
    name="column_range",
    values=(*DEVIATIONS, IDEAL),
    plain=IDEAL,
    network_effect=f"{_EFFECTS}:cover_columns",
    about="Standard deviations above the mean magnitude of a column's sums that its ADC covers: "
    "fewer clip more of them and convert the others more finely.",
    acts_with="activation_bits",
)
