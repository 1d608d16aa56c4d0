"""The ``lrmp study`` commands: run a study, and report it."""

import argparse
import sys
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from lrmp.accuracy.lab.images import data_root
from lrmp.accuracy.lab.protocol import protocol_of
from lrmp.cli.exit_codes import EPILOG, EXIT_INTERRUPTED, EXIT_OK, EXIT_REFUSED
from lrmp.errors import StudyError
from lrmp.studies import list_studies, study_path

if TYPE_CHECKING:
    from lrmp.baselines.study.definition import Study
    from lrmp.baselines.study.engine import Engine
    from lrmp.baselines.study.planned_run import PlannedRun

STUDIES = Path("runs") / "studies"


def add_commands(commands: Any) -> None:
    """Add ``lrmp study``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    study = commands.add_parser(
        "study",
        help="run tasks x agents x seeds from a TOML file, and report them",
        description="Studies; docs/studies.md explains them.",
        epilog=EPILOG,
    )
    parts = study.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = parts.add_parser(
        "run",
        help="make the runs that are missing",
        description="Make all runs of a study that have no record yet. Interrupted or killed, the "
        "same command goes on: nothing is lost, nothing is run twice.",
        epilog=EPILOG,
    )
    run.add_argument(
        "study",
        metavar="STUDY",
        help=f"a TOML file, or one that ships: {', '.join(list_studies())}",
    )
    run.add_argument(
        "--out", type=Path, metavar="DIR", help=f"its folder; default: {STUDIES}/NAME OF THE FILE"
    )
    run.add_argument(
        "--engine", choices=("local", "ray"), default="local", help="default: %(default)s"
    )
    run.add_argument("--workers", type=int, help="local: processes; default: 1")
    run.add_argument(
        "--address", help="ray: of the cluster; default: RAY_ADDRESS, else the one that runs here"
    )
    run.add_argument(
        "--shared",
        action="store_true",
        help="ray: all nodes see DIR, and run directories are made there; else in a folder of the "
        "node's own that ends with the run, and only the records come back",
    )
    run.add_argument("--tasks", nargs="+", metavar="ID", help="only these; * stands for anything")
    run.add_argument("--agents", nargs="+", metavar="NAME", help="only these, as --tasks")
    run.add_argument("--seeds", type=int, metavar="N", help="only seeds up to N")
    run.add_argument("--dry-run", action="store_true", help="check the study and count its runs")
    run.set_defaults(run=_run)

    add = parts.add_parser(
        "add",
        help="let a curve that was made elsewhere join a report",
        description="Add runs of your own agent to a study, marked as foreign. Every design is "
        "replayed, every number computed again; all runs of the files are added, or none. "
        "docs/studies.md describes the file, which lrmp.envs.wrappers.RecordDesigns writes.",
        epilog=EPILOG,
    )
    add.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.jsonl", help="a record for every design"
    )
    add.add_argument(
        "--to",
        type=Path,
        metavar="DIR",
        help=f"folder of the study; default: the only one in {STUDIES}",
    )
    add.add_argument("--agent", metavar="NAME", help="what to call it; default: as the file does")
    add.add_argument("--dry-run", action="store_true", help="check and replay; add nothing")
    add.set_defaults(run=_add)

    report = parts.add_parser(
        "report",
        help="write pages and pictures from the records",
        description="Compare the agents of a study, finished or not, by its records alone. The "
        "best design of every task is run on the real network, where its data are at hand.",
        epilog=EPILOG,
    )
    report.add_argument("folder", type=Path, metavar="DIR", help="of the study")
    report.add_argument(
        "--out", type=Path, metavar="DIR", help="where the pages go; default: the study's own"
    )
    report.add_argument(
        "--data",
        type=Path,
        help="folder of data sets and weights; default: LRMP_DATA, else ../shared/data",
    )
    report.add_argument(
        "--no-check", action="store_true", help="run no design on the networks; known results count"
    )
    report.set_defaults(run=_report)


def _run(options: argparse.Namespace) -> int:
    from lrmp.baselines.study.definition import read_study
    from lrmp.baselines.study.runner import run_study

    study = read_study(study_path(options.study))
    folder = options.out or STUDIES / study.name
    chosen = partial(_is_chosen, options)
    if not any(map(chosen, study.runs)):
        raise StudyError(
            "Expected --tasks, --agents and --seeds to choose runs, got none. The study's agents "
            f"are {', '.join(study.agents)}."
        )
    for agent, tasks in study.left_out.items():
        print(f"{agent} is left out where it has no accuracy table: {', '.join(tasks)}")
    if options.dry_run:
        _print_counts(study, options)
        return EXIT_OK
    try:
        done = run_study(study, folder, _engine(options, study), chosen=chosen)
    except KeyboardInterrupt:
        print(
            f"lrmp: interrupted; finished runs are in {folder}. Repeat the command to go on.",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    print(f"{done.finished} of {done.planned} runs are finished: {folder}")
    if done.failed:
        print(
            f"lrmp: {done.failed} runs failed; {folder / 'failures.log'} has the details. Repeat "
            "the command to try them again.",
            file=sys.stderr,
        )
        return EXIT_REFUSED
    return EXIT_OK


def _add(options: argparse.Namespace) -> int:
    from lrmp.baselines.study.foreign import add_foreign
    from lrmp.leaderboard.foreign_curve import read_foreign_curves, runs_text

    folder = _only_study() if options.to is None else options.to
    with tqdm(desc="replaying", unit="design", leave=False, disable=None) as bar:
        records = read_foreign_curves(options.files, options.agent, told=bar.update)
    add_foreign(folder, records, dry_run=options.dry_run)
    print(runs_text(records))
    if options.dry_run:
        print("replayed, nothing added")
    else:
        print(f"replayed and added to {folder}; next: lrmp study report {folder}")
    return EXIT_OK


def _only_study() -> Path:
    found = sorted(path.parent for path in STUDIES.glob("*/study.json"))
    if len(found) != 1:
        names = ", ".join(map(str, found)) or "none: `lrmp study run quick` makes one"
        raise StudyError(f"Expected --to DIR, the folder of a study; there are {names}.")
    return found[0]


def _report(options: argparse.Namespace) -> int:
    from lrmp.baselines.study.report import write_report

    out = options.out or options.folder
    page = write_report(options.folder, out, options.data, check=not options.no_check)
    print(f"page: {page}")
    return EXIT_OK


def _check_data(study: "Study") -> None:
    """Miss weights and images of networks once, not in every run."""
    from lrmp.baselines.study.planned_run import task_of

    keys = {(run.key.task, run.key.accuracy): run.key for run in study.runs}
    tasks = [task_of(key, study.own_tasks) for key in keys.values() if key.accuracy == "network"]
    for network in {task.network.name: task.network for task in tasks}.values():
        protocol, root = protocol_of(network), data_root(None)
        protocol.weights_path(root)
        protocol.load("calibration", root)


def _engine(options: argparse.Namespace, study: "Study") -> "Engine":
    if options.engine == "ray":
        if options.workers is not None:
            raise StudyError(
                f"Expected no --workers with --engine ray, got {options.workers}: a Ray cluster "
                "makes as many runs at a time as it has CPUs. Give ray start --num-cpus."
            )
        from lrmp.baselines.study.ray_engine import run_on_ray

        return partial(run_on_ray, address=options.address, shared=options.shared)
    if options.address is not None or options.shared:
        raise StudyError("Expected --address and --shared with --engine ray, got the local engine.")
    from lrmp.baselines.study.local_engine import run_locally

    _check_data(study)
    return partial(run_locally, workers=1 if options.workers is None else options.workers)


def _is_chosen(options: argparse.Namespace, run: "PlannedRun") -> bool:
    from lrmp.baselines.study.definition import plain_pattern

    tasks = None if options.tasks is None else list(map(plain_pattern, options.tasks))
    wanted = ((run.key.task, tasks), (run.key.agent, options.agents))
    return (options.seeds is None or run.key.seed <= options.seeds) and all(
        patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)
        for name, patterns in wanted
    )


def _print_counts(study: "Study", options: argparse.Namespace) -> None:
    counts = dict.fromkeys(study.agents, 0)
    for run in study.runs:
        counts[run.key.agent] += _is_chosen(options, run)
    for agent, count in counts.items():
        if count:
            print(f"{count:>6} runs of {agent}")
    print(f"{sum(counts.values()):>6} runs")
