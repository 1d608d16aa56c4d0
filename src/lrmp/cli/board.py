"""The ``lrmp board`` commands: serve a board, and look after one."""

import argparse
import sys
from getpass import getpass, getuser
from pathlib import Path
from typing import Any

from lrmp.cli import board_play
from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.output import add_json, format_table, note, print_json
from lrmp.errors import MissingExtraError
from lrmp.leaderboard.client.connection import Connection, part
from lrmp.leaderboard.client.credentials import connect, save_token


def add_commands(commands: Any) -> None:
    """Add ``lrmp board``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
    board = commands.add_parser(
        "board",
        help="serve a leaderboard for many, and take part in one",
        description="The hosted leaderboard; docs/board-operations.md explains how to run one.",
        epilog=EPILOG,
    )
    parts = board.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = parts.add_parser("serve", help="serve a board", epilog=EPILOG)
    _add_place(serve)
    _add_listening(serve)
    serve.set_defaults(run=_serve)

    demo = parts.add_parser(
        "demo",
        help="serve a board with the repository's records",
        description="A board with contents, on this machine alone.",
        epilog=EPILOG,
    )
    demo.add_argument(
        "--folder", type=Path, default=Path("runs/board-demo"), help="default: %(default)s"
    )
    _add_listening(demo)
    demo.set_defaults(run=_demo, database=None)

    work = parts.add_parser(
        "work", help="be a worker of a board", description="Does jobs until ended.", epilog=EPILOG
    )
    _add_place(work)
    work.add_argument("--parent", type=int, metavar="PID", help="end when this process is gone")
    work.set_defaults(run=_work)

    migrate = parts.add_parser("migrate", help="upgrade a board's database", epilog=EPILOG)
    _add_place(migrate)
    migrate.set_defaults(run=_migrate)

    admin = parts.add_parser(
        "admin",
        help="make an administrator, on the board's machine",
        description="Prints a token with all scopes; give it to `lrmp login`.",
        epilog=EPILOG,
    )
    admin.add_argument("name", help="of the user, who is made if there is none")
    _add_place(admin)
    admin.set_defaults(run=_admin)

    board_play.add_run(parts)

    rotate = parts.add_parser(
        "rotate-key",
        help="let another key sign the log, on the board's machine",
        description="The log says so, signed by the key before. End the board's processes first.",
        epilog=EPILOG,
    )
    _add_place(rotate)
    rotate.set_defaults(run=_rotate_key)

    verify = parts.add_parser(
        "verify",
        help="check a board, or the mirror of its log",
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
    add_json(verify)
    verify.set_defaults(run=_verify)

    _add_invite(parts)
    _add_round(parts)
    _add_token(parts)

    login = commands.add_parser(
        "login",
        help="sign in to a board",
        description="Keeps a token for a board, or forgets it. With an invitation's code it makes "
        "you a user. The token or code is read from the terminal or from standard input.",
        epilog=EPILOG,
    )
    _add_address(login, positional=True)
    login.add_argument("--invitation", action="store_true", help="you have an invitation's code")
    login.add_argument("--user", help="with an invitation: the name to take")
    login.add_argument("--team", help="with an invitation: the team to found")
    login.add_argument("--out", action="store_true", help="forget the token")
    login.set_defaults(run=_login)


def _add_address(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    text = "address of the board, such as https://board.example.org"
    if positional:
        parser.add_argument("board", metavar="URL", help=text)
    else:
        parser.add_argument("--board", required=True, metavar="URL", help=text)


def _add_invite(parts: Any) -> None:
    invite = parts.add_parser(
        "invite",
        help="make an invitation's code",
        description="Prints a code for `lrmp login URL --invitation`, good once, for 14 days.",
        epilog=EPILOG,
    )
    invite.add_argument("--team", help="to join; without it the holder founds one")
    _add_address(invite)
    invite.set_defaults(run=_invite)


def _add_round(parts: Any) -> None:
    rounds = parts.add_parser("round", help="open or close a round", epilog=EPILOG)
    actions = rounds.add_subparsers(title="commands", required=True, metavar="COMMAND")
    opening = actions.add_parser("open", help="draw a secret, publish its hash", epilog=EPILOG)
    opening.add_argument("name")
    opening.add_argument("--track", choices=("search", "zero-shot"), required=True)
    opening.add_argument("--days", type=float, required=True, help="until it closes")
    opening.add_argument("--objective", default="latency", help="default: %(default)s")
    opening.add_argument("--instances", type=int, default=10, help="default: %(default)s")
    _add_address(opening)
    opening.set_defaults(run=_open_round)
    closing = actions.add_parser("close", help="finish all runs, tell the secret", epilog=EPILOG)
    closing.add_argument("name")
    _add_address(closing)
    closing.set_defaults(run=_close_round)


def _add_token(parts: Any) -> None:
    token = parts.add_parser("token", help="make, list and revoke tokens", epilog=EPILOG)
    actions = token.add_subparsers(title="commands", required=True, metavar="COMMAND")
    create = actions.add_parser("create", help="make a token, and print it once", epilog=EPILOG)
    create.add_argument("name", help="what to call it, such as the machine that uses it")
    create.add_argument(
        "--scopes",
        nargs="+",
        default=["submit"],
        metavar="SCOPE",
        help="submit, manage, admin; default: submit",
    )
    create.add_argument("--days", type=float, default=90, help="default: %(default)s")
    _add_address(create)
    create.set_defaults(run=_create_token)
    listing = actions.add_parser("list", help="list your tokens", epilog=EPILOG)
    _add_address(listing)
    add_json(listing)
    listing.set_defaults(run=_list_tokens)
    revoke = actions.add_parser("revoke", help="end a token now", epilog=EPILOG)
    revoke.add_argument("id")
    _add_address(revoke)
    revoke.set_defaults(run=_revoke_token)


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
    return MissingExtraError(f'Expected {error.name} for a board; run pip install "lrmp[board]".')


def _serve(options: argparse.Namespace) -> int:
    settings = _settings(options)
    try:
        from lrmp.leaderboard.board.pages.routes import page_routes
        from lrmp.leaderboard.board.server import serve
    except ImportError as error:
        raise _missing(error) from error
    note(f"lrmp: http://{options.host}:{options.port}")
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
        from lrmp.leaderboard.board.database.connection import Database
        from lrmp.leaderboard.board.database.migrate import migrate, revisions
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
            f"other definitions, {verdict.rescored} evaluations scored again, {verdict.unproven} "
            f"runs of open rounds; {len(verdict.wrong)} differences\n"
            f"hash of the last item: {verdict.head}\nkey that signed it: {verdict.key}"
        )
    return EXIT_REFUSED if verdict.wrong else EXIT_OK


def _invite(options: argparse.Namespace) -> int:
    with connect(options.board) as connection:
        print(connection.post("/invitations", {"team": options.team})["secret"])
    return EXIT_OK


def _open_round(options: argparse.Namespace) -> int:
    names = ("name", "track", "days", "objective", "instances")
    with connect(options.board) as connection:
        found = connection.post("/rounds", {name: getattr(options, name) for name in names})
    print(f"{found['name']}: hash of the secret {found['commitment']}")
    return EXIT_OK


def _close_round(options: argparse.Namespace) -> int:
    with connect(options.board) as connection:
        found = connection.post(f"/rounds/{part(options.name)}/close")
    if found["secret"] is None:
        print(f"{found['name']}: workers still settle runs; repeat the command")
        return EXIT_REFUSED
    print(f"{found['name']}: secret {found['secret']}")
    return EXIT_OK


def _create_token(options: argparse.Namespace) -> int:
    document = {"name": options.name, "scopes": options.scopes, "days": options.days}
    with connect(options.board) as connection:
        print(connection.post("/tokens", document)["secret"])
    return EXIT_OK


def _list_tokens(options: argparse.Namespace) -> int:
    with connect(options.board) as connection:
        tokens = connection.get("/tokens")
    if options.json:
        print_json(tokens)
        return EXIT_OK
    rows = [
        [
            token["id"],
            token["name"],
            " ".join(token["scopes"]),
            token["expires_at"][:10],
            "revoked" if token["revoked_at"] else "",
        ]
        for token in tokens
    ]
    print(format_table(("id", "name", "scopes", "until", ""), rows, left=5))
    return EXIT_OK


def _revoke_token(options: argparse.Namespace) -> int:
    with connect(options.board) as connection:
        found = connection.delete(f"/tokens/{part(options.id)}")
    print(f"{found['name']}: revoked")
    return EXIT_OK


def _login(options: argparse.Namespace) -> int:
    if options.out:
        save_token(options.board, None)
        return EXIT_OK
    # Secrets are no arguments: other users of the machine see those.
    asked = "code of the invitation: " if options.invitation else "token: "
    secret = getpass(asked) if sys.stdin.isatty() else sys.stdin.readline().strip()
    if options.invitation:
        document = {"code": secret, "user": options.user or getuser(), "team": options.team}
        with Connection(options.board) as connection:
            secret = connection.post("/invitations/accept", document)["secret"]
    with Connection(options.board, secret) as connection:
        found = connection.get("/account")
    save_token(options.board, secret)
    print(f"signed in as {found['user']}; teams: {', '.join(found['teams']) or 'none'}")
    return EXIT_OK
