"""The ``lrmp`` command: environments, training, evaluation, submission, leaderboard."""

import argparse
import importlib
import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import lrmp
from lrmp.baselines.running import algorithms
from lrmp.baselines.running.algorithms import ALGORITHMS, load_algorithm
from lrmp.baselines.running.command import parse_args
from lrmp.baselines.running.run import is_registered
from lrmp.baselines.running.run_directory import RunDirectory
from lrmp.cli import (
    accuracy,
    board,
    board_account,
    board_play,
    export,
    hardware,
    optimize,
    optimum,
    own_task,
    render,
    study,
)
from lrmp.cli.exit_codes import (
    EPILOG,
    EXIT_BAD_INPUT,
    EXIT_BROKEN_PIPE,
    EXIT_BUG,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_REFUSED,
)
from lrmp.cli.outcome_text import held_text, print_outcome
from lrmp.cli.output import add_json, note, print_json
from lrmp.cli.picture import save_picture
from lrmp.cli.settings_argument import GivenSettings, add_settings
from lrmp.envs.records.record import Claim, Record
from lrmp.envs.scoring.outcome import Outcome, evaluate_settings
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.errors import LRMPError, MissingExtraError, NoRecordsError, RecordError, RunError
from lrmp.leaderboard.store import DEFAULT_STORE
from lrmp.plotting.cost_plot import plot_cost
from lrmp.plotting.design_plot import plot_design
from lrmp.plotting.floor_plan import plot_floor_plan
from lrmp.printable import EscapedStream, printable
from lrmp.solvers.replication.problem import Replication, ReplicationProblem

