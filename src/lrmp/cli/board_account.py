"""Commands of those who have an account on a board: login, tokens, invitations, rounds."""

import argparse
import sys
from getpass import getpass, getuser
from typing import Any

from lrmp.cli.exit_codes import EPILOG, EXIT_OK, EXIT_REFUSED
from lrmp.cli.output import add_json, print_json, print_table
from lrmp.leaderboard.client.connection import Connection, part
from lrmp.leaderboard.client.credentials import connect, save_token
from lrmp.text_table import Column


def add_commands(commands: Any) -> None:
    """Add ``lrmp login``.

    Args:
        commands: The subparsers of ``lrmp``.
    """
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


def add_account_commands(parts: Any) -> None:
    """Add what an account is for to ``lrmp board``.

    Args:
        parts: The subparsers of ``lrmp board``.
    """
    _add_invite(parts)
    _add_round(parts)
    _add_token(parts)


def _add_address(parser: argparse.ArgumentParser, *, positional: bool = False) -> None:
    text = "address of the board, such as https://board.example.org"
    if positional:
        parser.add_argument("board", metavar="URL", help=text)
    else:
        parser.add_argument("--board", required=True, metavar="URL", help=text)


def _add_invite(parts: Any) -> None:
    invite = parts.add_parser(
        "invite",
        help="print a code with which somebody may join",
        description="Prints a code for `lrmp login URL --invitation`, good once, for 14 days.",
        epilog=EPILOG,
    )
    invite.add_argument("--team", help="to join; without it the holder founds one")
    _add_address(invite)
    invite.set_defaults(run=_invite)


def _add_round(parts: Any) -> None:
    rounds = parts.add_parser(
        "round", help="open or close a competition on secret tasks", epilog=EPILOG
    )
    actions = rounds.add_subparsers(title="commands", required=True, metavar="COMMAND")
    opening = actions.add_parser(
        "open", help="draw secret tasks, and publish their hash", epilog=EPILOG
    )
    opening.add_argument("name")
    opening.add_argument("--track", choices=("search", "zero-shot"), required=True)
    opening.add_argument("--days", type=float, required=True, help="until it closes")
    opening.add_argument("--objective", default="latency", help="default: %(default)s")
    opening.add_argument("--instances", type=int, default=10, help="default: %(default)s")
    _add_address(opening)
    opening.set_defaults(run=_open_round)
    closing = actions.add_parser(
        "close", help="end all runs, and publish the secret", epilog=EPILOG
    )
    closing.add_argument("name")
    _add_address(closing)
    closing.set_defaults(run=_close_round)


def _add_token(parts: Any) -> None:
    token = parts.add_parser(
        "token", help="make, list and revoke the tokens of your account", epilog=EPILOG
    )
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
    if not tokens:
        print("No tokens yet: `lrmp board token create NAME --board URL` makes one.")
        return EXIT_OK
    revoked = ["revoked" if token["revoked_at"] else "" for token in tokens]
    print_table(
        [
            Column("id", [token["id"] for token in tokens], text=True),
            Column("name", [token["name"] for token in tokens], text=True, fit="shorten"),
            Column("scopes", [" ".join(token["scopes"]) for token in tokens], text=True),
            Column("until", [token["expires_at"][:10] for token in tokens], text=True),
            Column("", revoked, text=True),
        ]
    )
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
