"""Tasks with knobs of their own: what is drawn, how it is shown, and what actions mean."""

import doctest
import hashlib
from itertools import product

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import lrmp.envs.procedural.spaces_environment
from lrmp.accuracy.model.table import TableAccuracy
from lrmp.envs import evaluate_settings, load_task, make_task
from lrmp.envs.procedural.certificates import find_certificate
from lrmp.envs.procedural.evaluation import evaluate_algorithm, evaluate_policy
from lrmp.envs.procedural.fit_columns import describe_columns
from lrmp.envs.procedural.generator import draw_task, split_of
from lrmp.envs.procedural.published_split import (
    InstanceOptimum,
    published_optima,
    short_fingerprint,
)
from lrmp.envs.procedural.sensitivities import column_distributions
from lrmp.envs.procedural.slots import MOST_KNOBS, MOST_SETTINGS, MOST_VALUES
from lrmp.envs.procedural.space_generator import is_test_space
from lrmp.envs.procedural.value_features import VALUE_FEATURES, value_features
from lrmp.envs.scoring.table_optimum import table_optimum
from lrmp.errors import ActionError, TaskError
from lrmp.hardware import Design, DesignSpace, Knob
from lrmp.hardware.space.precision import PRECISION

LAYERWISE, ONE_SHOT = "LRMP-Procedural-Spaces-v0", "LRMP-Procedural-Spaces-OneShot-v0"
IDS = pytest.mark.parametrize("env_id", [LAYERWISE, ONE_SHOT])
FAMILIES = ("LRMP-LeNet-ADC-v0", "LRMP-MLP-Circulant-v0", "LRMP-LeNet-Noise-v0", "LRMP-LeNet-v0")
PINNED = "2f77233a92bacfa4ecf65fdc83b735e1f4777a3c8d15042c731e63d59d3f6366"


@pytest.fixture(scope="module")
def drawn():
    return [draw_task("train", number, draws="spaces") for number in range(60)]


def test_some_knobs_are_present_and_some_are_not(drawn):
    seen = {task.space.names for task in drawn}
    assert len(seen) > 8
    assert {len(names) for names in seen} == {1, 2, 3}
    for task in drawn:
        assert task.id.startswith("LRMP-Procedural-Spaces-train-")
        assert np.prod(task.space.sizes) >= 6
        assert task.accuracy.drop(Design.plain(len(task.network), task.space)) <= task.allowed_drop
        assert task.cost_model.baseline.tiles <= task.budget
        task.cost_model.energy  # noqa: B018  the chip honours every knob
    pins = [bool(task.space.allowed) for task in drawn]
    assert 5 < sum(pins) < 30


def test_splits_have_neither_topology_nor_space_in_common(drawn):
    tests = [draw_task("test", number, draws="spaces") for number in range(25)]
    for task in tests:
        assert split_of(task.network) == "test"
        assert is_test_space(task.space)
    assert not any(is_test_space(task.space) for task in drawn)
    both = ({str(DesignSpace(t.space.knobs).to_json()) for t in each} for each in (drawn, tests))
    assert not set.intersection(*both)


def test_drawn_spaces_are_pinned(drawn):
    """A change here changes what agents train on: it needs a new -vN."""
    digest = hashlib.sha256("".join(task.fingerprint for task in drawn[:10]).encode())
    assert digest.hexdigest() == PINNED


def test_tables_never_grow_and_what_prunes_nothing_harms_nothing(drawn):
    for task in drawn:
        for knob in task.space:
            table = task.accuracy.terms[knob.name,]
            assert (np.diff(table, axis=1) <= 0).all()
        if "column_nonzeros" in task.space.names:
            assert not task.accuracy.terms["column_nonzeros",][:, -1].any()


