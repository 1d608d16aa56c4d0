"""Arrays of floats, and how far one operation on floats is off."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ROUNDING = 2.0**-53  # relative
