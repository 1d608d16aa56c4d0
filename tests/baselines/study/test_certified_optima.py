"""The optima that are kept beside a study's records, of tasks with any knobs."""

import pytest

from lrmp.baselines.study.certified_optima import OPTIMA, certified_optima, keep_optima
from lrmp.envs import TASKS, stored_optimum
from lrmp.errors import StudyError


def test_the_optimum_of_every_task_is_kept_and_read_again(tmp_path, monkeypatch):
    stored = {task_id: stored_optimum(task_id) for task_id in TASKS}
    optima = {found.task_fingerprint: found for found in stored.values() if found is not None}
    assert len({found.design.space for found in optima.values()}) > 5
    keep_optima(tmp_path, optima)
    # When lrmp has them no more, the folder's are taken.
    monkeypatch.setattr("lrmp.baselines.study.certified_optima.TASKS", ())
    played = [(found.task, fingerprint) for fingerprint, found in optima.items()]
    assert certified_optima(tmp_path, played) == optima


@pytest.mark.parametrize("line", ["[]", "1", "{", '{"task": "LRMP-MLP-v0"}', '{"space": 3}'])
def test_what_is_no_optimum_is_refused(tmp_path, line):
    (tmp_path / OPTIMA).write_text(line + "\n")
    with pytest.raises(StudyError, match=r"Expected an optimum a line in .* Delete the file"):
        certified_optima(tmp_path, [("LRMP-MLP-v0", "0" * 64)])
