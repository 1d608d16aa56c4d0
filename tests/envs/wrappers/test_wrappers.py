"""Wrappers of the bit choice, of the observation, and the recorder of designs."""

import dataclasses
import json
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env, data_equivalence

from lrmp.envs.wrappers import (
    BudgetProjection,
    CellWidthWeights,
    PinFirstLast,
    RecordDesigns,
    best_line,
)
from lrmp.errors import ActionError, InfeasibleBudgetError, RunError, TaskError
from lrmp.hardware.space.design import Design
from lrmp.leaderboard.replay import replay
from lrmp.leaderboard.submission import parse_record

ID = "LRMP-ResNet18-v0"  # cells of 1 bit
DISCRETE = pytest.mark.parametrize("discrete", [False, True], ids=["box", "discrete"])


def episode(env, actions):
    """Play an episode: requested and executed (weight, activation) bits, and the last info."""
    env.reset(seed=0)
    infos = [env.step(action)[4] for action in actions]
    names = ("weight_bits", "activation_bits")
    requested = [tuple(info[f"requested_{name}"] for name in names) for info in infos]
    executed = [tuple(info[name] for name in names) for info in infos]
    design = infos[-1]["design"]
    bits = zip(design["weight_bits"].tolist(), design["activation_bits"].tolist(), strict=True)
    assert list(bits) == executed
    return requested, executed, infos[-1]


def chosen(actions, discrete):
    """Return the bits that actions ask for, by another formula than the wrappers'."""
    bits = actions + 2 if discrete else 2 + np.floor(7 * actions.astype(np.float64)).astype(int)
    return [tuple(pair) for pair in bits.tolist()]


def tiles(task, weight_bits):
    """Count the tiles of one copy of every layer."""
    return task.cost_model.evaluate(Design.of({"weight_bits": weight_bits})).tiles


def chip_of(env, cell_bits):
    """Return the environment's task on a chip with other cells."""
    task = env.unwrapped.task
    chip = dataclasses.replace(task.accelerator, cell_bits=cell_bits)
    return dataclasses.replace(task, id="Cells", accelerator=chip)


@DISCRETE
@pytest.mark.parametrize("fraction", [0.3, 0.5, 1.0])
def test_budget_projection_lowers_weights_by_no_more_than_it_must(
    discrete, fraction, random_actions
):
    env = BudgetProjection(gym.make(ID, discrete=discrete), fraction)
    task = env.unwrapped.task
    limit = int(fraction * task.budget)
    for seed in range(3):
        actions = random_actions(env, seed)
        requested, executed, _ = episode(env, actions)
        assert requested == chosen(actions, discrete)
        weights = [w for w, _ in executed]
        assert tiles(task, weights) <= limit
        for layer, ((asked, asked_a), (got, got_a)) in enumerate(
            zip(requested, executed, strict=True)
        ):
            assert got_a == asked_a
            assert got <= asked
            if got < asked:  # one bit more, and the rest would not fit at 2 bits
                wider = [*weights[:layer], got + 1] + [2] * (len(weights) - layer - 1)
                assert tiles(task, wider) > limit
        if fraction == 1.0:
            assert executed == requested


def test_budget_projection_leaves_what_fits_alone(play):
    plain, wrapped = gym.make(ID), BudgetProjection(gym.make(ID), 0.5)
    actions = np.full((21, 2), 2.5 / 7)  # 4 bits: half the tiles
    expected = play(plain, actions)
    observed = play(wrapped, actions)
    for transition in observed[1:]:
        assert transition[4].pop("requested_weight_bits") == 4
        assert transition[4].pop("requested_activation_bits") == 4
    assert data_equivalence(observed, expected, exact=True)


@pytest.mark.parametrize("fraction", [0.0, 1.1, float("nan")])
def test_budget_projection_refuses_a_fraction_out_of_range(fraction):
    with pytest.raises(TaskError, match=r"Expected fraction of the budget above 0 and at most 1"):
        BudgetProjection(gym.make(ID), fraction)


def test_budget_projection_refuses_a_budget_for_less_than_the_fewest_bits():
    with pytest.raises(
        InfeasibleBudgetError,
        match=r"Expected a fraction with at least 402 tiles, .*; got 0\.2 of 1608, 321\.",
    ):
        BudgetProjection(gym.make(ID), 0.2)


@DISCRETE
def test_pinned_layers_get_their_bits_and_the_others_their_own(discrete, random_actions):
    env = PinFirstLast(gym.make(ID, discrete=discrete), weight_bits=7, activation_bits=6)
    actions = random_actions(env, 0)
    requested, executed, _ = episode(env, actions)
    assert requested == chosen(actions, discrete)
    assert executed == [(7, 6), *requested[1:-1], (7, 6)]


@pytest.mark.parametrize("bits", [{"weight_bits": 9}, {"activation_bits": 1}])
def test_pinning_refuses_bits_that_cannot_be_chosen(bits):
    (name, value), *_ = bits.items()
    with pytest.raises(
        TaskError,
        match=rf"Expected {name} of the pinned layers to be one of 2, .*, 8; got {value}\.",
    ):
        PinFirstLast(gym.make(ID), **bits)


