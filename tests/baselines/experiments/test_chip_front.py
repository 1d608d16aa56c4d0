"""The front over chips: its points are proven, and one of them is the stored optimum."""

import math

import pytest

from lrmp.baselines.experiments.chip_front import (
    Args,
    ChipPoint,
    chip_front,
    markdown,
    plot,
)
from lrmp.envs.variant_choice.optimum import stored_variant_optimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.errors import TaskError

LENET = "LRMP-LeNet-Chip-v0"


@pytest.fixture(scope="module")
def points():
    return chip_front(LENET, (0.005, 0.5, 1.0))


@pytest.mark.long
def test_at_its_own_allowance_it_is_the_stored_optimum(points):
    proven = stored_variant_optimum(LENET)
    assert load_problem(LENET).plain_task.allowed_drop == 1.0
    assert math.log(points[-1].gain) == pytest.approx(proven.value, abs=1e-9)
    assert math.log(points[-1].without) == pytest.approx(proven.without, abs=1e-9)
    assert points[-1].chip == proven.variant


def test_points_are_proven_and_rise(points):
    # No design loses so little as the first allowance, so that it has no point.
    assert [each.allowance for each in points] == [0.5, 1.0]
    assert all(each.drop <= each.allowance for each in points)
    assert all(each.gain <= each.bound < each.gain * (1 + 1e-9) for each in points)
    assert all(each.without < each.gain for each in points)
    gains = [each.gain for each in points]
    assert gains == sorted(gains)


def test_problems_that_pay_for_area_are_refused():
    with pytest.raises(TaskError, match=r"area is a limit alone, got LRMP-LeNet-Chip-EDAP-v0"):
        chip_front("LRMP-LeNet-Chip-EDAP-v0")
    assert all(load_problem(each).objective != "edap" for each in Args().problems)


def test_points_are_laid_out_and_drawn(tmp_path):
    chip = stored_variant_optimum(LENET).variant
    made = [ChipPoint(LENET, each, each, 4.0, 4.0, 2.0, chip) for each in (0.5, 1.0)]
    text = markdown(made)
    assert text.splitlines()[2] == (
        f"| `{LENET}` | 0.5 | 4.00x | 2.00x | 2.00x | 64², 2 bit, 64 rows, 32 per ADC |"
    )
    plot(made, tmp_path / "front.svg")
    assert (tmp_path / "front.svg").read_text().startswith("<?xml")
