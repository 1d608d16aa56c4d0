"""``lrmp board run``, and what ``lrmp submit`` and ``lrmp leaderboard`` do with a hosted board."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.output import add_json, note, print_json
from lrmp.envs.scoring.reward import score_text
from lrmp.errors import BoardError
from lrmp.text_table import format_table, output_width

WAIT_S = 120.0
DESCRIPTION = """\
Let an algorithm search the secret tasks of a round, or a function play them as
the environment LRMP-Board-v0. The board scores every design, and counts them.
"""
EXAMPLES = """\
examples:
  lrmp board run genetic --board URL --agent team/genetic@1
  lrmp board run ippo --board URL --agent team/ippo@1 \\
      --options='--learning-rate 0.001'
  lrmp board run --play my_agent:play --board URL --agent team/mine@1 \\
      --track zero-shot
After a cut repeat the command: what was counted stays counted, and is not
counted twice.

"""


def add_run(parts: Any) -> None:
    """Add ``lrmp board run``.

    Args:
        parts: The subparsers of ``lrmp board``.
    """
    run = parts.add_parser(
        "run",
        help="let an agent of yours play a round",
        description=DESCRIPTION,
        epilog=f"{EXAMPLES}{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("algorithm", nargs="?", help="as `lrmp train` takes it")
    run.add_argument(
        "--play",
        metavar="MODULE:FUNCTION",
        help="instead: a function that takes an environment of one run",
    )
    add_board(run, required=True)
    run.add_argument("--agent", required=True, metavar="TEAM/AGENT@VERSION")
    run.add_argument(
        "--track", choices=["search", "zero-shot"], default="search", help="default: %(default)s"
    )
    run.add_argument("--round", help="default: the newest open one of the track")
    run.add_argument("--seed", type=int, default=1, help="of the first run; default: %(default)s")
    run.add_argument("--runs", type=int, help="default: all that the round allows")
    run.add_argument("--evaluations", type=int, help="of a run; default: all that it may have")
    run.add_argument("--code", metavar="URL", help="of the agent, where it is registered now")
    run.add_argument(
        "--options", default="", metavar="TEXT", help="of the algorithm, as `lrmp train` takes them"
    )
    run.set_defaults(run=_run)


def add_board(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    """Offer ``--board``.

    Args:
        parser: Of a command.
        required: Whether it must be given.
    """
    parser.add_argument(
        "--board", metavar="URL", required=required, help="a hosted board; see `lrmp login`"
    )


def add_submit(commands: Any, add_store: Any) -> None:
    """Add ``lrmp submit``.

    Args:
        commands: The subparsers of ``lrmp``.
        add_store: Offers ``--store``.
    """
    submit = commands.add_parser(
        "submit",
        help="replay a run's record and store it on the leaderboard",
        description="Validate, replay with a fresh cost model and OR-Tools, store. All or nothing. "
        "Of a file that RecordDesigns wrote, the best design with the curve of all. With --board "
        "the hosted board replays.",
        epilog=EPILOG,
    )
    submit.add_argument("run_dir", type=Path, help="a run directory, or a .jsonl file of records")
    add_store(submit)
    add_board(submit)
    submit.add_argument(
        "--agent", help="name to submit under: with --board TEAM/AGENT@VERSION, which is needed"
    )
    submit.add_argument("--code", metavar="URL", help="address of the code, in the record")
    submit.add_argument(
        "--dry-run", action="store_true", help="check and replay here; store and send nothing"
    )
    add_json(submit)
    submit.set_defaults(run=_submit)


def board_leaderboard(options: argparse.Namespace, task_id: str | None) -> int:
    """Print rankings of a hosted board.

    Args:
        options: Of ``lrmp leaderboard``.
        task_id: Only of this task.

    Returns:
        The exit code.
    """
    from lrmp.leaderboard.client import tables
    from lrmp.leaderboard.client.connection import Connection, part
    from lrmp.leaderboard.ranking_text import format_ranking

    with Connection(options.board) as connection:
        if options.round is not None:
            found = [connection.get(f"/rankings/rounds/{part(options.round)}")]
        elif task_id is not None:
            found = [connection.get(f"/rankings/designs/{part(task_id)}")]
        else:
            tasks = connection.get("/tasks")
            found = [
                connection.get(f"/rankings/designs/{part(task['id'])}", limit=5)
                for task in tasks
                if task["designs"]
            ]
            rounds = connection.get("/rounds")
            found += [connection.get(f"/rankings/rounds/{part(r['name'])}") for r in rounds]
    if options.json:
        print_json(found)
        return EXIT_OK
    designs = [ranking for ranking in found if "task" in ranking]
    blocks = [format_ranking(designs, output_width())] if designs else []
    for ranking in found[len(designs) :]:
        title = (
            f"{ranking['round']} ({ranking['track']}), after {ranking['evaluations']} evaluations"
        )
        blocks.append(f"{title}\n{format_table(tables.agents_table(ranking), output_width())}")
    print(
        "\n\n".join(blocks)
        or "No designs and no rounds yet: `lrmp submit RUN --board URL --agent TEAM/AGENT@VERSION` "
        "adds a design."
    )
    return EXIT_OK


def _run(options: argparse.Namespace) -> int:
    from lrmp.leaderboard.client import play
    from lrmp.leaderboard.client.credentials import connect
    from lrmp.leaderboard.client.rounds import open_round_of

    if (options.algorithm is None) == (options.play is None):
        raise BoardError("Expected an algorithm, or --play with a function; give one of both.")
    with connect(options.board) as connection:
        found = open_round_of(connection, options.track, options.round)
        register(connection, options.agent, options.code)
        note(
            f"lrmp: {found['name']}: {options.runs or found['instances']} runs of at most "
            f"{found['evaluations']} evaluations, all of which count"
        )

        def tell(played: play.Played) -> None:
            print(
                f"run {played.number} ({played.run}): {played.evaluations} evaluations, "
                f"{played.state}",
                flush=True,
            )

        if options.play is not None:
            play.play_function(
                connection, found, options.agent, options.play, runs=options.runs, progress=tell
            )
        else:
            play.play_algorithm(
                connection,
                found,
                options.agent,
                options.algorithm,
                shlex.split(options.options),
                seed=options.seed,
                runs=options.runs,
                evaluations=options.evaluations,
                progress=tell,
            )
    print(f"see: {options.board.rstrip('/')}/rounds/{found['name']}")
    return EXIT_OK


def register(connection: Any, agent: str, code: str | None) -> None:
    """Register an agent, unless it is known.

    Args:
        connection: With a token of the agent's team.
        agent: ``team/agent@version``.
        code: Address of its code, or None.

    Raises:
        BoardError: If it is known with other code, or is another team's.
    """
    from lrmp.leaderboard.client.connection import part

    try:
        connection.get(f"/agents/{part(agent)}")
    except BoardError as error:
        if error.status != 404:
            raise
        connection.post("/agents", {"agent": agent, "code": code})


def _submit(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from lrmp.leaderboard.client.hand_in import read_records
    from lrmp.leaderboard.submission import as_submitted

    records = read_records(options.run_dir, options.code)
    if options.board is not None:
        return _submit_there(options, records)
    if options.agent is not None:
        records = [as_submitted(replace(record, agent=options.agent)) for record in records]
    submit_here(records, options.store, as_json=options.json, dry_run=options.dry_run)
    return EXIT_OK


def submit_here(records: Any, store: Path, *, as_json: bool, dry_run: bool = False) -> None:
    """Replay records, store them, and say so.

    Args:
        records: What ``read_records`` returned.
        store: The leaderboard's file.
        as_json: Whether to print JSON.
        dry_run: Whether to store nothing.
    """
    from lrmp.leaderboard.gap import gap_text, optimum_gap
    from lrmp.leaderboard.replay import replay
    from lrmp.leaderboard.submit import submit_records

    replays = [replay(record) for record in records] if dry_run else submit_records(records, store)
    if as_json:
        print_json([vars(each.claim) | {"task": each.record.task} for each in replays])
        return
    done = "replayed, nothing stored" if dry_run else "replayed and stored"
    for each in replays:
        record, score = each.record, each.claim.score
        gap = optimum_gap(record.task, record.task_fingerprint, score)
        beside = "" if gap is None else f", {gap_text(gap)} to the optimum"
        run = f"{record.task}, {record.agent}, seed {record.seed}"
        print(f"{done}: {run}, {score_text(score)}{beside}")


def _submit_there(options: argparse.Namespace, records: Any) -> int:
    from lrmp.leaderboard.client.credentials import connect
    from lrmp.leaderboard.client.hand_in import hand_in, wait_for
    from lrmp.leaderboard.replay import replay

    if options.agent is None:
        raise BoardError("Expected --agent TEAM/AGENT@VERSION beside --board, got none.")
    if options.dry_run:
        for record in records:
            score = score_text(replay(record).claim.score)
            print(f"replayed here, nothing sent: {record.task}, {options.agent}, {score}")
        return EXIT_OK
    with connect(options.board) as connection:
        register(connection, options.agent, options.code)
        found = hand_in(connection, options.agent, records)
        done = [wait_for(connection, each, WAIT_S) for each in found]
    if options.json:
        print_json([each.submission for each in done])
    else:
        for each in done:
            said = each.submission
            place = f", log {said['log_number']}" if said["log_number"] else ""
            reason = f": {said['reason']}" if said["reason"] else ""
            print(
                f"{said['state']}: {said['task']}, {said['agent']}{place}{reason}\n"
                f"  {options.board.rstrip('/')}/submissions/{said['id']}"
            )
    refused = any(each.submission["state"] in ("refused", "failed") for each in done)
    return EXIT_REFUSED if refused else EXIT_OK
