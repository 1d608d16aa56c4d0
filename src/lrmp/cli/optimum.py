"""The ``lrmp optimum`` command: the proven optimum of a task."""

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.cli.outcome_text import DETAIL, print_outcome
from lrmp.cli.output import add_json, print_folded, print_json
from lrmp.cli.picture import save_picture
from lrmp.envs.scoring.outcome import evaluate_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.optimum import Optimum, stored_optimum
from lrmp.errors import RunError
from lrmp.plotting.design_plot import plot_design

STATUS = "{desc}, {elapsed}{postfix}"  # how long the solver takes is not known beforehand


def add_commands(commands: Any) -> None:
    """Add ``lrmp optimum``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    parser = commands.add_parser(
        "optimum",
        help="show the proven optimum of a task",
        description="The best design known for a task, and a proven bound on all designs. "
        "`python -m lrmp.baselines.experiments.optimum --out FOLDER` computes all of them again.",
        epilog=EPILOG,
    )
    parser.add_argument("env_id", help="the environment, or a task file (.toml)")
    parser.add_argument(
        "--solve", action="store_true", help="find and prove it now instead of reading it"
    )
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="picture of the design: .png, .svg or .pdf"
    )
    add_json(parser)
    parser.set_defaults(run=_optimum)


def _optimum(options: argparse.Namespace) -> int:
    task = find_task(options.env_id)
    known = stored_optimum(task)
    if options.solve:
        from lrmp.baselines.experiments.optimum import find_optimum

        with tqdm(
            desc=f"solving {task.id}", bar_format=STATUS, leave=False, disable=None
        ) as status:
            known = find_optimum(task, status.set_postfix_str)
    if known is None:
        raise RunError(
            f"Expected a stored optimum of {task.id} as it is defined here, got none. Add --solve."
        )
    outcome = evaluate_settings(task, known.design.settings)
    if options.plot is not None:
        save_picture(partial(plot_design, outcome), options.plot)
    if options.json:
        extra = {
            "bound": known.bound,
            "gap": known.gap,
            "reward_bound": known.reward_bound,
            "constant": None if known.constant is None else vars(known.constant),
            "method": known.method,
        }
        print_json(outcome.to_json() | extra | {"log": known.log})
        return EXIT_OK
    print_outcome(outcome)
    print_folded(
        f"  bound           {known.bound:.4f}: no design within the allowed drop scores more\n"
        f"  best constant   {_constant(known)}\n"
        f"  gap             {known.gap:.2e} of the {task.objective}\n"
        f"  method          {known.method}",
        indent=DETAIL,
    )
    for line in known.log:
        print_folded(f"    {line}", indent=6)
    if options.plot is not None:
        print(f"picture: {options.plot}")
    return EXIT_OK


def _constant(optimum: Optimum) -> str:
    if optimum.constant is None:
        return "none within the allowed drop"
    setting = ", ".join(f"{name} {value}" for name, value in optimum.constant.setting.items())
    return f"{optimum.constant.value:.4f}, {100 * optimum.constant_share:.1f} % of it: {setting}"
