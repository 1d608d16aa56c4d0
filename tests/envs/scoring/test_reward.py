"""The three rewards on hand-computed values: (gain, drop, allowed drop) -> reward."""

import math
from pathlib import Path

import numpy as np
import pytest

from lrmp.envs import LayerwiseEnv
from lrmp.envs.scoring.reward import FORMULA, REWARDS, lrmp_reward, penalty, reward_function
from lrmp.errors import TaskError
from lrmp.leaderboard.record_schema import load_record_schema


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [
        (1.0, 0.0, 1.0, 0.0),
        (1.0, 1.0, 1.0, 0.0),
        (math.e, -2.0, 1.0, 1.0),  # better than the float network earns nothing
        (math.e, 2.5, 1.0, -0.5),
        (math.e**2, 1.25, 0.25, 1.0),
        (1 / math.e, 0.5, 1.0, -1.0),
    ],
)
def test_lrmp(gain, drop, allowed, reward):
    assert reward_function("lrmp")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


def test_the_formula_that_people_read_is_the_one_computed():
    code = FORMULA.replace("accuracy drop", "drop").replace("allowed drop", "allowed")
    rng = np.random.default_rng(0)
    for gain, drop, allowed in zip(*rng.uniform(0.1, 9.0, (3, 100)).tolist(), strict=True):
        names = {"ln": math.log, "max": max, "gain": gain, "drop": drop, "allowed": allowed}
        assert lrmp_reward(gain, drop, allowed) == eval(code, names)


def test_the_formula_is_what_schema_and_pages_say():
    claim = load_record_schema()["properties"]["claim"]["properties"]
    assert claim["reward"]["description"].startswith(f"{FORMULA}, ")
    assert f"`{FORMULA}`" in " ".join(LayerwiseEnv.__doc__.split())
    page = Path(__file__).parents[3] / "docs" / "leaderboard.md"
    if page.exists():  # not where the tests run outside the repository
        assert f"    reward = {FORMULA}\n" in page.read_text("utf-8")


def test_the_penalty_of_many_drops_is_that_of_each():
    drops = np.random.default_rng(1).uniform(-3.0, 9.0, (50, 4))
    paid = penalty(drops, 1.3)
    assert paid.shape == drops.shape
    for drop, cost in zip(drops.ravel().tolist(), paid.ravel().tolist(), strict=True):
        assert lrmp_reward(5.0, drop, 1.3) == math.log(5.0) - cost
    assert (np.diff(penalty(np.sort(drops.ravel()), 1.3)) >= 0).all()
    assert (paid[drops <= 1.3] == 0).all()


@pytest.mark.parametrize(
    ("gain", "drop", "allowed", "reward"),
    [(1.0, 0.0, 1.0, 0.0), (9.0, 2.5, 1.0, -0.25), (1.0, 2.5, 7.0, -0.25), (2.0, -1.0, 1.0, 0.1)],
)
def test_haq(gain, drop, allowed, reward):
    assert reward_function("haq")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


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
    assert reward_function("cim-aq")(gain, drop, allowed) == pytest.approx(reward, abs=1e-12)


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
