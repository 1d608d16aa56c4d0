"""The sweep against counting cells, against an independent library, and at its edges."""

import numpy as np
import pytest

from lrmp.envs.scoring.hypervolume import hypervolume
from lrmp.errors import TaskError


@pytest.mark.parametrize("seed", range(40))
def test_volume_is_the_number_of_unit_cells_that_are_covered(seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 7, (rng.integers(1, 30), 3))  # many ties, some below the reference
    reference = rng.integers(-2, 3, 3)
    cells = np.stack(np.meshgrid(*[np.arange(-2, 7)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = (cells >= reference).all(axis=1)
    covered = (cells[:, None] < vectors).all(axis=2).any(axis=1)
    assert hypervolume(vectors, reference) == (inside & covered).sum()


@pytest.mark.parametrize("seed", range(5))
def test_volume_is_that_of_pymoo(seed):
    hv = pytest.importorskip("pymoo.indicators.hv", reason='needs pip install "lrmp[search]"')
    vectors = np.random.default_rng(seed).random((200, 3))
    reference = np.array([0.1, 0.2, 0.3])
    expected = hv.HV(ref_point=-reference)(-vectors)  # pymoo minimises
    assert hypervolume(vectors, reference) == pytest.approx(expected, rel=1e-12)


def test_nothing_has_no_volume():
    assert hypervolume(np.empty((0, 3)), [0, 0, 0]) == 0
    assert hypervolume([[1, 1, 0]], [0, 0, 0]) == 0


@pytest.mark.parametrize(
    ("vectors", "reference", "message"),
    [
        ([[1, 2]], [0, 0, 0], r"shape \(N, 3\) and a reference of shape \(3,\), got \(1, 2\)"),
        ([[1, 2, 3]], [0], r"got \(1, 3\) and \(1,\)"),
        ([[1, 2, np.nan]], [0, 0, 0], "Expected finite vectors and a finite reference"),
    ],
)
def test_what_has_no_volume_is_refused(vectors, reference, message):
    with pytest.raises(TaskError, match=message):
        hypervolume(vectors, reference)
