"""The ``lrmp evaluate`` command: a design in numbers and pictures."""

import argparse
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lrmp.baselines.running.run import is_registered
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.cli.exit_codes import EPILOG, EXIT_OK
from lrmp.cli.outcome_text import print_outcome
from lrmp.cli.output import add_json, note, print_json
from lrmp.cli.picture import save_picture
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.records.record import Record
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import Task
from lrmp.envs.variant_choice.record import claim_of, scale_of
from lrmp.errors import MissingExtraError, RecordError, RunError
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.design_plot import plot_design
from lrmp.plotting.floor_plan import plot_floor_plan
from lrmp.solvers.replication.problem import Replication, ReplicationProblem


def add_commands(commands: Any) -> None:
    """Add ``lrmp evaluate``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    evaluate = commands.add_parser(
        "evaluate",
        help="say what a design costs, layer by layer, and draw it",
        description="Cost the best design of a run, or of its saved policy, or settings of your "
        "own with the best copies. Only the files that are named are written: nothing in the run "
        "directory.",
        epilog=EPILOG,
    )
    evaluate.add_argument("run_dir", nargs="?", type=Path, help="a finished run directory")
    evaluate.add_argument(
        "--policy", action="store_true", help="act with the run's saved policy instead"
    )
    evaluate.add_argument(
        "--env-id", help="settings of your own instead of a run: the environment, or a task file"
    )
    add_settings(evaluate.add_mutually_exclusive_group())
    evaluate.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="picture of the design: .png, .svg or .pdf",
    )
    evaluate.add_argument(
        "--cost-plot", type=Path, metavar="FILE", help="picture of the cost by component"
    )
    evaluate.add_argument(
        "--floor-plan", type=Path, metavar="FILE", help="picture of the tiles and what they hold"
    )
    add_json(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    given = GivenSettings.of(options)
    if (options.run_dir is None) == (options.env_id is None):
        raise RunError(
            "Expected either a run directory or --env-id, which takes --set or --design."
        )
    if options.env_id is not None:
        if options.policy:
            raise RunError("Expected --policy beside a run directory, got it beside --env-id.")
        task = find_task(options.env_id)
        names = [layer.name for layer in task.network.layers]
        outcome = evaluate_settings(task, given.settings(task.space, names))
    else:
        if given:
            raise RunError(
                "Expected --set or --design beside --env-id; a run directory has its own design."
            )
        outcome = outcome_of_run(options.run_dir, use_policy=options.policy)
    _draw(outcome, options.plot, options.cost_plot, options.floor_plan)
    if options.json:
        print_json(outcome.to_json())
    else:
        print_outcome(outcome)
        if options.run_dir is not None and not is_registered(outcome.task):
            print(
                f"  (a task of the run's own, {outcome.task.fingerprint[:16]}..., which the "
                "leaderboard does not rank)"
            )
        if options.policy:
            print("  (the run's saved policy without exploration, not its record)")
    for path in (options.plot, options.cost_plot, options.floor_plan):
        if path is not None:
            (note if options.json else print)(f"picture: {path}")
    return EXIT_OK


def _draw(outcome: Outcome, plot: Path | None, cost: Path | None, floor_plan: Path | None) -> None:
    """Draw what was asked for."""
    model, design, budget = outcome.task.cost_model, outcome.design, outcome.task.budget
    if plot is not None:
        save_picture(partial(plot_design, outcome), plot)
    if cost is not None:
        save_picture(partial(plot_cost, model, design, budget), cost)
    if floor_plan is not None:
        save_picture(partial(plot_floor_plan, model, design, budget), floor_plan)


def outcome_of_run(run: Path, *, use_policy: bool = False) -> Outcome:
    """Cost the record of a run, or its policy's design.

    Args:
        run: A run directory, or a file with one record.
        use_policy: Whether to act with the run's saved policy instead.

    Returns:
        The design with its numbers.

    Raises:
        RunError: If there is not one record, or no policy.
        RecordError: If the record claims what its design does not do.
    """
    from lrmp.leaderboard.submission import check_definition, read_submission

    folder = run if os.path.isdir(run) else None  # Path.is_dir raises for some names
    own_task = None if folder is None else RunDirectory(folder).own_task()
    records = read_submission(run, own_task)
    if len(records) > 1:
        raise RunError(f"Expected one record in {run}, got {len(records)}.")
    record = records[0]
    task = check_definition(record, own_task)
    if not use_policy:
        return _recorded(record, task)
    if folder is None:
        raise RunError(f"Expected --policy beside a run directory, got {run}.")
    try:
        import torch  # noqa: F401  policies run on it
    except ImportError as error:
        raise MissingExtraError.of("torch", "for training", "train") from error
    from lrmp.agents.policies import load_policy
    from lrmp.baselines.running.evaluate import evaluate_policy

    policy = load_policy(RunDirectory(folder).policy_path)
    return evaluate_policy(policy, task)


def _recorded(record: Record, task: Task) -> Outcome:
    """Cost the recorded design, copies and all; its claim must hold."""
    design = record.design_for(task)
    tiles = int(task.cost_model.tiles_at_once(design.settings, design.replication))
    if tiles > task.budget:
        raise RecordError(f"Expected a design within {task.budget} tiles, got {tiles}.")
    best = evaluate_settings(task, design.settings)
    problem = ReplicationProblem.of(task.cost_model, design.settings, task.budget, task.objective)
    bound = best.replication.lower_bound
    placed = Replication.checked(problem, design.replication, bound, 0.0)
    outcome = replace(best, design=design, replication=placed)
    if differences := record.agrees_with(claim_of(outcome, scale_of(record))):
        raise RecordError(f"The record claims what its design does not do: {differences[0]}.")
    return outcome
