import numpy as np
import pytest

from lrmp.baselines.running.design_tally import episode_score
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.hardware.space.design import Design


@pytest.fixture
def best_of_run():
    """Check that a run's record is its best design, and return its outcome."""

    def check(run, task):
        task, record = find_task(task), run.record()
        outcome = evaluate_settings(task, Design.from_json(record["design"], task.space).settings)
        assert record["claim"]["score"] == outcome.score
        assert record["design"] == outcome.design.to_json()
        scores = [episode_score(episode, task.allowed_drop) for episode in run.episodes()]
        if outcome.score is None:  # none was within the allowed drop
            assert max(scores) == -np.inf
            assert outcome.reward() == max(run.rewards())
        else:
            assert outcome.score == max(scores)
        return outcome

    return check
