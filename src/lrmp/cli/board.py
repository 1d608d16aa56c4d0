"""The ``lrmp board`` commands: serve a board, and look after one."""

import argparse
from pathlib import Path
from typing import Any

from lrmp.cli import board_play
from lrmp.cli.board_account import add_account_commands
from lrmp.cli.command_groups import CommandGroups
from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.output import add_json, note, print_json
from lrmp.errors import MissingExtraError

#: Commands by who needs them.
SECTIONS = {
    "take part": ("run", "token"),
    "check": ("verify",),
    "organise": ("invite", "round"),
    "host": ("demo", "serve", "work", "migrate", "admin", "rotate-key"),
}
DESCRIPTION = """\
A leaderboard on a server, on which teams compare agents. `lrmp login URL` comes
first for those who take part; docs/board.md explains the rest to them, and
docs/board-operations.md to those who host one.
"""


def add_commands(commands: Any) -> None:
    """Add ``lrmp board``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    board = commands.add_parser(
        "board",
        help="host a leaderboard for many, or take part in one",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = CommandGroups(board)

    serve = parts.add_parser("serve", help="run a board on this machine", epilog=EPILOG)
    _add_place(serve)
    _add_listening(serve)
    serve.set_defaults(run=_serve)

    demo = parts.add_parser(
        "demo",
        help="run one with contents, to look at; on this machine alone",
        description="A board with contents, on this machine alone.",
        epilog=EPILOG,
    )
    demo.add_argument(
        "--folder", type=Path, default=Path("runs/board-demo"), help="default: %(default)s"
    )
    _add_listening(demo)
    demo.set_defaults(run=_demo, database=None)

    work = parts.add_parser(
        "work",
        help="replay what was submitted, beside `serve`",
        description="Replays submissions and settles runs, as a process of a board, until ended.",
        epilog=EPILOG,
    )
    _add_place(work)
    work.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    work.set_defaults(run=_work)

    migrate = parts.add_parser(
        "migrate", help="bring the database to this version of lrmp", epilog=EPILOG
    )
    _add_place(migrate)
    migrate.set_defaults(run=_migrate)

    admin = parts.add_parser(
        "admin",
        help="make an administrator, and print a token",
        description="Prints a token with all scopes; give it to `lrmp login`.",
        epilog=EPILOG,
    )
    admin.add_argument("name", help="of the user, who is made if there is none")
    _add_place(admin)
    admin.set_defaults(run=_admin)

    board_play.add_run(parts)

    rotate = parts.add_parser(
        "rotate-key",
        help="sign the log with a new key from now on",
        description="The log says so, signed by the key before. End the board's processes first.",
        epilog=EPILOG,
    )
    _add_place(rotate)
    rotate.set_defaults(run=_rotate_key)

    verify = parts.add_parser(
        "verify",
        help="check that a board ranks what its log says, by replaying it",
        description="Checks links and signatures, replays every record, draws the instances of "
        "closed rounds again, scores all their designs again, and compares the rankings of a "
        "board with what follows from its log.",
        epilog=EPILOG,
    )
    verify.add_argument("source", metavar="URL|FILE", help="of a board, or the mirror of its log")
    verify.add_argument(
        "--earlier", type=Path, metavar="FILE", help="a mirror that you kept: it must be continued"
    )
    verify.add_argument(
        "--key", metavar="HEX", help="the board's first key, where you know it from elsewhere"
    )
    verify.add_argument(
        "--no-replay", action="store_true", help="replay no records, which takes seconds each"
    )
    verify.add_argument(
        "--networks",
        action="store_true",
        help="run checked designs on their networks again, which takes minutes each and needs "
        "LRMP_DATA",
    )
    add_json(verify)
    verify.set_defaults(run=_verify)

    add_account_commands(parts)
    board.description = f"{DESCRIPTION}\n{parts.listing(SECTIONS)}"


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folder", type=Path, help="signing key, mirror of the log, SQLite; default: runs/board"
    )
    parser.add_argument("--database", metavar="URL", help="default: SQLite in the folder")


def _add_listening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--port", type=int, default=8321, help="default: %(default)s")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that replay; default: %(default)s"
    )


def _settings(options: argparse.Namespace) -> Any:
    try:
        from lrmp.leaderboard.board.settings import BoardSettings
    except ImportError as error:
        raise _missing(error) from error
    return BoardSettings.from_environment(folder=options.folder, database=options.database)


def _missing(error: ImportError) -> MissingExtraError:
    return MissingExtraError.of(error.name, "for a board", "board")


def _serve(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.pages.routes import page_routes
        from lrmp.leaderboard.board.server import serve
    except ImportError as error:
        raise _missing(error) from error
    serve(settings, options.host, options.port, options.workers, page_routes())
    return EXIT_OK


def _demo(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.core import Board
        from lrmp.leaderboard.board.demo import read_best, seed, study_records
        from lrmp.leaderboard.board.pages.routes import page_routes
        from lrmp.leaderboard.board.server import serve
    except ImportError as error:
        raise _missing(error) from error
    records = study_records()
    if not records.exists():
        note(f"lrmp: no records of the repository in {records}: the board starts empty")
    board = Board(settings)
    secret = seed(board, read_best(records) if records.exists() else [])
    board.close()
    print(f"http://{options.host}:{options.port}\ntoken of the administrator: {secret}", flush=True)
    serve(settings, options.host, options.port, options.workers, page_routes())
    return EXIT_OK


def _work(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.worker.worker import work
    except ImportError as error:
        raise _missing(error) from error
    work(settings, options.parent)
    return EXIT_OK


def _migrate(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.database.migrate import migrate, revisions
        from lrmp.leaderboard.log.database import Database
    except ImportError as error:
        raise _missing(error) from error
    database = Database(settings.database_url)
    before, _ = revisions(database)
    migrate(database)
    print(f"revision {before} -> {revisions(database)[0]}")
    database.close()
    return EXIT_OK


def _admin(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.core import Board
        from lrmp.leaderboard.board.service.accounts import add_admin
    except ImportError as error:
        raise _missing(error) from error
    board = Board(settings)
    print(add_admin(board, options.name))
    board.close()
    return EXIT_OK


def _rotate_key(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.core import Board
    except ImportError as error:
        raise _missing(error) from error
    board = Board(settings)
    print(board.rotate_key())
    board.close()
    return EXIT_OK


def _verify(options: argparse.Namespace) -> int:
    try:
        from lrmp.leaderboard.board.verification import verify_file, verify_url
    except ImportError as error:
        raise _missing(error) from error
    checks = {
        "earlier": options.earlier,
        "first_key": options.key,
        "with_replays": not options.no_replay,
        "with_networks": options.networks,
    }
    if options.source.startswith(("http://", "https://")):
        verdict = verify_url(options.source, **checks)
    else:
        verdict = verify_file(Path(options.source), **checks)
    if options.json:
        print_json(verdict.to_json())
    else:
        for sentence in verdict.wrong:
            print(sentence)
        print(
            f"{verdict.items} items, {verdict.replayed} records replayed, {verdict.unknown} of "
            f"other definitions, {verdict.rescored} evaluations scored again, {verdict.checked} "
            f"designs run on their networks again, {verdict.unproven} runs of open "
            f"rounds; {len(verdict.wrong)} differences\n"
            f"hash of the last item: {verdict.head}\nkey that signed it: {verdict.key}"
        )
    return EXIT_REFUSED if verdict.wrong else EXIT_OK