@pytest.mark.parametrize(
    ("cell_bits", "widths"),
    [(1, (2, 3, 4, 5, 6, 7, 8)), (2, (2, 4, 6, 8)), (3, (3, 6)), (4, (4, 8))],
)
def test_cell_width_weights_are_multiples_chosen_by_equal_parts(cell_bits, widths):
    plain = gym.make("LRMP-ResNet50-v0")
    task = chip_of(plain, cell_bits)
    box = CellWidthWeights(gym.make(ID, task=task))
    grid = np.linspace(0.01, 0.99, len(task.network))
    requested, executed, _ = episode(box, np.stack([grid, grid], axis=1))
    expected = [widths[int(len(widths) * a)] for a in grid]
    assert [w for w, _ in executed] == expected
    assert {w for w, _ in executed} == set(widths)
    assert [a for _, a in executed] == [2 + int(7 * a) for a in grid]
    assert requested == executed

    discrete = CellWidthWeights(gym.make(ID, task=task, discrete=True))
    assert discrete.action_space == gym.spaces.MultiDiscrete([len(widths), 7])
    choices = [(i % len(widths), i % 7) for i in range(len(task.network))]
    _, executed, _ = episode(discrete, choices)
    assert executed == [(widths[w], 2 + a) for w, a in choices]


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
    assert tiles(task, info["design"]["weight_bits"]) <= env.tiles
    assert any(got < asked for (asked, _), (got, _) in zip(requested, executed, strict=True))


def test_pin_among_cell_widths_is_refused():
    task = chip_of(gym.make(ID), 3)
    with pytest.raises(TaskError, match=r"pinned layers to be one of 3, 6; got 8\."):
        PinFirstLast(CellWidthWeights(gym.make(ID, task=task)))


@DISCRETE
def test_bit_wrappers_refuse_what_is_no_action(discrete):
    env = PinFirstLast(gym.make(ID, discrete=discrete))
    env.reset()
    no_actions = [[1], None, [0, -1], [0, 7], [[0], [0, 1]], "ab"]
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


def test_every_finished_design_is_a_record_that_replays(tmp_path, play, random_actions):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID), path, agent="dice", seed=3)
    rewards = [play(env, random_actions(env, seed))[-1][1] for seed in range(3)]
    play(env, random_actions(env, 3)[:4])  # abandoned: its steps count, and nothing else
    env = RecordDesigns(gym.make(ID), path, agent="dice", seed=3)  # another process, later
    rewards.append(play(env, random_actions(env, 4))[-1][1])
    records = [parse_record(line) for line in path.read_text().splitlines()]
    assert [record.claim.reward for record in records] == rewards
    assert [record.evaluated_designs for record in records] == [1, 2, 3, 4]
    assert [record.env_steps for record in records] == [21, 42, 63, 84]
    assert [r.wall_time_s for r in records] == sorted(r.wall_time_s for r in records)
    best = parse_record(best_line(path))
    assert best.claim.reward == max(rewards)
    assert (best.agent, best.seed) == ("dice", 3)
    assert replay(best).claim == best.claim


def test_sub_environments_share_a_file(tmp_path):
    path = tmp_path / "designs.jsonl"
    spec = gym.make("lrmp:LRMP-MLP-v0").spec
    spec.additional_wrappers = (RecordDesigns.wrapper_spec(path=str(path)),)
    envs = gym.make_vec(spec, num_envs=3, vectorization_mode="async")
    try:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        for _ in range(3):
            envs.step(envs.action_space.sample())
    finally:
        envs.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["evaluated_designs"] for line in lines] == [1, 2, 3]
    assert lines[-1]["env_steps"] == 9


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_line_cut_off_by_a_crash_is_removed(tmp_path, cut, play, random_actions):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID), path)
    play(env, random_actions(env, 0))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    play(RecordDesigns(gym.make(ID), path), random_actions(env, 1))
    assert path.read_bytes().startswith(whole)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["evaluated_designs"] for line in lines] == [1, 2]


def test_recorder_refuses_other_runs_and_other_files(tmp_path, play, random_actions):
    path = tmp_path / "designs.jsonl"
    env = RecordDesigns(gym.make(ID), path)
    play(env, random_actions(env, 0))
    with pytest.raises(RunError, match=r"Expected designs of .*'seed': 1.*got some of .*'seed': 0"):
        RecordDesigns(gym.make(ID), path, seed=1)
    with pytest.raises(RunError, match=r"Expected designs of .*ResNet34.*Choose another file"):
        RecordDesigns(gym.make("LRMP-ResNet34-Predicted-v0"), path)
    for content in ("notes", "notes\n", '{"a": 1}\n'):
        path.write_text(content)
        with pytest.raises(RunError, match=r"got other content\. Choose another file\."):
            RecordDesigns(gym.make(ID), path)
        assert path.read_text() == content
    with pytest.raises(RunError, match=r"Expected to write designs to .*No such file"):
        RecordDesigns(gym.make(ID), tmp_path / "nowhere" / "designs.jsonl")
    with pytest.raises(RunError, match=r"Expected recorded designs in .*nowhere"):
        best_line(tmp_path / "nowhere")


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
