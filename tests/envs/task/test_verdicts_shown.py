"""A table that does not hold on optimised designs says so wherever its tasks are shown."""

import dataclasses
import json
from importlib import import_module

import gymnasium as gym
import numpy as np
import pytest

from lrmp.accuracy import TableAccuracy
from lrmp.accuracy.model.table_verdict import PREDICTED, UNJUDGED, TableVerdict
from lrmp.cli.main import main
from lrmp.cli.outcome_text import print_outcome
from lrmp.envs import evaluate, load_task, make_task
from lrmp.envs.forms.multi_agent import MultiAgentEnv
from lrmp.envs.task.task_definition import task_document, task_of_document
from lrmp.leaderboard import format_ranking, to_json
from lrmp.leaderboard.log import rank as log_rank
from lrmp.leaderboard.ranked_tasks import RankedTask

HOLDS, MISSED = TableVerdict(()), TableVerdict(("divergence off", "test drop off"))
FORMS = ("LRMP-Custom-v0", "LRMP-Custom-OneShot-v0", "LRMP-Custom-Refine-v0")


@pytest.fixture
def task_with():
    def make(verdict):
        drops = np.linspace(0.6, 0.0, 7) * np.ones((4, 1))
        table = TableAccuracy(
            {"weight_bits": drops, "activation_bits": drops},
            "by hand",
            is_estimate=False,
            verdict=verdict,
        )
        return make_task("lenet", accuracy=table)

    return make


def test_a_task_knows_whether_its_drops_hold(task_with, own_model):
    held, missed = task_with(HOLDS), task_with(MISSED)
    assert (held.accuracy_holds, held.accuracy_misses) == (True, ())
    assert (missed.accuracy_holds, missed.accuracy_misses) == (False, MISSED.misses)
    assert held.fingerprint == missed.fingerprint
    digits = load_task("LRMP-Digits-v0")  # the network itself is run
    assert (digits.accuracy_holds, digits.accuracy_misses) == (True, ())
    own = make_task("lenet", accuracy=own_model())
    assert (own.accuracy_holds, own.accuracy_misses) == (False, UNJUDGED.misses)
    by_hand = TableAccuracy(held.accuracy.terms, "by hand", is_estimate=True)
    assert make_task("lenet", accuracy=by_hand).accuracy_misses == UNJUDGED.misses


@pytest.mark.parametrize("verdict", [HOLDS, MISSED])
def test_a_verdict_travels_with_the_definition_of_a_task(task_with, verdict):
    task = task_with(verdict)
    again = task_of_document(json.loads(json.dumps(task_document(task))))
    assert again.accuracy.verdict == verdict
    assert task.to_json()["accuracy_holds"] is again.to_json()["accuracy_holds"] is verdict.holds
    assert task.to_json()["accuracy_misses"] == list(verdict.misses)


@pytest.mark.parametrize("verdict", [HOLDS, MISSED])
@pytest.mark.parametrize("form", FORMS)
def test_infos_say_from_the_start_whether_drops_hold(task_with, form, verdict):
    env = gym.make(form, task=task_with(verdict))
    env.action_space.seed(0)
    _, info = env.reset(seed=0)
    _, _, _, _, later = env.step(env.action_space.sample())
    for each in (info, later):
        assert each["accuracy_holds"].dtype == bool
        assert each["accuracy_holds"].shape == ()
        assert each["accuracy_holds"] == verdict.holds


@pytest.mark.parametrize("verdict", [HOLDS, MISSED])
@pytest.mark.parametrize("form", FORMS)
def test_infos_of_many_environments_say_the_same(task_with, form, verdict):
    envs = gym.make_vec(form, 3, vectorization_mode="vector_entry_point", task=task_with(verdict))
    envs.action_space.seed(0)
    _, info = envs.reset(seed=0)
    _, _, _, _, later = envs.step(envs.action_space.sample())
    for each in (info, later):
        assert each["accuracy_holds"].tolist() == [verdict.holds] * 3


def test_agents_of_layers_are_told(task_with):
    for verdict in (HOLDS, MISSED):
        _, infos = MultiAgentEnv(task_with(verdict)).reset(seed=0)
        assert {bool(info["accuracy_holds"]) for info in infos.values()} == {verdict.holds}


def test_a_design_is_printed_with_the_verdict(task_with, capsys):
    print_outcome(evaluate(task_with(HOLDS), weight_bits=8))
    assert "\n  table           holds on optimised designs\n" in capsys.readouterr().out
    missed = evaluate(task_with(MISSED), weight_bits=8)
    print_outcome(missed)
    words = "not found to hold on optimised designs: divergence off; test drop off"
    assert f"\n  table           {words}\n" in capsys.readouterr().out
    assert missed.to_json()["accuracy_holds"] is False
    print_outcome(evaluate("LRMP-Digits-v0", weight_bits=8))
    assert "optimised designs" not in capsys.readouterr().out


def test_environments_are_listed_with_their_verdicts(task_with, monkeypatch, capsys):
    tasks = {
        name: dataclasses.replace(task_with(verdict), id=name)
        for name, verdict in (("LRMP-Held-v0", HOLDS), ("LRMP-Missed-v0", MISSED))
    }
    command_line = import_module("lrmp.cli.main")
    monkeypatch.setattr(command_line, "TASKS", tasks)
    monkeypatch.setattr(command_line, "load_task", tasks.__getitem__)
    assert main(["envs"]) == 0
    header, held, missed, _, note = capsys.readouterr().out.splitlines()
    assert header.split()[-2:] == ["accuracy", "holds"]
    assert header.index("holds") == held.index("yes") == missed.rindex("no")
    assert note == ("lenet: not found to hold on optimised designs: divergence off; test drop off")
    assert main(["envs", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["accuracy_holds"], len(row["accuracy_misses"])) for row in rows] == [
        (True, 0),
        (False, 2),
    ]


def test_rankings_by_a_table_that_misses_say_so(task_with, monkeypatch):
    task = dataclasses.replace(task_with(MISSED), id="LRMP-Missed-v0")
    today = RankedTask(task)
    monkeypatch.setattr(log_rank, "ranked_task", {task.id: today}.__getitem__)
    monkeypatch.setattr(log_rank, "reference_of", lambda task_id, fingerprint: None)
    with log_rank.Database.in_memory().write() as session:
        log_rank.Base.metadata.create_all(session.connection())
        ranking = log_rank.rank_designs(session, task.id, task.fingerprint, 0)
        earlier = log_rank.rank_designs(session, task.id, "0" * 64, 0)
    title = "LRMP-Missed-v0: 0 designs"
    (document,) = to_json([ranking])["rankings"]
    assert document["accuracy_misses"] == ["divergence off", "test drop off"]
    assert (
        f"{title}, by a table not found to hold on optimised designs: divergence off; test drop off"
    ) in format_ranking([document])
    held = document | {"accuracy_misses": []}
    assert f"{title}\n" in format_ranking([held])
    (document,) = to_json([earlier])["rankings"]
    assert document["accuracy_misses"] is None
    assert "optimised designs" not in format_ranking([document])


@pytest.mark.parametrize(
    "task_id", ["LRMP-ResNet34-Predicted-v0", "LRMP-ResNet101-Predicted-Throughput-v0"]
)
def test_predicted_tables_never_hold(task_id):
    assert load_task(task_id).accuracy_misses == PREDICTED.misses