def test_numbers_of_columns_come_out_of_a_table_again():
    halvings = np.arange(5, -1, -1)
    levels = np.array([-2.0, -1.5, -1.0])
    logs = levels[:, None] + 0.5 * (halvings - 2)

    class Table:
        layers, exponent, space = ("a", "b", "c"), 2.0, load_task(FAMILIES[0]).space
        terms = {("column_nonzeros",): 10 ** (logs / 2.0)}  # noqa: RUF012

    found = describe_columns(Table())
    assert found["column_level"] == pytest.approx(-1.5)
    assert found["column_trend"] == pytest.approx(1.0)
    assert found["column_slope"] == pytest.approx(0.5)
    for key in ("spread", "slope_spread", "noise"):
        assert found[f"column_{key}"] == pytest.approx(0, abs=1e-9)
    assert {*found} == {*column_distributions()}


def test_values_are_described_by_hand():
    task = load_task("LRMP-LeNet-ADC-v0")
    features, possible = value_features(task)
    assert features.shape == (4, MOST_KNOBS, MOST_VALUES, len(VALUE_FEATURES))
    assert possible.sum(axis=(0, 2)).tolist() == [28, 28, 24, 0]
    layer, bits = 2, PRECISION["weight_bits"].values.index(4)
    table = task.accuracy.terms["weight_bits",][layer]
    harm = np.log10((table[bits] - table[-1]) / task.allowance.limit)
    rows = []
    for value in (4, 8):
        design = Design.of({"weight_bits": [8, 8, value, 8]}, layers=4, space=task.space)
        report = task.cost_model.evaluate(design)
        base = report.component_energy_fj[:8, layer].sum()
        rows.append((report.layer_tiles[layer], report.layer_cycles[layer], base))
    four, plain = rows
    expected = [
        bits / 6,
        0.0,
        *(0.5 + np.log2(four[i] / plain[i]) / 8 for i in (0, 1)),
    ]
    assert features[layer, 0, bits, :4] == pytest.approx(expected, abs=1e-6)
    assert 0 < features[layer, 0, bits, 4] < 0.5  # fewer slices are fewer conversions
    assert features[layer, 0, bits, 5:] == pytest.approx([(harm + 5) / 8, 0.0], abs=1e-6)
    assert features[layer, 0, 6].tolist() == [1, 1, 0.5, 0.5, 0.5, 0, 0]


def test_a_value_above_the_plain_one_takes_off(own_task):
    features, _ = value_features(own_task)
    reads = own_task.space.place("reads")
    assert features[0, reads, 0, 1] == 1  # one read is plain
    assert not features[0, reads, 2, 5]
    assert features[0, reads, 2, 6] > 0
    assert features[0, reads, 2, 3] > 0.5  # and takes its time


@IDS
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_check_env_finds_nothing(env_id, discrete):
    check_env(gym.make(env_id, discrete=discrete).unwrapped, skip_render_check=bool(discrete))


@pytest.mark.parametrize("discrete", [False, True, "flat"])
@pytest.mark.parametrize("number", range(len(FAMILIES)))
def test_an_action_means_in_slots_what_it_means_in_the_task(number, discrete):
    """Played with the same settings, the episode ends as that of the task's own environment."""
    task = load_task(FAMILIES[number])
    settings = task.space.sample(np.random.default_rng(number), len(task.network))
    env = gym.make(LAYERWISE, tasks=FAMILIES, discrete=discrete).unwrapped
    env.reset(options={"instance": number})
    total = 0.0
    for place in settings:
        action = np.zeros(4)
        action[: len(place)] = place
        if discrete == "flat":
            action = np.ravel_multi_index(place, task.space.sizes)
        elif discrete:
            action = action.astype(int)
        else:
            action[: len(place)] = (2 * place + 1) / np.array(task.space.sizes) - 1
        _, reward, _, _, info = env.step(np.asarray(action))
        total += reward
    outcome = evaluate_settings(task, settings)
    assert total == pytest.approx(outcome.reward())
    assert env.outcome.design.settings.tolist() == settings.tolist()
    for slot, knob in enumerate(task.space):
        numbers = task.space.numbers(settings)[knob.name]
        assert info[f"design_knob_{slot + 1}"][: len(settings)].tolist() == numbers.tolist()
    assert not any(
        info[f"design_knob_{slot + 1}"].any() for slot in range(len(task.space), MOST_KNOBS)
    )
    # One action of all layers says the same.
    one_shot = gym.make(ONE_SHOT, tasks=FAMILIES, discrete=True).unwrapped
    one_shot.reset(options={"instance": number})
    whole = np.full((128, 4), 11)
    whole[: len(settings), : len(task.space)] = settings
    assert one_shot.step(whole.ravel())[1] == pytest.approx(outcome.reward())


