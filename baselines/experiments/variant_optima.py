"""Optima of problems with variants: proven where none is stored for a problem as it is defined."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lrmp.envs.variant_choice.optimum import VariantOptimum
from lrmp.envs.variant_choice.problem import load_problem
from lrmp.envs.variant_choice.proof import prove_optimum
from lrmp.foreign_file import read_foreign_text
from lrmp.whole_file import write_whole


def prove(problem_ids: Sequence[str], optima: Path) -> list[VariantOptimum]:
    """Prove what is not proven of problems as they are defined today.

    Args:
        problem_ids: Of what.
        optima: Folder for ID.json.

    Returns:
        The optimum of every problem, in order.
    """
    found = []
    for problem_id in problem_ids:
        path = optima / f"{problem_id}.json"
        stored = VariantOptimum.from_text(read_foreign_text(path)) if path.is_file() else None
        problem = load_problem(problem_id)
        if stored is None or stored.problem_fingerprint != problem.fingerprint:
            stored = prove_optimum(problem, tqdm.write)
            optima.mkdir(parents=True, exist_ok=True)
            write_whole(path, stored.to_text())
        found.append(stored)
    return found
