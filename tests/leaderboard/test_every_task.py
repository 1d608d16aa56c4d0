"""The published optimum of every registered task, from settings to a place on the board."""

import pytest

from lrmp.envs import TASKS, Record, evaluate_settings, load_task
from lrmp.envs.task.optimum import stored_optimum
from lrmp.leaderboard import Store, format_ranking, rank, submit, to_json


@pytest.mark.long
@pytest.mark.parametrize("task_id", TASKS)
def test_the_published_optimum_is_submitted_and_ranked(tmp_path, task_id):
    task, design = load_task(task_id), stored_optimum(task_id).design
    outcome = evaluate_settings(task, design.settings)
    record = Record.of(
        outcome, agent="ddpg", seed=1, evaluated_designs=600, env_steps=0, wall_time_s=0.1
    )
    file, store = tmp_path / "record.jsonl", tmp_path / "store.sqlite"
    file.write_text(record.to_line())
    submit(file, store)
    (entry,) = Store(store).entries(task_id)
    assert entry.record == record
    assert entry.claim == record.claim
    assert entry.lower_bound == outcome.report.cost(task.objective)
    (ranking,) = rank([entry])
    assert (ranking.task, ranking.is_current) == (task_id, True)
    # The published optimum gets no credit of its own.
    assert [(d.place, d.agent, d.known_as, d.gap) for d in ranking.designs] == [
        (1, "ddpg", 0, pytest.approx(0.0, abs=1e-9))
    ]
    text = format_ranking(to_json([ranking])["rankings"])
    assert f"{task_id}: 1 design" in text
    assert text.splitlines()[-1].split()[-1] == "optimum"