def test_what_is_behind_the_last_value_counts_as_the_last():
    env = gym.make(LAYERWISE, tasks=["LRMP-LeNet-v0"], discrete=True).unwrapped
    flat = gym.make(LAYERWISE, tasks=["LRMP-LeNet-v0"], discrete="flat").unwrapped
    for each, action in ((env, [11, 2, 5, 9]), (flat, 1000)):
        each.reset()
        info = each.step(np.array(action))[4]
        assert info["knob_1"] == 8
        assert info["knob_2"] == (4 if each is env else 8)
        assert info["knob_3"] == info["knob_4"] == 0


def test_masks_say_what_a_layer_may_have(drawn):
    number = next(n for n, task in enumerate(drawn) if task.space.allowed)
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    observation, info = env.reset(options={"instance": number})
    sizes = drawn[number].space.sizes
    possible = observation["value_mask"]
    assert possible.sum(axis=1).tolist() == [1] * len(sizes) + [0] * (4 - len(sizes))
    expected = possible.copy()
    expected[len(sizes) :, 0] = 1  # something has to be
    assert info["action_mask"].tolist() == expected.ravel().tolist()
    observation, info = env.step(np.zeros(4, int))[::4]
    assert observation["value_mask"].sum(axis=1)[: len(sizes)].tolist() == list(sizes)
    assert env.action_masks().sum() == sum(sizes) + 4 - len(sizes)


@IDS
@pytest.mark.parametrize("discrete", [False, True, "flat"])
def test_infos_look_alike_whatever_the_knobs(env_id, discrete):
    env = gym.make(env_id, discrete=discrete).unwrapped
    looks, knobs = set(), set()
    for number in range(3):
        info, ended = env.reset(options={"instance": number})[1], False
        while not ended:
            looks.add(tuple((key, np.shape(info[key]), info[key].dtype) for key in sorted(info)))
            assert np.array_equal(env.action_masks(), info["action_mask"])
            _, _, ended, _, info = env.step(env.action_space.sample())
        looks.add(tuple((key, np.shape(info[key]), info[key].dtype) for key in sorted(info)))
        knobs.add(env.task.space.names)
    assert len(knobs) > 1
    assert len(looks) == 1


def test_wrong_actions_are_refused_as_those_of_the_environment():
    env = gym.make(LAYERWISE, discrete=True).unwrapped
    env.reset(seed=0)
    for wrong in ([0, 0, 0, 12], [0, 0], [0.5] * 4, [[0], [0, 0]]):
        with pytest.raises(ActionError, match=r"Expected an action in MultiDiscrete\(\[12 12"):
            env.step(wrong)
    one_shot = gym.make(ONE_SHOT).unwrapped
    one_shot.reset(seed=0)
    wild = np.full(512, 2.0, np.float32)
    with pytest.raises(ActionError, match=r"Expected an action in Box"):
        one_shot.step(wild)
    wild[: 4 * len(one_shot.task.network)] = 0.1
    one_shot.step(wild)  # what is behind the last layer is not looked at


