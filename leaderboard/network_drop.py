"""A design on its real network: the drop on test images that no search has seen."""

from importlib.metadata import version
from typing import Any

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.network import accuracy_on
from lrmp.accuracy.lab.protocol import protocol_of
from lrmp.envs.records.record import Record, library_versions
from lrmp.envs.variant_choice.problem_ids import VARIANT_PROBLEMS
from lrmp.envs.variant_choice.record import variant_of
from lrmp.errors import AccuracyDataError, MissingExtraError, RecordError
from lrmp.leaderboard.submission import check_definition


def network_drop(record: Record) -> dict[str, Any]:
    """Run the design of a record on the test images of its network.

    Args:
        record: Of a task or problem of today. Needs torch, and weights and images in
            ``LRMP_DATA``.

    Returns:
        Plain JSON values: ``drop`` in percentage points, the mean over ``runs`` with other seeds of
        noise; ``low`` and ``high``, the 95 % interval of a bootstrap over ``images``; ``network``
        and ``protocol``, the fingerprint of how it was run; ``checked_with``, versions.

    Raises:
        RecordError: If it cannot be run here, and why; or the record is none of today.
    """
    task = check_definition(record)
    network, design = task.network, record.design_for(task)
    if record.task in VARIANT_PROBLEMS:
        problem, variant = variant_of(record)
        network, design = problem.on_network(variant, design)
    try:
        protocol = protocol_of(network)
        accuracy = accuracy_on(protocol, design.space, task.accelerator, None)
        found = accuracy.evaluator.evaluate(design, "test")
    except (AccuracyDataError, MissingExtraError) as error:
        # Where this machine keeps its data is nobody else's business.
        reason = str(error).replace(str(data_root(None)), "LRMP_DATA")
        raise RecordError(f"{task.network.name} could not be run: {reason}") from error
    low, high = found.interval()
    return {
        "network": protocol.network,
        "protocol": accuracy.fingerprint,
        "drop": found.drop,
        "low": low,
        "high": high,
        "images": found.images,
        "runs": found.runs,
        "checked_with": dict(library_versions()) | {"torch": version("torch")},
    }