#: Command groups with a file of their own: their ``add_commands`` extends the parser.
GROUPS = (
    study,
    own_task,
    optimum,
    render,
    accuracy,
    hardware,
    optimize,
    export,
    board,
    board_account,
)
DESCRIPTION = """\
Benchmark suite for hardware/DNN co-design on in-memory computing.

A first session:
  lrmp envs                                              what can be solved
  lrmp train ddpg --env-id LRMP-ResNet18-v0 --seed 2     search settings, 600 designs
  lrmp evaluate runs/LRMP-ResNet18-v0__ddpg__2           the design in numbers; --plot draws it
  lrmp submit runs/LRMP-ResNet18-v0__ddpg__2             replay it, put it on the leaderboard
  lrmp leaderboard                                       who is best
  lrmp optimum LRMP-ResNet18-v0                          how good a design can be, proven
  lrmp render LRMP-ResNet18-v0 --out episode.gif         watch an episode
  lrmp hardware cost resnet18                            what a network costs on a chip
or from your own network, chip and images to a checked design:
  lrmp optimize --network my.onnx --chip my.toml --calibration train/ --validation val/ --out out
or all of it at once:
  lrmp demo
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after ``lrmp``; None takes them from the process.

    Returns:
        The exit code, as in ``EPILOG``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # `train AGENT` belongs to the baseline's own parser, its --help too.
        if words[:1] == ["train"] and len(words) > 1 and not words[1].startswith("-"):
            return _train(words[1], words[2:])
        with redirect_stdout(EscapedStream(sys.stdout)):
            options = _parser().parse_args(words or ["--help"])
            code: int = options.run(options)
            sys.stdout.flush()
    except LRMPError as error:
        _say(error)
        is_refused = isinstance(error, RecordError) and not isinstance(error, NoRecordsError)
        return EXIT_REFUSED if is_refused and words[0] in ("submit", "demo") else EXIT_BAD_INPUT
    except BrokenPipeError:  # as in `lrmp envs | head -1`; nothing is left to be told
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  until Python exits
        return EXIT_BROKEN_PIPE
    except OSError as error:
        _say(error)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        _say("interrupted; repeat the command to finish")
        return EXIT_INTERRUPTED
    except Exception:  # 1 would say that a record was refused
        traceback.print_exc()
        _say("this is a bug of lrmp; please report it with the lines above")
        return EXIT_BUG
    return code


def _say(message: object) -> None:
    """Print one line beside the output; names of files may hold what a terminal acts on."""
    note(f"lrmp: {message}")


class _Parser(argparse.ArgumentParser):
    """A parser whose errors quote words of the command line without their control characters."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lrmp",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lrmp {lrmp.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    envs = commands.add_parser("envs", help="list the environments", epilog=EPILOG)
    add_json(envs)
    envs.set_defaults(run=_envs)

    train = commands.add_parser(
        "train",
        help="train an agent or run a search",
        usage="lrmp train [-h] AGENT [options of the agent, such as --env-id and --seed]",
        epilog=f"`lrmp train AGENT --help` lists the agent's own options. {EPILOG}",
    )
    train.add_argument(
        "agent",
        metavar="AGENT",
        help=f"who decides: {', '.join(sorted(ALGORITHMS))}, what an installed package "
        "brings, or package.module:train",
    )
    train.set_defaults(run=lambda options: _train(options.agent, []))

    evaluate = commands.add_parser(
        "evaluate",
        help="cost a design, and draw it",
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

    board_play.add_submit(commands, _add_store)

    leaderboard = commands.add_parser("leaderboard", help="print the ranking", epilog=EPILOG)
    leaderboard.add_argument(
        "--task", metavar="ID", help="only this task, by the id of its environment in any form"
    )
    leaderboard.add_argument("--round", help="with --board: only this round")
    _add_store(leaderboard)
    board_play.add_board(leaderboard)
    add_json(leaderboard)
    leaderboard.set_defaults(run=_leaderboard)

    demo = commands.add_parser(
        "demo",
        help="train, draw, submit and rank in one go",
        description="DDPG and two simple baselines on one task, the picture, the leaderboard.",
        epilog=EPILOG,
    )
    demo.add_argument("--env-id", default="LRMP-ResNet18-v0", help="default: %(default)s")
    demo.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    demo.add_argument("--evaluations", type=int, default=600, help="default: %(default)s")
    demo.add_argument("--runs-dir", type=Path, default=Path("runs"), help="default: %(default)s")
    demo.set_defaults(run=_demo)

    for group in GROUPS:
        group.add_commands(commands)
    return parser


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", type=Path, default=DEFAULT_STORE, metavar="FILE", help="default: %(default)s"
    )


def _envs(options: argparse.Namespace) -> int:
    tasks = [load_task(task_id) for task_id in TASKS]
    rows = [task.to_json() for task in tasks]
    if options.json:
        print_json(rows)
        return EXIT_OK
    print(
        f"{'id':<32} {'network':<18} {'objective':<19} {'layers':>6} {'tiles':>6}  "
        f"{'accuracy':<16}  holds"
    )
    for row in rows:
        print(
            f"{row['id']:<32} {_networks(row):<18} {row['objective']:<19} {row['layers']:>6} "
            f"{row['budget_tiles']:>6}  {row['accuracy']:<16}  "
            f"{'yes' if row['accuracy_holds'] else 'no'}"
        )
    missed = {
        task.network.name: held_text(task)
        for task in tasks
        if not task.accuracy_holds and len(task.workload) == 1  # those of several say it there
    }
    if missed:
        print("\n" + "\n".join(f"{network}: {text}" for network, text in missed.items()))
    return EXIT_OK


def _networks(row: dict[str, Any]) -> str:
    return f"{len(row['networks'])} networks" if "networks" in row else row["network"]


def _train(agent: str, words: list[str]) -> int:
    if sys.stderr.isatty() and "torch" not in sys.modules:
        # Learners import torch, which takes seconds: whoever waits sees what for.
        print(f"loading {printable(agent)} ...", file=sys.stderr, flush=True)
    baseline = load_algorithm(agent)
    _extra("tyro")
    args = parse_args(baseline.Args, words, prog=f"lrmp train {agent}")
    started = time.time()
    run = algorithms.train(agent, args)
    earlier = run.record_path.stat().st_mtime < started
    print(f"finished{' earlier' if earlier else ''}: {run.path}; next: lrmp evaluate {run.path}")
    return EXIT_OK


def _extra(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError.of(module, "for training", "train") from error


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
        outcome = _of_run(options.run_dir, use_policy=options.policy)
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


def _of_run(run: Path, *, use_policy: bool) -> Outcome:
    """Cost the record of a run, or its policy's design."""
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
    _extra("torch")
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
    if differences := record.agrees_with(Claim.of(outcome)):
        raise RecordError(f"The record claims what its design does not do: {differences[0]}.")
    return outcome


def _leaderboard(options: argparse.Namespace) -> int:
    task_id = None if options.task is None else _ranked(options.task).id
    if options.board is not None:
        return board_play.board_leaderboard(options, task_id)
    if options.round is not None:
        raise RunError("Expected --board beside --round: rounds are played on hosted boards.")
    _print_ranking(options.store, task_id, as_json=options.json)
    return EXIT_OK


def _ranked(word: str) -> Task:
    """Find a task of the leaderboard."""
    task = find_task(word)
    if not is_registered(task):
        raise RunError(
            f"Expected a registered task, got one of your own, {word}: the leaderboard ranks what "
            "everybody can run. `lrmp envs` lists the tasks that it ranks."
        )
    return task


def _print_ranking(store: Path, task_id: str | None, *, as_json: bool) -> None:
    from lrmp.leaderboard.design_ranking import rank, to_json
    from lrmp.leaderboard.ranking_text import format_ranking
    from lrmp.leaderboard.store import Store

    contents = Store(store).read(task_id)
    document = to_json(rank(contents.entries))
    for sentence in contents.quarantined:
        note(f"lrmp: {sentence}")
    if as_json:
        print_json(document | {"chain": contents.chain})
        return
    print(format_ranking(document["rankings"]))
    if contents.chain:
        print(f"\nentries: {len(contents.chain)}; hash of the last: {contents.chain[-1]}")


def _demo(options: argparse.Namespace) -> int:
    task_id = _ranked(options.env_id).id
    common = {"env_id": task_id, "runs_dir": options.runs_dir}
    seeded = common | {"seed": options.seed, "evaluations": options.evaluations}
    plan = [("uniform", common), ("random", seeded), ("ddpg", seeded)]
    baselines = [(load_algorithm(agent), settings) for agent, settings in plan]
    # All settings are checked before the first run starts.
    jobs = [(baseline.train, baseline.Args(**settings)) for baseline, settings in baselines]
    runs = [train(args) for train, args in jobs]
    outcome = _of_run(runs[-1].path, use_policy=False)
    print_outcome(outcome)
    picture = runs[-1].path / "design.png"
    try:
        save_picture(partial(plot_design, outcome), picture)
        print(f"picture: {picture}")
    except MissingExtraError as error:
        _say(f"no picture: {error}")
    print()
    store = options.runs_dir / DEFAULT_STORE.name
    _submit_new([run.path for run in runs], store)
    _print_ranking(store, task_id, as_json=False)
    return EXIT_OK


def _submit_new(runs: Sequence[Path], store: Path) -> None:
    """Submit the runs that are not on the leaderboard yet, so that a demo can be repeated."""
    from lrmp.leaderboard.store import Store
    from lrmp.leaderboard.submission import read_submission

    entries = [entry.record for entry in Store(store).entries()]
    stored = {(r.task, r.task_fingerprint, r.agent, r.seed) for r in entries}
    for run in runs:
        record = read_submission(run)[0]
        if (record.task, record.task_fingerprint, record.agent, record.seed) not in stored:
            board_play.submit_here([record], store, as_json=False)
