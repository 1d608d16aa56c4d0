import numpy as np
import pytest

from lrmp.envs import load_task
from lrmp.errors import DesignError

GOOD = np.full(5, 4)


@pytest.fixture(scope="module", params=["digits", "table"])
def accuracy(request):
    if request.param == "digits":
        return load_task("LRMP-Digits-v0").accuracy
    from lrmp.accuracy import TableAccuracy

    return TableAccuracy(np.ones((5, 7)), np.ones((5, 7)), "a test", is_estimate=True)


@pytest.mark.parametrize(
    "bits",
    [[4, 4, 1, 4, 4], [4, 4, 4, 4, 9], [4, 4, 4, 4, -1], [4, 4, 4, 4], [[4, 4, 4, 4, 4]]],
)
def test_bits_out_of_range_are_named(accuracy, bits):
    bits = np.array(bits)
    with pytest.raises(DesignError, match="Expected 5 weight_bits between 2 and 8, got"):
        accuracy.drop(bits, GOOD)
    with pytest.raises(DesignError, match="Expected 5 activation_bits between 2 and 8, got"):
        accuracy.drop(GOOD, bits)


def test_refused_bits_leave_the_model_as_it_was(accuracy):
    before = accuracy.drop(GOOD, GOOD)
    with pytest.raises(DesignError):
        accuracy.drop(GOOD + 7, GOOD)
    assert accuracy.drop(GOOD, GOOD) == before
