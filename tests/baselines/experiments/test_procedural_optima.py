"""Optima of published instances are computed once, and again where an instance has changed."""

from dataclasses import replace

import pytest

from lrmp.baselines.experiments.procedural_optima import Args, compute
from lrmp.envs.procedural.published_split import InstanceOptimum, optima_file, published_optima
from lrmp.errors import RunError


@pytest.mark.long
@pytest.mark.parametrize("draws", ["precision", "spaces"])
def test_the_command_goes_on_where_it_stopped(draws, tmp_path):
    args = Args(tmp_path, objectives=("throughput",), draws=(draws,), instances=3, workers=1)
    compute(args, progress=False)
    path = tmp_path / optima_file("throughput", draws)
    text = path.read_text("utf-8")
    shipped = [found.to_line() for found in published_optima("throughput", draws).values()][:3]
    assert text.splitlines() == shipped
    # The last line is torn, the first one proves something of another task.
    first, second, third = text.splitlines()
    changed = first.replace(InstanceOptimum.from_line(first).fingerprint, "0" * 16)
    marked = replace(InstanceOptimum.from_line(second), bound=9.5).to_line()
    path.write_text(f"{changed}\n{marked}\n{third[:20]}", "utf-8")
    compute(args, progress=False)
    assert path.read_text("utf-8").splitlines() == [first, marked, third]  # not solved again


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "Expected at least one worker, got 0"),
        ({"instances": 1001}, "Expected 1 to 1000 instances, got 1001"),
    ],
)
def test_wrong_arguments_are_refused(settings, message, tmp_path):
    with pytest.raises(RunError, match=message):
        compute(Args(tmp_path, **settings), progress=False)
