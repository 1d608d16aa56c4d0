"""Clients of docs/clients.md: each beats the best constant setting."""

import csv
from pathlib import Path
from statistics import median

import pytest

pytest.importorskip("torch", reason="clients need it")

from lrmp.baselines.clients.measure import (
    Client,
    format_measurements,
    main,
    measure,
    play,
    read_clients,
    read_measurements,
)
from lrmp.envs import load_task
from lrmp.envs.forms.layerwise import LayerwiseEnv
from lrmp.envs.scoring.best_constant import best_constant
from lrmp.errors import RunError

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="the page lies in the repository")

CLIENTS = read_clients(PAGE) if PAGE.exists() else []


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Where clients leave what they leave."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


def trained(client, seed):
    if not client.installed:
        pytest.skip(f"{client.package} is not installed")
    return measure(client, seed)


# What libraries deprecate, or leave to the garbage collector, is theirs.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_client_beats_the_best_constant(client):
    run = trained(client, seed=1)
    assert run.policy_return > best_constant(run.task).value + 0.01


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_median_of_seeds_beats_the_best_constant(client):
    runs = [trained(client, seed) for seed in (1, 2, 3)]
    floor = best_constant(runs[0].task).value + 0.01
    assert median(run.policy_return for run in runs) > floor


def test_page_has_every_library():
    libraries = {client.package for client in CLIENTS}
    assert {"cleanrl", "ray", "stable-baselines3", "supersuit", "torchrl"} <= libraries
    assert len({client.name for client in CLIENTS}) == len(CLIENTS)


def test_best_constant_is_what_the_environment_pays():
    task = load_task("LRMP-LeNet-v0")
    env = LayerwiseEnv(task, discrete=True)
    returns = {}
    for setting in task.space.settings:
        returns[tuple(setting)] = play(env, lambda *_, action=setting: action)
        if env.outcome.score is None:
            del returns[tuple(setting)]
    assert best_constant(task).value == pytest.approx(max(returns.values()), abs=1e-12)


WEAK = """\
## numpy

### a constant

```python
import gymnasium
import numpy


def make():
    return gymnasium.make("lrmp:LRMP-LeNet-v0", discrete=True)


def train(seed, episodes=7):
    return lambda observation, info: numpy.array([seed, 6])
```

## gymnasium

### a command that fails

```sh
python -m gymnasium --env-id lrmp:LRMP-LeNet-v0 --seed 1
```
"""


def test_runs_are_stored_once_and_shown(tmp_path, monkeypatch, capsys):
    page, out = tmp_path / "page.md", tmp_path / "new" / "clients.csv"
    page.write_text(WEAK)
    words = ["measure", str(page), "--out", str(out), "--seeds", "2", "--only", "numpy"]
    monkeypatch.setattr("sys.argv", words)
    main()
    first = out.read_bytes()
    main()
    assert out.read_bytes() == first
    assert len(capsys.readouterr().out.splitlines()) == 2
    rows = read_measurements(out)
    assert [(row.client, row.seed, row.episodes) for row in rows] == [
        ("numpy a constant", 1, 7),
        ("numpy a constant", 2, 7),
    ]
    (_, _, line) = format_measurements(out)
    assert line.startswith("| numpy a constant |")
    assert "| `LRMP-LeNet-v0` |" in line
    with out.open() as stored:
        constant = best_constant(load_task("LRMP-LeNet-v0"))
        assert float(next(csv.DictReader(stored))["policy_return"]) < constant.value


def test_command_that_fails_is_told(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(WEAK)
    (_, client) = read_clients(page)
    assert isinstance(client, Client)
    with pytest.raises(RunError, match="Expected returns from gymnasium a command that fails, got"):
        measure(client, seed=1)