def test_tasks_that_do_not_fit_the_slots_are_refused():
    network = load_task("LRMP-LeNet-v0").network

    def task_of(*counts):
        knobs = [Knob(f"k{i}", tuple(range(n)), plain=0) for i, n in enumerate(counts)]
        space = DesignSpace(knobs)
        terms = {knob.name: np.zeros((4, len(knob))) for knob in knobs}
        table = TableAccuracy(terms, "made up", is_estimate=True, space=space)
        return make_task(network, accuracy=table, space=space)

    for counts, message in (
        ((2,) * 5, f"at most {MOST_KNOBS} knobs, got .* with 5"),
        ((13,), f"at most {MOST_VALUES} values of a knob, got .* with 13"),
        ((11, 11, 11), f"at most {MOST_SETTINGS} settings of a layer, got .* with 1331"),
    ):
        with pytest.raises(TaskError, match=message):
            gym.make(LAYERWISE, tasks=[task_of(*counts)])


def test_splits_and_draws_are_checked():
    with pytest.raises(TaskError, match="Expected draws to be one of precision, spaces; got 'all'"):
        draw_task("train", 0, draws="all")


@pytest.mark.parametrize("objective", ["latency", "throughput", "energy"])
def test_published_optima_are_those_of_the_first_test_instances(objective):
    optima = published_optima(objective, "spaces")
    numbers = [found.instance for found in optima.values()]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= LEAST_PUBLISHED
    for found in optima.values():
        assert 0 <= found.constant_value <= found.value <= found.bound
        assert found.gap < 1e-6
    for number in (0, 7):
        task = draw_task("test", number, objective, "spaces")
        published = optima[task.id]
        assert published.fingerprint == short_fingerprint(task)
        assert InstanceOptimum.of(number, task, table_optimum(task)) == published
        assert find_certificate(task, "known") == published


LEAST_PUBLISHED = 100


@IDS
def test_policies_are_evaluated_on_the_split(env_id):
    env = gym.make(env_id, split="test", discrete=True)
    assert env.reset(options={"instance": 3})[1]["optimum_known"]
    action = np.full(env.action_space.shape, 11)  # all plain
    found = evaluate_policy(lambda observation: action, env, instances=3)
    plain = evaluate_algorithm(
        lambda task: task.space.plain_settings(len(task.network)), instances=3, draws="spaces"
    )
    assert found == plain


@IDS
def test_what_is_seen_is_described(env_id):
    env = gym.make(env_id).unwrapped
    tables = env.describe_observation()
    for key, table in tables.items():
        assert env.observation_space[key].shape[-1] == len(table), key
    documented = [
        line.strip().strip("|").split(" | ")
        for line in lrmp.envs.procedural.spaces_environment.ProceduralSpacesEnv.__doc__.splitlines()
    ]
    rows = [tuple(cell.strip() for cell in row) for row in documented if len(row) == 4]
    expected = [(str(e.number), e.name, e.meaning, e.normalisation) for e in tables["values"]]
    assert [row for row in rows if row[0].isdigit()] == expected


@IDS
@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_pictures_show_the_task_of_the_episode(env_id, mode):
    env = gym.make(env_id, render_mode=mode)
    frames = []
    for number in range(2):
        env.reset(options={"instance": number})
        env.step(env.action_space.sample())
        frames.append(env.render())
    if mode == "ansi":
        assert frames[1].startswith("LRMP-Procedural-Spaces-train-1: ")
    else:
        assert {frame.shape for frame in frames} == {(1140, 1600, 3)}
        assert (frames[0] != frames[1]).any()


def test_every_pair_of_kinds_of_knobs_is_drawn():
    drawn = {draw_task("train", n, draws="spaces").space.names for n in range(150)}
    for weights, inputs in product(
        ("weight_bits", "mean_weight_bits"), ("activation_bits", "alignment_bits")
    ):
        assert any(weights in names and inputs in names for names in drawn)


def test_docstring_examples():
    found = doctest.testmod(lrmp.envs.procedural.spaces_environment)
    assert found.attempted > 0
    assert found.failed == 0
