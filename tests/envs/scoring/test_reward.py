"""The three rewards on hand-computed values: (gain, drop, allowed drop) -> reward."""

import math
from pathlib import Path

import numpy as np
import pytest

from lrmp.envs import LayerwiseEnv
from lrmp.envs.scoring.reward import (
    BEYOND,
    EXCESS,
    REWARDS,
    SCORE_FORMULA,
    STEEP,
    Measured,
    lrmp_reward,
    ranked_score,
    reward_function,
)
from lrmp.errors import TaskError
from lrmp.leaderboard.record_schema import load_record_schema

ABOVE = math.log(2.0)  # twice the allowed divergence


def measured(gain=1.0, excess=0.0, drop=0.0, allowed=1.0):
    return Measured(gain, excess, drop, allowed)


@pytest.mark.parametrize(
    ("gain", "excess", "reward"),
    [
        (1.0, 0.0, 0.0),
        (math.e, 0.0, 1.0),
        (1 / math.e, 0.0, -1.0),
        (math.e, 0.005, 0.5),  # credit fades: 1 - 100 * 0.005
        (math.e, 0.0101, -0.00505),
        (math.e, ABOVE, -0.5 * ABOVE),
        (math.e**9, ABOVE, -0.5 * ABOVE),  # whatever it gains
        (1 / math.e, ABOVE, -1 - 0.5 * ABOVE),  # a loss is none the less one
        (math.e, 2 * ABOVE, -ABOVE),
    ],
)
def test_lrmp(gain, excess, reward):
    assert reward_function("lrmp")(measured(gain, excess)) == pytest.approx(reward, abs=1e-12)


def test_the_formula_that_people_read_is_the_one_computed():
    code = BEYOND.replace(" x", " * x")
    rng = np.random.default_rng(0)
    excesses = [*rng.exponential(0.01, 50), *rng.exponential(3.0, 50)]
    for gain, excess in zip(rng.uniform(1.0, 9.0, 100).tolist(), excesses, strict=True):
        names = {"ln": math.log, "max": max, "gain": gain, "x": excess}
        assert lrmp_reward(math.log(gain), excess) == pytest.approx(eval(code, names), rel=1e-12)


def test_the_formula_is_what_schema_and_pages_say():
    claim = load_record_schema()["properties"]["claim"]["properties"]
    assert claim["score"]["description"].startswith("ln(gain) of a design within the allowed drop")
    described = " ".join(LayerwiseEnv.__doc__.split())
    assert f"`{BEYOND}`" in described
    assert f"`{EXCESS}`" in described
    page = Path(__file__).parents[3] / "docs" / "leaderboard.md"
    if page.exists():  # not where the tests run outside the repository
        assert f"    score of a design = {SCORE_FORMULA}\n" in page.read_text("utf-8")


def test_the_reward_falls_strictly_and_continuously_beyond_the_allowance():
    excesses = np.sort(np.concatenate([np.geomspace(1e-12, 20.0, 2000), [0.0]]))
    for log_gain in (-1.0, 0.0, 0.3, 5.0):
        rewards = np.array([lrmp_reward(log_gain, excess) for excess in excesses])
        assert (np.diff(rewards) < 0).all()
        assert (-np.diff(rewards) <= STEEP * np.diff(excesses) + 1e-12).all()
        assert rewards[0] == log_gain


def test_a_design_has_a_score_within_the_allowance_alone():
    assert ranked_score(0.7, 0.0) == 0.7
    assert ranked_score(0.7, 5e-324) is None


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [(1.0, 0.0, 1.0, 0.0), (9.0, 2.5, 1.0, -0.25), (1.0, 2.5, 7.0, -0.25), (2.0, -1.0, 1.0, 0.1)],
)
def test_haq(gain, drop, allowed, reward):
    assert reward_function("haq")(measured(gain, 0.0, drop, allowed)) == pytest.approx(
        reward, abs=1e-12
    )


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [
        (1.0, 0.0, 1.0, 0.1),
        (3.0, 0.5, 1.0, 200.05),
        (3.0, 1.0, 1.0, 200.0),  # the allowed drop is allowed
        (3.0, 1.5, 1.0, -5.0),
        (3.0, 0.75, 0.25, -5.0),
        (1.5, -1.0, 1.0, 50.2),
    ],
)
def test_cim_aq(gain, drop, allowed, reward):
    assert reward_function("cim-aq")(measured(gain, 0.0, drop, allowed)) == pytest.approx(
        reward, abs=1e-12
    )


def test_every_formula_is_in_the_documentation_of_the_environment():
    assert [name for name in REWARDS if f'- `"{name}"`' not in LayerwiseEnv.__doc__] == []


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(
        TaskError,
        match=r"Expected reward to be one of haq, .*lrmp.*; got 'HAQ'\. Did",
    ):
        reward_function("HAQ")
    with pytest.raises(TaskError, match=r"got 'cimaq'\. Did you mean 'cim-aq'\?$"):
        reward_function("cimaq")
