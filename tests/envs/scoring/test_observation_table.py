"""The tables of observations in the docstrings are those that the knobs give."""

import re

import gymnasium as gym
import pytest

from lrmp.envs import LayerwiseEnv, OneShotEnv, RefineEnv, load_task
from lrmp.envs.procedural.environment import ProceduralEnv, ProceduralOneShotEnv
from lrmp.envs.scoring.observation import TOTALS, layer_feature_names, running_features
from lrmp.envs.scoring.observation_table import describe_elements
from lrmp.envs.task.environment_id import FORMS, environment_id
from lrmp.hardware.space.precision import PRECISION

TASK = load_task("LRMP-LeNet-v0")
LAYERS = len(TASK.network)


def documented(form, head="Observation"):
    """Read the rows of a table in a docstring."""
    table = form.__doc__.partition(f"| Num | {head} | Meaning | Normalisation |")[2]
    rows = []
    for line in table.splitlines()[2:]:
        if not line.strip():
            break
        rows.append(tuple(cell.strip() for cell in line.strip(" |").split("|")))
    return rows


def rows_of(table):
    """Return the rows of a table as its text has them."""
    lines = str(table).splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip(" |").split("|")) for line in lines]


def of_designs(table):
    """Write the rows of a design's elements in terms of L layers, as the docstrings do."""
    knobs, rows = len(PRECISION), rows_of(table)
    totals = rows[knobs * LAYERS :]
    found = []
    for number, name, meaning, scale in rows[:knobs]:
        layer = "2 l" if number == "0" else f"2 l + {number}"
        shown = re.sub(r"layer 0, .*", "layer l", meaning)
        found.append((layer, re.sub("0$", "l", name), shown, scale))
    for place, (_, *words) in enumerate(totals):
        found.append((f"2 L + {place}" if place else "2 L", *words))
    return found


def test_layerwise():
    names = (*layer_feature_names(PRECISION), *running_features(PRECISION))
    assert documented(LayerwiseEnv) == rows_of(describe_elements(PRECISION, names))
    assert len(names) == 14 + 2 * len(PRECISION)


@pytest.mark.parametrize("form", [OneShotEnv, RefineEnv])
def test_forms_that_show_designs(form):
    table = form(TASK).describe_observation()
    assert [element.name for element in table] == list(form(TASK).feature_names)
    assert documented(form) == of_designs(table)
    _, _, *layers = (element.meaning for element in table)
    assert layers[0] == f"weight_bits of layer 1, {TASK.network.layers[1].name}"


def test_agents():
    pytest.importorskip("pettingzoo")
    from lrmp.envs.forms.multi_agent import MultiAgentEnv, parallel_env

    env = parallel_env(TASK)
    shown = env.describe_observation()
    layer = len(env.feature_names) - len(PRECISION) - len(TOTALS) - 1
    first, *rows = documented(MultiAgentEnv)
    assert first[0] == "0 .. n - 1"
    expected = rows_of(shown)[layer:]
    for place, (row, (_, *words)) in enumerate(zip(rows, expected, strict=True)):
        assert row == (f"n + {place}" if place else "n", *words)
    state = of_designs(env.describe_state())
    rows = documented(MultiAgentEnv, "State")
    assert rows[2] == ("2 L .. 2 L + 3", "the totals", "as above", "as above")
    assert [*rows[:2], *rows[3:]] == [*state[:2], state[-1]]
    assert [element.name for element in env.describe_state()] == list(env.state_feature_names)


def test_drawn_tasks():
    env = ProceduralEnv()
    tables = env.describe_observation()
    assert documented(ProceduralEnv) == rows_of(tables["layers"])
    assert tables["current"] == tables["layers"]
    assert [e.name for e in tables["running"]] == list(running_features(PRECISION))
    assert [e.name for e in ProceduralOneShotEnv().describe_observation()["totals"]] == [*TOTALS]
    for key, table in tables.items():
        assert env.observation_space[key].shape[-1] == len(table)


@pytest.mark.parametrize("form", FORMS)
def test_vectors_describe_what_their_episodes_do(form):
    env_id = environment_id(TASK.id, form)
    scalar, vector = gym.make(env_id).unwrapped, gym.make_vec(env_id, 2).unwrapped
    assert vector.describe_observation() == scalar.describe_observation()
    assert vector.single_observation_space.shape == (len(vector.describe_observation()),)


def own(task):
    return range(len(task.network))


def test_only_what_is_shown_is_described_and_in_its_order():
    env = gym.make(TASK.id, features=("tiles", own, "depth")).unwrapped
    table = env.describe_observation()
    assert [(element.number, element.name) for element in table] == [
        (0, "tiles"),
        (1, "own"),
        (2, "depth"),
    ]
    assert table.elements[1].meaning == "a feature of your own"
    assert str(table).splitlines()[3] == "| 1 | own | a feature of your own | min-max |"
    assert "kernel_size" not in {e.name for e in gym.make("LRMP-MLP-v0").unwrapped.describe_observation()}  # fmt: skip  # noqa: E501
