"""What all wrappers of the choice share, and wrappers in each other."""

import dataclasses
import pickle

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs.wrappers import (
    BudgetProjection,
    CellWidthWeights,
    PinFirstLast,
    RecordDesigns,
)
from lrmp.errors import ActionError, TaskError
from lrmp.hardware.space.design import Design

ID = "LRMP-ResNet18-v0"  # cells of 1 bit

DISCRETE = pytest.mark.parametrize(
    "discrete", [False, True, "flat"], ids=["box", "discrete", "flat"]
)


def episode(env, actions):
    """Play an episode: requested and executed (weight, activation) bits, and the last info."""
    env.reset(seed=0)
    infos = [env.step(action)[4] for action in actions]
    names = ("weight_bits", "activation_bits")
    requested = [tuple(info[f"requested_{name}"] for name in names) for info in infos]
    executed = [tuple(info[name] for name in names) for info in infos]
    design = env.unwrapped.outcome.design
    bits = zip(design["weight_bits"].tolist(), design["activation_bits"].tolist(), strict=True)
    assert list(bits) == executed
    return requested, executed, infos[-1]


def tiles(task, weight_bits):
    """Count the tiles of one copy of every layer."""
    return task.cost_model.evaluate(Design.of({"weight_bits": weight_bits})).tiles


def chip_of(env, cell_bits):
    """Return the environment's task on a chip with other cells."""
    task = env.unwrapped.task
    chip = dataclasses.replace(task.accelerator, cell_bits=cell_bits)
    return dataclasses.replace(task, id="Cells", accelerator=chip)


@DISCRETE
def test_stacked_wrappers_agree(discrete, random_actions):
    task = chip_of(gym.make(ID), 2)
    inner = PinFirstLast(CellWidthWeights(gym.make(ID, task=task, discrete=discrete)))
    env = BudgetProjection(inner, 0.2)  # four cells at 8 bits: 804 tiles of 1608
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(21)]
    requested, executed, info = episode(env, actions)
    assert executed[0] == executed[-1] == (8, 8)
    assert requested[0] != (8, 8)
    assert {w for w, _ in executed} <= {2, 4, 6, 8}
    assert tiles(task, info["design_weight_bits"]) <= env.tiles
    assert any(got < asked for (asked, _), (got, _) in zip(requested, executed, strict=True))


@DISCRETE
def test_bit_wrappers_refuse_what_is_no_action(discrete):
    env = PinFirstLast(gym.make(ID, discrete=discrete))
    env.reset()
    no_actions = [[1], None, [0, -2], [0, 49], [[0], [0, 1]], "ab"]
    for action in [*no_actions, [0.5, 0.5] if discrete else [0.5, float("nan")]]:
        with pytest.raises(ActionError, match=r"^Expected an action in .*, got "):
            env.step(action)
    assert env.step(env.action_space.sample())[4]["weight_bits"] == 8  # still the first layer


def test_bit_wrappers_need_a_reset_and_survive_pickle(random_actions):
    env = BudgetProjection(gym.make(ID), 0.3)
    actions = random_actions(env, 0)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(actions[0])
    env.reset()
    for action in actions[:10]:
        env.step(action)
    clone = pickle.loads(pickle.dumps(env))
    rest = [env.step(action) for action in actions[10:]]
    assert data_equivalence([clone.step(action) for action in actions[10:]], rest, exact=True)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(actions[0])


@pytest.mark.parametrize("wrapper", [BudgetProjection, PinFirstLast, CellWidthWeights])
def test_bit_wrappers_refuse_other_environments(wrapper):
    with pytest.raises(
        TaskError, match=rf"Expected a layer-wise environment for {wrapper.__name__}"
    ):
        wrapper(gym.make("CartPole-v1"))


@DISCRETE
@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")  # that is the point
@pytest.mark.parametrize("wrap", [BudgetProjection, PinFirstLast, CellWidthWeights])
def test_check_env_finds_nothing_in_wrapped_environments(wrap, discrete):
    check_env(wrap(gym.make(ID, discrete=discrete).unwrapped), skip_render_check=True)


def test_wrappers_travel_in_the_spec(tmp_path, play, random_actions):
    wrappers = (
        PinFirstLast.wrapper_spec(weight_bits=6),
        BudgetProjection.wrapper_spec(fraction=0.4),
        CellWidthWeights.wrapper_spec(),
        RecordDesigns.wrapper_spec(path=str(tmp_path / "designs.jsonl")),
    )
    spec = gym.make(ID, discrete=True).spec
    spec.additional_wrappers = wrappers
    env = gym.make(spec)
    copy = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert copy.spec == env.spec
    assert str(copy) == str(env)
    actions = random_actions(env, 0)
    expected = play(env, actions)
    assert data_equivalence(play(copy, actions), expected, exact=True)
    assert expected[1][4]["weight_bits"] == 6
    assert len((tmp_path / "designs.jsonl").read_text().splitlines()) == 2
