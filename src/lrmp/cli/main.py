"""The ``lrmp`` command: environments, training, evaluation, submission, leaderboard."""

import argparse
import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import lrmp
from lrmp.baselines.running import algorithms
from lrmp.baselines.running.algorithms import ALGORITHMS, load_algorithm
from lrmp.baselines.running.command import parse_args
from lrmp.baselines.running.run import is_registered
from lrmp.cli import (
    accuracy,
    board,
    board_account,
    board_play,
    evaluate,
    export,
    hardware,
    optimize,
    optimum,
    own_task,
    render,
    study,
)
from lrmp.cli.command_groups import CommandGroups
from lrmp.cli.evaluate import outcome_of_run
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
from lrmp.cli.output import add_json, note, print_folded, print_json, print_table
from lrmp.cli.picture import save_picture
from lrmp.envs.task.custom_task import find_task
from lrmp.envs.task.task import TASKS, Task, load_task
from lrmp.errors import LRMPError, MissingExtraError, NoRecordsError, RecordError, RunError
from lrmp.leaderboard.store import DEFAULT_STORE
from lrmp.plotting.design_plot import plot_design
from lrmp.printable import EscapedStream, printable
from lrmp.text_table import Column, output_width

#: Command groups with a file of their own: their ``add_commands`` extends the parser.
GROUPS = (
    evaluate,
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
#: Commands by what they are for, in the order in which a newcomer meets them.
SECTIONS = {
    "start here": ("demo",),
    "tasks": ("envs", "task", "optimum"),
    "agents": ("train", "evaluate", "render", "study"),
    "leaderboard": ("submit", "leaderboard", "board", "login"),
    "chips and networks of your own": ("hardware", "optimize", "export", "accuracy"),
}
DESCRIPTION = """\
Find the design of an in-memory-computing chip: bits and copies for every layer
of a neural network. Train agents on it, solve it to a proven optimum, or bring
your own network and chip.
"""
SESSION = """\
a first session:
  lrmp train ddpg --env-id LRMP-ResNet8-v0 --seed 2
  lrmp evaluate runs/LRMP-ResNet8-v0__ddpg__2 --plot design.png
  lrmp submit runs/LRMP-ResNet8-v0__ddpg__2
  lrmp leaderboard
  lrmp optimum LRMP-ResNet8-v0

`lrmp COMMAND --help` explains a command, docs/command-line.md what all have in
common.
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
            options = make_parser().parse_args(words or ["--help"])
            code: int = options.run(options)
            sys.stdout.flush()
    except LRMPError as error:
        _say(error)
        is_refused = isinstance(error, RecordError) and not isinstance(error, NoRecordsError)
        takes_records = words[0] in ("submit", "demo") or words[:2] == ["study", "add"]
        return EXIT_REFUSED if is_refused and takes_records else EXIT_BAD_INPUT
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


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of all commands.

    Returns:
        It, with what runs a command in ``run`` of the options that it reads.
    """
    parser = _Parser(
        prog="lrmp",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"lrmp {lrmp.__version__}")
    commands = CommandGroups(parser, "[-h] [--version]")

    envs = commands.add_parser("envs", help="list the tasks that can be solved", epilog=EPILOG)
    add_json(envs)
    envs.set_defaults(run=_envs)

    train = commands.add_parser(
        "train",
        help="train an agent, or run a search",
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
        help="train, draw, submit and rank three agents in two minutes",
        description="DDPG and two simple baselines on one task, the picture, the leaderboard.",
        epilog=EPILOG,
    )
    demo.add_argument("--env-id", default="LRMP-ResNet8-v0", help="default: %(default)s")
    demo.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    demo.add_argument("--evaluations", type=int, default=600, help="default: %(default)s")
    demo.add_argument("--runs-dir", type=Path, default=Path("runs"), help="default: %(default)s")
    demo.set_defaults(run=_demo)

    for group in GROUPS:
        group.add_commands(commands)
    parser.description = f"{DESCRIPTION}\n{commands.listing(SECTIONS)}"
    parser.epilog = f"{SESSION}\n{EPILOG}"
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
    print_table(
        [
            Column("id", [row["id"] for row in rows], text=True),
            Column("network", [*map(_networks, rows)], text=True, fit="shorten", leaves=4),
            Column("objective", [row["objective"] for row in rows], text=True, leaves=3),
            Column("layers", [str(row["layers"]) for row in rows], leaves=1),
            Column("tiles", [f"{row['budget_tiles']:,}" for row in rows], leaves=2),
            Column("accuracy", [row["accuracy"] for row in rows], text=True),
            Column("holds", ["yes" if row["accuracy_holds"] else "no" for row in rows], text=True),
        ]
    )
    missed = {
        task.network.name: held_text(task)
        for task in tasks
        if not task.accuracy_holds and len(task.workload) == 1  # those of several say it there
    }
    if missed:
        print()
        print_folded("\n".join(f"{network}: {text}" for network, text in missed.items()), indent=4)
    return EXIT_OK


def _networks(row: dict[str, Any]) -> str:
    return f"{len(row['networks'])} networks" if "networks" in row else row["network"]


def _train(agent: str, words: list[str]) -> int:
    baseline = load_algorithm(agent)
    args = parse_args(baseline.Args, words, prog=f"lrmp train {agent}")
    if sys.stderr.isatty() and "torch" not in sys.modules:
        # Learners import torch, which takes seconds: whoever waits sees what for.
        print(f"loading {printable(agent)} ...", file=sys.stderr, flush=True)
    started = time.time()
    run = algorithms.train(agent, args)
    earlier = run.record_path.stat().st_mtime < started
    print(f"finished{' earlier' if earlier else ''}: {run.path}; next: lrmp evaluate {run.path}")
    return EXIT_OK


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
    print(format_ranking(document["rankings"], output_width()))
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
    outcome = outcome_of_run(runs[-1].path)
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
